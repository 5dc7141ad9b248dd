"""Queue transactions that contend for the same documents.

Correctness never rests on these: every transaction is validated when it commits. They exist so that
contention waits rather than fails. What a transaction lost over becomes hot; for as long as it is, a
transaction that reads it first waits for its turn and then has it to itself until it commits, and other
writers wait behind it.

Places are given in the order of asking and run out by themselves. Whoever holds some waits only for keys that
come after them all, so no two can wait for each other.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Key: TypeAlias = tuple[str, ...]
Wants: TypeAlias = dict[Key, bool]
"""What is wanted, and whether alone (True) or shared (False)."""

HOT_SECONDS = 3
"""How long after the last fight over something its readers still queue."""


@dataclass
class _Line:
    """Who is in (and whether alone), and who waits."""

    inside: dict[asyncio.Future[None], bool] = field(default_factory=dict)
    waiting: deque[tuple[asyncio.Future[None], bool]] = field(default_factory=deque)

    def admits(self, *, alone: bool) -> bool:
        return not self.waiting and self._free(alone=alone)

    def move_up(self) -> None:
        while self.waiting and self._free(alone=self.waiting[0][1]):
            place, alone = self.waiting.popleft()
            if not place.done():
                self.inside[place] = alone
                place.set_result(None)

    def _free(self, *, alone: bool) -> bool:
        return not self.inside or not (alone or any(self.inside.values()))


class Turns:
    """The lines, and what is hot."""

    def __init__(self, lease_seconds: float) -> None:
        self.lease_seconds = lease_seconds
        self._lines: dict[Key, _Line] = {}
        self._hot: dict[Key, float] = {}

    def heat(self, key: Key) -> None:
        """Somebody lost a fight over `key`."""
        self._hot[key] = time.monotonic() + HOT_SECONDS

    def is_hot(self, key: Key) -> bool:
        return bool(self._hot) and self._hot.get(key, 0) > time.monotonic()

    def occupied(self, wants: Mapping[Key, bool]) -> bool:
        """Whether somebody else is in the way of any of `wants`."""
        if not self._lines:
            return False
        lines = ((self._lines.get(key), alone) for key, alone in wants.items())
        return any(line is not None and not line.admits(alone=alone) for line, alone in lines)

    def written(self, key: Key) -> None:
        """Whoever has `key` has written it: had those that wait not waited, they would have lost."""
        line = self._lines.get(key)
        if line is not None and line.waiting:
            self.heat(key)

    def cool(self) -> None:
        """Forget what is no longer hot."""
        now = time.monotonic()
        self._hot = {key: until for key, until in self._hot.items() if until > now}

    def queue(self, key: Key, *, alone: bool) -> asyncio.Future[None]:
        line = self._lines.setdefault(key, _Line())
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append((place, alone))
        line.move_up()
        return place

    def vacate(self, key: Key, place: asyncio.Future[None]) -> None:
        line = self._lines[key]
        if line.inside.pop(place, None) is None:
            place.cancel()  # it was waiting still; the line passes it over
        line.move_up()
        if not line.inside and not line.waiting:
            del self._lines[key]


class Places:
    """The places that one transaction or commit holds."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._held: dict[Key, asyncio.Future[None]] = {}
        self._expiry: asyncio.TimerHandle | None = None

    async def take(self, wants: Mapping[Key, bool], wait_seconds: float) -> bool:
        """Queue for what is wanted and not held yet; returns whether that meant waiting.

        A key that comes before one that is held is taken only if that needs no waiting.

        Raises:
            TimeoutError: after `wait_seconds`; what was held or taken by then still is.
        """
        missing = sorted(key for key in wants if key not in self._held)
        waits = False
        self._stop_expiry()
        try:
            async with asyncio.timeout(wait_seconds):
                for key in missing:
                    busy = self._turns.occupied({key: wants[key]})
                    if busy and self._held and key < max(self._held):
                        continue
                    place = self._turns.queue(key, alone=wants[key])
                    try:
                        await place
                    except asyncio.CancelledError:
                        self._turns.vacate(key, place)
                        raise
                    self._held[key] = place
                    waits = waits or busy
        finally:
            if self._held:
                loop = asyncio.get_running_loop()
                self._expiry = loop.call_later(self._turns.lease_seconds, self.leave)
        return waits

    def leave(self) -> None:
        """Give up every place; whoever is next goes on."""
        self._stop_expiry()
        held, self._held = self._held, {}
        for key, place in held.items():
            self._turns.vacate(key, place)

    def wrote(self, wants: Mapping[Key, bool]) -> None:
        """What was wanted alone has been written."""
        for key in self._held:
            if wants.get(key):
                self._turns.written(key)

    def without(self, wants: Mapping[Key, bool]) -> Wants:
        """The part of `wants` that is not held."""
        return {key: alone for key, alone in wants.items() if key not in self._held}

    def _stop_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
