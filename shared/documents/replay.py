"""Begin documents again whose work failed: by id or name, all that failed, or by the message given up.

A run is restarted once, however often that is asked for: the event names the run that it replaces.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, Field, NonNegativeInt

from shared.documents.model import Document
from shared.documents.store import Documents, find, now, select
from shared.documents.uploads import notify_all, upload_of
from shared.platform.clients import firestore_client
from shared.platform.errors import Missing, Permanent, Superseded
from shared.platform.records import ErrorInfo, Record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from google.cloud import firestore

    from shared.platform.records import UploadEvent

COLLECTION = "dead_letters"
LETTER_ID = r"^[0-9a-f]{24}$"


class Digested(Record):
    """What is kept of a message's data."""

    sha256: str
    size: NonNegativeInt
    """Bytes."""


class DeadLetter(Record):
    """`dead_letters/{id}`: a message that was given up."""

    reason: ErrorInfo
    function: str | None
    subscription: str | None
    document: str | None
    """Id of the document that it is about, as far as that is known."""
    run: int | None
    replay: str | None
    """The command that begins its document again; null if that would not help."""
    data: Digested
    published_at: AwareDatetime | None
    recorded_at: AwareDatetime
    replayed_at: AwareDatetime | None = None
    """When its document was begun again because of it."""


class ListedLetter(DeadLetter):
    """A dead letter and its id."""

    id: str


class LetterPage(Record):
    """Dead letters, the newest first."""

    dead_letters: list[ListedLetter] = Field(default_factory=list)
    next_page_token: str | None = None
    """Null on the last page."""


def replay(identifiers: Sequence[str], *, since: timedelta | None = None) -> list[UploadEvent]:
    """Start a new run of each document, by id or name; of every failed one if none is named.

    Args:
        identifiers: ids of documents or names of objects.
        since: where none is named, only those that failed in this time.

    Returns:
        The upload events that were published.

    Raises:
        Missing: there is no such document; none is begun.
    """
    chosen = [find(identifier) for identifier in identifiers]
    if not identifiers:
        lately = [] if since is None else [("updated_at", ">=", now() - since)]
        failed = select(firestore_client(), ("state", "==", "failed"), *lately)
        chosen = [Document.model_validate(snapshot.to_dict()) for snapshot in failed.stream()]
    events = [upload_of(document, restart_run=document.run) for document in chosen]
    notify_all(events)
    return events


def dead_letters(client: firestore.Client, *, limit: int, page_token: str | None = None) -> LetterPage:
    """Return messages that were given up, the newest first.

    Args:
        client: the process's own.
        limit: letters of a page.
        page_token: `next_page_token` of the page before.

    Raises:
        Superseded: the letter that the page follows is gone.
    """
    letters = client.collection(COLLECTION)
    query: Any = letters.order_by("recorded_at", direction="DESCENDING")
    if page_token is not None:
        last = letters.document(page_token).get()
        if not last.exists:
            raise Superseded("The message that this page follows is gone.")
        query = query.start_after(last)
    found = list(query.limit(limit + 1).stream())
    shown = [ListedLetter(id=each.id, **({"replayed_at": None} | each.to_dict())) for each in found[:limit]]
    return LetterPage(dead_letters=shown, next_page_token=shown[-1].id if len(found) > len(shown) else None)


def replay_letter(client: firestore.Client, identifier: str) -> UploadEvent:
    """Begin the document of a dead letter again, and note that; return the event that was published.

    Raises:
        Missing: there is no such letter, or its document was erased.
        Permanent: `not_replayable`, the message is about no document, or is malformed.
        Superseded: the document has begun another run since.
    """
    letters = client.collection(COLLECTION)
    stored = letters.document(identifier).get().to_dict() if re.fullmatch(LETTER_ID, identifier) else None
    if stored is None:
        raise Missing("unknown_letter", "There is no dead letter with this id.", "List them all first.")
    letter = DeadLetter.model_validate(stored)
    if letter.document is None or letter.replay is None:
        raise Permanent(
            "not_replayable", "The message names no document that could be begun again.", letter.reason.hint
        )
    document = Documents(client).get(letter.document)
    if document is None:
        raise Missing("unknown_document", "The document of this message was erased.", "Upload it again.")
    if letter.run is not None and document.run != letter.run:
        raise Superseded(f"The document has moved on: run {letter.run} failed, and it is at {document.run}.")
    event = upload_of(document, restart_run=document.run)
    notify_all([event])
    letters.document(identifier).update({"replayed_at": now()})
    return event
