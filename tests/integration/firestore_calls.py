"""Short forms of what several modules do with a Firestore client."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from google.cloud.firestore import FieldFilter

if TYPE_CHECKING:
    from google.cloud.firestore import Client, DocumentReference, Transaction

_numbers = itertools.count(1)


def unwritten(client: Client) -> DocumentReference:
    """A document that does not exist yet."""
    return client.collection("things").document(f"thing-{next(_numbers)}")


def unwritten_alone(client: Client) -> DocumentReference:
    """A document that does not exist yet, with a collection of its own."""
    return client.collection(f"transactions-{next(_numbers)}").document("a")


def where(query: Any, *clause: Any) -> Any:
    return query.where(filter=FieldFilter(*clause))


def begin(client: Client, *, read_only: bool = False) -> Transaction:
    """A transaction in the test's own hands, without the retries."""
    transaction = client.transaction(read_only=read_only)
    transaction._begin()
    return transaction


def read(transaction: Transaction, ref: DocumentReference) -> dict[str, Any] | None:
    return ref.get(transaction=transaction).to_dict()
