"""Set a document in motion again: publish what it waits for. Publishing twice is harmless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.documents import artefacts, batches
from shared.documents.completion import finish, settle
from shared.documents.delegation import carry_on, is_running
from shared.documents.store import now
from shared.documents.transitions import check_open
from shared.documents.uploads import notify
from shared.platform.errors import Superseded
from shared.platform.pubsub import publish_record
from shared.platform.records import ErrorInfo
from shared.platform.settings import BATCHES, settings

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.documents.store import Documents

_PAGES = 1_000_000
"""More than any document has."""


def drive(documents: Documents, stored: dict[str, Any]) -> None:
    """Publish the upload again, or the batches that are missing; fail the run that was driven often enough.

    A run of which batches were committed since the last look moves by itself, and so does one whose job is
    running or waits for capacity, or which a delivery has taken over: that is only noted. Deliveries that
    fail come again by themselves, and are counted by their subscription; those that were acknowledged and
    left the run as it was are found here, at every second look.

    Raises:
        Superseded: the run is no longer the document's, has ended, or has moved since it was listed.
    """
    reference = documents.reference(stored["id"])
    run, generation = stored["run"], int(stored["generation"])
    done = batches.done(reference, run)

    def count(transaction: firestore.Transaction) -> tuple[int, bool]:
        current = reference.get(transaction=transaction).to_dict()
        check_open(current, run, generation)
        assert current is not None
        if current["updated_at"] != stored["updated_at"]:
            raise Superseded("it has moved since it was listed")
        reached = _reached(current, len(done))
        moved = {"drive_progress": reached, "updated_at": now()}
        taken = False
        if current["state"] == "extracting":
            token = current["lease"]["token"]
            taken = current.get("drive_token") not in {None, token}
            moved |= {"drive_token": token, "lease.expires_at": now()}
        moves = running or reached > current.get("drive_progress", 0)
        drives = 0 if moves else current.get("drives", 0) + (not taken)
        transaction.update(reference, moved | {"drives": drives})
        return drives, taken

    running = stored["state"] == "delegated" and is_running(stored)
    drives, taken = documents.run(count)
    if running or taken:
        return
    if drives > settings().sweep_drives:  # before anything of it is read, which may be gone
        documents.fail(stored["id"], run, generation, exhausted(stored))
        settle(documents, stored["id"])
        return
    every = artefacts.all_batches(stored) if stored["batches"] else []
    missing = [message for message in every if message.batch not in done]
    if stored["state"] == "extracting":
        notify(stored)
    elif stored["state"] == "delegated" and (missing or not stored["batches"]):
        carry_on(documents, stored["id"], restart=True)
    elif not missing:
        finish(documents, stored["id"], run)
    elif drives:
        publish_record(BATCHES, missing, document=stored["id"])


def _reached(stored: dict[str, Any], batches_done: int) -> int:
    """How far a run has come: pages that the job has recognised, then batches."""
    progress = stored.get("progress")
    pages = progress["done"] if progress and progress["unit"] == "pages" and not stored["batches"] else 0
    return batches_done * _PAGES + min(pages, _PAGES - 1)


def exhausted(stored: dict[str, Any]) -> ErrorInfo:
    """What a person is told about a document that was driven often enough."""
    if problem := (stored.get("job") or {}).get("problem"):
        return ErrorInfo(
            code="job_did_not_start",
            message=f"Cloud Run refused to start the long job: {problem}.",
            hint=f"See that the job exists and may be run by ingest; then: headrace replay {stored['id']}",
        )
    return ErrorInfo(
        code="stuck",
        message=f"The document stood still while {stored['state']}, and did so again after every new start.",
        hint=f"See the functions' logs; when the cause is gone: headrace replay {stored['id']}",
    )
