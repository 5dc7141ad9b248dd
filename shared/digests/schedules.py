"""Schedules of digests: how they are defined, when they are due, and which window each digest covers.

Schedules are defined in the file `digests.toml` and in Firestore's `schedules`. One of Firestore takes the
place of the file's schedule with the same name, even where it is malformed: whoever wrote it did not want the
other any more. Malformed schedules are named and left out.

A schedule is read on the wall clock of its zone; every answer is a moment in UTC. CronSim computes the slots
and follows Debian's cron where clocks change (cron(8), "daylight saving time"): a time of day that does not
exist is due as soon as the clocks have moved on, and one that comes twice is due the first time. Where the
minute or the hour begins with a star, the schedule runs in every hour that the clocks show, also in one that
comes twice; where a zone moves its clocks by half an hour, it can skip a slot next to the change.

A window begins where the slot of the day, week or month before is or would be, by the same rule. Windows of
consecutive slots join to the second where a schedule is due once in each such span. Between working days, or
last Fridays of months, they leave time out.
"""

from __future__ import annotations

import calendar
import hashlib
import tomllib
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import Field, ValidationError

from shared.digests.records import Filter, Window
from shared.platform.errors import Missing
from shared.platform.records import Record
from shared.platform.settings import Pinned, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.cloud import firestore


MAX_TARGETS = 10

Span = Literal["day", "week", "month", "since-last"]
"""The time before a digest: a calendar day, seven of them, a calendar month, or all since the last one."""


EmailAddress = Annotated[
    str, Field(pattern=r"""^[^\s\p{C}@()<>\[\]:;,\\"]{1,64}@[\w-](?:[\w.-]*[\w-])?$""", max_length=254)
]
"""The plain form of RFC 5321, 4.1.2, without quoted names and addresses for hosts."""


class Webhook(Record):
    """An address that is sent the digest by POST."""

    kind: Literal["webhook"]
    format: Literal["json", "slack"] = "json"
    secret: Pinned
    """Name and pinned version of the secret with the address, as `digest-slack/1`: who knows it may post."""


class Email(Record):
    """People who are sent the digest by SMTP."""

    kind: Literal["email"]
    to: Annotated[list[EmailAddress], Field(min_length=1, max_length=50)]


Target = Annotated[Webhook | Email, Field(discriminator="kind")]


class Schedule(Record):
    """A digest that comes again and again."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    cron: str
    """Five fields, read in `zone`."""
    zone: str = "UTC"
    """Name in the IANA time zone database."""
    window: Span = "week"
    filter: Filter = Filter()
    notify: list[Target] = Field(default_factory=list, max_length=MAX_TARGETS)


COLLECTION = "schedules"
FIRESTORE = "Firestore"
MAX_SCHEDULES = 100
ROOT = Path(__file__).resolve().parents[2]
TABLE = "schedule"
RESERVED = "now"
"""The name of digests that are made on the command line."""


class Problem(Record):
    """A schedule, or a file of them, that cannot be used."""

    name: str
    """Its own, or where it stands if it has none that can be read."""
    source: str
    message: str
    """What is wrong, and in which field; no value of a field that may be secret."""


class Definitions(Record):
    """All schedules that are defined."""

    schedules: list[Schedule]
    """Schedules in the order of their names."""
    problems: list[Problem]


class _Entry(NamedTuple):
    name: str | None
    source: str
    fields: dict[str, Any]


def definitions(client: firestore.Client) -> Definitions:
    """Read the schedules from the file and from Firestore.

    Raises:
        GoogleAPIError: Firestore cannot be read; without it nobody knows which schedules of the file hold.
    """
    entries, problems = read_file(settings().digests_file)
    stored = [
        _Entry(snapshot.id, FIRESTORE, {"name": snapshot.id} | (snapshot.to_dict() or {}))
        for snapshot in client.collection(COLLECTION).limit(MAX_SCHEDULES + 1).stream()
    ]
    replaced = {entry.name for entry in stored}
    defined = combine([*(entry for entry in entries if entry.name not in replaced), *stored])
    return Definitions(schedules=defined.schedules, problems=[*problems, *defined.problems])


def schedule_named(client: firestore.Client, name: str) -> Schedule:
    """Return a schedule. Raises Missing if there is none of this name."""
    defined = {schedule.name: schedule for schedule in definitions(client).schedules}
    if name not in defined:
        known = ", ".join(defined) or "none"
        raise Missing(
            "unknown_schedule", f"There is no schedule {name}; there are: {known}.", "See digests.toml."
        )
    return defined[name]


def read_file(path: Path) -> tuple[list[_Entry], list[Problem]]:
    """Return the tables of a file; the default file need not exist.

    A relative path is looked for in the working directory, then beside `shared/`.
    """
    place = path if path.exists() else ROOT / path
    if not place.exists() and "digests_file" not in settings().model_fields_set:
        return [], []
    try:
        content = tomllib.loads(place.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        message = f"The file is not TOML: {error}."
    except (OSError, UnicodeDecodeError) as error:
        message = f"The file cannot be read: {type(error).__name__}."
    else:
        tables = content.pop(TABLE, [])
        if not content and isinstance(tables, list) and all(isinstance(table, dict) for table in tables):
            return [_Entry(_name(table), path.name, table) for table in tables], []
        message = f"The file may contain [[{TABLE}]] tables and nothing else."
    return [], [Problem(name=path.name, source=path.name, message=message)]


def combine(entries: list[_Entry]) -> Definitions:
    """Check each entry; of equal names the first holds."""
    schedules: dict[str, Schedule] = {}
    problems: list[Problem] = []
    for number, (name, source, fields) in enumerate(entries, 1):
        try:
            schedule = Schedule.model_validate(fields)
            _check(schedule, name, {*schedules})
        except ValidationError as error:
            # Each field that is wrong, without its value.
            errors = error.errors(include_input=False, include_context=False, include_url=False)
            message = " ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}." for each in errors)
        except ValueError as error:
            message = str(error)
        else:
            schedules[schedule.name] = schedule
            continue
        problems.append(Problem(name=name or f"schedule {number}", source=source, message=message))
    return Definitions(schedules=[schedules[name] for name in sorted(schedules)], problems=problems)


def _check(schedule: Schedule, name: str | None, taken: set[str]) -> None:
    if schedule.name != name:
        raise ValueError(f"name: it is {schedule.name!r}, which is not the document's id.")
    if name == RESERVED:
        raise ValueError(f"name: {RESERVED!r} is the name of digests made by hand.")
    if name in taken:
        raise ValueError("name: another schedule of the file has the same.")
    if len(taken) >= MAX_SCHEDULES:
        raise ValueError(f"There are more than {MAX_SCHEDULES} schedules.")
    check(schedule)


def _name(table: dict[str, Any]) -> str | None:
    name = table.get("name")
    return name if isinstance(name, str) else None


MAX_SLOTS = 1000
"""Most slots that one answer lists: a schedule may be due every minute, and not looked at for years."""
MAX_CRON = 200
"""Characters."""
FIELDS = 5
DAY = timedelta(days=1)
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

    With `since-last` it begins at `last_end`, where the last digest ended, or else at the slot before.
    """
    if schedule.window != "since-last":
        start = _bounds(schedule, schedule.window, end, 1)[1]
    elif last_end is not None and last_end < end:
        start = last_end
    else:
        start = next(_backwards(schedule, end))
    return Window(start=start, end=end)


def earlier(schedule: Schedule, of: Window, count: int = 8, covered: Sequence[Window] = ()) -> list[Window]:
    """Return the windows before one, newest first: each ends where the one after it begins.

    For `since-last`, they are what its digests `covered` (newest first), as far as that goes back without a
    gap, and go from slot to slot before that.
    """
    if schedule.window != "since-last":
        bounds = [of.start, *_bounds(schedule, schedule.window, of.end, count + 1)[2:]]
        return [Window(start=start, end=end) for end, start in pairwise(bounds)]
    joined: list[Window] = []
    end = of.start
    for window in covered[:count]:
        if window.end != end:
            break
        joined.append(window)
        end = window.start
    bounds = [end, *islice(_backwards(schedule, end), count - len(joined))]
    return joined + [Window(start=start, end=end) for end, start in pairwise(bounds)]


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
