"""The batches of a run: `documents/{id}/batches/{run}-{n}`, each written at once with its passages.

A record is written only after the batch's successor was published, so where it exists, whoever meets the
batch again has nothing to hand on. The document itself is not written: many batches may commit at once.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from shared.documents import MAX_ATTEMPTS, Documents, Seconds, check_open, now
from shared.errors import Superseded
from shared.records import TERMINAL

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.records import BatchMessage, PassageResult
    from shared.summary import Partial

COLLECTION = "batches"


def is_open(documents: Documents, message: BatchMessage) -> bool:
    """Whether a batch is still to be computed; False where its record exists or its run has ended.

    Raises:
        Superseded: its run is no longer the document's.
    """
    reference = documents.reference(message.document)
    record = _reference(reference, message)
    found = {snapshot.id: snapshot for snapshot in documents.client.get_all([reference, record])}
    stored = found[reference.id].to_dict()
    if stored is None or stored["run"] != message.run:
        raise Superseded("another run owns this document")
    return stored["state"] not in TERMINAL and not found[record.id].exists


def commit(
    documents: Documents,
    message: BatchMessage,
    results: list[PassageResult],
    partial: Partial,
    seconds: Seconds,
) -> None:
    """Write a batch's passages and its record at once; a batch that has its record is left as it is.

    Raises:
        Superseded: its run is no longer the document's, or has ended.
    """
    from google.api_core.exceptions import AlreadyExists

    from shared.encode import RawTransaction
    from shared.passages import write_passages

    reference = documents.reference(message.document)
    record = _reference(reference, message)

    def step(transaction: firestore.Transaction) -> None:
        assert isinstance(transaction, RawTransaction)
        check_open(reference.get(transaction=transaction).to_dict(), message.run)
        if record.get(transaction=transaction).exists:
            return
        fields = {
            "document": message.document,
            "run": message.run,
            "batch": message.batch,
            "model": message.model,
            "partial": partial.model_dump(mode="json"),
            "infer_seconds": seconds.wall,
            "cpu_seconds": seconds.cpu,
            "committed_at": now(),
        }
        transaction.create(record, fields)
        write_passages(transaction, reference, message, results)

    # AlreadyExists: its twin committed between this one's read and write.
    with suppress(AlreadyExists):
        documents.run(step, RawTransaction(documents.client, max_attempts=MAX_ATTEMPTS))


def count(reference: firestore.DocumentReference, run: int) -> int:
    """How many batches of a run have committed."""
    counting: Any = _of_run(reference, run).count()  # annotated as if its get() were asynchronous
    [[counted]] = counting.get()
    return int(counted.value)


def records(reference: firestore.DocumentReference, run: int) -> list[dict[str, Any]]:
    """The records of a run's batches, in no particular order."""
    return [snapshot.to_dict() or {} for snapshot in _of_run(reference, run).stream()]


def _of_run(reference: firestore.DocumentReference, run: int) -> firestore.Query:
    from google.cloud.firestore_v1.base_query import FieldFilter

    query: firestore.Query = reference.collection(COLLECTION).where(filter=FieldFilter("run", "==", run))
    return query


def _reference(reference: firestore.DocumentReference, message: BatchMessage) -> firestore.DocumentReference:
    record: firestore.DocumentReference = reference.collection(COLLECTION).document(
        f"{message.run}-{message.batch}"
    )
    return record
