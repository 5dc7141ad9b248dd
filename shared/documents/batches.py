"""The batches of a run: `documents/{id}/batches/{run}-{n}`, each written at once with its passages.

A record is written only after the batch's successor was published, so where it exists, whoever meets the
batch again has nothing to hand on. The document itself is not written, since many batches may commit at once;
but the only batch of a run completes it in the same transaction.

A record says how far its batch has come: `upto`, the first passage that is not committed. A batch that runs
into its instance's time limit commits what it has and goes on from there when it is delivered again. Its real
failures are counted here too, because refusals while all instances are busy count as delivery attempts.

A run may be begun by one revision and taken over by another, of another model or another cut of the text. So
while a run that was taken over has no plan, no batch commits; what is of another kind is dropped before the
plan, and refused after it. What is of the same kind stands, whoever did it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from shared.documents.store import MAX_ATTEMPTS, Documents, now
from shared.documents.transitions import check_batch
from shared.platform.errors import Retryable, Superseded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.cloud import firestore

    from shared.documents.transitions import Seconds
    from shared.platform.records import BatchMessage, PassageResult
    from shared.platform.transaction import ShortTransaction
    from shared.text.summary import Partial

COLLECTION = "batches"
MAX_FAILURES = 5
"""Real failures of one batch before it is dead-lettered."""
CLOSED = frozenset({"completed", "rejected", "superseded"})
"""States in which a run takes no more batches. A failed one does: what its other batches find is kept, and a
replay computes only what is missing."""
DROPPED_AT_ONCE = 300
"""Records in one commit."""


def batch_record(reference: firestore.DocumentReference, run: int, batch: int) -> firestore.DocumentReference:
    """Where the record of a batch is stored."""
    record: firestore.DocumentReference = reference.collection(COLLECTION).document(f"{run}-{batch}")
    return record


class Progress(NamedTuple):
    """How far a batch has come."""

    upto: int
    """Its first passage that is still to be computed; its `end` where nothing is left to do."""
    met_before: bool
    document: dict[str, Any]
    """As it was read for this."""


def progress(documents: Documents, message: BatchMessage) -> Progress:
    """Look how far a batch has come.

    Raises:
        Retryable: its run was taken over, and is not planned yet.
        Superseded: its run is no longer the document's, or not of this model and cut.
    """
    reference = documents.reference(message.document)
    record = batch_record(reference, message.run, message.batch)
    found = {snapshot.id: snapshot for snapshot in documents.client.get_all([reference, record])}
    stored = _checked(found[reference.id].to_dict(), message)
    known = found[record.id].to_dict()
    if stored["state"] in CLOSED:
        return Progress(message.end, met_before=True, document=stored)
    upto = known["upto"] if known else message.start
    return Progress(upto, met_before=bool(known), document=stored)


def commit(
    documents: Documents,
    message: BatchMessage,
    results: list[PassageResult],
    partials: list[Partial],
    seconds: Seconds,
) -> dict[str, Any]:
    """Write passages of a batch, and how far it has come, at once; the only batch of a run completes it too.

    What does not continue where the record stands was committed by a twin, and is dropped.

    Returns:
        The document as this transaction read it, or completed it. Where it has no plan yet, the plan comes
        after this commit.

    Raises:
        Retryable: its run was taken over, and is not planned yet.
        Superseded: its run is no longer the document's, has ended, or is not of this model and cut.
    """
    from shared.documents.completion import complete_alone  # which imports this module
    from shared.documents.passages import write_passages
    from shared.platform.transaction import RawTransaction

    reference = documents.reference(message.document)
    record = batch_record(reference, message.run, message.batch)

    def step(transaction: ShortTransaction) -> dict[str, Any]:
        assert isinstance(transaction, RawTransaction)
        found, known = transaction.read(reference, record)
        stored = _checked(found, message)
        if stored["state"] == "completed" and stored["batches"]["total"] == 1:
            return stored  # completed by a twin, or by this commit, whose answer was lost
        if stored["state"] in CLOSED:
            raise Superseded("this run has ended")
        known = known or _new_record(message)
        if known["upto"] != results[0].index:
            return stored
        upto = results[-1].index + 1
        known |= {
            "upto": upto,
            "done": upto == message.end,
            "partials": [*known["partials"], *(part.model_dump(mode="json") for part in partials)],
            "infer_seconds": known["infer_seconds"] + seconds.wall,
            "cpu_seconds": known["cpu_seconds"] + seconds.cpu,
            "updated_at": now(),
        }
        stored = complete_alone(transaction, documents, stored, known)
        transaction.set(record, known)
        write_passages(transaction, reference, message, results)
        return stored

    return documents.run(step, RawTransaction(documents.client, max_attempts=MAX_ATTEMPTS))


def count_failure(documents: Documents, message: BatchMessage, why: str) -> int:
    """Add a real failure to the batch's record; how many there are now."""
    reference = documents.reference(message.document)
    record = batch_record(reference, message.run, message.batch)

    def step(transaction: ShortTransaction) -> int:
        stored, known = transaction.read(reference, record)
        _checked(stored, message)
        known = known or _new_record(message)
        failures = int(known["failures"]) + 1
        transaction.set(record, known | {"failures": failures, "failure": why, "updated_at": now()})
        return failures

    return documents.run(step)


def count_done(reference: firestore.DocumentReference, run: int) -> int:
    """How many batches of a run are wholly committed."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    done = _of_run(reference, run).where(filter=FieldFilter("done", "==", value=True))
    counting: Any = done.count()  # annotated as if its get() were asynchronous
    [[counted]] = counting.get()
    return int(counted.value)


def done(reference: firestore.DocumentReference, run: int) -> set[int]:
    """The numbers of the batches of a run that are wholly committed."""
    found = _of_run(reference, run).select(["batch", "done"]).stream()
    return {record["batch"] for snapshot in found if (record := snapshot.to_dict() or {})["done"]}


def records(reference: firestore.DocumentReference, run: int) -> list[dict[str, Any]]:
    """The records of a run's batches, in no particular order."""
    return [snapshot.to_dict() or {} for snapshot in _of_run(reference, run).stream()]


def drop_others(
    documents: Documents,
    reference: firestore.DocumentReference,
    run: int,
    kind: tuple[str, str],
    check: Callable[[Mapping[str, Any] | None], None],
) -> None:
    """Delete what batches of a run have committed, if any is not of this model and artefact.

    Call before the plan, where the run was taken over: none of them commits meanwhile.

    Args:
        documents: the state machine.
        reference: the document.
        run: its run.
        kind: model and artefact that the run is about to be planned with.
        check: raises Superseded where the document, as it is stored, is somebody else's to plan.
    """
    found = list(_of_run(reference, run).select(["model", "artefact"]).stream())
    stored = (snapshot.to_dict() or {} for snapshot in found)
    kinds = {(record["model"], record.get("artefact")) for record in stored}
    if kinds <= {kind}:
        return
    records = [snapshot.reference for snapshot in found]
    passages = [one.reference for one in _of_run(reference, run, "passages").select([]).stream()]

    def write(several: list[firestore.DocumentReference], fields: dict[str, Any] | None) -> None:
        def step(transaction: firestore.Transaction) -> None:
            check(reference.get(transaction=transaction).to_dict())
            for one in several:
                # Merged, not updated: a twin may have deleted it.
                transaction.set(one, fields, merge=True) if fields else transaction.delete(one)

        documents.run(step)

    # First nothing counts any more, for whoever takes over if this is killed half way.
    for references, fields in ((records, {"artefact": ""}), (passages, None), (records, None)):
        for at in range(0, len(references), DROPPED_AT_ONCE):
            write(references[at : at + DROPPED_AT_ONCE], fields)


def _checked(stored: dict[str, Any] | None, message: BatchMessage) -> dict[str, Any]:
    """The document, if the batch may be committed to it now."""
    check_batch(stored, message)
    assert stored is not None
    if stored["batches"]:
        if (stored["model"], stored["artefact"]) != (message.model, message.place):
            raise Superseded("this run was planned with another model, or another cut of the text")
    elif stored["state"] == "delegated":
        raise Superseded("the long job reads this run's file, and publishes no batches")
    elif stored["lease"] and stored["lease"]["token"] > 1:
        raise Retryable("this run was taken over, and is not planned yet")
    return stored


def _new_record(message: BatchMessage) -> dict[str, Any]:
    return {
        "document": message.document,
        "run": message.run,
        "batch": message.batch,
        "model": message.model,
        "artefact": message.place,
        "start": message.start,
        "end": message.end,
        "upto": message.start,
        "done": False,
        "partials": [],
        "failures": 0,
        "failure": None,
        "infer_seconds": 0.0,
        "cpu_seconds": 0.0,
    }


def _of_run(
    reference: firestore.DocumentReference, run: int, collection: str = COLLECTION
) -> firestore.Query:
    from google.cloud.firestore_v1.base_query import FieldFilter

    query: firestore.Query = reference.collection(collection).where(filter=FieldFilter("run", "==", run))
    return query
