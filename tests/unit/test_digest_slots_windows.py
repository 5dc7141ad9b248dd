"""Which time a digest tells of: calendar spans on the wall clock, which join whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.digests import schedules
from shared.digests.records import Window
from shared.digests.schedules import Schedule

if TYPE_CHECKING:
    from shared.digests.schedules import Span

BERLIN = "Europe/Berlin"
ZONES = [
    *("UTC", BERLIN, "America/New_York", "Australia/Lord_Howe"),
    *("Africa/Cairo", "Antarctica/Troll", "Pacific/Apia", "America/St_Johns", "Asia/Gaza"),
]
TIMES = st.tuples(st.integers(0, 59), st.integers(0, 23))
REGULAR: st.SearchStrategy[tuple[str, Span]] = st.one_of(
    TIMES.map(lambda at: ("{} {} * * *".format(*at), "day")),
    st.tuples(TIMES, st.integers(0, 6)).map(lambda at: ("{} {} * * {}".format(*at[0], at[1]), "week")),
    st.tuples(TIMES, st.integers(1, 28)).map(lambda at: ("{} {} {} * *".format(*at[0], at[1]), "month")),
    TIMES.map(lambda at: ("{} {} L * *".format(*at), "month")),
)
"""Schedules that are due once in each of their windows' spans."""
ANY = st.sampled_from(
    ["0 * * * *", "*/20 * * * *", "30 2 * * *", "15,45 1-3 * * *", "0 8 31 * *", "0 8 29 2 *", "0 0 * * 1-5"]
)
MOMENTS = st.integers(0, 25 * 365 * 24 * 60).map(
    lambda n: datetime(2010, 1, 1, tzinfo=UTC) + timedelta(minutes=n)
)


def schedule(cron: str, zone: str, window: Span) -> Schedule:
    return Schedule(name="any", cron=cron, zone=zone, window=window)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def following(one: Schedule, after: datetime) -> datetime:
    found = schedules.following(one, after)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("cron", "zone", "window", "end", "start"),
    [
        ("0 8 * * *", "UTC", "day", "2026-05-04T08:00", "2026-05-03T08:00"),
        ("0 8 * * MON", "UTC", "week", "2026-05-04T08:00", "2026-04-27T08:00"),
        # a day of 23 hours, one of 25, and a week with the change in it
        ("0 8 * * *", BERLIN, "day", "2026-03-29T06:00", "2026-03-28T07:00"),
        ("0 8 * * *", BERLIN, "day", "2026-10-25T07:00", "2026-10-24T06:00"),
        ("0 8 * * MON", BERLIN, "week", "2026-03-30T06:00", "2026-03-23T07:00"),
        # 02:30 does not exist: due at 03:00, from 02:30 the day before; the day after from 03:00
        ("30 2 * * *", BERLIN, "day", "2026-03-29T01:00", "2026-03-28T01:30"),
        ("30 2 * * *", BERLIN, "day", "2026-03-30T00:30", "2026-03-29T01:00"),
        # 02:30 comes twice: due the first time, and the day after from there
        ("30 2 * * *", BERLIN, "day", "2026-10-25T00:30", "2026-10-24T00:30"),
        ("30 2 * * *", BERLIN, "day", "2026-10-26T01:30", "2026-10-25T00:30"),
        # months: the 31st, a leap year's February, New Year, and the last of each month
        ("0 8 31 * *", "UTC", "month", "2026-03-31T08:00", "2026-02-28T08:00"),
        ("0 8 31 * *", "UTC", "month", "2028-03-31T08:00", "2028-02-29T08:00"),
        ("0 8 29 2 *", "UTC", "month", "2028-02-29T08:00", "2028-01-29T08:00"),
        ("0 8 1 * *", "UTC", "month", "2026-01-01T08:00", "2025-12-01T08:00"),
        ("0 8 28 * *", "UTC", "month", "2026-03-28T08:00", "2026-02-28T08:00"),
        ("0 8 L * *", "UTC", "month", "2026-02-28T08:00", "2026-01-31T08:00"),
        ("0 8 L * *", "UTC", "month", "2026-04-30T08:00", "2026-03-31T08:00"),
        # asked for at any other moment
        ("0 8 * * MON", BERLIN, "week", "2026-03-31T12:34:56", "2026-03-24T13:34:56"),
        # since the last, of which nothing is known: since the slot before
        ("0 8 * * MON", "UTC", "since-last", "2026-05-04T08:00", "2026-04-27T08:00"),
        ("0 8 * * 1-5", "UTC", "since-last", "2026-05-04T08:00", "2026-05-01T08:00"),  # Friday to Monday
        ("0 8 * * MON", "UTC", "since-last", "2026-05-05T09:30", "2026-05-04T08:00"),
    ],
)
def test_a_window_begins_where_the_span_before_is(
    cron: str, zone: str, window: Span, end: str, start: str
) -> None:
    """Each row: the schedule, the slot, and the start of its window."""
    found = schedules.window(schedule(cron, zone, window), utc(end), None)
    assert found == Window(start=utc(start), end=utc(end))


def test_since_last_begins_where_the_last_digest_ended() -> None:
    """Also if that was slots ago, or between two; an end that is not before this one is none."""
    one = schedule("0 8 * * MON", "UTC", "since-last")
    end = utc("2026-05-04T08:00")
    for last in ("2026-04-20T08:00", "2026-05-01T17:03"):
        assert schedules.window(one, end, utc(last)).start == utc(last)
    assert schedules.window(one, end, end).start == utc("2026-04-27T08:00")
    assert schedules.window(schedule("0 8 * * MON", "UTC", "day"), end, utc("2026-04-20T08:00")).start == utc(
        "2026-05-03T08:00"
    )


@given(REGULAR, st.sampled_from(ZONES), MOMENTS)
@example(("30 2 * * *", "day"), BERLIN, utc("2026-03-27T12:00"))
@example(("30 2 * * 0", "week"), BERLIN, utc("2026-03-20T12:00"))
@example(("30 1 * * *", "day"), "America/New_York", utc("2026-10-30T12:00"))
@example(("0 0 * * *", "day"), "Pacific/Apia", utc("2011-12-28T12:00"))
@example(("0 0 * * *", "day"), "Africa/Cairo", utc("2024-04-24T12:00"))
def test_windows_of_consecutive_slots_join(regular: tuple[str, Span], zone: str, start: datetime) -> None:
    """No moment is told of twice, and none never, in any zone and over every change of its clocks."""
    one = schedule(regular[0], zone, regular[1])
    last = following(one, start)
    for _ in range(4):
        slot = following(one, last)
        assert schedules.window(one, slot, None) == Window(start=last, end=slot)
        last = slot


@given(ANY, st.sampled_from([zone for zone in ZONES if zone != "Australia/Lord_Howe"]), MOMENTS)
def test_since_last_joins_for_every_schedule(cron: str, zone: str, start: datetime) -> None:
    """Whether each begins at the last end or, not knowing it, at the slot before: it is the same."""
    one = schedule(cron, zone, "since-last")
    last = following(one, start)
    for _ in range(4):
        slot = following(one, last)
        assert (
            schedules.window(one, slot, last)
            == schedules.window(one, slot, None)
            == Window(start=last, end=slot)
        )
        last = slot


@given(REGULAR, st.sampled_from(ZONES), MOMENTS)
@example(("30 2 * * *", "day"), BERLIN, utc("2026-04-02T12:00"))
@example(("0 8 L * *", "month"), "UTC", utc("2026-06-01T12:00"))
def test_earlier_windows_are_those_of_the_slots_before(
    regular: tuple[str, Span], zone: str, start: datetime
) -> None:
    """So a digest compares with what earlier digests of its schedule told; newest first, without a gap."""
    one = schedule(regular[0], zone, regular[1])
    slot = following(one, start)
    found = schedules.earlier(one, schedules.window(one, slot, None))
    ends = schedules.slots(one, slot - timedelta(days=400), slot, 9)[-2::-1]
    assert len(found) == 8
    assert found == [schedules.window(one, end, None) for end in ends]


@pytest.mark.parametrize("window", ["day", "week", "month", "since-last"])
def test_earlier_windows_join_for_any_moment(window: Span) -> None:
    """Also for a digest that is asked for now; as many as are asked for."""
    one = schedule("0 8 31 * *", BERLIN, window)
    of = schedules.window(one, utc("2026-05-13T17:30:11"), None)
    found = schedules.earlier(one, of, 5)
    assert len(found) == 5
    assert all(newer.start == older.end for newer, older in pairwise([of, *found]))


def test_a_short_month_does_not_shorten_the_months_before_it() -> None:
    """Each start is counted from the slot: 31 March, 28 February, 31 January."""
    one = schedule("0 8 31 * *", "UTC", "month")
    found = schedules.earlier(one, schedules.window(one, utc("2026-03-31T08:00"), None), 2)
    assert [window.start for window in found] == [utc("2026-01-31T08:00"), utc("2025-12-31T08:00")]


def test_earlier_windows_of_since_last_are_what_was_told() -> None:
    """As far as the record goes back without a gap; before that, from slot to slot."""
    one = schedule("0 8 * * *", "UTC", "since-last")
    of = Window(start=utc("2026-05-04T08:00"), end=utc("2026-05-05T08:00"))
    weekend = Window(start=utc("2026-05-01T08:00"), end=of.start)  # two were missed
    apart = Window(start=utc("2026-04-01T08:00"), end=utc("2026-04-10T08:00"))
    day_before = Window(start=utc("2026-04-30T08:00"), end=weekend.start)
    assert schedules.earlier(one, of, 2, [weekend, apart]) == [weekend, day_before]
    assert schedules.earlier(one, of, 1, [weekend, day_before]) == [weekend]
    assert schedules.earlier(one, of, 1)[0].start == utc("2026-05-03T08:00")
