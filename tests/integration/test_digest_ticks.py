"""Digests that are due are made once: whatever ticks come at once, fail, or die on the way.

Times of ticks are given, and leases are moved into the past instead of waited for.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from shared.digests import ticks
from shared.digests.schedules import definitions
from shared.platform.clients import firestore_client
from shared.platform.errors import Retryable
from shared.platform.settings import settings
from tests.integration.digest_rounds import (
    DAY,
    EIGHT,
    MINUTE,
    Killed,
    Made,
    age,
    define,
    empty,
    fails,
    over,
    read,
    rounds,
    states,
    tick,
)
from tests.integration.firestore_server import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with rounds(tmp_path_factory.mktemp("ticks")) as file:
        yield file


@pytest.fixture(autouse=True)
def _nothing_stored() -> None:
    empty()


def test_ticks_at_once_make_one_digest() -> None:
    """Also when all of them see a schedule for the first time; those that come second leave it alone."""
    define()
    define("other", "0 8 * * *")
    made, together = Made(), threading.Barrier(8)

    def one(published: datetime, _: int) -> None:
        together.wait()
        tick(published, made)

    for published in (EIGHT - MINUTE, EIGHT + 2 * MINUTE, EIGHT + DAY + 2 * MINUTE):
        assert in_threads(8, partial(one, published)) == [None] * 8
    names = [ticks.tick_id(name, slot) for name in ("daily", "other") for slot in (EIGHT, EIGHT + DAY)]
    assert sorted(made.ids) == names
    assert states() == dict.fromkeys(names, "done")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", ["plan", "claim", "make", "finish"])
def test_a_kill_at_any_step_is_made_good(step: str, after: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 - a parameter of the test
    """The next tick leaves a lease that lives alone; once it is over, it makes what was planned."""
    define(window="since-last")
    made = Made()
    tick(EIGHT - MINUTE, made)

    def killed(run: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            if after:
                run(*arguments, **named)
            raise Killed

        return step

    with monkeypatch.context() as patch:
        make: Callable[[ticks.Tick], str] = made
        if step == "make":
            make = killed(made)
        else:
            patch.setattr(ticks, step, killed(getattr(ticks, step)))
        with pytest.raises(Killed):
            tick(EIGHT + 2 * MINUTE, make)
    name = ticks.tick_id("daily", EIGHT)
    if states().get(name) == "claimed":
        assert tick(EIGHT + 3 * MINUTE, made) == []
        over(name)
    tick(EIGHT + 4 * MINUTE, made)
    assert set(made.ids) == {name}
    assert set(made.windows) == {(EIGHT - DAY, EIGHT)}
    assert states() == {name: "done"}


def test_whoever_was_too_slow_notes_nothing() -> None:
    """Another has taken the slot over; the first one's end does not end the second's."""
    define()
    tick(EIGHT - MINUTE, Made())
    ticks.plan(firestore_client(), definitions(firestore_client()).schedules[0], EIGHT + 2 * MINUTE)
    name = "daily-20260504T0800Z"
    first = ticks.claim(firestore_client(), name)
    over(name)
    second = ticks.claim(firestore_client(), name)
    assert isinstance(first, ticks.Claim)
    assert isinstance(second, ticks.Claim)
    assert ticks.finish(firestore_client(), first) is None
    assert ticks.finish(firestore_client(), first, ValueError()) is None
    assert states() == {name: "claimed"}
    assert ticks.finish(firestore_client(), second) == "done"


def test_one_that_fails_again_and_again_has_failed() -> None:
    """With the error's type, not its message; neither another schedule nor a later slot waits for it."""
    define(window="since-last")
    define("other", "0 8 * * *")
    made = Made()
    tick(EIGHT - MINUTE, made)

    def only_others(tick: ticks.Tick) -> str:
        return fails(tick) if tick.id == "daily-20260504T0800Z" else made(tick)

    for minute in range(2, 2 + settings().digest_attempts):
        assert read("clocks", "daily")["last_end"] != EIGHT - DAY
        tick(EIGHT + minute * MINUTE, only_others)
    stored = read("ticks", "daily-20260504T0800Z")
    assert (stored["state"], stored["error"]) == ("failed", "ValueError")
    assert stored["attempts"] == settings().digest_attempts
    assert made.ids == ["other-20260504T0800Z"]
    tick(EIGHT + DAY + 2 * MINUTE, only_others)
    assert made.ids[1:] == ["daily-20260505T0800Z", "other-20260505T0800Z"]
    assert made.windows[1] == (EIGHT - DAY, EIGHT + DAY)  # what the failed one did not tell


def test_one_that_never_ends_has_failed_too() -> None:
    """It takes its process with it each time: nobody is left to count but the next one."""
    define()
    tick(EIGHT - MINUTE, Made())

    def dies(_: ticks.Tick) -> str:
        raise Killed

    name = "daily-20260504T0800Z"
    for _ in range(settings().digest_attempts):
        with pytest.raises(Killed):
            tick(EIGHT + 2 * MINUTE, dies)
        over(name)
    made = Made()
    tick(EIGHT + 2 * MINUTE, made)
    assert made.ids == []
    stored = read("ticks", name)
    assert (stored["state"], stored["error"]) == ("failed", "it was begun and never ended")


def test_an_outage_does_not_count_for_a_day() -> None:
    """What passes by itself is tried at each tick; what does not pass in a day fails like any other."""
    define()
    tick(EIGHT - MINUTE, Made())

    def out(_: ticks.Tick) -> str:
        raise Retryable("no answer")

    name = "daily-20260504T0800Z"
    for _ in range(settings().digest_attempts + 2):
        tick(EIGHT + 2 * MINUTE, out)
    assert states() == {name: "due"}
    assert read("ticks", name)["attempts"] == 0
    age(name, timedelta(hours=25))
    for _ in range(settings().digest_attempts):
        assert states() == {name: "due"}
        tick(EIGHT + 2 * MINUTE, out)
    assert states() == {name: "failed"}
