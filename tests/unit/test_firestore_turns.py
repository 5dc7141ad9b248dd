"""Queues give places in order, to readers and writers alike, and no place is held for ever."""

from __future__ import annotations

import asyncio

import pytest

from local.firestore.turns import Key, Places, Turns

A: Key = ("document", "a")
B: Key = ("document", "b")
LONG = 5.0


def test_places_are_given_in_the_order_of_asking() -> None:
    """Whoever asks first enters first, and never two at once."""

    async def scenario() -> None:
        turns = Turns(LONG)
        entered: list[int] = []

        async def one(number: int) -> None:
            places = Places(turns)
            await places.take({A: True}, LONG)
            entered.append(number)
            assert turns.occupied({A: True})
            await asyncio.sleep(0)
            assert entered[-1] == number, "somebody came in between"
            places.leave()

        await asyncio.gather(*(one(number) for number in range(20)))
        assert entered == list(range(20))
        assert not turns.occupied({A: True})

    asyncio.run(scenario())


def test_shared_places_are_given_together() -> None:
    """Any number share a key; one who wants it alone waits for them, and those behind wait for that one."""

    async def scenario() -> None:
        turns = Turns(LONG)
        first, second, alone, last = (Places(turns) for _ in range(4))
        assert not await first.take({A: False}, LONG)
        assert not await second.take({A: False}, LONG)
        waiting = asyncio.create_task(alone.take({A: True}, LONG))
        await asyncio.sleep(0)
        behind = asyncio.create_task(last.take({A: False}, LONG))
        await asyncio.sleep(0)
        first.leave()
        await asyncio.sleep(0)
        assert not waiting.done()
        second.leave()
        assert await waiting
        assert not behind.done()
        alone.leave()
        assert await behind

    asyncio.run(scenario())


def test_a_dead_holder_is_overtaken() -> None:
    """A place runs out by itself after the lease."""

    async def scenario() -> None:
        turns = Turns(0.05)
        dead, alive = Places(turns), Places(turns)
        await dead.take({A: True}, LONG)
        assert await alive.take({A: True}, LONG)
        alive.leave()

    asyncio.run(scenario())


def test_waiting_ends_in_a_timeout_without_a_trace() -> None:
    """Who gives up waiting leaves no place behind that anybody would wait for."""

    async def scenario() -> None:
        turns = Turns(LONG)
        holder, impatient = Places(turns), Places(turns)
        await holder.take({A: True}, LONG)
        with pytest.raises(TimeoutError):
            await impatient.take({A: True}, 0.02)
        holder.leave()
        assert not turns.occupied({A: True})

    asyncio.run(scenario())


def test_a_cancelled_waiter_is_passed_over() -> None:
    """A client that hangs up while it waits does not hold up those behind it."""

    async def scenario() -> None:
        turns = Turns(LONG)
        holder, gone, last = (Places(turns) for _ in range(3))
        await holder.take({A: True}, LONG)
        hanging = asyncio.create_task(gone.take({A: True}, LONG))
        await asyncio.sleep(0)
        behind = asyncio.create_task(last.take({A: True}, LONG))
        await asyncio.sleep(0)
        hanging.cancel()
        holder.leave()
        assert await behind

    asyncio.run(scenario())


def test_opposite_orders_do_not_deadlock() -> None:
    """Of two that hold one key each and want the other's, the one going backwards does without."""

    async def scenario() -> None:
        turns = Turns(LONG)
        one, other = Places(turns), Places(turns)
        await one.take({A: True}, LONG)
        await other.take({B: True}, LONG)
        forwards = asyncio.create_task(one.take({B: True}, LONG))
        await asyncio.sleep(0)
        assert not await other.take({A: True}, LONG)
        assert other.without({A: True}) == {A: True}
        other.leave()
        assert await forwards

    asyncio.run(scenario())


def test_only_writers_keep_it_hot() -> None:
    """Readers that queue with nobody writing cool down; a write while others wait heats again."""

    async def scenario() -> None:
        turns = Turns(LONG)
        holder, other = Places(turns), Places(turns)
        await holder.take({A: True, B: True}, LONG)
        waiting = asyncio.create_task(other.take({A: True}, LONG))
        await asyncio.sleep(0)
        assert not turns.is_hot(A)
        holder.wrote({A: True, B: True})
        assert turns.is_hot(A)
        assert not turns.is_hot(B)
        holder.leave()
        await waiting

    asyncio.run(scenario())


def test_heat_fades() -> None:
    """Only what was fought over lately makes readers queue."""

    async def scenario() -> None:
        turns = Turns(LONG)
        assert not turns.is_hot(A)
        turns.heat(A)
        assert turns.is_hot(A)
        assert not turns.is_hot(B)
        turns._hot[A] -= 100
        turns.cool()
        assert not turns.is_hot(A)

    asyncio.run(scenario())
