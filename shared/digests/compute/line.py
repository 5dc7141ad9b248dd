"""The one sentence that a person reads first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from shared.digests.forms import words

if TYPE_CHECKING:
    from shared.digests.compute.measures import Measures
    from shared.digests.records import Change, Measure, Overview, Window

MAX_CHANGES = 3
"""Told, the surest first."""


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
    unit, told = words.span(window, zone), words.window(window, zone)
    if unit == "week":
        last = window.end.astimezone(ZoneInfo(zone)) - timedelta(days=1)
        return f"in the week to {words.day(last)}"
    return {"day": "on ", "month": "in "}.get(unit, "from ") + told


def _changes(found: Measures) -> list[str]:
    """Each measure once, by the first of its changes that is flagged."""
    named: list[tuple[str, Measure]] = [(f"{one.name} in tone", one) for one in found.sentiments]
    for row in found.topics:
        named.append((words.topic(row.name), row.share))
        named.append((f"negative passages on {words.topic(row.name)}", row.negative))
    told: list[tuple[float, int, str]] = []
    for rank, (name, measure) in enumerate(named):
        change = next((one for one in measure.changes if one.flagged), None)
        if change is not None and measure.share is not None:
            told.append((change.p or 0.0, rank, f"{name} {_moved(change, measure.share)}"))
    return [text for _, _, text in sorted(told)[:MAX_CHANGES]]


def _moved(change: Change, share: float) -> str:
    before, now = words.percent(change.share), words.percent(share)
    if before == now:
        before, now = words.percent(change.share, 1), words.percent(share, 1)
    return f"{'up' if change.difference > 0 else 'down'} from {before} to {now}"
