"""Passages as they are stored: `documents/{id}/passages/{run}-{index}`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from shared.documents.corrected import text_hash, worth_checking
from shared.platform.clients import where

if TYPE_CHECKING:
    from collections.abc import Collection

    from google.cloud import firestore

    from shared.platform.records import BatchMessage, PassageResult
    from shared.platform.transaction import RawTransaction

COLLECTION = "passages"
MAX_FIGURES = 50
"""Figures stored with a passage; the record of its batch has all of them."""
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
        fields = stored_fields(result) | {
            "span": list(result.span),
            "document": message.document,
            "run": message.run,
            "model": message.model,
        }
        transaction.set_raw(
            f"{root}/{message.run}-{result.index}", fields, {"embedding": result.embedding or []}
        )


def stored_fields(result: PassageResult) -> dict[str, Any]:
    """Return a passage as it is stored, but for its vector, its span, and whose it is."""
    fields = result.model_dump(mode="json", exclude={"embedding", "span"})
    fields["figures"] = fields["figures"][:MAX_FIGURES]
    if not fields["corrected"]:
        del fields["corrected"]
    elif says := fields["corrected"]["model_says"]["figures"]:
        fields["corrected"]["model_says"]["figures"] = says[:MAX_FIGURES]
    check = worth_checking(result)
    return fields | {
        "topic_names": [topic.name for topic in result.topics],
        "text_hash": text_hash(result.text),
        **({} if check is None else {"check": check}),  # absent, so that the queue's index has no entry
    }


def purge_runs(document: firestore.DocumentReference, before: int, keep: Collection[int] = ()) -> int:
    """Delete passages, batch records and leases of runs before `before`, except those to keep.

    Call only where no batch of theirs commits any more: all but the document's own run, and that if rejected.
    """
    deleted = 0
    for name in (COLLECTION, "batches", "leases"):
        for after, until in pairwise([0, *sorted(run for run in keep if run < before), before]):
            query = where(document.collection(name), ("run", ">", after), ("run", "<", until)).select([])
            while snapshots := list(query.limit(DELETE_BATCH).stream()):
                batch = document._client.batch()  # noqa: SLF001 - the reference's own client
                for snapshot in snapshots:
                    batch.delete(snapshot.reference)
                batch.commit()
                deleted += len(snapshots)
    return deleted
