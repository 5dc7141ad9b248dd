"""Keep one subscription's messages in memory: which is next, and who holds which. Rebuilt at start.

A stored delivery up to the cursor is in exactly one place: ready, waiting for its backoff, or held. Those
beyond the cursor are in the store alone, so a backlog of any length costs the memory of a window.

Times here are of the monotonic clock; those in the store are Unix seconds, for they outlive the process.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from local.pubsub.retry import DEFAULT_MAX_BACKOFF

if TYPE_CHECKING:
    from local.pubsub.store import Store

WINDOW = 1000
"""Deliveries read from the store at a time."""


class Delivery(NamedTuple):
    """A message on its way to one subscription, and how often that failed before."""

    message: int
    failures: int


class Holder(Protocol):
    """Who counts what it holds: a stream with flow control."""

    def released(self, size: int) -> None:
        """A message of this size (bytes) is no longer held: acknowledged, refused, or expired."""


@dataclass(slots=True)
class Lease:
    """One puller's hold on a message until the deadline."""

    delivery: Delivery
    deadline: float
    size: int
    holder: Holder | None


class Backlog:
    """What one subscription has not delivered, or delivered without an answer yet."""

    def __init__(self, store: Store, subscription: int) -> None:
        """`subscription` is the store's id."""
        self._store = store
        self._subscription = subscription
        self._cursor = 0
        self._more = True
        self._ready: deque[Delivery] = deque()
        self._waiting: list[tuple[float, Delivery]] = []
        self._leases: dict[int, Lease] = {}
        self._deadlines: list[tuple[float, int]] = []
        # Starting from the clock, a lease of an earlier process is never mistaken for one of this.
        self._numbers = itertools.count(time.time_ns())

    def arrived(self) -> None:
        """The store has deliveries beyond the cursor."""
        self._more = True

    def take(self) -> tuple[Delivery, bytes] | None:
        """The next deliverable message and its body, now the caller's to lease, to push or to put back."""
        while delivery := self._pop():
            body = self._store.body(self._subscription, delivery.message)
            if body is not None:
                return delivery, body
        return None

    def _pop(self) -> Delivery | None:
        now = self.ripen()
        while not self._ready and self._more:
            rows = self._store.scan(self._subscription, self._cursor, WINDOW)
            self._more = len(rows) == WINDOW
            for message, failures, due in rows:
                self._cursor = message
                if (left := due - time.time()) > 0:  # where the clock was set back, not for as long as that
                    self.wait(Delivery(message, failures), now + min(left, DEFAULT_MAX_BACKOFF))
                else:
                    self._ready.append(Delivery(message, failures))
        return self._ready.popleft() if self._ready else None

    def ripen(self) -> float:
        """Make ready what has waited for long enough; the time it is."""
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            self._ready.append(heapq.heappop(self._waiting)[1])
        return now

    def put_back(self, delivery: Delivery) -> None:
        """Undo `take`."""
        self._ready.appendleft(delivery)

    def wait(self, delivery: Delivery, due: float) -> None:
        """Deliverable again at `due`."""
        heapq.heappush(self._waiting, (due, delivery))

    def lease(self, delivery: Delivery, seconds: float, size: int, holder: Holder | None) -> int:
        """Hold for a puller; the number of the lease."""
        number = next(self._numbers)
        self._leases[number] = Lease(delivery, 0.0, size, holder)
        self.extend(number, seconds)
        return number

    def extend(self, number: int, seconds: float) -> None:
        """Move the deadline; a lease that is over stays over."""
        if lease := self._leases.get(number):
            lease.deadline = time.monotonic() + seconds
            heapq.heappush(self._deadlines, (lease.deadline, number))
            if len(self._deadlines) > 2 * len(self._leases) + WINDOW:
                self._deadlines = [(lease.deadline, number) for number, lease in self._leases.items()]
                heapq.heapify(self._deadlines)

    def end(self, number: int) -> Delivery | None:
        """The hold is over, however; what was held, None if it was over before."""
        lease = self._leases.pop(number, None)
        if lease is None:
            return None
        if lease.holder is not None:
            lease.holder.released(lease.size)
        return lease.delivery

    def expire(self) -> list[Delivery]:
        """End every lease whose deadline has passed."""
        now, over = time.monotonic(), []
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, number = heapq.heappop(self._deadlines)
            lease = self._leases.get(number)
            if lease is not None and lease.deadline == deadline and (delivery := self.end(number)):
                over.append(delivery)
        return over

    def next_event(self) -> float | None:
        """When a backoff or a lease ends next; it may turn out that nothing does."""
        times = [heap[0][0] for heap in (self._waiting, self._deadlines) if heap]
        return min(times, default=None)
