"""When is a digest of a schedule due, and of which time does it tell?

A schedule is read on the wall clock of its zone, and every answer is a moment in UTC. Where the clocks
change, it goes as with Debian's cron (cron(8), "daylight saving time"): a time of day that does not exist is
due as soon as the clocks have moved on, one that comes twice is due the first time; where the minute or the
hour begins with a star, the schedule goes by what the clocks show, so it leaves out what they never show and
is due again in an hour that comes twice. A window begins where the slot of a day, a week or a month before is
or would be, by the same rule. So windows of consecutive slots join to the second where a schedule is due once
in each such span, to the day; between working days, or last Fridays of months, they leave time out: `untold`.
"""

from __future__ import annotations

import calendar
import hashlib
from collections import deque
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from shared.digests.records import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.digests.schedules import Schedule, Span

MAX_SLOTS = 1000
"""That one answer lists; a schedule may be due every minute, and nobody may have looked for years."""
MAX_LOOKED_AT = 90
"""Steps in which time is sought that no window has: two take a `SHORT_DAY` or more, so these five weeks."""
MAX_CRON = 200
"""Characters."""
FIELDS = 5
DAY = timedelta(days=1)
SHORT_DAY = timedelta(hours=20)
"""No window is shorter: clocks are put forward by two hours at most."""
SECOND = timedelta(seconds=1)
_SOME_DAY = datetime(2001, 1, 1)  # noqa: DTZ001 - read on a wall clock


def check(schedule: Schedule) -> None:
    """Whether this can be a schedule at all.

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
    """Of when it is due; what it tells of, and whom, is not in it."""
    timing = " ".join([*schedule.cron.upper().split(), schedule.zone])
    return hashlib.sha256(timing.encode()).hexdigest()[:16]


def slots(schedule: Schedule, after: datetime, until: datetime, limit: int = MAX_SLOTS) -> list[datetime]:
    """The newest `limit` slots in (after, until], oldest first."""
    found: list[datetime] = []
    for slot in _slots(schedule, until, backwards=True):
        if slot <= after or len(found) == limit:
            break
        if slot <= until:
            found.append(slot)
    return found[::-1]


def following(schedule: Schedule, after: datetime) -> datetime | None:
    """The first slot after a moment; None: there is none within fifty years."""
    return next((slot for slot in _slots(schedule, after, backwards=False) if slot > after), None)


def window(schedule: Schedule, end: datetime, last_end: datetime | None) -> Window:
    """What the digest of a slot tells of, or one that is asked for at any other moment.

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
        start = next(slot for slot in _slots(schedule, end, backwards=True) if slot < end)
    return Window(start=start, end=end)


def untold(schedule: Schedule, after: datetime) -> Window | None:
    """The first time between the next slots that the window of none has; None: they leave nothing out."""
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
    """The windows before one, the newest first: each ends where the one after it begins.

    Those of `since-last` are what the schedule's digests told of, as far as `known` (newest first) goes back
    without a gap, and go from slot to slot before that.
    """
    if schedule.window != "since-last":
        bounds = [of.start, *_bounds(schedule, schedule.window, of.end, count + 1)[2:]]
        return [Window(start=start, end=end) for end, start in pairwise(bounds)]
    found: list[Window] = []
    end = of.start
    for one in known[:count]:
        if one.end != end:
            break
        found.append(one)
        end = one.start
    for slot in _slots(schedule, end, backwards=True):
        if len(found) == count:
            break
        if slot < end:
            found.append(Window(start=slot, end=end))
            end = slot
    return found


def _slots(schedule: Schedule, near: datetime, *, backwards: bool) -> Iterator[datetime]:
    """Slots in order from a little before `near`, or backwards from a little after it."""
    zone = ZoneInfo(schedule.zone)
    held: deque[datetime] = deque()
    last: datetime | None = None
    margin = _jump(near, zone) + SECOND
    for wall in CronSim(schedule.cron, _wall(near, zone) + (margin if backwards else -margin), backwards):
        moments = _shown(wall, zone) if _by_the_clock(schedule) else [_moment(wall, zone)]
        if backwards:
            moments.reverse()
        if not moments:
            continue
        # An hour that comes twice: all of its first pass lies before all of its second.
        while held and (held[0] > moments[0] if backwards else held[0] < moments[0]):
            yield held.popleft()
        if moments[0] != last:  # several times of day that do not exist are one moment
            yield (last := moments[0])
        held.extend(moments[1:])
    yield from held


def _jump(near: datetime, zone: ZoneInfo) -> timedelta:
    """By how much clocks are moved in the day before or after; so far, what they show may be out of order."""
    walls = [_wall(moment, zone) - moment.replace(tzinfo=None) for moment in (near - DAY, near, near + DAY)]
    return max(walls) - min(walls)


def _by_the_clock(schedule: Schedule) -> bool:
    """Whether it is a schedule of every so many minutes or hours, not of times of day."""
    minute, hour, *_ = schedule.cron.split()
    return minute.startswith("*") or hour.startswith("*")


def _bounds(schedule: Schedule, span: Span, end: datetime, count: int) -> list[datetime]:
    """`end`, and the same time of day one span before, two, and so on to `count`."""
    zone = ZoneInfo(schedule.zone)
    wall = _named(schedule, end, zone)
    return [end, *(_moment(_before(schedule, span, wall, times), zone) for times in range(1, count + 1))]


def _named(schedule: Schedule, slot: datetime, zone: ZoneInfo) -> datetime:
    """The time of day that a slot is named by: 02:30 also on the day when that is due at 03:00."""
    named = _wall(slot, zone)
    if not _by_the_clock(schedule):
        for wall in CronSim(schedule.cron, named, reverse=True):
            if _moment(wall, zone) != slot:
                break
            named = wall
    return named


def _before(schedule: Schedule, span: Span, wall: datetime, times: int) -> datetime:
    """Counted from `wall` itself each time, so that a short month does not shorten the others."""
    if span != "month":
        return wall - times * (7 if span == "week" else 1) * DAY
    months = wall.year * 12 + wall.month - 1 - times
    year, month = divmod(months, 12)
    length = calendar.monthrange(year, month + 1)[1]
    stays_last = schedule.cron.upper().split()[2] == "L" and (wall + DAY).day == 1
    return wall.replace(year=year, month=month + 1, day=length if stays_last else min(wall.day, length))


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """What a time of day stands for: the first time it comes, or when the clocks have jumped over it."""
    if shown := _shown(wall, zone):
        return shown[0]
    # By the offset from after the jump it lies before it, and the other way round (PEP 495).
    late, early = (wall.replace(tzinfo=zone, fold=fold, microsecond=0).astimezone(UTC) for fold in (0, 1))
    offset = late.astimezone(zone).utcoffset()
    while late - early > SECOND:
        middle = early + (late - early) // SECOND // 2 * SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            late = middle
        else:
            early = middle
    return late


def _shown(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """The moments, none to two, at which the zone's clocks show a time of day."""
    moments = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(moment for moment in moments if _wall(moment, zone) == wall)


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
