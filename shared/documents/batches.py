"""The batches of a run: `documents/{id}/batches/{run}-{n}`, each written together with its passages.

A record is written after the batch's successor was published: where it exists, nothing is left to hand on.
The document itself is not written, since many batches commit at once.

`upto` is the first passage that is not committed. A batch that runs into its instance's time limit commits
what it has, and continues there when it is delivered again. Failures are counted here too, because refusals
while all instances are busy count as delivery attempts.

A run may be begun by one revision and taken over by another, with another model or another cut of the text.
So while a run that was taken over has no plan, no batch commits. Records of another model or cut are
deleted before the plan and refused after it; records of the same kind stay, whoever wrote them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from shared.documents.store import document_of, now
from shared.documents.transitions import check_run
from shared.platform.clients import number_of, where
from shared.platform.errors import Retryable, Superseded

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud import firestore

    from shared.documents.model import Document
    from shared.documents.store import Documents
    from shared.platform.records import BatchMessage
    from shared.platform.transaction import ShortTransaction

COLLECTION = "batches"
MAX_FAILURES = 5
"""Real failures of one batch before it is dead-lettered."""
CLOSED = frozenset({"completed", "rejected", "erasing"})
"""States in which a run takes no more batches. A failed one does: what its other batches find is kept, and a
replay computes only what is missing."""
DROPPED_AT_ONCE = 300
"""Records in one commit."""


def batch_record(reference: firestore.DocumentReference, run: int, batch: int) -> firestore.DocumentReference:
    """Return where the record of a batch is stored."""
    record: firestore.DocumentReference = reference.collection(COLLECTION).document(f"{run}-{batch}")
    return record


class Progress(NamedTuple):
    """How far a batch has come."""

    upto: int
    """Its first passage that is still to be computed; its `end` where nothing is left to do."""
    met_before: bool
    document: Document
    """The document as it was read with the batch's record."""


def progress(documents: Documents, message: BatchMessage) -> Progress:
    """Look how far a batch has come.

    Raises:
        Retryable: its run was taken over, and is not planned yet.
        Superseded: its run is no longer the document's, or not of this model and cut.
    """
    reference = documents.reference(message.document)
    record = batch_record(reference, message.run, message.batch)
    snapshots = {snapshot.id: snapshot for snapshot in documents.client.get_all([reference, record])}
    document = check(document_of(snapshots[reference.id].to_dict()), message)
    recorded = snapshots[record.id].to_dict()
    if document.state in CLOSED:
        return Progress(message.end, met_before=True, document=document)
    upto = recorded["upto"] if recorded else message.start
    return Progress(upto, met_before=bool(recorded), document=document)


def count_failure(documents: Documents, message: BatchMessage, why: str) -> int:
    """Add a real failure to the batch's record; return how many there are now."""
    reference = documents.reference(message.document)
    record = batch_record(reference, message.run, message.batch)

    def step(transaction: ShortTransaction) -> int:
        fields, recorded = transaction.read(reference, record)
        check(document_of(fields), message)
        recorded = recorded or new_record(message)
        failures = int(recorded["failures"]) + 1
        transaction.set(record, recorded | {"failures": failures, "failure": why, "updated_at": now()})
        return failures

    return documents.run(step)


def count_done(reference: firestore.DocumentReference, run: int) -> int:
    """Return how many batches of a run are wholly committed."""
    return number_of(where(of_run(reference, run), ("done", "==", True)))


def done(reference: firestore.DocumentReference, run: int) -> set[int]:
    """Return the numbers of the batches of a run that are wholly committed."""
    snapshots = of_run(reference, run).select(["batch", "done"]).stream()
    return {record["batch"] for snapshot in snapshots if (record := snapshot.to_dict() or {})["done"]}


def records(reference: firestore.DocumentReference, run: int) -> list[dict[str, Any]]:
    """Return the records of a run's batches, in no particular order."""
    return [snapshot.to_dict() or {} for snapshot in of_run(reference, run).stream()]


def drop_others(
    documents: Documents,
    reference: firestore.DocumentReference,
    run: int,
    kind: tuple[str, str],
    check: Callable[[Document | None], object],
) -> None:
    """Delete what batches of a run have committed, if any is not of this model and artefact.

    Call before the plan, where the run was taken over: none of them commits meanwhile. `kind` is model and
    artefact of that plan; `check` raises Superseded where the stored document is somebody else's to plan.
    """
    snapshots = list(of_run(reference, run).select(["model", "artefact"]).stream())
    stored = (snapshot.to_dict() or {} for snapshot in snapshots)
    kinds = {(record["model"], record.get("artefact")) for record in stored}
    if kinds <= {kind}:
        return
    records = [snapshot.reference for snapshot in snapshots]
    passages = [target.reference for target in of_run(reference, run, "passages").select([]).stream()]

    def write(targets: list[firestore.DocumentReference], fields: dict[str, Any] | None) -> None:
        def step(transaction: ShortTransaction) -> None:
            check(documents.read(transaction, reference.id))
            for target in targets:
                # Merged, not updated: a twin may have deleted it.
                transaction.set(target, fields, merge=True) if fields else transaction.delete(target)

        documents.run(step)

    # First nothing counts any more, for whoever takes over if this is killed half way.
    for references, fields in ((records, {"artefact": ""}), (passages, None), (records, None)):
        for at in range(0, len(references), DROPPED_AT_ONCE):
            write(references[at : at + DROPPED_AT_ONCE], fields)


def check(stored: Document | None, message: BatchMessage) -> Document:
    """Return the document, if the batch may be committed to it now. Raises as `progress` does."""
    document = check_run(stored, message.run, message.generation)
    if document.batches:
        if (document.batches.model, document.batches.artefact) != (message.model, message.artefact):
            raise Superseded("this run was planned with another model, or another cut of the text")
    elif document.state == "delegated":
        raise Superseded("the long job reads this run's file, and publishes no batches")
    elif document.lease and document.lease.token > 1:
        raise Retryable("this run was taken over, and is not planned yet")
    return document


def new_record(message: BatchMessage) -> dict[str, Any]:
    return {
        "document": message.document,
        "run": message.run,
        "batch": message.batch,
        "model": message.model,
        "artefact": message.artefact,
        "start": message.start,
        "end": message.end,
        "upto": message.start,
        "done": False,
        "partials": [],
        "packed": [],
        "left_out": 0,
        "failures": 0,
        "failure": None,
        "infer_seconds": 0.0,
        "cpu_seconds": 0.0,
    }


def of_run(reference: firestore.DocumentReference, run: int, collection: str = COLLECTION) -> firestore.Query:
    """Ask for what a run has in a collection of its document."""
    query: firestore.Query = where(reference.collection(collection), ("run", "==", run))
    return query
