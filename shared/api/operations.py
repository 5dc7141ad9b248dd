"""Answer requests that change something: uploads, erasures, and work that is begun again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.api.erasing import erase, subjects
from shared.api.models import (
    Erasure,
    ErasureQuery,
    ErasureReport,
    LettersQuery,
    Replayed,
    ReplayReport,
    ReplayRequest,
)
from shared.api.requests import Fault, invalid
from shared.documents.replay import dead_letters, replay, replay_letter
from shared.documents.store import document_id
from shared.intake.uploads import NewUpload, begin_upload
from shared.platform.clients import firestore_client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.api.erasing import Erased
    from shared.api.serving import Call
    from shared.documents.replay import LetterPage
    from shared.intake.uploads import BegunUpload
    from shared.platform.records import UploadEvent


def begin(call: Call) -> BegunUpload:
    """Begin an upload."""
    assert isinstance(call.body, NewUpload)
    return begin_upload(call.body)


def erase_document(call: Call) -> ErasureReport:
    """Erase a document and, if it is an archive, its members."""
    assert isinstance(call.query, ErasureQuery)
    chosen = subjects([call.arguments["id"]], with_file=call.query.with_file)
    return ErasureReport(erased=[_erasure(each) for each in erase(chosen)])


def _erasure(erased: Erased) -> Erasure:
    return Erasure(
        id=erased.id,
        name=erased.name,
        files=erased.files,
        newer=[str(generation) for generation in erased.newer],
        digests=erased.digests,
        copies=erased.copies,
        stays=erased.stays,
        kept=erased.kept,
    )


def replays(call: Call) -> ReplayReport:
    """Begin documents again."""
    asked = call.body
    assert isinstance(asked, ReplayRequest)
    if bool(asked.documents) == asked.all_failed:
        raise invalid([Fault(detail="Name documents, or ask for all that failed.", pointer="#/documents")])
    return _report(replay(asked.documents))


def letters(call: Call) -> LetterPage:
    """Return a page of messages that were given up."""
    assert isinstance(call.query, LettersQuery)
    return dead_letters(firestore_client(), limit=call.query.page_size, page_token=call.query.page_token)


def replay_of_letter(call: Call) -> ReplayReport:
    """Begin the document of a message again."""
    return _report([replay_letter(firestore_client(), call.arguments["letter"])])


def _report(events: Sequence[UploadEvent]) -> ReplayReport:
    begun = [
        Replayed(
            id=document_id(event.bucket, event.name), name=event.name, replaces_run=event.restart_run or 0
        )
        for event in events
    ]
    return ReplayReport(documents=begun)


HANDLERS = {
    "begin": begin,
    "erase": erase_document,
    "replays": replays,
    "letters": letters,
    "replay": replay_of_letter,
}
"""Handlers by the names of their endpoints."""
