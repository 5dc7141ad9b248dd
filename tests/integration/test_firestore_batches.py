"""Many documents at once: atomic batches, writes in bulk, listings, recursive deletes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore_v1.bulk_writer import BulkWriterOptions

from tests.integration.firestore_calls import unwritten
from tests.integration.firestore_server import connect
from tests.integration.firestore_server import firestore as serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.firestore import Client, DocumentReference


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("batches")) as server:
        yield connect(server)


@pytest.fixture
def ref(client: Client) -> DocumentReference:
    return unwritten(client)


def test_a_batch_is_atomic(client: Client, ref: DocumentReference) -> None:
    """One failing write undoes all of them; otherwise all carry one time."""
    other = client.document(f"things/{ref.id}-other")
    other.set({"n": 1})
    batch = client.batch()
    batch.set(ref, {"n": 1})
    batch.update(other, {"n": 2})
    batch.set(client.document(f"fresh-{ref.id}/a"), {})
    batch.create(other, {"n": 3})
    with pytest.raises(exceptions.AlreadyExists):
        batch.commit()
    assert not ref.get().exists
    assert other.get().to_dict() == {"n": 1}
    assert list(client.collection(f"fresh-{ref.id}").stream()) == []
    client.document(f"fresh-{ref.id}/b").set({})  # its collection was undone with the rest
    assert len(list(client.collection(f"fresh-{ref.id}").stream())) == 1
    batch = client.batch()
    batch.set(ref, {"n": 1})
    batch.update(other, {"n": 2})
    results = batch.commit()
    assert len({result.update_time for result in results}) == 1
    assert batch.commit_time == results[0].update_time


def test_later_writes_of_a_batch_see_the_earlier(client: Client, ref: DocumentReference) -> None:
    """A batch may write one document several times; each write finds what the one before left."""
    batch = client.batch()
    batch.create(ref, {"n": 1})
    batch.update(ref, {"n": firestore.Increment(1)})
    batch.delete(ref)
    batch.create(ref, {"n": 10})
    batch.update(ref, {"m": firestore.Increment(1)})
    batch.commit()
    assert ref.get().to_dict() == {"n": 10, "m": 1}


def test_bulk_writer_tells_each_writes_fate(client: Client, ref: DocumentReference) -> None:
    """Of many writes each succeeds or fails for itself, and the callbacks hear which."""
    ref.set({"there": True})
    succeeded: list[str] = []
    failed: dict[str, int] = {}
    writer = client.bulk_writer(options=BulkWriterOptions(max_ops_per_second=5000))
    writer.on_write_result(lambda reference, _result, _writer: succeeded.append(reference.id))

    def on_error(error: Any, _writer: Any) -> bool:
        failed[error.operation.reference.id] = error.code
        return False

    writer.on_write_error(on_error)
    for number in range(45):
        writer.set(client.document(f"bulk-{ref.id}/{number:03}"), {"n": number})
    writer.create(ref, {})
    writer.update(client.document(f"bulk-{ref.id}/none"), {"a": 1})
    writer.set(client.document(f"bulk-{ref.id}/big"), {"a": "x" * 2**20})
    writer.close()  # type: ignore[no-untyped-call]  # the client's types are partial
    assert len(succeeded) == 45
    assert failed == {ref.id: 6, "none": 5, "big": 3}
    assert len(list(client.collection(f"bulk-{ref.id}").stream())) == 45


def test_listing(client: Client, ref: DocumentReference) -> None:
    """Documents are listed page by page, with those that only have something below; collections by id."""
    ref.set({})
    for number in range(7):
        ref.collection("pages").document(f"p{number}").set({"n": number})
    ref.collection("pages").document("ghost").collection("deep").document("d").set({})
    ref.collection("pages-2").document("x").set({})
    ref.collection("emptied").document("x").set({})
    ref.collection("emptied").document("x").delete()
    listed = [document.id for document in ref.collection("pages").list_documents(page_size=3)]
    assert listed == ["ghost", *(f"p{number}" for number in range(7))]
    assert sorted(collection.id for collection in ref.collections()) == ["pages", "pages-2"]
    ghost = ref.collection("pages").document("ghost")
    assert [collection.id for collection in ghost.collections()] == ["deep"]
    assert "things" in {collection.id for collection in client.collections()}


def test_recursive_delete(client: Client, ref: DocumentReference) -> None:
    """The client's recursive delete finds everything below a document and nothing beside it."""
    ref.set({})
    beside = client.document(f"things/{ref.id}-beside/below/x")
    beside.set({})
    for path in ("a/1", "a/2", "a/1/b/1", "c/1"):
        client.document(f"things/{ref.id}/{path}").set({})
    assert client.recursive_delete(ref) == 5
    assert list(ref.collections()) == []
    assert not ref.get().exists
    assert beside.get().exists
