"""Recover a document that stands still: publish what it waits for. Publishing twice is harmless."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.documents import artefacts, batches
from shared.documents.completion import finish
from shared.documents.delegation import carry_on, is_running
from shared.documents.model import Recovery
from shared.documents.store import now, select
from shared.documents.transitions import check_open, release
from shared.documents.uploads import notify_all, upload_of
from shared.platform.errors import Superseded
from shared.platform.pubsub import publish_record
from shared.platform.records import ErrorInfo
from shared.platform.settings import BATCHES, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import firestore

    from shared.documents.model import Document
    from shared.documents.store import Documents
    from shared.platform.transaction import ShortTransaction

SETTLED = timedelta(seconds=60)
"""Age after which a step that its own process should have done is done by a sweep."""
PER_TICK = 50
"""Documents of each kind that one sweep looks at."""
_PAGES = 1_000_000
"""More than any document has."""


def read_some(client: firestore.Client, *conditions: tuple[str, str, object]) -> list[dict[str, Any]]:
    """Return `PER_TICK` documents at most that meet each condition."""
    return [snapshot.to_dict() or {} for snapshot in select(client, *conditions).limit(PER_TICK).stream()]


def standing_still(client: firestore.Client) -> Iterator[dict[str, Any]]:
    """Yield documents whose lease has expired, and documents of which no batch has moved for a while."""
    moment = now()
    grace = timedelta(seconds=settings().sweep_grace)
    yield from read_some(client, ("state", "==", "extracting"), ("lease.expires_at", "<", moment - grace))
    patience = timedelta(seconds=settings().sweep_patience)
    for state in ("analyzing", "delegated"):
        yield from read_some(client, ("state", "==", state), ("updated_at", "<", moment - patience))


def recover(documents: Documents, document: Document) -> None:
    """Publish the upload again, or the batches that are missing; fail the run that was tried often enough.

    A run of which batches were committed since the last look moves by itself, and so does one whose job is
    running or waits for capacity, or which a delivery has taken over: that is only noted. Deliveries that
    fail come again by themselves, and are counted by their subscription; those that were acknowledged and
    left the run as it was are found here, at every second look.

    Raises:
        Superseded: the run is no longer the document's, has ended, or has moved since it was listed.
    """
    done = batches.done(documents.reference(document.id), document.run)

    def look(transaction: ShortTransaction) -> tuple[int, bool]:
        current = check_open(documents.read(transaction, document.id), document.run, document.generation)
        if current.updated_at != document.updated_at:
            raise Superseded("it has moved since it was listed")
        reached, lease, seen = _reached(current, len(done)), current.lease, current.recovery
        is_taken = lease is not None and seen.token not in {None, lease.token}
        moves = is_running_job or reached > seen.reached
        attempts = 0 if moves else seen.attempts + (not is_taken)
        looked = Recovery(attempts=attempts, reached=reached, token=lease.token if lease else None)
        documents.write(
            transaction, current, release(current, now()).altered(recovery=looked, updated_at=now())
        )
        return attempts, is_taken

    is_running_job = document.state == "delegated" and is_running(document)
    attempts, is_taken = documents.run(look)
    if is_running_job or is_taken:
        return
    if attempts > settings().sweep_attempts:  # before anything of it is read, which may be gone
        documents.fail(document.id, document.run, document.generation, exhausted(document))
        finish(documents, document.id)
        return
    every = artefacts.all_batches(document) if document.batches else []
    missing = [message for message in every if message.batch not in done]
    if document.state == "extracting":
        notify_all([upload_of(document)])
    elif document.state == "delegated" and (missing or not document.batches):
        carry_on(documents, document.id, restart=True)
    elif not missing:
        finish(documents, document.id, document.run)
    elif attempts:
        publish_record(BATCHES, missing, document=document.id)


def _reached(document: Document, batches_done: int) -> int:
    """Return how far a run has come: pages that the job has recognised, then batches."""
    progress = document.progress
    pages = progress.done if progress and progress.unit == "pages" and not document.batches else 0
    return batches_done * _PAGES + min(pages, _PAGES - 1)


def exhausted(document: Document) -> ErrorInfo:
    """Return what a person is told about a document that was set in motion often enough."""
    if document.job and document.job.problem:
        return ErrorInfo(
            code="job_did_not_start",
            message=f"Cloud Run refused to start the long job: {document.job.problem}.",
            hint=f"See that the job exists and may be run by ingest; then: headrace replay {document.id}",
        )
    return ErrorInfo(
        code="stuck",
        message=f"The document stood still while {document.state}, and did so again after every new start.",
        hint=f"See the functions' logs; when the cause is gone: headrace replay {document.id}",
    )
