"""Decide when a schedule is due, and which window of time each of its digests covers.

A schedule is read on the wall clock of its zone; every answer is a moment in UTC. CronSim computes the slots
and follows Debian's cron where clocks change (cron(8), "daylight saving time"): a time of day that does not
exist is due as soon as the clocks have moved on, and one that comes twice is due the first time. Where the
minute or the hour begins with a star, the schedule runs in every hour that the clocks show, also in one that
comes twice; where a zone moves its clocks by half an hour, it can skip a slot next to the change.

A window begins where the slot of the day, week or month before is or would be, by the same rule. Windows of
consecutive slots join to the second where a schedule is due once in each such span. Between working days, or
last Fridays of months, they leave time out: see `uncovered`.
"""

from __future__ import annotations

import calendar
import hashlib
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from shared.digests.records import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.digests.schedules import Schedule, Span

MAX_SLOTS = 1000
"""Most slots that one answer lists: a schedule may be due every minute, and not looked at for years."""
MAX_LOOKED_AT = 90
"""Most steps of a search for uncovered time: two take a `SHORT_DAY` or more, so five weeks."""
MAX_CRON = 200
"""Characters."""
FIELDS = 5
DAY = timedelta(days=1)
SHORT_DAY = timedelta(hours=20)
"""No window is shorter: clocks are put forward by two hours at most."""
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
_SOME_DAY = datetime(2001, 1, 1)  # noqa: DTZ001 - read on a wall clock


def check(schedule: Schedule) -> None:
    """Check that a schedule's zone and cron expression can be read.

    Raises:
        ValueError: a sentence for a person.
    """
    try:
        ZoneInfo(schedule.zone)
    except (KeyError, ValueError, OSError):  # OSError: it names a folder of the database
        raise ValueError(f"zone: {schedule.zone!r} is not in the time zone database.") from None
    cron = schedule.cron
    if len(cron) > MAX_CRON or len(cron.split()) != FIELDS:
        raise ValueError("cron: five fields are needed: minute, hour, day of month, month, day of week.")
    try:
        first = next(CronSim(cron, _SOME_DAY), None)
    except (CronSimError, ValueError) as error:
        raise ValueError(f"cron: {cron!r} cannot be read: {error}.") from None
    if first is None:
        raise ValueError(f"cron: {cron!r} never comes.")


def fingerprint(schedule: Schedule) -> str:
    """Return a hash of what decides when a schedule is due: its cron expression and zone alone."""
    timing = " ".join([*schedule.cron.upper().split(), schedule.zone])
    return hashlib.sha256(timing.encode()).hexdigest()[:16]


def slots(schedule: Schedule, after: datetime, until: datetime, limit: int = MAX_SLOTS) -> list[datetime]:
    """Return the newest `limit` slots in (after, until], oldest first."""
    newest = takewhile(lambda slot: slot > after, _backwards(schedule, until + SECOND))
    return list(islice((slot for slot in newest if slot <= until), limit))[::-1]


def following(schedule: Schedule, after: datetime) -> datetime | None:
    """Return the first slot after a moment, or None if there is none within fifty years."""
    # In the second pass of an hour that comes twice, CronSim begins with slots of the first.
    coming = CronSim(schedule.cron, after.astimezone(ZoneInfo(schedule.zone)))
    return next((slot for local in coming if (slot := local.astimezone(UTC)) > after), None)


def window(schedule: Schedule, end: datetime, last_end: datetime | None) -> Window:
    """Return the window of a slot's digest, or of a digest that is requested at any other moment.

    Args:
        schedule: whose window it is.
        end: the slot.
        last_end: where the schedule's last digest ended; for `since-last` alone. Without one, that begins at
            the slot before.
    """
    if schedule.window != "since-last":
        start = _bounds(schedule, schedule.window, end, 1)[1]
    elif last_end is not None and last_end < end:
        start = last_end
    else:
        start = next(_backwards(schedule, end))
    return Window(start=start, end=end)


def uncovered(schedule: Schedule, after: datetime) -> Window | None:
    """Return the first time between the next slots that no window covers, or None if they cover all."""
    last = None if schedule.window == "since-last" else following(schedule, after)
    for _ in range(MAX_LOOKED_AT):
        if last is None:
            break
        if within := slots(schedule, last, last + SHORT_DAY, limit=1):  # its window has all since `last`
            last = within[0]
            continue
        slot = following(schedule, last)
        if slot is not None and last < (start := window(schedule, slot, last).start):
            return Window(start=last, end=start)
        last = slot
    return None


def earlier(schedule: Schedule, of: Window, count: int = 8, known: Sequence[Window] = ()) -> list[Window]:
    """Return the windows before one, newest first: each ends where the one after it begins.

    For `since-last`, they are what the schedule's digests covered, as far as `known` (newest first) goes back
    without a gap, and go from slot to slot before that.
    """
    if schedule.window != "since-last":
        bounds = [of.start, *_bounds(schedule, schedule.window, of.end, count + 1)[2:]]
        return [Window(start=start, end=end) for end, start in pairwise(bounds)]
    covered: list[Window] = []
    end = of.start
    for window in known[:count]:
        if window.end != end:
            break
        covered.append(window)
        end = window.start
    bounds = [end, *islice(_backwards(schedule, end), count - len(covered))]
    return covered + [Window(start=start, end=end) for end, start in pairwise(bounds)]


def _backwards(schedule: Schedule, before: datetime) -> Iterator[datetime]:
    """Yield the slots before a moment, newest first."""
    # From a day later on: in an hour that comes twice, later times of day may lie before the moment.
    start = (before + DAY).astimezone(ZoneInfo(schedule.zone))
    for local in CronSim(schedule.cron, start, reverse=True):
        if (slot := local.astimezone(UTC)) < before:
            yield slot


def _bounds(schedule: Schedule, span: Span, end: datetime, count: int) -> list[datetime]:
    """Return `end`, and the same time of day one span before, two, and so on to `count`."""
    zone = ZoneInfo(schedule.zone)
    wall = _named(schedule, end, zone)
    return [end, *(_moment(_before(schedule, span, wall, times), zone) for times in range(1, count + 1))]


def _named(schedule: Schedule, slot: datetime, zone: ZoneInfo) -> datetime:
    """Return the time of day that names a slot: 02:30 also on the day when that is due at 03:00."""
    named = _wall(slot, zone)
    for wall in CronSim(schedule.cron, named, reverse=True):
        if _moment(wall, zone) != slot:
            break
        named = wall
    return named


def _before(schedule: Schedule, span: Span, wall: datetime, times: int) -> datetime:
    """Count back from `wall` itself each time, so that a short month does not shorten the others."""
    if span != "month":
        return wall - times * (7 if span == "week" else 1) * DAY
    months = wall.year * 12 + wall.month - 1 - times
    year, month = divmod(months, 12)
    length = calendar.monthrange(year, month + 1)[1]
    stays_last = schedule.cron.upper().split()[2] == "L" and (wall + DAY).day == 1
    return wall.replace(year=year, month=month + 1, day=length if stays_last else min(wall.day, length))


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when a time of day first comes, or when the clocks have jumped over it, as CronSim does."""
    while _wall(moment := wall.replace(tzinfo=zone).astimezone(UTC), zone) != wall:
        wall = wall.replace(second=0, microsecond=0) + MINUTE
    return moment


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
