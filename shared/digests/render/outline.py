"""Lay out a digest as sections, lists and tables, for every format it is rendered in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from shared.digests.render import words
from shared.platform.records import SENTIMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.digests.records import (
        Change,
        DatapointChange,
        Digest,
        FollowStatus,
        Measure,
        Problem,
        Quote,
        Source,
        TopicRow,
    )
    from shared.platform.records import SentimentLabel


class Table(NamedTuple):
    """Numbers under a chart."""

    caption: str
    head: list[str]
    rows: list[list[str]]


def changes(digest: Digest) -> Table | None:
    """Return every measure beside what it was, flagged or not."""
    compared = [(kind, measure) for kind, measure in measures(digest) if measure.changes]
    if not compared:
        return None
    period = unit(digest)
    heads = {"previous": f"The previous {period}", "trailing": f"Earlier {period}s"}
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
            row += _cells(by.get(back), period)
        rows.append(row)
    return Table("Every measure, and what it was", head, rows)


def _cells(change: Change | None, unit: str) -> list[str]:
    if change is None:
        return [words.NOTHING] * 3
    share, chance = words.percent(change.share), words.chance(change.p)
    return [
        share if change.against == "previous" else f"{share} ({words.many(change.windows, unit)})",
        words.points(change.difference),
        chance + (" (flagged)" if change.flagged else ""),
    ]


def topic_table(digest: Digest) -> Table:
    """Return the numbers of the chart of topics."""
    rows = [
        [
            words.topic(row.name),
            words.count(row.share.count),
            words.percent(row.share.share),
            *(words.count(row.sentiment.get(label, 0)) for label in SENTIMENTS),
            words.percent(row.negative.share),
        ]
        for row in topics(digest)
    ]
    head = ["Topic", "Passages", "Of all", "Positive", "Neutral", "Negative", "Negative share"]
    return Table("Passages by topic and sentiment; a passage may have several topics", head, rows)


def planned(digest: Digest) -> Table:
    """Return the numbers of the chart of initiatives."""
    rows = [
        [words.topic(row.name), words.count(row.implemented), words.count(row.planned)]
        for row in planned_topics(digest)
    ]
    return Table("Initiatives by topic", ["Topic", "Implemented", "Planned"], rows)


def trend(digest: Digest) -> Table:
    """Return the numbers of the trend."""
    lines = series(digest)
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


STEPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""Where the scale of the trend may end."""
LABELLED = 8
"""Windows of the trend up to which every point is drawn, with its number."""
MAX_LINES = 5
"""Most topics in the trend: those with most passages."""
OPEN_GROUPS, OPEN_FOLLOWED, OPEN_DATAPOINTS = 8, 6, 12
"""Organisations, followed plans and changes of data points shown unfolded; the rest is folded but printed."""
IN_MAIL = 6
"""Changes of data points in a mail's short page."""
STATUSES: dict[FollowStatus, str] = {
    "implemented": "Implemented",
    "planned": "Announced again",
    "vanished": "No longer mentioned",
}
STATUS_SIGNS: dict[FollowStatus, str] = {"implemented": "✓", "planned": "↻", "vanished": "✕"}
SENTIMENT_SIGNS: dict[SentimentLabel, str] = {"positive": "▲", "neutral": "●", "negative": "▼"}


class Stack(NamedTuple):
    """A bar of passages by sentiment, with the number that stands at its end."""

    label: str
    sentiment: Mapping[SentimentLabel, int]
    total: int

    @property
    def judged(self) -> int:
        """Passages with a sentiment."""
        return sum(self.sentiment.values())


class Tile(NamedTuple):
    """A key figure."""

    name: str
    value: str
    detail: str
    target: str | None
    """The section that says more."""


class Movement(NamedTuple):
    """A measure with a change that chance hardly explains."""

    sign: str
    sentence: str


class Series(NamedTuple):
    """A line of the trend."""

    name: str
    values: list[float | None]
    """None where a window has no passages to have a share of."""

    @property
    def points(self) -> list[float]:
        """The shares that there are."""
        return [value for value in self.values if value is not None]


def sections(digest: Digest) -> list[tuple[str, str]]:
    """Return the sections with content, as (id, heading), in their order."""
    overview, initiatives = digest.overview, digest.initiatives
    all_sections = (
        ("summary", "Summary", digest.summary),
        ("narrative", "In other words", digest.narrative),
        ("changes", "What changed", True),
        ("datapoints", "Data points", digest.datapoints.changes),
        ("incidents", "Incidents", digest.incidents),
        ("positives", "Good news", digest.positives),
        ("novel", "New", digest.novel),
        ("initiatives", "Initiatives", planned_topics(digest) or initiatives.groups),
        ("followed", "Announced earlier", initiatives.followed),
        ("topics", "Topics and tone", topics(digest)),
        ("trend", "Trend", drawn(digest) or single_points(digest)),
        ("problems", "Problems", overview.problems or overview.oldest),
        ("about", "About this digest", True),
    )
    return [(name, heading) for name, heading, content in all_sections if content]


def tiles(digest: Digest) -> list[Tile]:
    """Return the key figures."""
    overview, initiatives = digest.overview, digest.initiatives
    problems = "problems" if overview.problems else None
    codes = sorted(overview.rejected.items(), key=lambda item: (-item[1], item[0]))
    why = ", ".join(f"{words.clean(code)} {words.count(number)}" for code, number in codes)
    copies = f"{words.count(overview.copies)} of them {'a copy' if overview.copies == 1 else 'copies'}"
    plans = "initiatives" if initiatives.groups else None
    figures = (
        ("Received", overview.received, "documents uploaded", None),
        ("Completed", overview.completed, copies if overview.copies else "documents", None),
        ("Rejected", sum(overview.rejected.values()), why or "documents", problems),
        ("Failed", overview.failed, "documents", problems),
        ("Passages", overview.passages, "analyzed", "topics" if digest.topics else None),
        ("Implemented", initiatives.implemented, "initiatives", plans),
        ("Planned", initiatives.planned, "initiatives", plans),
    )
    return [Tile(name, words.count(number), detail, target) for name, number, detail, target in figures]


def measures(digest: Digest) -> list[tuple[str, Measure]]:
    """Return all measures, each with its kind."""
    return [
        *(("sentiment", measure) for measure in digest.sentiments),
        *(("topic", row.share) for row in digest.topics),
        *(("negative", row.negative) for row in digest.topics),
    ]


def unit(digest: Digest) -> str:
    """Return what a window of the digest is called."""
    return words.span(digest.window, digest.zone)


def movements(digest: Digest) -> list[Movement]:
    """Return the measures with a flagged change, the largest difference first."""
    ranked: list[tuple[float, int, Movement]] = []
    for kind, measure in measures(digest):
        flagged = [change for change in measure.changes if change.flagged]
        if flagged:
            sign = "▲" if flagged[0].difference > 0 else "▼"
            sentence = words.changes(measure, flagged, kind, unit(digest))
            largest = max(abs(change.difference) for change in flagged)
            ranked.append((-largest, len(ranked), Movement(sign, sentence)))
    return [movement for _, _, movement in sorted(ranked)]


def topics(digest: Digest) -> list[TopicRow]:
    """Return the topics with passages, the most first."""
    rows = [row for row in digest.topics if row.share.count]
    return sorted(rows, key=lambda row: (-row.share.count, row.name))


def planned_topics(digest: Digest) -> list[TopicRow]:
    """Return the topics with initiatives, the most first."""
    rows = [row for row in digest.topics if row.implemented or row.planned]
    return sorted(rows, key=lambda row: (-row.implemented - row.planned, row.name))


def series(digest: Digest) -> list[Series]:
    """Return the negative share, and the shares of the topics with most passages over all windows.

    They are shares of the same passages as the measures of that name.
    """
    totals: dict[str, int] = {}
    for point in digest.trend:
        for name, number in point.topics.items():
            totals[name] = totals.get(name, 0) + number
    most = sorted((name for name in totals if totals[name]), key=lambda name: (-totals[name], name))
    tone = [(point.sentiment.get("negative", 0), sum(point.sentiment.values())) for point in digest.trend]
    lines = [Series("Negative in tone", [_share(number, of) for number, of in tone])]
    return lines + [
        Series(words.topic(name), [_share(point.topics.get(name, 0), point.judged) for point in digest.trend])
        for name in most[:MAX_LINES]
    ]


def scale(lines: Sequence[Series]) -> float:
    """Return where the scale of the charts of the trend ends, 0.4 say."""
    most = max((value for line in lines for value in line.points), default=0.0)
    return next((step for step in STEPS if most <= step), 1.0)


def drawn(digest: Digest) -> list[Series]:
    """Return the series with the two points that a line takes."""
    return [line for line in series(digest) if len(line.points) > 1]


def single_points(digest: Digest) -> str:
    """Return the shares of which there is one, which makes no trend."""
    alone = [
        f"{line.name} {words.percent(line.points[0])}" for line in series(digest) if len(line.points) == 1
    ]
    return f"No trend yet, as only one {unit(digest)} has a share: {'; '.join(alone)}." if alone else ""


def has_gap(lines: Sequence[Series]) -> bool:
    """Return whether a line has a window without passages to have a share of."""
    return any(len(line.points) < len(line.values) for line in lines)


def dates(digest: Digest) -> list[str]:
    """Return the beginnings of the windows of the trend."""
    return [words.short_day(point.window.start, digest.zone) for point in digest.trend]


def tone(digest: Digest) -> Stack:
    """Return the bar of all passages that were judged."""
    counts = {measure.name: measure.count for measure in digest.sentiments}
    sentiment = {label: counts.get(label, 0) for label in SENTIMENTS}
    judged, passages = sum(sentiment.values()), digest.overview.passages
    name = "All passages" if judged == passages else f"Judged, of {words.count(passages)} passages"
    return Stack(name, sentiment, judged)


def stacks(digest: Digest) -> list[Stack]:
    """Return the bars of the topics."""
    return [Stack(words.topic(row.name), row.sentiment, row.share.count) for row in topics(digest)]


def initiatives(digest: Digest) -> dict[str, dict[str, list[Quote]]]:
    """Return what each organisation has done, and what it plans; what matters most first."""
    organisations: dict[str, dict[str, list[Quote]]] = {}
    for group in digest.initiatives.groups:
        name = group.organisation or "Documents that name no organisation"
        for quote in group.quotes:
            columns = organisations.setdefault(name, {"Implemented": [], "Planned": []})
            columns["Implemented" if quote.action == "implemented" else "Planned"].append(quote)
    for columns in organisations.values():
        for quotes in columns.values():
            quotes.sort(key=lambda quote: -(quote.salience or 0.0) * (quote.sure or 1.0))
    return organisations


def initiatives_line(digest: Digest) -> str:
    """Return how many initiatives there are; those that are quoted matter most."""
    made = digest.initiatives
    counts = f"{words.count(made.implemented)} implemented and {words.count(made.planned)} planned"
    return f"Of {counts}, those that matter most, by organisation."


def reason(problem: Problem) -> str:
    """Return what happened to a document, and what to do."""
    return " ".join(filter(None, [words.clean(problem.message), words.clean(problem.hint)]))


def followed_line(digest: Digest) -> str:
    """Return how many earlier plans were implemented, announced again and no longer mentioned."""
    counts = digest.initiatives.followed_counts
    named = {name.lower(): counts.get(status, 0) for status, name in STATUSES.items()}
    parts = [f"{words.count(number)} {name}" for name, number in named.items() if number]
    compared = words.many(digest.initiatives.compared, "organisation")
    return f"{', '.join(parts)}. Compared with the earlier reports of {compared}." if parts else ""


def datapoints_line(digest: Digest) -> str:
    """Return how many data points were compared, and with what."""
    found = digest.datapoints
    compared = (
        f"{words.many(found.compared, 'data point')} of {words.many(found.organisations, 'organisation')}"
    )
    changed = f"{words.count(found.changed)} changed, the largest relative change first"
    return f"{compared} compared with the newest earlier period: {changed}."


def datapoint_sign(change: DatapointChange) -> str:
    """Return which way a data point moved."""
    return "▲" if change.now.value > change.before.value else "▼"


def datapoint_sources(change: DatapointChange) -> list[Source]:
    """Return where the two values stand: once if on one page."""
    before, now = change.before, change.now
    one = (before.document, before.page, before.row) == (now.document, now.page, now.row)
    return [now] if one else [now, before]


def novel_line(digest: Digest) -> str:
    """Return what novel passages are compared with."""
    earlier = words.many(digest.novel_among, "earlier document")
    return (
        f"Passages unlike all that was kept of {earlier}; what matters most first. "
        "Only some passages of each are kept; another one may have said the same."
    )


def unfinished(digest: Digest) -> str:
    """Return which documents were waiting when the window ended."""
    oldest, waiting = digest.overview.oldest, digest.overview.waiting
    if oldest is None:
        return ""
    longest = f"{words.clean(oldest.name)} ({oldest.state}), for {words.duration(oldest.seconds)}"
    many = f"{words.many(waiting, 'document')}, the longest of them " if waiting > 1 else ""
    return f"Waiting when the window ended: {many}{longest}."


def web_address(address: str) -> str | None:
    """Return an address if it is a web address: a page links to nothing else."""
    try:
        return address if urlsplit(address).scheme in {"http", "https"} else None
    except ValueError:
        return None


def _share(number: int, of: int) -> float | None:
    return number / of if of else None


MAX_HEADLINE = 120


def headline(digest: Digest) -> str:
    """Return what the digest is and how much came in, in at most `MAX_HEADLINE` characters."""
    if digest.empty:
        return shorten(f"{words.title(digest)}: nothing to tell", MAX_HEADLINE)
    parts = [words.many(digest.overview.completed, "document")]
    if moved := len(movements(digest)):
        parts.append(words.many(moved, "change"))
    if stopped := digest.overview.stopped:
        parts.append(words.many(stopped, "problem"))
    if waiting := digest.overview.waiting:
        parts.append(f"{words.count(waiting)} waiting")
    return shorten(f"{words.title(digest)}: {', '.join(parts)}", MAX_HEADLINE)


def shorten(text: str, most: int) -> str:
    """Cut a text to `most` characters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
