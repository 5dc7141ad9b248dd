"""No more documents are read at once than an instance has memory for; the others wait, but not for ever."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore

import pytest

from shared.intake.fetch import Busy, turn
from shared.platform.errors import Retryable


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_than_so_many_are_at_it(at_once: int) -> None:
    """All of them get their turn."""
    turns, lock = BoundedSemaphore(at_once), threading.Lock()
    now = most = 0

    def read(_: int) -> None:
        nonlocal now, most
        with turn(turns, 20):
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.02)
            with lock:
                now -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(12)))
    assert (most, now) == (at_once, 0)


def test_who_waits_too_long_is_to_come_again() -> None:
    """Pub/Sub delivers again what is retryable."""
    turns = BoundedSemaphore(1)
    with turn(turns, 0), pytest.raises(Busy) as caught, turn(turns, 0.01):
        pass
    assert isinstance(caught.value, Retryable)


def test_a_turn_ends_with_its_block_however_that_ends() -> None:
    turns = BoundedSemaphore(1)
    with pytest.raises(KeyError), turn(turns, 0):
        raise KeyError
    with turn(turns, 0):
        pass
