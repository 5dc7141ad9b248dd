"""When schedules are due: the wall clock of their zone, where clocks change, months end and years leap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.digests import schedules
from shared.digests.schedules import Schedule

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
ZONES = [
    *("UTC", BERLIN, NEW_YORK),
    *("Africa/Cairo", "Asia/Kathmandu", "Antarctica/Troll", "Pacific/Apia", "America/St_Johns"),
]
"""Not Lord Howe: where clocks move by half an hour, CronSim can skip a slot in one of the two directions."""
CRONS = st.one_of(
    st.builds("{} {} * * *".format, st.integers(0, 59), st.integers(0, 23)),
    st.builds("{} * * * *".format, st.integers(0, 59)),
    st.builds("*/{} */{} * * *".format, st.integers(1, 30), st.integers(1, 12)),
    st.builds("{},{} {}-{} * * *".format, st.just(5), st.just(35), st.integers(0, 2), st.integers(2, 4)),
    st.builds(
        "{} {} {} * *".format, st.integers(0, 59), st.integers(0, 3), st.sampled_from(["1", "15", "31", "L"])
    ),
    st.builds("0 {} * * {}".format, st.integers(0, 3), st.sampled_from(["MON", "SUN", "6", "1-5"])),
)
MOMENTS = st.integers(0, 25 * 365 * 24 * 60).map(
    lambda n: datetime(2010, 1, 1, tzinfo=UTC) + timedelta(minutes=n)
)


def schedule(cron: str, zone: str = "UTC") -> Schedule:
    return Schedule(name="any", cron=cron, zone=zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def listed(cron: str, zone: str, after: str, until: str) -> list[str]:
    """Slots as `day hour:minute` in UTC."""
    return [f"{slot:%d %H:%M}" for slot in schedules.slots(schedule(cron, zone), utc(after), utc(until))]


@pytest.mark.parametrize(
    ("cron", "zone", "after", "until", "expected"),
    [
        # Berlin, 29 March 2026: at 02:00 (01:00 UTC) the clocks go to 03:00.
        ("30 2 * * *", BERLIN, "2026-03-27T12", "2026-03-30T12", ["28 01:30", "29 01:00", "30 00:30"]),
        ("0 2 * * *", BERLIN, "2026-03-28T12", "2026-03-30T12", ["29 01:00", "30 00:00"]),
        ("0 3 * * *", BERLIN, "2026-03-28T12", "2026-03-30T12", ["29 01:00", "30 01:00"]),
        # two times of day that do not exist, and one that does, are one moment
        ("15,45 2 * * *", BERLIN, "2026-03-28T12", "2026-03-29T12", ["29 01:00"]),
        ("0 2,3 * * *", BERLIN, "2026-03-28T12", "2026-03-29T12", ["29 01:00"]),
        # every hour: 02 is not on the clock, and no hour of real time is left out
        ("0 * * * *", BERLIN, "2026-03-28T23:30", "2026-03-29T02:30", ["29 00:00", "29 01:00", "29 02:00"]),
        ("30 * * * *", BERLIN, "2026-03-28T23:50", "2026-03-29T02:50", ["29 00:30", "29 01:30", "29 02:30"]),
        # every hour of two o'clock: on the clock it is never
        ("*/30 2 * * *", BERLIN, "2026-03-28T12", "2026-03-29T12", []),
        # Berlin, 25 October 2026: at 03:00 (01:00 UTC) they go back to 02:00.
        ("30 2 * * *", BERLIN, "2026-10-24T12", "2026-10-26T12", ["25 00:30", "26 01:30"]),
        ("0 3 * * *", BERLIN, "2026-10-24T12", "2026-10-26T12", ["25 02:00", "26 02:00"]),
        ("30 * * * *", BERLIN, "2026-10-24T23:50", "2026-10-25T02", ["25 00:30", "25 01:30"]),
        (
            *("*/30 2 * * *", BERLIN, "2026-10-24T12", "2026-10-25T12"),
            ["25 00:00", "25 00:30", "25 01:00", "25 01:30"],
        ),
        # New York, 8 March 2026: at 02:00 (07:00 UTC) to 03:00; 1 November: at 02:00 (06:00 UTC) to 01:00.
        ("30 2 * * *", NEW_YORK, "2026-03-07T12", "2026-03-09T12", ["08 07:00", "09 06:30"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31T12", "2026-11-02T12", ["01 05:30", "02 06:30"]),
        ("30 2 * * *", NEW_YORK, "2026-10-31T12", "2026-11-02T12", ["01 07:30", "02 07:30"]),
        ("0 * * * *", NEW_YORK, "2026-11-01T04:30", "2026-11-01T07:30", ["01 05:00", "01 06:00", "01 07:00"]),
        # Lord Howe moves by half an hour: on 5 April 2026 at 02:00 (15:00 UTC) to 01:30
        ("45 1 * * *", LORD_HOWE, "2026-04-04T00", "2026-04-05T20", ["04 14:45", "05 15:15"]),
        ("0 */3 * * *", LORD_HOWE, "2026-04-04T12", "2026-04-04T20", ["04 13:00", "04 16:30", "04 19:30"]),
        # Samoa left out 30 December 2011: what falls on it is due as 31 December begins (10:00 UTC)
        ("0 8 30 12 *", "Pacific/Apia", "2011-12-01T00", "2012-01-31T00", ["30 10:00"]),
        # leap days, the 31st, and the last of a month
        ("0 8 29 2 *", "UTC", "2023-01-01T00", "2029-01-01T00", ["29 08:00", "29 08:00"]),
        ("0 8 31 * *", "UTC", "2026-01-01T00", "2026-06-01T00", ["31 08:00"] * 3),
        ("0 8 L * *", "UTC", "2028-02-01T00", "2028-05-01T00", ["29 08:00", "31 08:00", "30 08:00"]),
        # Mondays; from midnight on in local time, which is Sunday evening in UTC
        ("0 0 * * MON", BERLIN, "2026-07-01T00", "2026-07-14T00", ["05 22:00", "12 22:00"]),
    ],
)  # fmt: skip
def test_slots_are_those_of_the_wall_clock(
    cron: str, zone: str, after: str, until: str, expected: list[str]
) -> None:
    """Each row: a schedule, (after, until], and what is due in between."""
    assert listed(cron, zone, after, until) == expected


def test_an_interval_is_open_at_its_start_and_closed_at_its_end() -> None:
    """So intervals one after the other have each slot once."""
    daily = schedule("0 8 * * *")
    at = utc("2026-05-04T08:00")
    assert schedules.slots(daily, at - timedelta(days=1), at) == [at]
    assert schedules.slots(daily, at, at + timedelta(hours=23)) == []


def test_the_newest_are_listed_and_no_more_than_the_limit() -> None:
    """A schedule of every minute that nobody looked after for years does not fill the memory."""
    end = utc("2026-05-04T08:00")
    found = schedules.slots(schedule("* * * * *"), utc("2020-01-01T00"), end)
    assert len(found) == schedules.MAX_SLOTS
    assert found == [end - timedelta(minutes=ago) for ago in reversed(range(schedules.MAX_SLOTS))]
    assert schedules.slots(schedule("* * * * *"), utc("2020-01-01T00"), end, 2) == found[-2:]


def test_from_within_an_hour_that_comes_twice_nothing_is_left_out() -> None:
    """In its second pass the clock shows what it has shown before."""
    by_the_clock = schedule("*/20 2 * * *", BERLIN)
    assert schedules.following(by_the_clock, utc("2026-10-25T00:50")) == utc("2026-10-25T01:00")
    assert listed("*/20 2 * * *", BERLIN, "2026-10-25T00:15", "2026-10-25T01:05") == [
        *("25 00:20", "25 00:40", "25 01:00"),
    ]


@given(CRONS, st.sampled_from(ZONES), MOMENTS, st.integers(1, 72))
def test_slots_are_in_order_and_the_same_forwards_and_backwards(
    cron: str, zone: str, start: datetime, hours: int
) -> None:
    """Listed from the newest, or one after the other: the same moments, each once."""
    one, end = schedule(cron, zone), start + timedelta(hours=hours)
    backwards = schedules.slots(one, start, end, 10_000)
    assert backwards == sorted(set(backwards))
    forwards: list[datetime] = []
    coming = schedules.following(one, start)
    while len(forwards) <= 20 and coming is not None and coming <= end:
        forwards.append(coming)
        coming = schedules.following(one, coming)
    assert forwards == backwards[: len(forwards)]
    assert len(forwards) == min(len(backwards), 21)


@given(CRONS, st.sampled_from(ZONES), MOMENTS)
def test_every_slot_is_on_the_clock_or_where_the_clocks_jumped(cron: str, zone: str, start: datetime) -> None:
    """At a slot the wall clock shows what the schedule says, or else the clocks were moved right then."""
    found = schedules.following(schedule(cron, zone), start)
    assert found is not None
    assert found.tzinfo == UTC
    shown = found.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
    read_there = schedules.slots(schedule(cron), shown - timedelta(seconds=1), shown)
    before = (found - timedelta(minutes=1)).astimezone(ZoneInfo(zone))
    assert read_there or before.utcoffset() != found.astimezone(ZoneInfo(zone)).utcoffset()


@pytest.mark.parametrize(
    ("cron", "zone", "named"),
    [
        ("0 8 * *", "UTC", "five fields"),
        ("0 0 8 * * *", "UTC", "five fields"),  # no seconds
        ("@daily", "UTC", "five fields"),
        ("", "UTC", "five fields"),
        ("0 " + "1," * 200 + "1 * * *", "UTC", "five fields"),  # too long to be meant
        ("0 24 * * *", "UTC", "Bad hour"),
        ("60 8 * * *", "UTC", "Bad minute"),
        ("*/0 8 * * *", "UTC", "Bad minute"),
        ("0 8 * * MON-", "UTC", "Bad day-of-week"),
        ("0 8 30 2 *", "UTC", "Bad day-of-month"),  # never comes
        ("0 8 * * *", "Mars/Olympus", "time zone database"),
        ("0 8 * * *", "Europe", "time zone database"),  # a folder of it
        ("0 8 * * *", "../../etc/passwd", "time zone database"),
        ("0 8 * * *", "", "time zone database"),
    ],
)
def test_what_cannot_be_a_schedule_is_named(cron: str, zone: str, named: str) -> None:
    """Whoever wrote it reads which field is wrong."""
    with pytest.raises(ValueError, match=named):
        schedules.check(schedule(cron, zone))


@given(st.text(st.sampled_from("0123456789*/,-L#W MONa"), max_size=30))
def test_any_text_is_a_schedule_or_is_refused(cron: str) -> None:
    """No text makes the check fail otherwise, and what it lets pass is due some day."""
    try:
        schedules.check(schedule(cron, BERLIN))
    except ValueError:
        return
    assert schedules.following(schedule(cron, BERLIN), utc("2026-01-01T00")) is not None


def test_the_fingerprint_is_of_the_timing_alone() -> None:
    """An edit of the time or the zone is noticed; another window moves no clock, nor do blanks or case."""
    one = Schedule(name="a", cron="0 8 * * MON", zone=BERLIN)
    same = Schedule(name="b", cron="0  8 * * mon", zone=BERLIN, window="since-last")
    assert schedules.fingerprint(one) == schedules.fingerprint(same)
    assert schedules.fingerprint(one) != schedules.fingerprint(one.model_copy(update={"cron": "0 9 * * MON"}))
    assert schedules.fingerprint(one) != schedules.fingerprint(one.model_copy(update={"zone": "UTC"}))
