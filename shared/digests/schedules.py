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
    from collections.abc import Iterator

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
"""The name of digests that are asked for on the command line."""


class Problem(Record):
    """A schedule, or a file of them, that cannot be used."""

    name: str
    """Its own, or where it stands if it has none that can be read."""
    source: str
    message: str
    """What is wrong, and in which field; no value of a field that may be secret."""


class Definitions(Record):
    """All there is."""

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
    """Read both places.

    Raises:
        GoogleAPIError: Firestore cannot be read; without it nobody knows which schedules of the file hold.
    """
    entries, problems = read_file(settings().digests_file)
    complete = not problems and all(entry.name is not None for entry in entries)
    stored = [
        _Entry(snapshot.id, FIRESTORE, {"name": snapshot.id} | (snapshot.to_dict() or {}))
        for snapshot in client.collection(COLLECTION).limit(MAX_SCHEDULES + 1).stream()
    ]
    over = {entry.name for entry in stored}
    found = combine([*(entry for entry in entries if entry.name not in over), *stored])
    return Definitions(
        schedules=found.schedules, problems=[*problems, *found.problems], complete=complete and found.complete
    )


def read_file(path: Path) -> tuple[list[_Entry], list[Problem]]:
    """The tables of a file. A relative path is looked for in the working directory, then beside `shared/`.

    The default is a file that need not be there.
    """
    place = path if path.exists() else ROOT / path
    if not place.exists() and "digests_file" not in settings().model_fields_set:
        return [], []
    try:
        content = tomllib.loads(place.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return [], [_file_problem(path, f"The file cannot be read: {type(error).__name__}.")]
    except tomllib.TOMLDecodeError as error:
        return [], [_file_problem(path, f"The file is no TOML: {error}.")]
    tables = content.pop(TABLE, [])
    if content or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return [], [_file_problem(path, f"The file may hold [[{TABLE}]] tables and nothing else.")]
    return [_Entry(_name(table), path.name, table) for table in tables], []


def combine(entries: list[_Entry]) -> Definitions:
    """Check each by itself; of equal names the first holds."""
    schedules: dict[str, Schedule] = {}
    problems: list[Problem] = []
    for number, (name, source, fields) in enumerate(entries, 1):
        try:
            schedule = Schedule.model_validate(fields)
            _check(schedule, name, {*schedules})
        except ValidationError as error:
            message = " ".join(_sentences(error))
        except ValueError as error:
            message = str(error)
        else:
            schedules[schedule.name] = schedule
            continue
        problems.append(Problem(name=name or f"schedule {number}", source=source, message=message))
    return Definitions(
        schedules=[schedules[name] for name in sorted(schedules)],
        problems=problems,
        complete=len(entries) <= MAX_SCHEDULES,
    )


def _check(schedule: Schedule, name: str | None, known: set[str]) -> None:
    if schedule.name != name:
        raise ValueError(f"name: it is {schedule.name!r}, which is not the document's id.")
    if name == RESERVED:
        raise ValueError(f"name: {RESERVED!r} is what digests made by hand are called.")
    if name in known:
        raise ValueError("name: another schedule of the file has the same.")
    if len(known) >= MAX_SCHEDULES:
        raise ValueError(f"There are more than {MAX_SCHEDULES} schedules.")
    check(schedule)


def _sentences(error: ValidationError) -> Iterator[str]:
    """A sentence for each field that is wrong, without what stands in it."""
    for one in error.errors(include_input=False, include_context=False, include_url=False):
        place = ".".join(str(part) for part in one["loc"])
        yield f"{place}: {one['msg']}."


def _name(table: dict[str, Any]) -> str | None:
    name = table.get("name")
    return name if isinstance(name, str) else None


def _file_problem(path: Path, message: str) -> Problem:
    return Problem(name=path.name, source=path.name, message=message)
