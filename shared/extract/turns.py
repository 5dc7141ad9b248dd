"""How many documents a process reads at once: each takes memory, and an instance has only so much."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shared.platform.errors import Retryable

if TYPE_CHECKING:
    from collections.abc import Iterator


class Busy(Retryable):
    """This instance reads as many documents as it may; the file will be delivered again."""


class Turns:
    """So many at once; whoever comes then waits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = 0

    @contextmanager
    def turn(self, at_once: int, seconds: float) -> Iterator[None]:
        """One of `at_once` turns, for as long as the block lasts.

        Raises:
            Busy: none became free within `seconds`.
        """
        ends = time.monotonic() + seconds
        with self._changed:
            if not self._changed.wait_for(lambda: self._taken < at_once, ends - time.monotonic()):
                raise Busy
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify()


turns = Turns()
"""The process's own."""
