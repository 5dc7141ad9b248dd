"""Schedules that are edited, removed or come back: what was due is made, and nothing is told twice.

Times of ticks are given, and leases are moved into the past instead of waited for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from shared.digests import ticks
from shared.digests.ticks import read_clocks
from shared.platform.clients import firestore_client
from tests.integration.digest_rounds import (
    DAY,
    EIGHT,
    HOUR,
    MINUTE,
    Killed,
    Made,
    define,
    empty,
    names,
    over,
    rounds,
    states,
    tick,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with rounds(tmp_path_factory.mktemp("edits")) as file:
        yield file


@pytest.fixture(autouse=True)
def _nothing_stored() -> None:
    empty()


@pytest.fixture
def made() -> Made:
    return Made()


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
    assert made.ticks[0].definition.filter.prefix == "reports/"


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
    assert made.ticks[0].definition.filter.topic == "E1"


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


def test_what_is_due_when_its_time_is_edited_is_made(made: Made) -> None:
    """With its window and filter of before; the new time comes for the first time after the edit."""
    define(cron="0 8 * * MON", window="week")
    tick(EIGHT - 7 * DAY + 2 * MINUTE, made)
    define(cron="0 8 * * MON", window="week", filter={"topic": "E1"})
    tick(EIGHT - 2 * MINUTE, made)
    define(cron="0 7 * * MON", window="week")
    tick(EIGHT + 5 * MINUTE, made)
    tick(EIGHT + 7 * DAY, made)
    assert made.windows == [
        (EIGHT - 7 * DAY, EIGHT),
        (EIGHT - HOUR, EIGHT + 7 * DAY - HOUR),
    ]
    assert [one.definition.filter.topic for one in made.ticks] == ["E1", None]


def test_what_is_due_at_an_edit_waits_for_its_grace(made: Made) -> None:
    """It is put down, but documents of its window may still be on their way."""
    define()
    tick(EIGHT - MINUTE, made)
    define(cron="0 7 * * *")
    assert tick(EIGHT + MINUTE / 2, made) == []
    assert states() == dict.fromkeys(names(8), "due")
    assert tick(EIGHT + 2 * MINUTE, made) == names(8)


def test_an_edit_in_an_outage_makes_the_newest_that_were_missed(made: Made) -> None:
    """By the time of before; the others are recorded as skipped."""
    define()
    tick(EIGHT, made)
    define(cron="0 9 * * *")
    tick(EIGHT + 6 * DAY + 2 * HOUR, made)
    assert made.ids == [ticks.tick_id("daily", EIGHT + n * DAY) for n in (4, 5, 6)]
    assert sorted(states().values()) == ["done"] * 3 + ["skipped"] * 3
    tick(EIGHT + 7 * DAY + 2 * HOUR, made)
    assert made.ids[3:] == [ticks.tick_id("daily", EIGHT + 7 * DAY + HOUR)]


@pytest.mark.parametrize("ahead", [timedelta(days=30), timedelta(days=3650)])
def test_an_edit_brings_back_a_clock_that_is_ahead(made: Made, ahead: timedelta) -> None:
    """A machine's clock was wrong once: what it recorded stays, and the real time goes on from the edit."""
    define(window="since-last")
    tick(EIGHT - MINUTE, made)
    tick(EIGHT + ahead + 2 * MINUTE, made)
    assert read_clocks(firestore_client())["daily"]["upto"] == EIGHT + ahead
    before = len(made.ids)
    with structlog.testing.capture_logs() as logs:
        assert tick(EIGHT + DAY + 2 * MINUTE, made) == []
    assert [(one["log_level"], one["until"]) for one in logs if "until" in one] == [
        ("warning", EIGHT + ahead)
    ]
    define(cron="0 9 * * *", window="since-last")
    with structlog.testing.capture_logs() as logs:
        tick(EIGHT + DAY + 4 * MINUTE, made)
        for day in (1, 2):
            tick(EIGHT + day * DAY + HOUR + 2 * MINUTE, made)
    assert len([one for one in logs if "until" in one]) == 1  # before the edit is seen
    nine = EIGHT + HOUR
    assert made.windows[before:] == [(nine, nine + DAY), (nine + DAY, nine + 2 * DAY)]


@pytest.mark.parametrize("ahead", [timedelta(days=2), timedelta(days=3650)])
def test_a_schedule_that_comes_back_brings_back_its_clock(made: Made, ahead: timedelta) -> None:
    """And nothing that has a record is made again."""
    define()
    tick(EIGHT - MINUTE, made)
    tick(EIGHT + ahead + 2 * MINUTE, made)
    firestore_client().collection("schedules").document("daily").delete()
    tick(EIGHT + 3 * MINUTE, made)
    define()
    for day in range(5):
        tick(EIGHT + day * DAY + 5 * MINUTE, made)
    assert len(made.ids) == len({*made.ids})
    assert {ticks.tick_id("daily", EIGHT + day * DAY) for day in (3, 4)} <= {*made.ids}
    assert read_clocks(firestore_client())["daily"]["upto"] == EIGHT + 4 * DAY


def test_who_removes_a_schedule_hears_no_more_of_it(made: Made) -> None:
    """Nor of what was due and not planned yet, also when it comes back at another time."""
    define()
    tick(EIGHT - MINUTE, made)
    firestore_client().collection("schedules").document("daily").delete()
    tick(EIGHT + 2 * MINUTE, made)
    define(cron="0 9 * * *")
    tick(EIGHT + 3 * MINUTE, made)
    assert made.ids == []
    tick(EIGHT + HOUR + 2 * MINUTE, made)
    assert made.ids == names(9)
    assert read_clocks(firestore_client())["daily"]["last_end"] == EIGHT + HOUR
