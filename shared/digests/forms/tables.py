"""The numbers behind the charts, and all measures beside what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.digests.forms import outline, words
from shared.platform.records import SENTIMENTS

if TYPE_CHECKING:
    from shared.digests.records import Change, Digest


class Table(NamedTuple):
    """Numbers under a chart."""

    caption: str
    head: list[str]
    rows: list[list[str]]


def changes(digest: Digest) -> Table | None:
    """Every measure beside what it was, flagged or not."""
    compared = [(kind, measure) for kind, measure in outline.measures(digest) if measure.changes]
    if not compared:
        return None
    unit = outline.unit(digest)
    heads = {"previous": f"The previous {unit}", "trailing": f"Earlier {unit}s"}
    against = {change.against for _, measure in compared for change in measure.changes}
    backs = [back for back in heads if back in against]
    head = ["Measure", "Now"]
    for back in backs:
        head += [heads[back], "Difference", "Test"]
    rows = []
    for kind, measure in compared:
        by: dict[str, Change] = {change.against: change for change in measure.changes}
        row = [words.measured(measure, kind), words.percent(measure.share)]
        for back in backs:
            row += _cells(by.get(back), unit)
        rows.append(row)
    return Table("Every measure, and what it was", head, rows)


def _cells(change: Change | None, unit: str) -> list[str]:
    if change is None:
        return [words.NOTHING] * 3
    share, chance = words.percent(change.share), words.chance(change.p)
    return [
        share if change.against == "previous" else f"{share} ({words.behind(change, unit)})",
        words.points(change.difference),
        chance + (" (flagged)" if change.flagged else ""),
    ]


def topics(digest: Digest) -> Table:
    """The numbers of the chart of topics."""
    rows = [
        [
            words.topic(row.name),
            words.count(row.share.count),
            words.percent(row.share.share),
            *(words.count(row.sentiment.get(label, 0)) for label in SENTIMENTS),
            words.percent(row.negative.share),
        ]
        for row in outline.topics(digest)
    ]
    head = ["Topic", "Passages", "Of all", "Positive", "Neutral", "Negative", "Negative share"]
    return Table("Passages by topic and sentiment; a passage may have several topics", head, rows)


def planned(digest: Digest) -> Table:
    """The numbers of the chart of initiatives."""
    rows = [
        [words.topic(row.name), words.count(row.implemented), words.count(row.planned)]
        for row in outline.planned_topics(digest)
    ]
    return Table("Initiatives by topic", ["Topic", "Implemented", "Planned"], rows)


def trend(digest: Digest) -> Table:
    """The numbers of the trend."""
    lines = outline.series(digest)
    rows = [
        [
            words.window(point.window, digest.zone),
            words.count(point.documents),
            words.count(point.passages),
            *(words.percent(line.values[at]) for line in lines),
        ]
        for at, point in enumerate(digest.trend)
    ]
    head = ["Window", "Documents", "Passages", *(line.name for line in lines)]
    return Table("Share of passages by window", head, rows)
