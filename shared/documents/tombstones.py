"""`erased/{document}`: up to which generation of its file a document is gone, and stays so.

What was asked for before an erasure may be delivered days after it: an upload's notification, a request to
begin again, a dead letter of either. Nothing of the document is kept but its id, for as long as such a
message can be on its way. A file that is uploaded later has a greater generation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    reference = client.collection(COLLECTION).document(document)
    known = reference.get(transaction=transaction).to_dict() or {"generation": "0"}
    newest = max(generation, int(known["generation"]))
    fields = {"generation": str(newest), "erased_at": moment, "expires_at": moment + KEPT}
    transaction.set(reference, fields)


def erased_up_to(
    transaction: firestore.Transaction,
    client: firestore.Client,
    document: str,
    asked: datetime | None,
    moment: datetime,
) -> int:
    """The generation up to which nothing may begin the document anew; 0: it was not erased.

    Args:
        transaction: it is read in.
        client: the process's own.
        document: its id.
        asked: since when somebody wants it; what was erased before that may come again. None: nobody knows.
        moment: now.
    """
    stored = client.collection(COLLECTION).document(document).get(transaction=transaction).to_dict()
    if stored is None or stored["expires_at"] <= moment or (asked and stored["erased_at"] < asked):
        return 0
    return int(stored["generation"])
