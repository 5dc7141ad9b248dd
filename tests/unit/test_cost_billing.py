"""What a call is billed as: each rule of Firestore's, Pub/Sub's and Cloud Storage's price lists."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.cost.billing import billed_bytes, firestore, message_bytes, storage
from local.firestore import protos

GET, QUERY, COUNT = (
    protos.BatchGetDocumentsResponse,
    protos.RunQueryResponse,
    protos.RunAggregationQueryResponse,
)
DOCUMENT = protos.Document(name="a")


def counted(value: int) -> Any:
    response = COUNT()
    response.result.aggregate_fields["field_1"].integer_value = value
    return response


@pytest.mark.parametrize(
    ("method", "responses", "reads"),
    [
        pytest.param("BatchGetDocuments", [GET(found=DOCUMENT), GET(missing="b")], 2, id="a missing one too"),
        pytest.param("BatchGetDocuments", [GET(transaction=b"t"), GET(found=DOCUMENT)], 1, id="no document"),
        pytest.param("RunQuery", [QUERY(document=DOCUMENT)] * 3, 3, id="each result"),
        pytest.param("RunQuery", [QUERY()], 1, id="nothing found"),
        pytest.param("RunAggregationQuery", [counted(0)], 1, id="counting none"),
        pytest.param("RunAggregationQuery", [counted(1_000)], 1, id="counting a thousand"),
        pytest.param("RunAggregationQuery", [counted(1_001)], 2, id="and one"),
        pytest.param("BeginTransaction", [], 0, id="a transaction by itself"),
    ],
)
def test_reads(method: str, responses: list[Any], reads: int) -> None:
    """Of a call that succeeded."""
    assert firestore(method, None, responses)["reads"] == reads


def test_writes_and_deletes() -> None:
    """Each write of a commit by itself, with its bytes."""
    request = protos.CommitRequest()
    request.writes.add().update.name = "a"
    request.writes.add().update.name = "b"
    request.writes.add().delete = "c"
    found = firestore("Commit", request, [])
    assert (found["writes"], found["deletes"], found["reads"]) == (2, 1, 0)
    assert found["bytes"] == sum(write.ByteSize() for write in request.writes)


def test_messages() -> None:
    """Data, attributes by name and value, time and id; a thousand bytes a request at least."""
    assert message_bytes(b"12345", {"kind": "sweep"}) == 5 + 4 + 5 + 36
    assert billed_bytes([50]) == 1_000
    assert billed_bytes([50] * 10) == 1_000
    assert billed_bytes([600, 600]) == 1_200


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/upload/storage/v1/b/uploads/o?uploadType=multipart", "class_a"),
        ("GET", "/storage/v1/b/work/o?prefix=runs", "class_a"),
        ("POST", "/storage/v1/b/work/o/a/rewriteTo/b/work/o/b", "class_a"),
        ("GET", "/download/storage/v1/b/work/o/runs%2Fa?alt=media", "class_b"),
        ("GET", "/storage/v1/b/work/o/runs%2Fa", "class_b"),
        ("DELETE", "/storage/v1/b/work/o/runs%2Fa", "free"),
    ],
)
def test_operations(method: str, path: str, kind: str) -> None:
    """Writing and listing are dear, reading cheap, deleting free."""
    assert storage(method, path) == kind
