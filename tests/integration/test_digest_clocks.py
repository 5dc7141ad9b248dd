"""Digests that are due are made once: whatever ticks come twice, late, at once, or die on the way.

Times of ticks are given, and leases are moved into the past instead of waited for.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from shared.clients import firestore_client
from shared.digests import clocks, ticks
from shared.digests.definitions import definitions
from shared.digests.records import Window
from shared.errors import Retryable
from shared.settings import settings
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
    with rounds(tmp_path_factory.mktemp("clocks")) as file:
        yield file


@pytest.fixture(autouse=True)
def _nothing_stored(servers: Path) -> None:
    servers.write_text("")
    empty()


def test_a_new_schedule_begins_at_its_first_tick() -> None:
    """There is no digest for the past, and one for the next slot; its window is of before the schedule."""
    define(window="week")
    made = Made()
    assert tick(EIGHT + MINUTE, made) == []
    assert tick(EIGHT + DAY + 2 * MINUTE, made) == ["daily-20260505T0800Z"]
    assert made.windows == [(EIGHT - 6 * DAY, EIGHT + DAY)]
    stored = read("ticks", "daily-20260505T0800Z")
    assert (stored["state"], stored["digest"], stored["lease"]) == ("done", "daily-20260505T0800Z", None)


def test_a_slot_is_due_after_the_grace_and_not_before() -> None:
    """Documents that completed just before the slot are visible then."""
    define()
    made = Made()
    tick(EIGHT - MINUTE, made)
    grace = timedelta(seconds=settings().digest_grace)
    assert tick(EIGHT + grace - timedelta(seconds=1), made) == []
    assert tick(EIGHT + grace, made) == ["daily-20260504T0800Z"]


def test_ticks_that_come_twice_or_late_make_nothing() -> None:
    """And move no clock back, so that what was made is not due again."""
    define()
    made = Made()
    for published in (EIGHT - DAY, EIGHT + DAY + 2 * MINUTE):
        tick(published, made)
    assert made.ids == ["daily-20260504T0800Z", "daily-20260505T0800Z"]
    clock = read("clocks", "daily")
    for late in (EIGHT + DAY + 2 * MINUTE, EIGHT - MINUTE, EIGHT - 9 * DAY):
        assert tick(late, made) == []
    assert read("clocks", "daily") == clock
    assert tick(EIGHT + 2 * DAY + 2 * MINUTE, made) == ["daily-20260506T0800Z"]


def test_a_tick_with_nothing_due_writes_nothing() -> None:
    """There is one every minute."""
    define()
    tick(EIGHT, Made())
    reference = firestore_client().collection("clocks").document("daily")
    before = reference.get().update_time
    assert tick(EIGHT + 30 * MINUTE, Made()) == []
    assert reference.get().update_time == before


def test_an_edited_time_goes_on_from_the_tick_that_sees_it() -> None:
    """A slot of the new time that lies before the edit is none; `since-last` loses nothing by it."""
    define(window="since-last")
    made = Made()
    tick(EIGHT - MINUTE, made)
    tick(EIGHT + 2 * MINUTE, made)
    define(cron="0 9 * * *", window="since-last")
    assert tick(EIGHT + timedelta(hours=3), made) == []
    assert tick(EIGHT + 1.5 * DAY, made) == ["daily-20260505T0900Z"]
    assert made.windows[1] == (EIGHT, EIGHT + timedelta(hours=25))


def test_a_late_tick_after_an_edit_does_not_move_the_clock_back() -> None:
    """It sees the edit first, with a time of publishing from before slots that are done."""
    define()
    made = Made()
    tick(EIGHT - MINUTE, made)
    tick(EIGHT + 2 * MINUTE, made)
    define(cron="30 7 * * *")
    assert tick(EIGHT - timedelta(hours=1), made) == []
    assert tick(EIGHT + 2 * MINUTE, made) == []


def test_another_window_or_filter_is_no_new_time() -> None:
    """The clock stays, and the next digest has the new window."""
    define(window="day")
    made = Made()
    tick(EIGHT - MINUTE, made)
    define(window="week", filter={"prefix": "reports/"})
    assert tick(EIGHT + 2 * MINUTE, made) == ["daily-20260504T0800Z"]
    assert made.windows == [(EIGHT - 7 * DAY, EIGHT)]
    assert made.ticks[0].schedule.filter.prefix == "reports/"


def test_of_missed_digests_the_newest_are_made() -> None:
    """The others are recorded as skipped; each window is its own, and joins."""
    define(window="day")
    made = Made()
    tick(EIGHT, made)
    tick(EIGHT + 6 * DAY + 2 * MINUTE, made)
    assert made.ids == [f"daily-202605{day:02}T0800Z" for day in (8, 9, 10)]
    assert made.windows == [(EIGHT + (n - 1) * DAY, EIGHT + n * DAY) for n in (4, 5, 6)]
    assert [name for name, state in sorted(states().items()) if state == "skipped"] == [
        f"daily-202605{day:02}T0800Z" for day in (5, 6, 7)
    ]


def test_since_last_tells_of_what_was_missed() -> None:
    """The first that is made goes back to the last that was; the next one goes on from there."""
    define(window="since-last")
    made = Made()
    tick(EIGHT - MINUTE, made)
    tick(EIGHT + 2 * MINUTE, made)
    tick(EIGHT + 6 * DAY + 2 * MINUTE, made)
    assert made.windows[1:] == [
        (EIGHT, EIGHT + 4 * DAY),
        (EIGHT + 4 * DAY, EIGHT + 5 * DAY),
        (EIGHT + 5 * DAY, EIGHT + 6 * DAY),
    ]
    assert made.ticks[-1].earlier[:3] == [
        Window(start=start, end=end) for start, end in reversed(made.windows[:3])
    ]


def test_what_was_skipped_is_bounded() -> None:
    """A digest a minute, and nobody looked for years: few are made, few recorded, and it goes on."""
    define(cron="* * * * *")
    made = Made()
    tick(EIGHT, made)
    end = EIGHT + 700 * DAY
    tick(end + MINUTE, made)
    assert len(made.ids) == settings().digest_catch_up
    assert len(states()) == settings().digest_catch_up + clocks.MAX_SKIPPED
    assert tick(end + 2 * MINUTE, made) == [ticks.tick_id("daily", end + MINUTE)]


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
@pytest.mark.parametrize("step", ["clocks.plan", "ticks.claim", "make", "ticks.finish"])
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
            module, name = step.split(".")
            where = {"clocks": clocks, "ticks": ticks}[module]
            patch.setattr(where, name, killed(getattr(where, name)))
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


@pytest.mark.parametrize("edit", [None, {"cron": "0 9 * * *", "window": "month"}], ids=["deleted", "edited"])
def test_what_was_planned_is_made_as_it_was_planned(edit: dict[str, Any] | None) -> None:
    """Whatever becomes of the schedule meanwhile."""
    define(window="week", filter={"topic": "E1"})
    made = Made()
    tick(EIGHT - MINUTE, made)

    def dies(_: ticks.Tick) -> str:
        raise Killed

    with pytest.raises(Killed):
        tick(EIGHT + 2 * MINUTE, dies)
    if edit:
        define(**edit)
    else:
        firestore_client().collection("schedules").document("daily").delete()
    over("daily-20260504T0800Z")
    assert tick(EIGHT + 20 * MINUTE, made) == ["daily-20260504T0800Z"]
    assert made.windows == [(EIGHT - 7 * DAY, EIGHT)]
    assert made.ticks[0].schedule.filter.topic == "E1"


def test_whoever_was_too_slow_notes_nothing() -> None:
    """Another has taken the slot over; the first one's end does not end the second's."""
    define()
    tick(EIGHT - MINUTE, Made())
    clocks.plan(firestore_client(), definitions(firestore_client()).schedules[0], EIGHT + 2 * MINUTE)
    name = "daily-20260504T0800Z"
    first = ticks.claim(firestore_client(), name)
    over(name)
    second = ticks.claim(firestore_client(), name)
    assert isinstance(first, ticks.Claim)
    assert isinstance(second, ticks.Claim)
    ticks.finish(firestore_client(), first, "of the first")
    assert not ticks.give_back(firestore_client(), first, ValueError(), counts=True)
    assert states() == {name: "claimed"}
    ticks.finish(firestore_client(), second, "of the second")
    assert read("ticks", name)["digest"] == "of the second"


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


def test_a_schedule_that_comes_back_begins_anew() -> None:
    """Nobody missed what was not scheduled; `since-last` goes back to the last end all the same."""
    define(window="since-last")
    made = Made()
    tick(EIGHT - MINUTE, made)
    tick(EIGHT + 2 * MINUTE, made)
    firestore_client().collection("schedules").document("daily").delete()
    tick(EIGHT + 10 * MINUTE, made)
    define(window="since-last")
    assert tick(EIGHT + 5 * DAY + 10 * MINUTE, made) == []
    assert tick(EIGHT + 6 * DAY + 2 * MINUTE, made) == ["daily-20260510T0800Z"]
    assert made.windows[-1] == (EIGHT, EIGHT + 6 * DAY)


def test_a_schedule_that_cannot_be_read_for_a_while_has_not_gone(servers: Path) -> None:
    """Its clock stands, so what it missed is made when it is mended."""
    servers.write_text('[[schedule]]\nname = "filed"\ncron = "0 8 * * *"\n')
    made = Made()
    tick(EIGHT - MINUTE, made)
    servers.write_text("[[schedule\n")
    assert tick(EIGHT + 2 * MINUTE, made) == []
    servers.write_text('[[schedule]]\nname = "filed"\ncron = "0 8 * * *"\nzone = "Mars/Olympus"\n')
    assert tick(EIGHT + 3 * MINUTE, made) == []
    servers.write_text('[[schedule]]\nname = "filed"\ncron = "0 8 * * *"\n')
    assert tick(EIGHT + 4 * MINUTE, made) == ["filed-20260504T0800Z"]


def test_firestore_wins_over_the_file(servers: Path) -> None:
    """Where names are equal, also with one that cannot be used: nobody wants the other one any more."""
    servers.write_text(
        '[[schedule]]\nname = "both"\ncron = "0 1 * * *"\n[[schedule]]\nname = "filed"\ncron = "0 2 * * *"\n'
    )
    define("both", "0 3 * * *")
    found = definitions(firestore_client())
    assert [(one.name, one.cron) for one in found.schedules] == [
        ("both", "0 3 * * *"),
        ("filed", "0 2 * * *"),
    ]
    define("both", "often")
    firestore_client().document("schedules/named").set({"name": "otherwise", "cron": "0 8 * * *"})
    found = definitions(firestore_client())
    assert [one.name for one in found.schedules] == ["filed"]
    assert [(one.name, one.source) for one in found.problems] == [
        ("both", "Firestore"),
        ("named", "Firestore"),
    ]
    assert found.complete


def test_one_that_cannot_be_used_stops_no_other() -> None:
    """The others are planned and made."""
    define("bad", "0 99 * * *")
    define()
    made = Made()
    tick(EIGHT - MINUTE, made)
    assert tick(EIGHT + 2 * MINUTE, made) == ["daily-20260504T0800Z"]


def test_a_clock_that_is_put_back_makes_nothing_twice() -> None:
    """By hand, to make again what was skipped: what has a record keeps it."""
    define()
    made = Made()
    tick(EIGHT - DAY, made)
    tick(EIGHT + DAY + 2 * MINUTE, made)
    firestore_client().collection("clocks").document("daily").update({"upto": EIGHT - 2 * DAY})
    assert tick(EIGHT + DAY + 2 * MINUTE, made) == ["daily-20260503T0800Z"]
    assert len(made.ids) == len(set(made.ids)) == 3
