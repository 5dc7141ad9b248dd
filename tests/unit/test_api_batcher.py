"""Requests that wait for the model share its next pass; nobody gets another's rows, and nobody starves."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api.batcher import PASS_CHARACTERS, Batcher, slices

if TYPE_CHECKING:
    from collections.abc import Sequence


class Model:
    """An engine whose row for a text is the text, and which can be held up."""

    def __init__(self) -> None:
        self.passes: list[list[str]] = []
        self.started = threading.Semaphore(0)
        self.go = threading.Event()
        self.go.set()

    def __call__(self, texts: list[str]) -> Any:
        self.passes.append(texts)
        self.started.release()
        assert self.go.wait(10)
        if "bad" in texts:
            raise ValueError("bad")
        return texts


def texts_of(batcher: Batcher, texts: Sequence[str]) -> list[str]:
    rows: list[Any] = batcher.run(texts)
    return [outputs[row] for outputs, row in rows]


def queued(batcher: Batcher, pool: ThreadPoolExecutor, requests: Sequence[list[str]]) -> list[Any]:
    """Send requests so that they wait in exactly this order."""
    futures = []
    for number, texts in enumerate(requests):
        futures.append(pool.submit(texts_of, batcher, texts))
        while len(batcher._waiting) < number + 1:
            pass
    return futures


@pytest.fixture
def model() -> Model:
    return Model()


def test_a_free_model_runs_a_request_at_once_in_its_own_thread(model: Model) -> None:
    """No other thread exists for the batcher to hop to."""
    threads: list[int] = []

    def run(texts: list[str]) -> Any:
        threads.append(threading.get_ident())
        return model(texts)

    assert texts_of(Batcher(run, slots=1), ["a", "b"]) == ["a", "b"]
    assert threads == [threading.get_ident()]


def test_those_who_wait_share_the_next_pass(model: Model) -> None:
    """While one pass is under way others queue; the next pass takes them all, each gets its own rows."""
    batcher = Batcher(model, slots=1)
    model.go.clear()
    requests = [["b", "c"], ["d"], ["e", "f"]]
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(texts_of, batcher, ["a"])
        model.started.acquire()
        futures = queued(batcher, pool, requests)
        model.go.set()
        assert first.result(10) == ["a"]
        assert [future.result(10) for future in futures] == requests
    assert model.passes == [["a"], ["b", "c", "d", "e", "f"]]


def test_a_pass_is_bounded_and_first_come_first_served(model: Model) -> None:
    """What does not fit waits for the pass after, in the order of arrival, though a smaller one would fit."""
    batcher = Batcher(model, slots=1)
    model.go.clear()
    half = "x" * (PASS_CHARACTERS // 2)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(texts_of, batcher, ["a"])
        model.started.acquire()
        futures = queued(batcher, pool, [[half], [half + "x"], ["b"]])
        model.go.set()
        for future in [first, *futures]:
            future.result(10)
    assert model.passes == [["a"], [half], [half + "x", "b"]]


def test_a_large_request_lets_others_in(model: Model) -> None:
    """A request of many passes does not keep one that came during its first waiting until its last."""
    batcher = Batcher(model, slots=1)
    model.go.clear()
    large = [letter * PASS_CHARACTERS for letter in "pqrs"]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(texts_of, batcher, large)
        model.started.acquire()
        [small] = queued(batcher, pool, [["a"]])
        model.go.set()
        assert small.result(10) == ["a"]
        assert first.result(10) == large
    assert model.passes[:2] == [[large[0]], ["a"]]


def test_an_error_reaches_everyone_in_the_pass_and_frees_the_slot(model: Model) -> None:
    """All of a failed pass raise; the next request runs as if nothing had happened."""
    batcher = Batcher(model, slots=1)
    model.go.clear()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(texts_of, batcher, ["a"])
        model.started.acquire()
        futures = queued(batcher, pool, [["bad"], ["b"]])
        model.go.set()
        first.result(10)
        for future in futures:
            with pytest.raises(ValueError, match="bad"):
                future.result(10)
    assert texts_of(batcher, ["c"]) == ["c"]


def test_as_many_passes_at_once_as_there_are_slots(model: Model) -> None:
    """Two slots: the third request waits, and joins no pass that is under way."""
    batcher = Batcher(model, slots=2)
    model.go.clear()
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(texts_of, batcher, [name]) for name in "ab"]
        for _ in running:
            model.started.acquire()
        [waiting] = queued(batcher, pool, [["c"]])
        assert len(model.passes) == 2
        model.go.set()
        assert [future.result(10) for future in [*running, waiting]] == [["a"], ["b"], ["c"]]


def test_many_threads_each_get_their_own(model: Model) -> None:
    """Under load no row is lost, doubled or swapped."""
    batcher = Batcher(model, slots=2)
    requests = [[f"{number}-{part}" for part in range(number % 5 + 1)] for number in range(400)]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda texts: texts_of(batcher, texts), requests)) == requests
    assert sum(map(len, model.passes)) == sum(map(len, requests))


@given(st.lists(st.integers(1, 2 * PASS_CHARACTERS), max_size=12))
def test_slices_keep_order_and_bound(lengths: list[int]) -> None:
    """Slices are the texts in order; each fits into a pass, or is one text; no two neighbours would."""
    texts = ["x" * length for length in lengths]
    parts = [list(part) for part in slices(texts)]
    assert [text for part in parts for text in part] == texts
    sizes = [sum(map(len, part)) for part in parts]
    assert all(size <= PASS_CHARACTERS or len(part) == 1 for size, part in zip(sizes, parts, strict=True))
    for size, following in zip(sizes, parts[1:], strict=False):
        assert size + len(following[0]) > PASS_CHARACTERS
