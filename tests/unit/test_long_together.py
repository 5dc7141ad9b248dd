"""Several documents in hand at once."""

from __future__ import annotations

import threading
import time

import pytest
from structlog.contextvars import bound_contextvars, clear_contextvars, get_contextvars

from long_job.many import AT_ONCE, together


def test_results_keep_the_order_of_the_items() -> None:
    """However long each takes; and no more are in hand than may be."""
    lock, now, most = threading.Lock(), 0, 0

    def step(number: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep((number % 3) / 100)
        with lock:
            now -= 1
        return number * number

    assert list(together(step, range(20))) == [(number, number * number) for number in range(20)]
    assert 1 < most <= AT_ONCE


def test_an_error_ends_the_rest() -> None:
    """What is under way ends, what is not begun is not begun, and the error is the caller's."""
    begun: list[int] = []

    def step(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError
        time.sleep(0.02)

    with pytest.raises(ValueError):  # noqa: PT011 - nothing else raises
        list(together(step, range(100)))
    assert len(begun) < 20
    ended = list(begun)
    time.sleep(0.05)
    assert begun == ended


def test_log_lines_keep_what_was_bound() -> None:
    """In each thread, and without one document's fields in the lines of another."""

    def step(number: int) -> dict[str, object]:
        with bound_contextvars(document=number):
            return dict(get_contextvars())

    clear_contextvars()  # what other tests of this process left
    with bound_contextvars(execution="e"):
        found = list(together(step, range(8)))
        assert get_contextvars() == {"execution": "e"}
    assert found == [(number, {"execution": "e", "document": number}) for number in range(8)]
