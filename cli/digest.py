"""`headrace digest`: make a digest now, list schedules and digests, and compute a digest again."""

from __future__ import annotations

import re
import webbrowser
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from cli.options import span
from cli.render import bars, passage, section
from cli.say import say
from shared.digests import schedules
from shared.digests.issue import issue, request_of, verify
from shared.digests.on_demand import Wanted
from shared.digests.records import DELIVERIES, NOW
from shared.digests.render import outline, words
from shared.digests.schedules import definitions, schedule_named
from shared.digests.store import COLLECTION, newest, read, read_file
from shared.digests.ticks import is_ahead, read_clocks
from shared.platform.clients import firestore_client
from shared.platform.errors import HeadraceError
from shared.platform.records import TOPIC_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from shared.digests.compute import Request
    from shared.digests.records import Digest
    from shared.digests.schedules import Schedule
    from shared.digests.store import StoredDigest


PAGES = "digests"
"""Folder of the data directory with the pages of digests that were made here."""
LISTED = 20
IDENTIFIER = re.compile("[a-z][A-Za-z0-9-]{0,99}")
"""Shape of a digest's id: a schedule's name and a moment. Firestore refuses many other ids."""
SHOWN = 4
"""Sentences of a kind, in a terminal."""
SHOWN_DIFFERENCES = 24


def make(schedule: str | None, since: str | None) -> StoredDigest:
    """Make and store a digest of the time until now; no notifications are sent.

    Args:
        schedule: whose filter, zone and window it has; None: everything, of the last seven days.
        since: how far back it goes instead.
    """
    return issue(firestore_client(), _request(datetime.now(UTC), schedule, since))


def _request(end: datetime, schedule: str | None, since: str | None) -> Request:
    seconds = None if since is None else span(since).total_seconds()
    return request_of(firestore_client(), Wanted(end=end, schedule=schedule, seconds=seconds))


def shape(stored: StoredDigest, html: str) -> dict[str, Any]:
    """Return what `--json` prints: the digest, and where its page is."""
    extra = {"html": html, "reads": stored.reads, "seconds": stored.seconds}
    return stored.digest.model_dump(mode="json") | extra


def page(stored: StoredDigest, folder: Path) -> Path:
    """Write a copy of the page into `folder`, where a person finds it, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stored.digest.id}.html"
    path.write_bytes(read_file(stored.html))
    return path


def show(console: Console, stored: StoredDigest, html: str) -> None:
    """Print a digest in short; the page has the rest."""
    digest = stored.digest
    console.print()
    console.print(Text(digest.line, "bold"))
    for movement in outline.movements(digest)[:SHOWN]:
        console.print(Text(f"  {movement.sign} {movement.sentence}"))
    if followed := outline.followed_line(digest):
        console.print(Text(f"  Announced earlier: {followed}"))
    if not digest.empty:
        _show_sections(console, digest)
    for note in digest.notes:
        console.print(Text(f"Note: {note}", "yellow"))
    console.print()
    console.print(Text(f"{html}", "cyan"), soft_wrap=True)
    cost = f"Made in {stored.seconds:.1f} s with {stored.reads:,} reads of Firestore."
    again = f"To compute it again: headrace digest verify {digest.id}"
    console.print(Text(f"{cost} {again}", "bright_black"), soft_wrap=True)


def _show_sections(console: Console, digest: Digest) -> None:
    """Print the topics, and some of each kind of sentence."""
    if digest.datapoints.changes:
        section(console, "Data points")
    for change in digest.datapoints.changes[:SHOWN]:
        text = " ".join(filter(None, [change.organisation, words.datapoint(change)]))
        passage(console, change.now.page, change.now.row, text, outline.datapoint_sign(change))
    section(console, "Topics")
    counts = {f"{row.name} {TOPIC_NAMES.get(row.name, '')}": row.share.count for row in digest.topics}
    bars(console, {name: count for name, count in counts.items() if count}, {})
    kinds = {
        "Summary": digest.summary,
        "Incidents": digest.incidents,
        "Good news": digest.positives,
        "Unlike anything before": [novel.quote for novel in digest.novel],
        "Announced earlier": [plan.now or plan.before for plan in digest.initiatives.followed],
    }
    for title, quotes in kinds.items():
        if quotes:
            section(console, title)
        for quote in quotes[:SHOWN]:
            passage(console, quote.page, quote.row, f"{quote.text} ({quote.title or quote.name})")


def open_page(path: Path) -> None:
    """Open a page in the browser, or say that there is none."""
    if not webbrowser.open(path.as_uri()):
        say(f"No browser could be opened. Open the page yourself: {path}", err=True)


def listing(schedule: str | None) -> dict[str, Any]:
    """Return schedules with what is wrong with them, and the newest digests with their notifications.

    Raises:
        HeadraceError: there is no such schedule, nor a digest of one that was.
    """
    client = firestore_client()
    defined, clocks = definitions(client), read_clocks(client)
    digests = [_made(stored) for stored in newest(client, LISTED, schedule)]
    malformed = {problem.name for problem in defined.problems}
    if schedule is not None and not digests and schedule not in {NOW, *malformed}:
        schedule_named(client, schedule)
    wanted = [each for each in defined.schedules if schedule in {None, each.name}]
    return {
        "schedules": [_planned(each, clocks.get(each.name)) for each in wanted],
        "problems": [problem.model_dump(mode="json") for problem in defined.problems],
        "digests": digests,
    }


def _planned(schedule: Schedule, clock: Mapping[str, Any] | None) -> dict[str, Any]:
    moment = datetime.now(UTC)
    coming = schedules.following(schedule, moment)
    return schedule.model_dump(mode="json") | {
        "notify": [target.kind for target in schedule.notify],
        "next": coming.isoformat() if coming else None,
        "warning": _warning(clock, moment),
    }


def _warning(clock: Mapping[str, Any] | None, moment: datetime) -> str | None:
    if not clock or not is_ahead(clock, moment):
        return None
    stands = f"Nothing is made before {clock['upto']:%Y-%m-%dT%H:%MZ}: a machine's clock was ahead."
    return f"{stands} Edit its time, by a minute say, to begin anew."


def _made(stored: StoredDigest) -> dict[str, Any]:
    digest = firestore_client().collection(COLLECTION).document(stored.digest.id)
    deliveries = (snapshot.to_dict() or {} for snapshot in digest.collection(DELIVERIES).stream())
    return {
        "id": stored.digest.id,
        "schedule": stored.schedule,
        "window": stored.digest.window.model_dump(mode="json"),
        "line": stored.digest.line,
        "html": stored.html,
        "notified": dict(sorted(Counter(delivery["state"] for delivery in deliveries).items())),
        "redacted": stored.redacted,
    }


def show_listing(console: Console, listed: dict[str, Any], schedule: str | None = None) -> None:
    """Print schedules first, then digests, each with its line."""
    for problem in listed["problems"]:
        console.print(Text(f"{problem['name']}: {problem['message']}", "red"))
    for each in listed["schedules"]:
        when = f"{each['cron']} ({each['zone']}), window: {each['window']}, next: {each['next'] or 'never'}"
        console.print(Text.assemble((each["name"], "bold"), "  ", when))
        if each["warning"]:
            console.print(Padding(Text(each["warning"], "yellow"), (0, 0, 0, 2)))
    for digest in listed["digests"]:
        notified = ", ".join(f"{count} {state}" for state, count in digest["notified"].items())
        console.print()
        console.print(Text.assemble((digest["id"], "cyan"), f"  {notified}"))
        console.print(Padding(Text(digest["line"]), (0, 0, 0, 2)))
    if not listed["digests"]:
        of, by = (f" of {schedule}", f" --schedule {schedule}") if schedule not in {None, NOW} else ("", "")
        console.print(
            Text(f"No digest{of} has been made yet. Make one now: headrace digest{by}"), soft_wrap=True
        )


def find(identifier: str) -> StoredDigest:
    """Return a digest. Raises HeadraceError if there is none with this id."""
    stored = read(firestore_client(), identifier) if IDENTIFIER.fullmatch(identifier) else None
    if stored is None:
        raise HeadraceError(f"There is no digest {identifier!r}. List them: headrace digest list")
    return stored


def verified(stored: StoredDigest) -> list[dict[str, Any]]:
    """Return how a digest differs from what is computed again from the stored documents, reasons first."""
    return [difference.model_dump(mode="json") for difference in verify(firestore_client(), stored)]


def show_differences(console: Console, identifier: str, differences: Sequence[dict[str, Any]]) -> None:
    """Print the first differences, one line each, or that there are none."""
    if not differences:
        console.print(f"Every number of {identifier} follows from the stored documents.")
    for row in differences[:SHOWN_DIFFERENCES]:
        console.print(Text(f"{row['what']}: it says {row['stored']}, and there is {row['found']}"))
    if left := len(differences[SHOWN_DIFFERENCES:]):
        more = f"... and {left:,} more: headrace digest verify {identifier} --json"
        console.print(more, soft_wrap=True)
