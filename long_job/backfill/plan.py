"""A document's new run for a backfill: begun from what is published, and planned without its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from shared.documents import artefacts
from shared.documents.completion import is_unheard, settle
from shared.documents.delegation import plan_delegated
from shared.documents.sources import content_key, find_source
from shared.documents.store import now, run_record
from shared.documents.transitions import Claim, Plan, Seconds
from shared.documents.uploads import upload_of
from shared.documents.views import facts_of, kept
from shared.jobs.backfills import standing
from shared.platform.errors import Permanent

if TYPE_CHECKING:
    from google.cloud import firestore

    from long_job.document import Subject
    from shared.documents.store import Documents
    from shared.jobs.backfills import Entry, Outcome
    from shared.platform.records import Source

WHY = "backfill"


def begin(
    documents: Documents, entry: Entry, backfill: str, model: str, execution: str
) -> Outcome | Literal["begun"]:
    """Make the document's next run, of another model; what is published stays until that run is whole.

    `begun` where it is this backfill's now, or was already. The new run is planned afterwards, when its
    number is fenced: artefacts written before could replace those of an upload that comes at that moment.

    Args:
        documents: the state machine.
        entry: the document as it was listed.
        backfill: its id.
        model: digest.
        execution: full name of the execution that works on it.
    """
    reference = documents.reference(entry.document)

    def step(transaction: firestore.Transaction) -> Outcome | Literal["begun", "unheard"]:
        stored = reference.get(transaction=transaction).to_dict()
        last = run_record(reference, stored["run"]).get(transaction=transaction).to_dict() if stored else None
        found = standing(stored, last, entry, backfill)
        if found != "begin":
            return found
        assert stored is not None
        if is_unheard(stored):
            return "unheard"
        moment, run = now(), stored["run"] + 1
        job = {"why": WHY, "backfill": backfill, "from_run": entry.published_run, "tasks": 1, "source": None}
        fields = {
            "run": run,
            "state": "delegated",
            "route": "job",
            "model": model,
            "lease": None,
            "error": None,
            "batches": None,
            "progress": None,
            "results_pending": False,
            "drives": 0,
            "drive_progress": 0,
            "job": job | {"execution": execution, "starts": 1, "started_at": moment},
            # As of a replay: there is a result, so nobody has waited since the file was uploaded.
            "timings": {"uploaded_at": moment, "claimed_at": moment},
            "received_at": stored.get("received_at", stored["timings"]["uploaded_at"]),
            "waiting_since": moment,
            "updated_at": moment,
        }
        record = {
            "run": run,
            "generation": stored["generation"],
            "state": "delegated",
            "restarts": entry.retry_run,
            "backfill": backfill,
            "model": model,
            "error": None,
            "started_at": moment,
            "ended_at": None,
        }
        # What is said of the file is that of the published run again, which is redone.
        transaction.update(reference, facts_of(stored.get("published") or {}) | fields | kept(stored))
        transaction.set(run_record(reference, run), record)
        return "begun"

    while (found := documents.run(step)) == "unheard":  # its last result first, as `Documents.claim` does
        settle(documents, entry.document)
    return found


def take_over(subject: Subject, stored: dict[str, Any]) -> None:
    """Plan a backfill's run: the passages, text and batches are those of the run that it redoes.

    Raises:
        Permanent: these are gone from the work bucket.
        Superseded: the run is not the document's any more, or another task has planned it.
    """
    from google.api_core.exceptions import NotFound

    reference = subject.documents.reference(subject.document)
    try:
        copied = artefacts.copy(reference, stored["job"]["from_run"], subject.run)
    except NotFound:
        raise Permanent(
            "passages_gone",
            "The passages of the published run are gone from the work bucket.",
            f"Read the file again: headrace replay {subject.document}",
        ) from None
    event = upload_of(stored)
    key = content_key(event, stored["sha256"], stored["model"])
    record = run_record(reference, subject.run).get().to_dict() or {}
    event = event.model_copy(update={"restart_run": record.get("restarts")})
    claim = Claim(subject.document, subject.run, 0)
    source: Source | None = find_source(subject.documents.client, key, claim, event)
    plan = Plan(
        facts={},
        batches=len(copied.ranges),
        model=stored["model"],
        artefact=copied.artefact,
        content_key=key,
        duplicate_of=source.document if source and source.document != subject.document else None,
        seconds=Seconds(0.0, 0.0),
        job=stored["job"] | {"source": source.model_dump() if source else None},
    )
    run, generation = subject.run, subject.generation
    with artefacts.taken_back(reference, run, generation, copied):
        plan_delegated(subject.documents, subject.document, run, generation, plan)
