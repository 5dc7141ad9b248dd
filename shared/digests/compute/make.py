"""Compute the digest of a window."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import NonNegativeInt

from shared.digests.compute.datapoints import Values
from shared.digests.compute.measures import TEST, history, measures, trend
from shared.digests.compute.rows import Request, Rows
from shared.digests.compute.window import (
    Counted,
    Earlier,
    Quoted,
    compare_with_earlier,
    problems,
    received,
    waiting,
)
from shared.digests.records import Digest, Initiatives, Overview
from shared.digests.render import words
from shared.digests.store import Statistics
from shared.platform.records import Record
from shared.platform.settings import settings

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.digests.compute.measures import Measures
    from shared.digests.records import Change, Window

MAX_CHANGES = 3
"""Changes named in the line, the surest first."""


class Made(Record):
    """The digest, and what belongs to it."""

    digest: Digest
    statistics: Statistics
    reads: NonNegativeInt
    """Documents that were read from Firestore."""


def line(window: Window, zone: str, overview: Overview, measures: Measures) -> str:
    """Return what became of documents, and what changed, in one sentence."""
    when = _when(window, zone)
    waiting = []
    if overview.oldest is not None:  # that nothing ends may be what a reader most needs to know
        longest = "" if overview.waiting == 1 else "the longest "
        age = words.duration(overview.oldest.seconds)
        waiting = [f"{_were(overview.waiting)} waiting at its end, {longest}for {age}"]
    if not (overview.completed or overview.stopped):
        came = [f"{_were(overview.received)} received"] if overview.received else []
        return f"{'; '.join([f'No document ended {when}', *came, *waiting])}."
    parts = [f"{words.many(overview.completed, 'document')} completed"]
    if overview.failed:
        parts.append(f"{words.count(overview.failed)} failed")
    if rejected := sum(overview.rejected.values()):
        parts.append(f"{_were(rejected)} rejected")
    return f"{when[0].upper()}{when[1:]}, {'; '.join([*parts, *waiting, *_changes(measures)])}."


def _were(number: int) -> str:
    return f"{words.count(number)} {'was' if number == 1 else 'were'}"


def _when(window: Window, zone: str) -> str:
    unit, dates = words.span(window, zone), words.window(window, zone)
    if unit == "week":
        last = window.end.astimezone(ZoneInfo(zone)) - timedelta(days=1)
        return f"in the week to {words.day(last)}"
    return {"day": "on ", "month": "in "}.get(unit, "from ") + dates


def _changes(measures: Measures) -> list[str]:
    """Name each measure once, by the first of its changes that is flagged."""
    named = [(f"{measure.name} in tone", measure) for measure in measures.sentiments]
    for row in measures.topics:
        named.append((words.topic(row.name), row.share))
        named.append((f"negative passages on {words.topic(row.name)}", row.negative))
    flagged: list[tuple[float, int, str]] = []
    for rank, (name, measure) in enumerate(named):
        change = next((change for change in measure.changes if change.flagged), None)
        if change is not None and measure.share is not None:
            flagged.append((change.p or 0.0, rank, f"{name} {_moved(change, measure.share)}"))
    return [text for _, _, text in sorted(flagged)[:MAX_CHANGES]]


def _moved(change: Change, share: float) -> str:
    decimals = int(words.percent(change.share) == words.percent(share))
    before, now = words.percent(change.share, decimals), words.percent(share, decimals)
    return f"{'up' if change.difference > 0 else 'down'} from {before} to {now}"


def make(client: firestore.Client, request: Request) -> Made:
    """Return the digest of a window: the same bytes for the same documents and earlier digests.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: Firestore refuses or cannot be reached.
    """
    rows, asked = Rows(client), request.filter.topic
    notes: list[str] = []
    counted = Counted(rows, request, notes)
    stopped = problems(rows, request, notes)
    uploaded = received(rows, request, notes)
    unfinished, oldest = waiting(rows, request, notes)
    before, more = history(rows, request, settings().digest_history_documents)
    notes += more
    values = Values(asked)
    earlier = Earlier(rows, request, counted, values, notes)
    quoted = Quoted(rows, counted, earlier, values, asked)
    compare_with_earlier(rows, request, quoted.news, counted.space)

    statistics = counted.tally.statistics()
    previous = max((window.start for window in request.earlier), default=None)
    newest = next((past.statistics for past in before if past.window.start == previous), None)
    changed = measures(statistics, newest, [past.statistics for past in before], counted.tally.cells, asked)
    overview = Overview(
        received=uploaded,
        completed=counted.completed,
        copies=counted.copies,
        passages=statistics.passages,
        rejected=stopped.rejected,
        failed=stopped.failed,
        problems=stopped.listed,
        waiting=unfinished,
        oldest=oldest,
    )
    groups, groups_left = counted.groups.listed()
    followed, followed_counts = earlier.followed()
    digest = Digest(
        id=request.id,
        schedule=request.schedule,
        zone=request.zone,
        window=request.window,
        filter=request.filter,
        line=line(request.window, request.zone, overview, changed),
        overview=overview,
        sentiments=changed.sentiments,
        topics=changed.topics,
        trend=trend(before, request.window, statistics),
        datapoints=values.compared(notes),
        test=TEST,
        initiatives=Initiatives(
            implemented=counted.tally.actions["implemented"],
            planned=counted.tally.actions["planned"],
            groups=groups,
            groups_left=groups_left,
            followed=followed,
            followed_counts=followed_counts,
            compared=earlier.compared,
        ),
        incidents=quoted.lists.listed("negative"),
        positives=quoted.lists.listed("positive"),
        novel=quoted.news.novel(),
        novel_among=quoted.news.among,
        summary=quoted.lists.listed("summary"),
        notes=notes,
    )
    return Made(digest=digest, statistics=statistics, reads=rows.reads)
