"""Transactions: each sees one moment, commits only if what it read still holds, and ends for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore import Client, DocumentReference, FieldFilter, Transaction, transactional

from tests.integration.firestore_calls import begin, read, unwritten_alone
from tests.integration.firestore_server import connect
from tests.integration.firestore_server import firestore as serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("transactions")) as server:
        yield connect(server)


@pytest.fixture
def ref(client: Client) -> DocumentReference:
    return unwritten_alone(client)


def test_a_changed_document_aborts_the_commit(client: Client, ref: DocumentReference) -> None:
    """What was read and then changed by somebody else makes the commit ABORTED, and nothing of it happens."""
    ref.set({"n": 1})
    transaction = begin(client)
    assert read(transaction, ref) == {"n": 1}
    ref.update({"n": 2})
    transaction.update(ref, {"n": 10})
    transaction.set(ref.collection("more").document("x"), {})
    with pytest.raises(exceptions.Aborted, match="Too much contention on these documents"):
        transaction._commit()
    transaction._rollback()
    assert ref.get().to_dict() == {"n": 2}
    assert list(ref.collections()) == []


@pytest.mark.parametrize("change", ["create", "delete"])
def test_a_missing_document_is_read_too(client: Client, ref: DocumentReference, change: str) -> None:
    """Having seen that a document is missing, or there, is a read like any other."""
    if change == "delete":
        ref.set({})
    transaction = begin(client)
    assert ref.get(transaction=transaction).exists is (change == "delete")
    _ = ref.create({}) if change == "create" else ref.delete()
    transaction.set(ref.collection("more").document("x"), {})
    with pytest.raises(exceptions.Aborted):
        transaction._commit()


def test_a_transaction_reads_one_moment(client: Client, ref: DocumentReference) -> None:
    """Whatever is committed meanwhile, it keeps seeing the state of its first read, by name and by query."""
    other, collection = ref.parent.document("b"), ref.parent
    ref.set({"n": 1})
    other.set({"n": 1})
    for read_only in (True, False):
        transaction = begin(client, read_only=read_only)
        before = read(transaction, ref)
        batch = client.batch()
        batch.update(ref, {"n": firestore.Increment(1)})
        batch.update(other, {"n": firestore.Increment(1)})
        batch.set(collection.document(f"new-{read_only}"), {"n": 0})
        batch.commit()
        assert read(transaction, ref) == before
        assert read(transaction, other) == before
        found = collection.where(filter=FieldFilter("n", ">", 0)).stream(transaction=transaction)
        assert [each.to_dict() for each in found] == [before, before]
        counted: Any = collection.where(filter=FieldFilter("n", "==", 0)).count("c")
        assert counted.get(transaction=transaction)[0][0].value == (0 if read_only else 1)
        transaction._rollback()


def test_read_only_transactions_never_conflict(client: Client, ref: DocumentReference) -> None:
    """A read-only transaction commits whatever changed, and may not write."""
    ref.set({"n": 1})
    transaction = begin(client, read_only=True)
    assert read(transaction, ref) == {"n": 1}
    ref.set({"n": 2})
    transaction._commit()
    assert begin(client, read_only=True).id != transaction.id


def test_write_skew_is_impossible(client: Client, ref: DocumentReference) -> None:
    """Of two that each read both documents and write one, only one commits."""
    other = ref.parent.document("b")
    ref.set({"on": True})
    other.set({"on": True})
    first, second = begin(client), begin(client)
    for transaction in (first, second):
        assert read(transaction, ref) == read(transaction, other) == {"on": True}
    first.update(ref, {"on": False})
    second.update(other, {"on": False})
    first._commit()
    with pytest.raises(exceptions.Aborted):
        second._commit()


@pytest.mark.parametrize("kind", ["query", "group", "count", "limit"])
def test_phantoms_conflict(client: Client, ref: DocumentReference, kind: str) -> None:
    """A document that would have been in a query's result makes the commit fail; any other does not."""
    collection = ref.parent
    collection.document("x").set({"n": 10})
    source = client.collection_group(collection.id) if kind == "group" else collection
    query = source.where(filter=FieldFilter("n", ">", 5))
    if kind == "limit":
        query = query.limit(1)

    def look(transaction: Transaction) -> None:
        if kind == "count":
            counted: Any = query.count("c")
            assert counted.get(transaction=transaction)[0][0].value == 1
        else:
            assert [each.id for each in query.stream(transaction=transaction)] == ["x"]

    innocent, hit = begin(client), begin(client)
    look(innocent)
    collection.document("beside").set({"n": 1})
    innocent.set(ref, {"n": 0})
    innocent._commit()
    look(hit)
    collection.document("w").set({"n": 6})
    hit.set(ref, {"n": 0})
    with pytest.raises(exceptions.Aborted):
        hit._commit()


def test_a_failed_precondition_ends_the_transaction(client: Client, ref: DocumentReference) -> None:
    """A create of what exists is ALREADY_EXISTS from the decorated function, and nothing is written."""
    ref.set({"n": 1})

    @transactional
    def work(transaction: Transaction) -> None:
        transaction.set(ref.collection("more").document("x"), {})
        transaction.create(ref, {"n": 2})

    with pytest.raises(exceptions.AlreadyExists):
        work(client.transaction())
    assert list(ref.collections()) == []


def test_an_ended_transaction_is_gone(client: Client, ref: DocumentReference) -> None:
    """After a commit or a rollback its id is INVALID_ARGUMENT for reads and commits; so is a made-up one."""
    transaction = begin(client)
    identity = transaction.id
    transaction.set(ref, {})
    transaction._commit()
    for stale in (identity, b"made up"):
        transaction._id = stale  # type: ignore[assignment]  # annotated by its first value, None
        with pytest.raises(exceptions.InvalidArgument, match="expired or is no longer valid"):
            read(transaction, ref)
        transaction.set(ref, {})
        with pytest.raises(exceptions.InvalidArgument, match="expired or is no longer valid"):
            transaction._commit()
        transaction._clean_up()
