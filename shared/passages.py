"""Passages as they are stored: `documents/{id}/passages/{run}-{index}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.records import is_initiative

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.encode import RawTransaction
    from shared.records import BatchMessage, PassageResult

COLLECTION = "passages"
DELETE_BATCH = 300
"""Passages deleted in one commit."""


def write_passages(
    transaction: RawTransaction,
    document: firestore.DocumentReference,
    message: BatchMessage,
    results: list[PassageResult],
) -> None:
    """Add the passages of a batch to its transaction; names are deterministic, so twins write the same."""
    root = f"{document._document_path}/{COLLECTION}"  # noqa: SLF001 - the client has no public full name
    for result in results:
        fields = result.model_dump(mode="json", exclude={"embedding", "span"}) | {
            "span": list(result.span),
            "document": message.document,
            "run": message.run,
            "model": message.model,
            "topic_names": [topic.name for topic in result.topics],
            "initiative": is_initiative(result),
        }
        transaction.set_raw(
            f"{root}/{message.run}-{result.index}", fields, {"embedding": result.embedding or []}
        )


def initiatives(document: firestore.DocumentReference, run: int, limit: int) -> list[dict[str, Any]]:
    """The first `limit` initiatives of a run, in document order, without their vectors."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    query = (
        document.collection(COLLECTION)
        .where(filter=FieldFilter("run", "==", run))
        .where(filter=FieldFilter("initiative", "==", value=True))
        .order_by("index")
        .limit(limit)
        .select(["index", "page", "row", "text", "topics", "action", "figures"])
    )
    return [snapshot.to_dict() for snapshot in query.stream()]


def purge_older_runs(document: firestore.DocumentReference, run: int) -> int:
    """Delete passages and batch records of runs before `run`; the number deleted.

    Call only when `run` is published, or the one before it rejected: no batch of theirs commits any more.
    """
    from google.cloud.firestore_v1.base_query import FieldFilter

    deleted = 0
    for name in (COLLECTION, "batches"):
        older = document.collection(name).where(filter=FieldFilter("run", "<", run)).select([])
        while snapshots := list(older.limit(DELETE_BATCH).stream()):
            batch = document._client.batch()  # noqa: SLF001 - the reference's own client
            for snapshot in snapshots:
                batch.delete(snapshot.reference)
            batch.commit()
            deleted += len(snapshots)
    return deleted
