"""One subscription's memory against a plain model: whatever is done, no message is lost or held twice."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.pubsub import backlog as module
from local.pubsub.backlog import Backlog, Delivery
from local.pubsub.protos import Subscription as Config
from local.pubsub.retry import DEFAULT_MAX_BACKOFF, backoff
from local.pubsub.store import Store
from local.pubsub.subscription import Subscription
from local.serving import unavailable

if TYPE_CHECKING:
    from pathlib import Path

SUBSCRIPTION = 1


class Clock:
    """Stands in for the module's `time`."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.set_by = 0.0
        """By how much the wall clock was set forward."""

    def time(self) -> float:
        return self.now + self.set_by

    def monotonic(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return int(self.time() * 1e9)


class World:
    """A backlog over a store, and beside it what has to be true of each message."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path, self.clock = path, clock
        self.store = Store(path)
        self.backlog = Backlog(self.store, SUBSCRIPTION)
        self.due: dict[int, float] = {}
        """Deliverable from when, for each message that is not held."""
        self.failures: dict[int, int] = {}
        self.held: dict[int, tuple[int, float]] = {}
        """Message: (lease, deadline)."""

    def publish(self, count: int) -> None:
        ids = self.store.new_ids(count)
        self.store.add_messages(
            [(message, self.clock.now, b"%d" % message) for message in ids],
            [(SUBSCRIPTION, message) for message in ids],
        )
        self.backlog.arrived()
        self.due.update(dict.fromkeys(ids, 0.0))
        self.failures.update(dict.fromkeys(ids, 0))

    def take(self, seconds: int) -> None:
        taken = self.backlog.take()
        deliverable = {message for message, due in self.due.items() if due <= self.clock.now}
        if taken is None:
            assert not deliverable
            return
        delivery, body = taken
        assert delivery.message in deliverable
        assert body == b"%d" % delivery.message
        assert delivery.failures == self.failures[delivery.message]
        lease = self.backlog.lease(delivery, seconds, len(body), None)
        del self.due[delivery.message]
        self.held[delivery.message] = (lease, self.clock.now + seconds)

    def acknowledge(self, which: int) -> None:
        if self.held:
            message, (lease, _) = sorted(self.held.items())[which % len(self.held)]
            assert self.backlog.end(lease) is not None
            self.store.acknowledge(SUBSCRIPTION, [message])
            del self.held[message], self.failures[message]

    def acknowledge_late(self, which: int) -> None:
        """A message that nobody holds: an ack id from before its hold ended."""
        if self.due:
            message = sorted(self.due)[which % len(self.due)]
            self.store.acknowledge(SUBSCRIPTION, [message])
            del self.due[message], self.failures[message]

    def extend(self, which: int) -> None:
        if self.held:
            message, (lease, _) = sorted(self.held.items())[which % len(self.held)]
            self.backlog.extend(lease, 10 + which)
            self.held[message] = (lease, self.clock.now + 10 + which)

    def nack(self, which: int, delay: float) -> None:
        if self.held:
            message, (lease, _) = sorted(self.held.items())[which % len(self.held)]
            delivery = self.backlog.end(lease)
            assert delivery is not None
            assert self.backlog.end(lease) is None
            self.fail(delivery, delay)
            assert delivery.message == message

    def fail(self, delivery: Delivery, delay: float) -> None:
        message, due = delivery.message, self.clock.now + delay
        del self.held[message]
        self.failures[message] += 1
        assert self.store.postpone(SUBSCRIPTION, message, self.failures[message], due + self.clock.set_by)
        self.backlog.wait(Delivery(message, self.failures[message]), due)
        self.due[message] = due

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        over = self.backlog.expire()
        expected = {message for message, (_, deadline) in self.held.items() if deadline <= self.clock.now}
        assert {delivery.message for delivery in over} == expected
        for delivery in over:
            self.fail(delivery, 0)
        event = self.backlog.next_event()
        if self.held:
            assert event is not None
            assert event <= min(deadline for _, deadline in self.held.values())

    def restart(self) -> None:
        self.store.close()
        self.clock.now += 1
        self.store = Store(self.path)
        self.backlog = Backlog(self.store, SUBSCRIPTION)
        self.due.update(dict.fromkeys(self.held, 0.0))
        self.held.clear()


STEPS = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 7)),
    st.tuples(st.just("take"), st.integers(1, 20)),
    st.tuples(st.just("take"), st.integers(1, 20)),
    st.tuples(st.just("acknowledge"), st.integers(0, 9)),
    st.tuples(st.just("acknowledge_late"), st.integers(0, 9)),
    st.tuples(st.just("extend"), st.integers(0, 9)),
    st.tuples(st.just("nack"), st.integers(0, 9), st.floats(0, 30)),
    st.tuples(st.just("pass_time"), st.floats(0, 25)),
    st.tuples(st.just("restart")),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=60))
def test_backlog_agrees_with_the_model(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any history of publishes, holds, answers, time and restarts; then all that is left can be had."""
    path = tmp_path_factory.mktemp("backlog") / "store.sqlite3"
    clock = Clock()

    async def history() -> None:
        world = World(path, clock)
        for name, *arguments in steps:
            getattr(world, name)(*arguments)
        world.pass_time(1000)
        for _ in range(len(world.due) + 1):
            world.take(10)
        assert not world.due
        assert set(world.held) == set(world.failures)
        world.store.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", clock)
        patch.setattr(module, "WINDOW", 5)
        asyncio.run(history())


@pytest.mark.parametrize("hours", [-1, 1])
def test_setting_the_clock_moves_no_deadline(
    hours: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Holds and backoffs end when they were to end, and after a restart a backoff has its limit."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)

    async def journey() -> None:
        world = World(tmp_path / "store.sqlite3", clock)
        world.publish(2)
        world.take(10)
        world.nack(0, 5.0)
        world.take(10)
        clock.set_by = hours * 3600
        world.pass_time(4.9)
        assert world.backlog.take() is None
        world.pass_time(0.2)
        world.take(10)
        world.pass_time(4.7)
        world.nack(0, 5.0)
        assert world.held, "the other one is held for another moment"
        world.pass_time(0.3)
        world.store.close()

        world.store = Store(world.path)
        backlog = Backlog(world.store, SUBSCRIPTION)
        world.store.postpone(SUBSCRIPTION, 2, 1, clock.time() + 3600)  # written before the clock was set back
        for message, seconds in ((1, 5.0), (2, DEFAULT_MAX_BACKOFF)):
            assert backlog.take() is None
            clock.now += seconds
            taken = backlog.take()
            assert taken is not None
            assert taken[0].message == message
        world.store.close()

    asyncio.run(journey())


def test_ids_never_come_twice(tmp_path: Path) -> None:
    """Not after a restart, and not after everything was acknowledged."""

    async def some() -> list[int]:
        store = Store(tmp_path / "store.sqlite3")
        ids = [*store.new_ids(3), *store.new_ids(250_000), *store.new_ids(1)]
        store.close()
        return ids

    ids = [number for _ in range(3) for number in asyncio.run(some())]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)


@given(st.integers(1, 10_000), st.integers(0, 600_000), st.integers(0, 600_000))
def test_backoff_stays_within_the_policy(failures: int, one: int, other: int) -> None:
    """Never below the minimum, never above the maximum, at least doubled until there."""
    low, high = sorted((one / 1000, other / 1000))
    config = Config()
    assert backoff(config, failures) == 0
    config.retry_policy.minimum_backoff.FromMilliseconds(min(one, other))
    config.retry_policy.maximum_backoff.FromMilliseconds(max(one, other))
    least = min(high, low * 2.0 ** min(failures - 1, 60))
    assert least <= backoff(config, failures) <= min(high, least * 1.25) <= DEFAULT_MAX_BACKOFF


def test_a_message_that_is_due_and_cannot_be_taken_wakes_nobody_again(tmp_path: Path) -> None:
    """While an endpoint has no room, the server sleeps: it does not look at the due message over and over."""

    async def due_without_room() -> float | None:
        store = Store(tmp_path / "store.sqlite3")
        subscription = Subscription(store, SUBSCRIPTION, Config(), lambda *_: False)
        woken = asyncio.Event()
        subscription.listeners.add(woken.set)  # and takes nothing
        subscription.backlog.wait(Delivery(1, 1), time.monotonic() + 0.01)
        subscription.schedule()
        await woken.wait()
        event = subscription.backlog.next_event()
        subscription.end(unavailable("the test is over"))
        store.close()
        return event

    assert asyncio.run(due_without_room()) is None
