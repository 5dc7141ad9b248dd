"""Complete a run: combine what its batches found, announce the result, purge older runs.

Artefacts of replaced runs are deleted after their records, by sweep, which alone has the right. They are
listed before the record says which are needed: a document that is erased and comes again counts its runs from
one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.documents import batches, cost, outcomes
from shared.documents.artefacts import of_runs, remove_runs
from shared.documents.passages import purge_runs
from shared.documents.store import RUNS, Documents, now
from shared.platform.pubsub import publish_record
from shared.platform.records import ResultMessage
from shared.platform.settings import RESULTS, settings
from shared.text.summary import Partial, combine, summarise

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.documents.store import Documents
    from shared.platform.transaction import ShortTransaction
    from shared.text.summary import Aggregate


ANALYSED = frozenset({"analyzing", "delegated"})
"""States in which batches are being committed."""


def finish(documents: Documents, document: str, run: int | None = None) -> None:
    """Complete the run if every batch has its record, and settle what its end leaves. Any number may call.

    Args:
        documents: the state machine.
        document: its id.
        run: does nothing where the document is at another one; None: whichever is the document's.

    Raises:
        Retryable: contention outlasted every attempt.
    """
    stored = documents.reference(document).get().to_dict()
    if stored is not None and run in {None, stored["run"]}:
        finish_as_read(documents, stored)


def finish_as_read(documents: Documents, stored: dict[str, Any]) -> None:
    """The same for a document that the caller has read after the last step it took itself.

    Raises:
        Retryable: contention outlasted every attempt.
    """
    if stored["state"] in ANALYSED and stored["batches"]:
        stored = _complete(documents, stored)
    settle(documents, stored["id"], stored)


def settle(documents: Documents, document: str, stored: dict[str, Any] | None = None) -> None:
    """Do what the end of a run leaves to be done; what a kill prevents, the next caller does.

    `stored` is the document where the caller has just read it.
    """
    stored = stored or documents.reference(document).get().to_dict()
    if stored is None:
        return
    if stored.get("purge_pending"):
        purge(documents, document)
    announce(documents, stored)


def purge(documents: Documents, document: str) -> None:
    """Delete what older runs left, and what a rejected one did, if that is still to be done.

    Where the run failed, three stay: what is published, since nothing better is there; the run itself, which
    its replay copies; and the run that it restarted, from which it may not have copied all.
    """
    reference = documents.reference(document)
    stored = reference.get().to_dict()
    if stored is None or not stored.get("purge_pending"):
        return
    purge_runs(reference, *stale_runs(reference, stored))

    def note(transaction: ShortTransaction) -> None:
        [current] = transaction.read(reference)
        if is_as_read(current, stored, "state", "published_run"):  # else its end has left more
            transaction.update(reference, {"purge_pending": False, "stale_artefacts": True})

    documents.run(note)


def stale_runs(reference: firestore.DocumentReference, stored: dict[str, Any]) -> tuple[int, set[int]]:
    """Of which runs nothing is needed: all before the first number, but for those of the set."""
    run, published = stored["run"], stored["published_run"] or 0
    if stored["state"] == "rejected":
        return run + 1, set()
    if stored["state"] == "failed":
        record = reference.collection(RUNS).document(str(run)).get().to_dict() or {}
        return run, {published, record.get("restarts") or 0} - {0}
    return published, set()


def is_unheard(stored: dict[str, Any]) -> bool:
    """Whether a document has a result that is still to be announced; one that is being erased has none."""
    return bool(stored["results_pending"]) and stored["state"] != "superseded"


def announce(documents: Documents, stored: dict[str, Any]) -> None:
    """Publish the result that is still to be announced, if any; perhaps twice, but never not at all."""
    if not stored["results_pending"]:
        return
    reference = documents.reference(stored["id"])
    message = ResultMessage(
        document=reference.id,
        run=stored["run"],
        bucket=stored["bucket"],
        name=stored["name"],
        generation=stored["generation"],
        state=stored["state"],
        model=stored["model"],
    )
    publish_record(RESULTS, [message], state=message.state)

    def confirm(transaction: ShortTransaction) -> None:
        [current] = transaction.read(reference)
        if is_as_read(current, stored):
            transaction.update(reference, {"results_pending": False})

    documents.run(confirm)


def _complete(documents: Documents, stored: dict[str, Any]) -> dict[str, Any]:
    """From analyzing or delegated to completed, if all batches are there; of many callers one does it.

    Returns:
        The document as it stands then.
    """
    reference, run, total = documents.reference(stored["id"]), stored["run"], stored["batches"]["total"]
    if batches.count_done(reference, run) < total:
        return stored
    found = whole(batches.records(reference, run))

    def step(transaction: ShortTransaction) -> dict[str, Any]:
        [current] = transaction.read(reference)
        if current is None or not is_as_read(current, stored) or current["state"] not in ANALYSED:
            return current or stored
        return complete(transaction, documents, current, found)

    return documents.run(step)


@dataclass(frozen=True)
class Whole:
    """What all batches of a run found."""

    aggregate: Aggregate
    infer_seconds: float
    cpu_seconds: float


def whole(records: list[dict[str, Any]]) -> Whole:
    """Combine the records of all batches of a run."""
    partials = [Partial.model_validate(part) for record in records for part in record["partials"]]
    return Whole(
        combine(partials),
        infer_seconds=sum(record["infer_seconds"] for record in records),
        cpu_seconds=sum(record["cpu_seconds"] for record in records),
    )


def complete_alone(
    transaction: ShortTransaction, documents: Documents, stored: dict[str, Any], record: dict[str, Any]
) -> dict[str, Any]:
    """Complete a run in the transaction that writes the record of its only batch, if that is whole.

    Nobody else writes to the document then, so it need not be kept out of this transaction as in a run of
    many batches. The arguments and the result are those of `complete`.
    """
    alone = stored["state"] in ANALYSED and stored["batches"] and stored["batches"]["total"] == 1
    return complete(transaction, documents, stored, whole([record])) if alone and record["done"] else stored


def complete(
    transaction: ShortTransaction, documents: Documents, current: dict[str, Any], found: Whole
) -> dict[str, Any]:
    """Complete a run whose batches are all there, before any other write of the transaction.

    Args:
        transaction: which has read the document.
        documents: the state machine.
        current: the document, analyzing or delegated.
        found: by the batches of its run.

    Returns:
        The document as it stands after the commit, as far as `settle` looks at it.
    """
    known = outcomes.read_known(transaction, documents.client, current)
    usd = cost.usd(cost.work_of(current, found.cpu_seconds), cost.GPU_JOB if settings().job_gpu else cost.JOB)
    cpu_seconds = current["cost"]["cpu_seconds"] + found.cpu_seconds
    total = (now() - current["timings"]["uploaded_at"]).total_seconds()
    # A backfill compares the new run with the old one before that goes.
    compared_first = bool((current.get("job") or {}).get("backfill"))
    aggregate, run = found.aggregate, current["run"]
    fields = {
        "published_run": run,
        "published": None,
        "purge_pending": run > 1 and not compared_first,
        "progress": None,
        "sentiment": aggregate.sentiment,
        "topics": aggregate.topics,
        "initiatives": aggregate.initiatives,
        "summary": [sentence.model_dump() for sentence in summarise(aggregate)],
        "cost.cpu_seconds": round(cpu_seconds, 3),
        "cost.usd": usd,
        "timings.infer_seconds": round(found.infer_seconds, 3),
        "timings.total_seconds": round(total, 3),
    }
    outcomes.write_completed(transaction, documents.client, current, aggregate, known)
    documents.end(transaction, documents.reference(current["id"]), run, "completed", more=fields)
    return current | fields | {"state": "completed", "results_pending": True}


def is_as_read(current: dict[str, Any] | None, stored: dict[str, Any], *more: str) -> bool:
    """Whether the document is still at the run that was read, and was not erased and begun again."""
    parts = ("run", "generation", *more)
    return current is not None and all(current[part] == stored[part] for part in parts)


def remove_stale(documents: Documents, document: str) -> None:
    """Delete the artefacts of a document's runs of which nothing is needed, if that is still to be done."""
    reference = documents.reference(document)
    found = of_runs(document)
    stored = reference.get().to_dict()
    if stored is None or not stored.get("stale_artefacts"):
        return
    remove_runs(found, *stale_runs(reference, stored))

    def note(transaction: firestore.Transaction) -> None:
        current = reference.get(transaction=transaction).to_dict()
        if is_as_read(current, stored, "state", "published_run"):
            transaction.update(reference, {"stale_artefacts": False})

    documents.run(note)
