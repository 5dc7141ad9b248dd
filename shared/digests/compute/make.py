"""Compute the digest of a window."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import NonNegativeInt

from shared.digests.compute.measures import TEST, history, measures, trend
from shared.digests.compute.rows import Rows
from shared.digests.compute.window import (
    Earlier,
    Quoted,
    compare_with_earlier,
    count,
    problems,
    received,
    waiting,
)
from shared.digests.records import Digest, Filter, Initiatives, Overview, Window
from shared.digests.render import words
from shared.digests.store import Statistics
from shared.platform.records import Record
from shared.platform.settings import settings

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.digests.compute.measures import Measures
    from shared.digests.records import Change, Measure


class Request(Record):
    """A digest that is to be made."""

    id: str
    schedule: str
    zone: str
    window: Window
    filter: Filter
    earlier: list[Window]
    """Newest first; the first is the previous one."""


class Made(Record):
    """The digest, and what belongs to it."""

    digest: Digest
    statistics: Statistics
    reads: NonNegativeInt
    """Documents that were read from Firestore."""


MAX_CHANGES = 3
"""Changes named in the line, the surest first."""


def line(window: Window, zone: str, overview: Overview, found: Measures) -> str:
    """What became of documents, and what changed."""
    when = _when(window, zone)
    rejected = sum(overview.rejected.values())
    if not (overview.completed or overview.stopped):
        came = [f"{_were(overview.received)} received"] if overview.received else []
        return f"{'; '.join([f'No document ended {when}', *came, *_waiting(overview)])}."
    parts = [f"{words.many(overview.completed, 'document')} completed"]
    if overview.failed:
        parts.append(f"{words.count(overview.failed)} failed")
    if rejected:
        parts.append(f"{_were(rejected)} rejected")
    return f"{when[0].upper()}{when[1:]}, {'; '.join([*parts, *_waiting(overview), *_changes(found)])}."


def _were(number: int) -> str:
    return f"{words.count(number)} {'was' if number == 1 else 'were'}"


def _waiting(overview: Overview) -> list[str]:
    """That nothing ends may be what a reader most needs to know."""
    if overview.oldest is None:
        return []
    longest = "" if overview.waiting == 1 else "the longest "
    age = words.duration(overview.oldest.seconds)
    return [f"{_were(overview.waiting)} waiting at its end, {longest}for {age}"]


def _when(window: Window, zone: str) -> str:
    unit, dates = words.span(window, zone), words.window(window, zone)
    if unit == "week":
        last = window.end.astimezone(ZoneInfo(zone)) - timedelta(days=1)
        return f"in the week to {words.day(last)}"
    return {"day": "on ", "month": "in "}.get(unit, "from ") + dates


def _changes(found: Measures) -> list[str]:
    """Each measure once, by the first of its changes that is flagged."""
    named: list[tuple[str, Measure]] = [(f"{one.name} in tone", one) for one in found.sentiments]
    for row in found.topics:
        named.append((words.topic(row.name), row.share))
        named.append((f"negative passages on {words.topic(row.name)}", row.negative))
    flagged: list[tuple[float, int, str]] = []
    for rank, (name, measure) in enumerate(named):
        change = next((one for one in measure.changes if one.flagged), None)
        if change is not None and measure.share is not None:
            flagged.append((change.p or 0.0, rank, f"{name} {_moved(change, measure.share)}"))
    return [text for _, _, text in sorted(flagged)[:MAX_CHANGES]]


def _moved(change: Change, share: float) -> str:
    before, now = words.percent(change.share), words.percent(share)
    if before == now:
        before, now = words.percent(change.share, 1), words.percent(share, 1)
    return f"{'up' if change.difference > 0 else 'down'} from {before} to {now}"


def make(client: firestore.Client, request: Request) -> Made:
    """The digest of a window: the same, byte for byte, of the same documents and earlier digests.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: Firestore refuses or cannot be reached.
    """
    limits, rows, asked = settings(), Rows(client), request.filter.topic
    counted, notes = count(rows, request, limits.digest_max_documents)
    troubles, more = problems(rows, request, limits.digest_max_documents)
    notes += more
    uploaded, more = received(rows, request, limits.digest_max_documents)
    notes += more
    unfinished, oldest, more = waiting(rows, request)
    notes += more
    known, more = history(rows, request, limits.digest_history_documents)
    notes += more
    earlier = Earlier(rows, request, counted, limits.digest_earlier_documents)
    notes += earlier.notes
    quoted = Quoted(counted, earlier, asked)
    quoted.read(rows)
    compare_with_earlier(rows, request, quoted.oddities, limits.digest_earlier_documents)

    statistics, previous = counted.tally.statistics(), max((w.start for w in request.earlier), default=None)
    before = [one.statistics for one in known]
    newest = next((one.statistics for one in known if one.window.start == previous), None)
    found = measures(statistics, newest, before, counted.tally.cells, asked)
    overview = Overview(
        received=uploaded,
        completed=counted.completed,
        copies=counted.copies,
        passages=statistics.passages,
        rejected=troubles.rejected,
        failed=troubles.failed,
        problems=troubles.listed,
        waiting=unfinished,
        oldest=oldest,
    )
    if quoted.summary.left_out:
        notes.append(
            f"The summary is without {quoted.summary.left_out:,} documents: another model read them, "
            "and its vectors cannot be compared with the others'."
        )
    listed, followings = counted.groups.listed(), earlier.followed()
    return Made(
        digest=Digest(
            id=request.id,
            schedule=request.schedule,
            zone=request.zone,
            window=request.window,
            filter=request.filter,
            line=line(request.window, request.zone, overview, found),
            overview=overview,
            sentiments=found.sentiments,
            topics=found.topics,
            trend=trend(known, request.window, statistics),
            test=TEST,
            initiatives=Initiatives(
                implemented=counted.tally.actions["implemented"],
                planned=counted.tally.actions["planned"],
                groups=listed.groups,
                groups_left=listed.left,
                followed=followings.listed,
                followed_counts=followings.counts,
                compared=earlier.compared,
            ),
            incidents=quoted.sentiments.incidents(),
            positives=quoted.sentiments.positives(),
            novel=quoted.oddities.novel(),
            novel_among=quoted.oddities.among,
            summary=quoted.summary.summary(statistics),
            notes=notes,
        ),
        statistics=statistics,
        reads=rows.reads,
    )
