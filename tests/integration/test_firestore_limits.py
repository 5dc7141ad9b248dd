"""What is refused: bad ids, documents and requests beyond the limits, and calls that are not served."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore_v1.types import GetDocumentRequest
from google.cloud.firestore_v1.types import firestore as messages
from google.cloud.firestore_v1.vector import Vector

from tests.integration.firestore_calls import unwritten
from tests.integration.firestore_server import connect
from tests.integration.firestore_server import firestore as serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.firestore import Client, DocumentReference


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("limits")) as server:
        yield connect(server)


@pytest.fixture
def ref(client: Client) -> DocumentReference:
    return unwritten(client)


@pytest.mark.parametrize("identity", ["__reserved__", ".", "..", "é" * 751])
def test_bad_ids_are_refused(client: Client, identity: str) -> None:
    """Reserved, dotted and overlong ids are INVALID_ARGUMENT, of documents and of collections."""
    with pytest.raises(exceptions.InvalidArgument):
        client.collection("things").document(identity).set({})
    with pytest.raises(exceptions.InvalidArgument):
        client.collection(identity).document("x").set({})
    with pytest.raises(exceptions.InvalidArgument):
        client.collection("things").document(identity).get()


def test_ids_of_1500_bytes_and_any_letters_are_fine(client: Client) -> None:
    """The limit is a limit, and only "/" is special inside an id."""
    for identity in ("é" * 750, "a b.c*~[`\\\"'", "__half", "-", "\U0001f600"):
        document = client.collection("things").document(identity)
        document.set({"id": identity})
        assert document.get().to_dict() == {"id": identity}


def test_a_document_holds_a_mebibyte_and_no_more(ref: DocumentReference) -> None:
    """The size is computed as documented: to the byte, with 16 for the path and 32 for the document."""
    parts = ["things", ref.id]
    overhead = sum(len(part) + 1 for part in parts) + 16 + 32 + len("text") + 1 + 1 + len("n") + 1 + 8
    room = 2**20 - overhead
    half = 600_000
    rest = room - half - len("more") - 1 - 1
    ref.set({"text": "x" * half, "more": "x" * rest, "n": 1})
    message = (
        f"Document '{ref._document_path}' cannot be written because its size (1,048,577 bytes) exceeds the "
        "maximum allowed size of 1,048,576 bytes."
    )
    with pytest.raises(exceptions.InvalidArgument, match=re.escape(message)):
        ref.set({"text": "x" * half, "more": "x" * (rest + 1), "n": 1})
    with pytest.raises(exceptions.InvalidArgument, match="size"):
        ref.update({"text": "é" * (half // 2 + 1)})
    assert len(ref.get().get("more")) == rest


def test_one_value_holds_a_little_less(ref: DocumentReference) -> None:
    """A single string of a mebibyte is refused by its field's name."""
    with pytest.raises(exceptions.InvalidArgument, match='property "text" is longer than 1048487 bytes'):
        ref.set({"text": "x" * 2**20})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"a": [[1]]}, "Cannot convert an array value in an array value"),
        ({"__odd__": 1}, "__odd__"),
        ({"a": {"__odd__": 1}}, "__odd__"),
        ({"x" * 1501: 1}, "longer than 1500 bytes"),
        ({"v": Vector([0.5] * 2049)}, "2049 dimensions"),
    ],
)
def test_what_a_document_cannot_hold(ref: DocumentReference, data: dict[str, Any], message: str) -> None:
    """Nested arrays, reserved and overlong names, and too long vectors are INVALID_ARGUMENT."""
    with pytest.raises(exceptions.InvalidArgument, match=message):
        ref.set(data)
    assert not ref.get().exists


def test_twenty_levels_are_the_limit(ref: DocumentReference) -> None:
    """Maps nest twenty deep, not twenty-one."""

    def nested(levels: int) -> dict[str, Any]:
        data: dict[str, Any] = {"leaf": 1}
        for _ in range(levels - 1):
            data = {"m": data}
        return data

    ref.set(nested(20))
    with pytest.raises(exceptions.InvalidArgument, match="levels deep"):
        ref.set(nested(21))


def test_a_vector_of_2048_is_stored(ref: DocumentReference) -> None:
    """The longest vector there may be, and one of integers."""
    data = {"v": Vector([0.5] * 2048), "w": Vector([1.0, 2.0])}
    ref.set(data)
    assert ref.get().to_dict() == data


def test_a_request_over_ten_mebibytes_is_refused(client: Client, ref: DocumentReference) -> None:
    """It is told so at once, not retried, and nothing of it is stored."""
    batch = client.batch()
    for number in range(11):
        batch.set(ref.collection("big").document(str(number)), {"text": "x" * 1_000_000})
    started = time.monotonic()
    with pytest.raises(exceptions.InvalidArgument, match="exceeds the limit: 10485760 bytes"):
        batch.commit()
    assert time.monotonic() - started < 5
    assert list(ref.collections()) == []


def test_what_headrace_never_calls_is_unimplemented_by_name(client: Client, ref: DocumentReference) -> None:
    """Calls outside the used part of the service are refused with their name, streams included."""
    api = client._firestore_api
    with pytest.raises(exceptions.MethodNotImplemented, match="GetDocument"):
        api.get_document(GetDocumentRequest(name=ref._document_path))
    with pytest.raises(exceptions.MethodNotImplemented, match="PartitionQuery"):
        list(client.collection_group("things").get_partitions(2))
    with pytest.raises(exceptions.MethodNotImplemented, match="Listen"):
        list(api.listen(iter([messages.ListenRequest(database=client._database_string)])))
    with pytest.raises(exceptions.MethodNotImplemented, match="Write"):
        list(api.write(iter([messages.WriteRequest(database=client._database_string)])))
    with pytest.raises(exceptions.MethodNotImplemented, match="ExecutePipeline"):
        list(client.pipeline().collection("things").execute())
