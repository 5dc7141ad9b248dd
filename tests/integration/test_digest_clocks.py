"""Which digests are due, and of which windows: whatever ticks come twice or late, or never came.

Times of ticks are given.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared.digests import ticks
from shared.digests.records import Window
from shared.digests.schedules import definitions
from shared.platform.clients import firestore_client
from shared.platform.settings import settings
from tests.integration.digest_rounds import (
    DAY,
    EIGHT,
    MINUTE,
    Made,
    define,
    empty,
    read,
    rounds,
    states,
    tick,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    assert (stored["state"], stored["lease"]) == ("done", None)


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
    assert len(states()) == settings().digest_catch_up + ticks.MAX_SKIPPED
    assert tick(end + 2 * MINUTE, made) == [ticks.tick_id("daily", end + MINUTE)]


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
