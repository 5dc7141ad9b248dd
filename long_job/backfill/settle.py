"""The end of a document's part in a backfill: the two runs are compared before the old one goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from long_job.backfill.stored import compare
from shared.documents.completion import purge
from shared.jobs import backfills
from shared.platform.logs import get_logger
from shared.platform.retry import is_transient

if TYPE_CHECKING:
    from google.cloud import firestore

    from long_job.document import Subject
    from shared.jobs.backfills import Outcome


def conclude(subject: Subject) -> Outcome | None:
    """What has become of a run that a backfill began; None while it is still to be worked on.

    The comparison is stored together with the leave to delete the older run, so it is made before that, and
    once. Whoever finds the run completed makes it: this backfill's job, or one that the sweep has started.
    """
    documents = subject.documents
    reference = documents.reference(subject.document)
    stored = reference.get().to_dict()
    if not _is_at(stored, subject):
        return "moved_on" if stored else "erased"
    assert stored is not None
    if stored["state"] != "completed":
        return "failed" if stored["state"] == "failed" else None
    backfill = stored["job"]["backfill"]
    entry = backfills.entries(documents.client, backfill).document(subject.document)
    known = entry.get().to_dict()
    found = _compared(reference, stored) if known and not known["settled"] else None

    def step(transaction: firestore.Transaction) -> None:
        current = reference.get(transaction=transaction).to_dict()
        listed = entry.get(transaction=transaction).to_dict()
        own = _is_at(current, subject)
        if listed and not listed["settled"]:
            # Another run has perhaps removed, meanwhile, what was compared.
            comparison = found if own else None
            fields = {"settled": True, "outcome": "completed", "new_run": subject.run, "error": None}
            transaction.update(entry, fields | {"comparison": comparison})
        if own:
            transaction.update(reference, {"purge_pending": True})

    documents.run(step)
    purge(documents, subject.document)
    return "completed"


def _is_at(stored: dict[str, Any] | None, subject: Subject) -> bool:
    run = (subject.run, str(subject.generation))
    return stored is not None and (stored["run"], stored["generation"]) == run


def _compared(reference: firestore.DocumentReference, stored: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return compare(reference, stored["job"]["from_run"], stored["run"]).model_dump()
    except Exception as error:
        if is_transient(error):
            raise
        # The result is whole; what it changed cannot be told.
        get_logger("long_job").warning("runs not compared", error=error)
        return None
