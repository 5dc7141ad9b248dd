"""Schedules of digests: their fields, and where they are defined.

Schedules are defined in the file `digests.toml` and in Firestore's `schedules`. One of Firestore takes the
place of the file's schedule with the same name, even where it is malformed: whoever wrote it did not want the
other any more. Malformed schedules are named and left out.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from shared.digests.records import Filter
from shared.digests.slots import check
from shared.platform.records import Record
from shared.platform.settings import Pinned, settings

if TYPE_CHECKING:
    from google.cloud import firestore


MAX_TARGETS = 10

Span = Literal["day", "week", "month", "since-last"]
"""The time before a digest: a calendar day, seven of them, a calendar month, or all since the last one."""


class Webhook(Record):
    """An address that is sent the digest by POST."""

    kind: Literal["webhook"]
    format: Literal["json", "slack"] = "json"
    secret: Pinned
    """Name and pinned version of the secret with the address, as `digest-slack/1`: who knows it may post."""


class Email(Record):
    """People who are sent the digest by SMTP."""

    kind: Literal["email"]
    to: Annotated[
        list[Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]], Field(min_length=1, max_length=50)
    ]


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
    """By name."""
    problems: list[Problem]
    complete: bool = True
    """Whether the name of each schedule is known; if not, one that is missing may be there after all."""


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
    named = not problems and all(entry.name is not None for entry in entries)
    stored = [
        _Entry(snapshot.id, FIRESTORE, {"name": snapshot.id} | (snapshot.to_dict() or {}))
        for snapshot in client.collection(COLLECTION).limit(MAX_SCHEDULES + 1).stream()
    ]
    replaced = {entry.name for entry in stored}
    defined = combine([*(entry for entry in entries if entry.name not in replaced), *stored])
    complete = named and defined.complete
    return defined.model_copy(update={"problems": [*problems, *defined.problems], "complete": complete})


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
    complete = len(entries) <= MAX_SCHEDULES
    ordered = [schedules[name] for name in sorted(schedules)]
    return Definitions(schedules=ordered, problems=problems, complete=complete)


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
