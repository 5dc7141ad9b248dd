"""No more documents are read at once than an instance has memory for; the others wait, but not for ever."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.extract.turns import Busy, Turns
from shared.platform.errors import Retryable


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_than_so_many_are_at_it(at_once: int) -> None:
    """All of them get their turn."""
    turns, lock = Turns(), threading.Lock()
    now = most = 0

    def read(_: int) -> None:
        nonlocal now, most
        with turns.turn(at_once, 20):
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
    turns = Turns()
    with turns.turn(1, 0), pytest.raises(Busy) as caught, turns.turn(1, 0.01):
        pass
    assert isinstance(caught.value, Retryable)


def test_a_turn_ends_with_its_block_however_that_ends() -> None:
    turns = Turns()
    with pytest.raises(KeyError), turns.turn(1, 0):
        raise KeyError
    with turns.turn(1, 0):
        pass
