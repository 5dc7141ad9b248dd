"""Transactions: isolated under races, never losing an update, waiting rather than failing when contended."""

from __future__ import annotations

import itertools
import random
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore import Client, DocumentReference, FieldFilter, Transaction, transactional

from local.firestore.transactions import LEASE_SECONDS
from tests.integration.firestore_server import connect, in_threads
from tests.integration.firestore_server import firestore as serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.pubsub_server import LocalServer

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with serving(tmp_path_factory.mktemp("transactions")) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: LocalServer) -> Client:
    return connect(server)


@pytest.fixture
def ref(client: Client) -> DocumentReference:
    """A document that does not exist yet, with a collection of its own."""
    return client.collection(f"transactions-{next(_numbers)}").document("a")


def increment(transaction: Transaction, ref: DocumentReference) -> None:
    found = ref.get(transaction=transaction)
    transaction.update(ref, {"n": found.get("n") + 1})


increment_in_one_object = transactional(increment)
"""As users write it: one decorated function for all threads, whose attempts mix up each other's ids."""


def begin(client: Client, *, read_only: bool = False) -> Transaction:
    """A transaction in the test's own hands, without the retries."""
    transaction = client.transaction(read_only=read_only)
    transaction._begin()
    return transaction


def read(transaction: Transaction, ref: DocumentReference) -> dict[str, Any] | None:
    return ref.get(transaction=transaction).to_dict()


def test_two_threads_of_a_hundred_increments(client: Client, ref: DocumentReference) -> None:
    """Nothing is lost and nothing fails: two hundred increments make two hundred."""
    ref.set({"n": 0})

    def work(_: int) -> None:
        for _ in range(100):
            increment_in_one_object(client.transaction(), ref)

    assert in_threads(2, work) == [None, None]
    assert ref.get().to_dict() == {"n": 200}


@pytest.mark.parametrize("shared", [True, False])
def test_two_hundred_at_once_on_one_document(client: Client, ref: DocumentReference, *, shared: bool) -> None:
    """However many come at once, each gets through within the client's own attempts."""
    ref.set({"n": 0})

    def work(_: int) -> None:
        run = increment_in_one_object if shared else transactional(increment)
        run(client.transaction(), ref)

    assert in_threads(200, work) == [None] * 200
    assert ref.get().to_dict() == {"n": 200}


def test_readers_of_one_document_do_not_conflict(client: Client, ref: DocumentReference) -> None:
    """Two hundred batches that each read the document and create another all succeed at the first attempt."""
    ref.set({"run": 1})
    attempts: list[int] = []

    @transactional
    def finish(transaction: Transaction, number: int) -> None:
        attempts.append(number)
        assert read(transaction, ref) == {"run": 1}
        transaction.create(ref.collection("batches").document(f"1-{number}"), {"n": number})

    assert in_threads(200, lambda number: finish(client.transaction(), number)) == [None] * 200
    assert len(attempts) == 200
    assert len(list(ref.collection("batches").stream())) == 200


def test_batches_and_their_completion(client: Client, ref: DocumentReference) -> None:
    """Batches tick themselves off while whoever counts them all completes the document: it completes once."""
    ref.set({"state": "analyzing", "completions": 0})
    batches = ref.collection("batches")
    total = 60

    @transactional
    def tick(transaction: Transaction, number: int) -> None:
        assert ref.get(transaction=transaction).exists
        transaction.create(batches.document(f"1-{number}"), {"passages": number})

    @transactional
    def complete(transaction: Transaction) -> None:
        found = ref.get(transaction=transaction)
        if found.get("state") == "analyzing":
            summed = sum(each.get("passages") for each in batches.stream(transaction=transaction))
            transaction.update(
                ref, {"state": "completed", "completions": firestore.Increment(1), "sum": summed}
            )

    def batch(number: int) -> None:
        tick(client.transaction(), number)
        if len(list(batches.stream())) == total:
            complete(client.transaction())

    assert in_threads(total, batch) == [None] * total
    assert ref.get().to_dict() == {"state": "completed", "completions": 1, "sum": sum(range(total))}


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


def test_unique_names_by_query(client: Client, ref: DocumentReference) -> None:
    """Many threads that insert unless a query finds something insert exactly one."""
    collection = ref.parent

    @transactional
    def claim(transaction: Transaction, number: int) -> None:
        taken = collection.where(filter=FieldFilter("name", "==", "only")).limit(1)
        if not list(taken.stream(transaction=transaction)):
            transaction.create(collection.document(f"c{number}"), {"name": "only"})

    assert in_threads(25, lambda number: claim(client.transaction(), number)) == [None] * 25
    assert len(list(collection.stream())) == 1


def test_money_is_neither_made_nor_lost(client: Client, ref: DocumentReference) -> None:
    """Threads move amounts between accounts in random pairs; every audit meanwhile finds the same total."""
    accounts = [ref.parent.document(f"account-{number}") for number in range(4)]
    for account in accounts:
        account.set({"n": 100})
    over = threading.Event()
    audits: list[int] = []

    @transactional
    def move(transaction: Transaction, source: DocumentReference, target: DocumentReference) -> None:
        amounts = {each: each.get(transaction=transaction).get("n") for each in (source, target)}
        transaction.update(source, {"n": amounts[source] - 1})
        transaction.update(target, {"n": amounts[target] + 1})

    def work(number: int) -> None:
        if number == 0:
            while not over.is_set():
                transaction = begin(client, read_only=True)
                audits.append(sum((read(transaction, account) or {})["n"] for account in accounts))
                transaction._commit()
            return
        dice = random.Random(number)
        try:
            for _ in range(15):
                source, target = dice.sample(accounts, 2)
                transaction = client.transaction(max_attempts=50)
                move(transaction, source, target)
        finally:
            if number == 4:
                over.set()

    outcomes = in_threads(5, work)
    assert outcomes == [None] * 5
    assert set(audits) == {400}
    assert sum(account.get().get("n") for account in accounts) == 400


def test_a_dead_client_holds_nobody_up_for_long(client: Client, ref: DocumentReference) -> None:
    """A transaction abandoned in the middle of a fight is waited for no longer than its lease."""
    ref.set({"n": 0})
    loser, dead = begin(client), begin(client)
    read(loser, ref)
    ref.set({"n": 1})
    loser.update(ref, {"n": 5})
    with pytest.raises(exceptions.Aborted):
        loser._commit()  # from here on readers of the document queue
    read(dead, ref)
    started = time.monotonic()
    increment_in_one_object(client.transaction(), ref)
    ref.update({"m": 1})
    assert time.monotonic() - started < LEASE_SECONDS + 2
    assert ref.get().to_dict() == {"n": 2, "m": 1}
    dead.update(ref, {"n": 100})
    with pytest.raises(exceptions.Aborted):
        dead._commit()


def test_plain_writes_wait_for_the_turn(client: Client, ref: DocumentReference) -> None:
    """While a transaction has a fought-over document to itself, a plain write waits and both succeed."""
    ref.set({"n": 0})
    loser = begin(client)
    read(loser, ref)
    ref.set({"n": 1})
    with pytest.raises(exceptions.Aborted):
        loser._commit()
    holder = begin(client)
    read(holder, ref)
    done: list[float] = []
    writer = threading.Thread(target=lambda: done.append(ref.update({"m": 1}) and time.monotonic()))
    writer.start()
    time.sleep(0.2)
    assert not done
    holder.update(ref, {"n": 2})
    holder._commit()
    writer.join()
    assert ref.get().to_dict() == {"n": 2, "m": 1}


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
