"""`headrace digest`: a digest made now, those that were made, and whether their numbers hold."""

from __future__ import annotations

import re
import webbrowser
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from google.cloud.firestore_v1.base_query import FieldFilter
from rich.padding import Padding
from rich.text import Text

from cli.options import span
from cli.render import bars, passage, section
from cli.say import say
from shared.digests import render, slots
from shared.digests.compute import Request
from shared.digests.issue import issue, verify
from shared.digests.notify.outbox import COLLECTION as DELIVERIES
from shared.digests.records import Filter, Window
from shared.digests.schedules import RESERVED as NOW
from shared.digests.schedules import definitions
from shared.digests.store import COLLECTION, newest, read, read_file
from shared.digests.ticks import EARLIER, is_ahead, read_clocks
from shared.platform.clients import firestore_client
from shared.platform.errors import HeadraceError
from shared.platform.records import TOPIC_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from shared.digests.records import Digest
    from shared.digests.schedules import Schedule
    from shared.digests.store import StoredDigest


PAGES = "digests"
"""Folder of the data directory with the pages of digests that were asked for here."""
LISTED = 20
SOUGHT = 1000
"""Digests among which the last of a schedule is sought; only their ids are read."""
IDENTIFIER = re.compile("[a-z][A-Za-z0-9-]{0,99}")
"""Shape of a digest's id: a schedule's name and a moment. Firestore refuses many other ids."""
SHOWN = 4
"""Sentences of a kind, in a terminal."""
SHOWN_DIFFERENCES = 12
"""Causes that are printed, and as many differences."""
CAUSES = ("gone", "again")
"""Kinds of differences that explain others."""
SUMS = "statistics."
"""Prefix of the sums that shares are computed from, which no rendered digest shows."""


def make(schedule: str | None, since: str | None) -> StoredDigest:
    """A digest of the time until now, stored beside the scheduled ones; nobody is notified.

    Args:
        schedule: whose filter, zone and window it has; None: everything, of the last seven days.
        since: how far back it goes instead.
    """
    end = datetime.now(UTC)
    if schedule is None:
        return issue(firestore_client(), _request(NOW, end, span("7d" if since is None else since)))
    wanted = _schedule(schedule)
    if since is not None:
        return issue(firestore_client(), _request(schedule, end, span(since), wanted))
    window = slots.window(wanted, end, last_end=_last_end(schedule))
    earlier = slots.earlier(wanted, window, EARLIER)
    return issue(firestore_client(), _asked(schedule, window, earlier, wanted))


def _request(name: str, end: datetime, length: timedelta, schedule: Schedule | None = None) -> Request:
    window = Window(start=end - length, end=end)
    earlier = [Window(start=end - (n + 1) * length, end=end - n * length) for n in range(1, EARLIER + 1)]
    return _asked(name, window, earlier, schedule)


def _asked(name: str, window: Window, earlier: list[Window], schedule: Schedule | None) -> Request:
    kind = NOW if schedule is None else f"{name}-{NOW}"
    return Request(
        id=f"{kind}-{window.end:%Y%m%dT%H%M%S%f}Z",  # two in a second may be of different windows
        schedule=name,
        zone=schedule.zone if schedule else "UTC",
        window=window,
        filter=schedule.filter if schedule else Filter(),
        earlier=earlier,
    )


def _schedule(name: str) -> Schedule:
    found = definitions(firestore_client())
    for schedule in found.schedules:
        if schedule.name == name:
            return schedule
    known = ", ".join(schedule.name for schedule in found.schedules) or "none"
    raise HeadraceError(f"There is no schedule {name}; there are: {known}. See digests.toml.")


def _last_end(schedule: str) -> datetime | None:
    clock = read_clocks(firestore_client()).get(schedule)
    return clock.get("last_end") if clock else None


def shape(stored: StoredDigest, html: str) -> dict[str, Any]:
    """What `--json` prints: the digest, and where its page is."""
    return stored.digest.model_dump(mode="json") | {
        "html": html,
        "reads": stored.reads,
        "seconds": stored.seconds,
    }


def page(stored: StoredDigest, folder: Path) -> Path:
    """A copy of the page in `folder`, where a person finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stored.digest.id}.html"
    path.write_bytes(read_file(stored.html))
    return path


def show(console: Console, stored: StoredDigest, html: str) -> None:
    """A digest in short; the page has the rest."""
    digest = stored.digest
    console.print()
    console.print(Text(digest.line, "bold"))
    for line in (line for line in render.brief(digest) if line != digest.line):
        console.print(Text(f"  {line}"))
    _sections(console, digest)
    for note in digest.notes:
        console.print(Text(f"Note: {note}", "yellow"))
    console.print()
    console.print(Text(f"{html}", "cyan"), soft_wrap=True)
    cost = f"{stored.reads:,} documents read in {stored.seconds:.1f} s."
    again = f"To compute it again: headrace digest verify {digest.id}"
    console.print(Text(f"{cost} {again}", "bright_black"), soft_wrap=True)


def _sections(console: Console, digest: Digest) -> None:
    """The topics, and some of each kind of sentence."""
    if digest.empty:
        return
    section(console, "Topics")
    counts = {f"{row.name} {TOPIC_NAMES.get(row.name, '')}": row.share.count for row in digest.topics}
    bars(console, {name: count for name, count in counts.items() if count}, {})
    followed = [one.now or one.before for one in digest.initiatives.followed]
    kinds = {
        "Announced earlier": followed,
        "Incidents": digest.incidents,
        "Unlike anything before": [one.quote for one in digest.novel],
        "Summary": digest.summary,
    }
    for title, quotes in kinds.items():
        if quotes:
            section(console, title)
        for quote in quotes[:SHOWN]:
            passage(console, quote.page, quote.row, f"{quote.text} ({quote.title or quote.name})")


def open_page(path: Path) -> None:
    """Open it in the browser, or say that there is none."""
    if not webbrowser.open(path.as_uri()):
        say(f"No browser could be opened. Open the page yourself: {path}", err=True)


def listing(schedule: str | None, limit: int = LISTED) -> dict[str, Any]:
    """Schedules with what is wrong with them, and the newest digests with whether people were notified.

    Raises:
        HeadraceError: there is no such schedule, nor a digest of one that was.
    """
    client = firestore_client()
    found = definitions(client)
    made = [_made(stored) for stored in newest(client, limit, schedule)]
    wanted = [one for one in found.schedules if schedule in {None, one.name}]
    clocks = read_clocks(client)
    if schedule is not None and not made and schedule not in {NOW, *(one.name for one in found.problems)}:
        _schedule(schedule)
    return {
        "schedules": [_planned(one, clocks.get(one.name)) for one in wanted],
        "problems": [problem.model_dump(mode="json") for problem in found.problems],
        "digests": made,
    }


def _planned(schedule: Schedule, clock: Mapping[str, Any] | None) -> dict[str, Any]:
    moment = datetime.now(UTC)
    coming = slots.following(schedule, moment)
    shown = schedule.model_dump(mode="json", exclude={"notify"})
    return shown | {
        "notify": [target.kind for target in schedule.notify],
        "next": coming.isoformat() if coming else None,
        "last": _last(schedule.name),
        "warnings": list(_warnings(schedule, clock, moment)),
    }


def _warnings(schedule: Schedule, clock: Mapping[str, Any] | None, moment: datetime) -> Iterator[str]:
    if clock and is_ahead(clock, moment):
        stands = f"Nothing is made before {clock['upto']:%Y-%m-%dT%H:%MZ}: a machine's clock was ahead."
        yield f"{stands} Edit its time, by a minute say, to begin anew."
    if left := slots.uncovered(schedule, moment):
        begins, ends = (f"{edge:%Y-%m-%dT%H:%MZ}" for edge in (left.start, left.end))
        yield f"No digest covers {begins} to {ends}; with the window since-last, digests leave no time out."


def _last(schedule: str) -> str | None:
    """The id of its newest digest that was not asked for by hand, however many were since."""
    query = firestore_client().collection(COLLECTION).where(filter=FieldFilter("schedule", "==", schedule))
    newest_first = query.order_by("end", direction="DESCENDING").select([]).limit(SOUGHT)
    ids = (snapshot.id for snapshot in newest_first.stream())
    return next((one for one in ids if not one.startswith(f"{schedule}-{NOW}-")), None)


def _made(stored: StoredDigest) -> dict[str, Any]:
    reference = firestore_client().collection(COLLECTION).document(stored.digest.id)
    notified = Counter(
        (snapshot.to_dict() or {})["state"] for snapshot in reference.collection(DELIVERIES).stream()
    )
    return {
        "id": stored.digest.id,
        "schedule": stored.schedule,
        "window": stored.digest.window.model_dump(mode="json"),
        "line": stored.digest.line,
        "html": stored.html,
        "notified": dict(sorted(notified.items())),
        "redacted": stored.redacted,
    }


def show_listing(console: Console, listed: dict[str, Any], schedule: str | None = None) -> None:
    """Schedules first, then digests, each with its one line."""
    for problem in listed["problems"]:
        console.print(Text(f"{problem['name']}: {problem['message']}", "red"))
    for one in listed["schedules"]:
        when = f"{one['cron']} ({one['zone']}), window: {one['window']}, next: {one['next'] or 'never'}"
        console.print(Text.assemble((one["name"], "bold"), "  ", when))
        for warning in one["warnings"]:
            console.print(Padding(Text(warning, "yellow"), (0, 0, 0, 2)))
    for one in listed["digests"]:
        notified = ", ".join(f"{count} {state}" for state, count in one["notified"].items())
        console.print()
        console.print(Text.assemble((one["id"], "cyan"), f"  {notified}"))
        console.print(Padding(Text(one["line"]), (0, 0, 0, 2)))
    if not listed["digests"]:
        of, by = (f" of {schedule}", f" --schedule {schedule}") if schedule not in {None, NOW} else ("", "")
        made = Text(f"No digest{of} has been made yet. Make one now: headrace digest{by}")
        console.print(made, soft_wrap=True)


def find(identifier: str) -> StoredDigest:
    """Return a digest. Raises HeadraceError if there is none with this id."""
    stored = read(firestore_client(), identifier) if IDENTIFIER.fullmatch(identifier) else None
    if stored is None:
        raise HeadraceError(f"There is no digest {identifier!r}. List them: headrace digest list")
    return stored


def verified(stored: StoredDigest) -> list[dict[str, Any]]:
    """Return how a digest differs from what is computed again from the stored documents, causes first."""
    differences = verify(firestore_client(), stored)
    return in_order(difference.model_dump(mode="json") for difference in differences)


def in_order(differences: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return differences with their causes first and the sums that nobody reads last."""
    return sorted(differences, key=lambda row: (row["kind"] not in CAUSES, row["what"].startswith(SUMS)))


def show_differences(console: Console, identifier: str, differences: Sequence[dict[str, Any]]) -> None:
    """Print the first differences, one line each, or that there are none."""
    if not differences:
        console.print(f"Every number of {identifier} follows from the stored documents.")
    causes = [difference for difference in differences if difference["kind"] in CAUSES]
    others = [difference for difference in differences if difference["kind"] not in CAUSES]
    for title, group in (("Why:", causes), ("What differs:", others)):
        if causes and others:
            console.print(title)
        for difference in group[:SHOWN_DIFFERENCES]:
            console.print(Text(_difference_line(difference)))
        if left := len(group[SHOWN_DIFFERENCES:]):
            console.print(
                f"... and {left:,} more: headrace digest verify {identifier} --json", soft_wrap=True
            )


def _difference_line(difference: dict[str, Any]) -> str:
    document, what = difference["document"], difference["what"]
    about = f" ({document})" if document else ""
    if difference["kind"] == "gone":
        return f"document {document} {what}"
    if difference["kind"] == "again":
        return f"{what}{about}"
    return f"{what}{about}: it says {difference['stored']}, and there is {difference['found']}"
