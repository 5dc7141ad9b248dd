"""What of a call does Google bill? Pure functions of requests and responses."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

COUNTED_TOGETHER = 1_000
"""Index entries that an aggregation reads for the price of one document."""
LEAST_BYTES = 1_000
"""Billed of a Pub/Sub request, published or pushed, however small."""
MESSAGE_OVERHEAD = 20 + 16
"""Bytes of a message's time and of its id."""
_ITEM = re.compile(r"/b/[^/]+/o/[^/?]+")


def firestore(method: str, request: Any, responses: Iterable[Any]) -> Counter[str]:  # noqa: ANN401 - protobuf's
    """Document reads, writes and deletes of a call that succeeded, and bytes written.

    A document that is looked up and does not exist, and a query that finds nothing, cost a read each.
    """
    found: Counter[str] = Counter(calls=1)
    if method in {"Commit", "BatchWrite"}:
        for write in request.writes:
            deletes = write.WhichOneof("operation") == "delete"
            found["deletes" if deletes else "writes"] += 1
            found["bytes"] += write.ByteSize()
    elif method == "BatchGetDocuments":
        found["reads"] = sum(bool(each.WhichOneof("result")) for each in responses)
    elif method == "RunQuery":
        found["reads"] = max(1, sum(each.HasField("document") for each in responses))
    elif method == "RunAggregationQuery":
        counts = [
            value.integer_value for each in responses for value in each.result.aggregate_fields.values()
        ]
        found["reads"] = max(1, math.ceil(max(counts, default=0) / COUNTED_TOGETHER))
    elif method == "ListDocuments":
        found["reads"] = max(1, sum(len(each.documents) for each in responses))
    return found


def message_bytes(data: bytes, attributes: dict[str, str]) -> int:
    """The size of a message as Pub/Sub counts it."""
    named = sum(len(name.encode()) + len(value.encode()) for name, value in attributes.items())
    return len(data) + named + MESSAGE_OVERHEAD


def billed_bytes(sizes: Iterable[int]) -> int:
    """Of one request with messages of these sizes."""
    return max(LEAST_BYTES, sum(sizes))


def storage(method: str, path: str) -> str:
    """The class of an operation of Cloud Storage's JSON API: `class_a`, `class_b` or `free`."""
    if method == "DELETE":
        return "free"
    if method in {"POST", "PUT", "PATCH"}:
        return "class_a"
    bare = path.partition("?")[0]
    return "class_b" if _ITEM.search(bare) else "class_a"
