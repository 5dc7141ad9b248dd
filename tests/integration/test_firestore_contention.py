"""Contended transactions: many at once lose no update, and wait rather than fail."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore import Client, DocumentReference, FieldFilter, Transaction, transactional

from local.firestore.transactions import LEASE_SECONDS
from tests.integration.firestore_calls import begin, read, unwritten_alone
from tests.integration.firestore_server import connect, in_threads
from tests.integration.firestore_server import firestore as serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("contention")) as server:
        yield connect(server)


@pytest.fixture
def ref(client: Client) -> DocumentReference:
    return unwritten_alone(client)


def increment(transaction: Transaction, ref: DocumentReference) -> None:
    found = ref.get(transaction=transaction)
    transaction.update(ref, {"n": found.get("n") + 1})


increment_in_one_object = transactional(increment)
"""As users write it: one decorated function for all threads, whose attempts mix up each other's ids."""


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
