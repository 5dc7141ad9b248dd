"""Decide how many messages may be on their way to an endpoint at once.

As TCP finds out what a network bears: the window doubles while everything succeeds, then grows by one a
round, and halves when something fails. Where a window of one still fails, only time is left: a pause that
doubles.
"""

from __future__ import annotations

START_WINDOW = 8
MAX_WINDOW = 100
"""Outstanding pushes of a subscription, with those that have been open for long; the real service allows
thousands, here it is one process."""
MIN_PAUSE = 0.1
MAX_PAUSE = 1.0
"""Seconds. The real service goes up to 60; here somebody waits at a terminal for the endpoint's return."""


class Window:
    """The window of one endpoint; times are of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        """Starts at START_WINDOW, growing fast."""
        self._size = float(START_WINDOW)
        self._fast_until = float(MAX_WINDOW)
        self._shrunk_at = float("-inf")
        self._pause = 0.0
        self.paused_until = float("-inf")

    @property
    def size(self) -> int:
        """Pushes that may be outstanding; at least one."""
        return int(self._size)

    def succeeded(self) -> None:
        """A push was acknowledged."""
        growth = 1.0 if self._size < self._fast_until else 1.0 / self._size
        self._size = min(MAX_WINDOW, self._size + growth)
        self._pause = 0.0

    def failed(self, sent_at: float, now: float) -> None:
        """A push that was sent at `sent_at` was refused.

        Those sent before the window last shrank say nothing new: a window of refusals shrinks it once.
        """
        if sent_at < self._shrunk_at:
            return
        if self.size == 1:
            self._pause = min(MAX_PAUSE, max(MIN_PAUSE, 2 * self._pause))
            self.paused_until = now + self._pause
        self._size = max(1.0, self._size / 2)
        self._fast_until = self._size
        self._shrunk_at = now
