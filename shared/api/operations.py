"""Answer requests about uploads, erasures, work that is begun again, corrections and digests.

What only they need is imported when the first of them comes: a cold start is as short as for texts alone.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from shared.api.models import (
    AskedDigest,
    CorrectionPage,
    CorrectionRequest,
    DigestPage,
    DigestRequest,
    DigestsQuery,
    Erasure,
    ErasureQuery,
    ErasureReport,
    LettersQuery,
    Replayed,
    ReplayReport,
    ReplayRequest,
)
from shared.api.requests import Fault, Problem, invalid, not_found
from shared.api.stored import get_document
from shared.digests.on_demand import Wanted, ask
from shared.documents.replay import dead_letters, replay, replay_letter
from shared.documents.store import document_id, now
from shared.platform.clients import firestore_client
from shared.platform.errors import Conflict, Missing
from shared.platform.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.wrappers import Response

    from shared.api.erasing import Erased
    from shared.api.serving import Call, Handler
    from shared.digests.records import Digest
    from shared.documents.corrected import Correction
    from shared.documents.replay import LetterPage
    from shared.intake.uploads import BegunUpload
    from shared.platform.records import UploadEvent


def begin(call: Call) -> BegunUpload:
    """Begin an upload."""
    from shared.intake.uploads import NewUpload, begin_upload

    assert isinstance(call.body, NewUpload)
    return begin_upload(call.body)


def erase_document(call: Call) -> ErasureReport:
    """Erase a document and, if it is an archive, its members."""
    from shared.api.erasing import erase, subjects

    assert isinstance(call.query, ErasureQuery)
    chosen = subjects([call.arguments["id"]], with_file=call.query.with_file)
    return ErasureReport(erased=[_erasure(each) for each in erase(chosen)])


def _erasure(erased: Erased) -> Erasure:
    return Erasure(**asdict(erased) | {"newer": [str(generation) for generation in erased.newer]})


def replays(call: Call) -> ReplayReport:
    """Begin documents again."""
    asked = call.body
    assert isinstance(asked, ReplayRequest)
    return _report(replay([] if asked.documents == "failed" else asked.documents))


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


def correct_document(call: Call) -> Correction:
    """Say what is right."""
    from shared.documents.corrections import correct

    assert isinstance(call.body, CorrectionRequest)
    change = call.body.root
    seen = _version(call.if_match) if call.if_match else None
    try:
        said = correct(firestore_client(), call.arguments["id"], change, by=call.key.name, seen=seen)
    except Conflict as error:
        if seen is None:
            raise
        status = HTTPStatus.PRECONDITION_FAILED
        raise Problem(status, "changed-meanwhile", error.message) from None
    get_logger("api").info("corrected", document=call.arguments["id"], kind=change.kind, by=call.key.id)
    return said


def _version(if_match: str) -> int | None:
    """Return the version of a passage in `If-Match`; None for any."""
    if if_match.strip() == "*":
        return None
    if not (found := _VERSION.fullmatch(if_match)):
        raise Problem(
            HTTPStatus.PRECONDITION_FAILED,
            "changed-meanwhile",
            'If-Match is the version of the passage, `corrected.version` or 0, in quotes: "0".',
        )
    return int(found[1])


_VERSION = re.compile(r'\s*"([0-9]{1,9})"\s*')


def uncorrect(call: Call) -> Correction:
    """Take a correction back."""
    from shared.documents.corrections import undo

    return undo(firestore_client(), call.arguments["id"], call.arguments["correction"], by=call.key.name)


def corrections(call: Call) -> CorrectionPage:
    """Return all corrections of a document."""
    from shared.documents.corrections import corrections_of

    get_document(firestore_client(), call.arguments["id"])  # which says where there is none
    return CorrectionPage(corrections=corrections_of(firestore_client(), call.arguments["id"]))


def digests(call: Call) -> DigestPage:
    """Return a page of digests."""
    from shared.digests.store import listed

    asked = call.query
    assert isinstance(asked, DigestsQuery)
    found = listed(firestore_client(), asked.page_size + 1, schedule=asked.schedule, after=asked.page_token)
    shown = found[: asked.page_size]
    return DigestPage(digests=shown, next_page_token=shown[-1].id if len(found) > len(shown) else None)


def digest(call: Call) -> Digest:
    """Return a digest."""
    from shared.digests.store import read

    if stored := read(firestore_client(), call.arguments["digest"]):
        return stored.digest
    raise not_found("There is no digest with this id.")


def make_digest(call: Call) -> AskedDigest:
    """Have a digest made."""
    asked = call.body
    assert isinstance(asked, DigestRequest)
    if asked.end is not None and asked.end > now():
        raise invalid([Fault(detail="must be in the past", pointer="#/end")])
    seconds = None if asked.days is None else timedelta(days=asked.days).total_seconds()
    wanted = Wanted(end=asked.end or now(), schedule=asked.schedule, seconds=seconds)
    try:
        return AskedDigest(id=ask(firestore_client(), wanted))
    except Missing as error:
        raise invalid([Fault(detail=error.message, pointer="#/schedule")]) from None


def export(call: Call) -> Response:
    """Send documents as a file."""
    from shared.api import streams

    return streams.export(call)


def progress(call: Call) -> Response:
    """Send each change of a document's progress."""
    from shared.api import streams

    return streams.progress(call)


HANDLERS: dict[str, Handler] = {
    "begin": begin,
    "erase": erase_document,
    "replays": replays,
    "letters": letters,
    "replay": replay_of_letter,
    "correct": correct_document,
    "uncorrect": uncorrect,
    "corrections": corrections,
    "digests": digests,
    "digest": digest,
    "make_digest": make_digest,
    "export": export,
    "progress": progress,
}
"""Handlers by the names of their endpoints."""
