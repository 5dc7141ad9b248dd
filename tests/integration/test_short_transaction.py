"""Transactions that begin with their first read: fewer calls, and the same promises."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import ServiceUnavailable

from shared.documents import batches, completion
from shared.documents.completion import finish_as_read
from shared.documents.store import Documents
from shared.platform.clients import firestore_client
from shared.text.summary import partial
from tests.integration.documents_life import Life
from tests.integration.documents_parts import NO_TIME, batch_of, plan_of, result_of
from tests.integration.documents_servers import serving
from tests.integration.firestore_server import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.platform.transaction import ShortTransaction

METHODS = (
    *("batch_get_documents", "begin_transaction", "commit", "rollback"),
    *("run_query", "run_aggregation_query"),
)


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("short")):
        yield


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What was asked of Firestore, by method."""
    counted: Counter[str] = Counter()
    api = firestore_client()._firestore_api

    def counting(method: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted_call(*arguments: Any, **named: Any) -> Any:
            counted[method] += 1
            return call(*arguments, **named)

        return counted_call

    for method in METHODS:
        monkeypatch.setattr(api, method, counting(method, getattr(api, method)))
    return counted


def test_a_transaction_is_a_read_and_a_commit(calls: Counter[str]) -> None:
    """However many documents it reads, in the order asked for; one that is missing is None."""
    client = firestore_client()
    one, other, missing = (client.collection("short").document(name) for name in ("b", "a", "missing"))
    one.set({"of": "one"})
    other.set({"of": "other", "list": [1, 2.0, None, {"a": b"b"}]})
    calls.clear()

    def step(transaction: ShortTransaction) -> list[dict[str, Any] | None]:
        found = transaction.read(one, missing, other)
        transaction.update(one, {"of": "both"})
        return found

    found = Documents(client).run(step)
    assert found == [{"of": "one"}, None, {"of": "other", "list": [1, 2.0, None, {"a": b"b"}]}]
    assert calls == {"batch_get_documents": 1, "commit": 1}


def test_the_clients_own_reads_are_part_of_it(calls: Counter[str]) -> None:
    """They begin it too, and what they read is protected alike."""
    client = firestore_client()
    counter = client.collection("short").document("counter")
    counter.set({"count": 0})

    def step(transaction: ShortTransaction) -> None:
        first = (counter.get(transaction=transaction).to_dict() or {})["count"]
        [again] = transaction.read(counter)
        assert again == {"count": first}
        transaction.update(counter, {"count": first + 1})

    assert in_threads(20, lambda _: Documents(client).run(step)) == [None] * 20
    assert counter.get().to_dict() == {"count": 20}
    assert calls["begin_transaction"] >= 20


def test_what_it_reads_is_protected() -> None:
    """Two hundred concurrent increments are all counted."""
    client = firestore_client()
    counter = client.collection("short").document("another")
    counter.set({"count": 0})

    def step(transaction: ShortTransaction) -> None:
        [stored] = transaction.read(counter)
        assert stored is not None
        transaction.update(counter, {"count": stored["count"] + 1})

    assert in_threads(200, lambda _: Documents(client).run(step)) == [None] * 200
    assert counter.get().to_dict() == {"count": 200}


@pytest.mark.parametrize("reads", [True, False])
def test_a_step_that_fails_writes_nothing(calls: Counter[str], *, reads: bool) -> None:
    """Its own error is what the caller sees; what was begun is rolled back."""
    client = firestore_client()
    reference = client.collection("short").document("failing")
    reference.set({"of": "before"})
    calls.clear()

    def step(transaction: ShortTransaction) -> None:
        if reads:
            transaction.read(reference)
        transaction.update(reference, {"of": "after"})
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Documents(client).run(step)
    assert calls["rollback"] == reads
    assert reference.get().to_dict() == {"of": "before"}


def test_an_outage_is_waited_for(calls: Counter[str]) -> None:
    """The whole step runs again after a pause, and writes once."""
    client = firestore_client()
    reference = client.collection("short").document("outage")
    outages = iter([ServiceUnavailable("down")] * 2)  # type: ignore[no-untyped-call]
    calls.clear()

    def step(transaction: ShortTransaction) -> str:
        transaction.read(reference)
        transaction.set(reference, {"of": "after"})
        for outage in outages:
            raise outage
        return "done"

    assert Documents(client).run(step) == "done"
    assert (calls["commit"], reference.get().to_dict()) == (1, {"of": "after"})


def test_a_document_of_one_batch_takes_eleven_calls(calls: Counter[str]) -> None:
    """From its claim to the end of its announcement; each is paid for and waited for."""
    life = Life()
    calls.clear()
    claim = life.claim(1)
    finish_as_read(life.documents, life.documents.plan(claim, plan_of(f"{claim.id}-1", (2,))))
    message = batch_of(claim.id, 1, 1, 0, (0, 2))
    assert batches.progress(life.documents, message).upto == 0
    results = [result_of(1, index) for index in range(2)]
    committed = completion.commit(life.documents, message, [], results, [partial(results)], NO_TIME)
    finish_as_read(life.documents, committed)
    assert calls == {"batch_get_documents": 6, "commit": 4, "run_aggregation_query": 1}
    stored = life.documents.reference(claim.id).get().to_dict() or {}
    assert (stored["state"], stored["results_pending"]) == ("completed", False)
