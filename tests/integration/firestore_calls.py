"""Short forms of what several modules do with a Firestore client."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from google.cloud.firestore import FieldFilter

if TYPE_CHECKING:
    from google.cloud.firestore import Client, DocumentReference

_numbers = itertools.count(1)


def unwritten(client: Client) -> DocumentReference:
    """A document that does not exist yet."""
    return client.collection("things").document(f"thing-{next(_numbers)}")


def where(query: Any, *clause: Any) -> Any:
    return query.where(filter=FieldFilter(*clause))
