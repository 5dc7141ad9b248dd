"""`erased/{document}`: up to which generation of its file a document is gone, and stays so.

What was asked for before an erasure may be delivered days after it: an upload's notification, a request to
begin again, a dead letter of either. Nothing of the document is kept but its id, for as long as such a
message can be on its way. A file that is uploaded later has a greater generation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from google.cloud import firestore

COLLECTION = "erased"
KEPT = timedelta(days=15)
"""Pub/Sub keeps a message for seven days and its dead letter for seven more. Then Firestore removes it."""


def lay(
    transaction: firestore.Transaction,
    client: firestore.Client,
    document: str,
    generation: int,
    moment: datetime,
) -> None:
    """Let no message about the document up to this generation begin it anew; before any other writing."""
    reference = tombstone(client, document)
    known = reference.get(transaction=transaction).to_dict() or {"generation": "0"}
    newest = max(generation, int(known["generation"]))
    fields = {"generation": str(newest), "erased_at": moment, "expires_at": moment + KEPT}
    transaction.set(reference, fields)


def tombstone(client: firestore.Client, document: str) -> firestore.DocumentReference:
    """Where it is kept up to which generation a document was erased."""
    reference: firestore.DocumentReference = client.collection(COLLECTION).document(document)
    return reference


def erased_up_to(stored: Mapping[str, Any] | None, asked: datetime | None, moment: datetime) -> int:
    """The generation up to which nothing may begin the document anew; 0: it was not erased.

    Args:
        stored: the document's tombstone, if there is one.
        asked: since when somebody wants it; what was erased before that may come again. None: nobody knows.
        moment: now.
    """
    if stored is None or stored["expires_at"] <= moment or (asked and stored["erased_at"] < asked):
        return 0
    return int(stored["generation"])


def generations(
    client: firestore.Client, documents: Iterable[str], limits: Mapping[str, Any]
) -> dict[str, int]:
    """Return up to which generation each of these documents was erased, for those that have a tombstone."""
    references = [tombstone(client, document) for document in documents]
    return {one.id: int(one.get("generation")) for one in client.get_all(references, **limits) if one.exists}
