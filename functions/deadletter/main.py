"""Record a message that was given up, with the command that replays it, and fail its document."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING

import functions_framework
from pydantic import ValidationError
from structlog.contextvars import bind_contextvars

from shared.documents.artefacts import NOT_PLANNED
from shared.documents.completion import claim, finish
from shared.documents.replay import COLLECTION, DeadLetter, Digested
from shared.documents.store import Documents, document_id, now
from shared.platform.clients import firestore_client
from shared.platform.errors import Malformed, Retryable, Superseded
from shared.platform.pubsub import Push, answer, batch_message, upload_event
from shared.platform.records import ErrorInfo
from shared.platform.settings import settings

if TYPE_CHECKING:
    from flask import Request

ADDED = ("headrace", "CloudPubSub")
"""Prefixes of the attributes that a message gets when it becomes a dead letter."""
NOT_OURS = frozenset({NOT_PLANNED, "not_a_batch", "not_a_notification"})
"""Codes of messages that are not ours. They fail no document, although they may name one."""
EXHAUSTED = {
    "code": "deliveries_exhausted",
    "message": "The message was delivered as often as its subscription allows, and never acknowledged.",
    "hint": "See the function's log; when the cause is gone, replay the document.",
}


@functions_framework.http
def deadletter(request: Request) -> tuple[str, int]:
    """The entry point: a push from the `dead-letters` topic."""
    return answer("deadletter", request, on_dead_letter)


def on_dead_letter(push: Push) -> None:
    """Write the record first, then fail the document: after a kill in between, a redelivery fails it."""
    reason = _reason(push)
    refused = reason.code in NOT_OURS
    documents = Documents(firestore_client())
    document, run, generation = _subject(documents, push)
    bind_contextvars(document=document, run=run)
    letter = firestore_client().collection(COLLECTION).document(_name(push))
    recorded = letter.get(["run", "replayed_at"]).to_dict() or {}
    record = DeadLetter(
        reason=reason,
        function=push.attributes.get("headraceFunction"),
        subscription=push.attributes.get("headraceSubscription")
        or push.attributes.get("CloudPubSubDeadLetterSourceSubscription"),
        document=document,
        run=run or recorded.get("run"),  # on a second delivery the run has ended
        replay=f"headrace replay {document}" if document and not refused else None,
        data=Digested(sha256=hashlib.sha256(push.data).hexdigest(), size=len(push.data)),
        published_at=push.published,
        recorded_at=now(),
        replayed_at=recorded.get("replayed_at"),
    )
    letter.set(record.model_dump())
    if refused or document is None or run is None or generation is None:
        return
    with suppress(Superseded):  # it has moved on or ended; the record stays
        documents.fail(document, run, generation, reason)
    finish(documents, document)


def _reason(push: Push) -> ErrorInfo:
    """Return why a function gave the message up; Pub/Sub itself gives no reason."""
    try:
        return ErrorInfo.model_validate_json(push.attributes.get("headraceReason", ""))
    except ValidationError:
        return ErrorInfo.model_validate(EXHAUSTED)


def _subject(documents: Documents, push: Push) -> tuple[str | None, int | None, int | None]:
    """Return the document, run and generation that the message is about, as far as they are known."""
    try:
        batch = batch_message(push)
    except (
        Malformed,
        Retryable,
    ):  # Retryable: of a newer revision; the sweep recovers its document
        pass
    else:
        return batch.document, batch.run, batch.generation
    try:
        event = upload_event(push)
    except Malformed:
        return None, None, None
    document = document_id(event.bucket, event.name)
    # This takes the run that no delivery finished, or creates the document; held leases are waited for.
    try:
        claimed = claim(documents, event, published=push.published, lease_seconds=settings().ingest_timeout)
    except Superseded:
        claimed = None
    return document, claimed.run if claimed else None, event.generation


def _name(push: Push) -> str:
    """Return a name made of the message alone, so that a dead letter delivered twice is one record."""
    own = {name: value for name, value in push.attributes.items() if not name.startswith(ADDED)}
    identity = [push.data.decode("latin-1"), sorted(own.items())]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:24]
