"""Count the passages of a window by measure, and test what changed against earlier windows.

A measure is named by what it is a share of: `sentiment/negative` and `topic/E1` of the passages that the
model judged (it does not judge languages that it was not trained on), `negative/E1` of the topic's passages.

Passages of one document resemble each other, so a document is the unit of the test: a share is a ratio of
sums over documents, and its variance is the linearised one of a ratio estimate, which comes from how
documents scatter about it (Cochran, Sampling Techniques, 1977, chapter 6). A few documents that happen to
have little of a topic also happen to scatter little, and would seem surer than they are. So each side's
variance is the greater of its own and that of both sides' documents about their common share, as in a score
test. The difference is compared by Welch's t, with the degrees of freedom of the effective number of
documents, (sum of n)^2 / sum of n^2, which counts a few long documents among many short ones as the few that
they are (after Carter, Schnepel and Steigerwald, Review of Economics and Statistics 99(4), 2017). Holm's
procedure corrects for the number of tests of one digest.

Where nothing changed, up to 2% of digests flag something, by simulation (tests/unit/test_digest_change.py)
with 10 to 100 documents beside as many or eight times as many, of even and of very uneven lengths, whose
topics keep together more or less. With each side's own variance it would be up to 33%.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from shared.digests.compute.rows import between, counts, fingerprint, fits, of_organisation
from shared.digests.records import Change, Measure, Point, TopicRow, Window
from shared.digests.store import Statistics
from shared.documents.outcomes import COLLECTION, COUNTS, Cells, outcome
from shared.platform.records import SENTIMENTS, TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Literal

    from shared.digests.compute.rows import Request, Rows
    from shared.documents.outcomes import Outcome
    from shared.platform.records import SentimentLabel


JUDGED = "judged"
"""The measure of which every document has all: what a topic that occurs nowhere is a share of."""


class Tally:
    """Counts of a window's documents, on one topic or on all."""

    def __init__(self, topic: str | None) -> None:
        self._topic = topic
        self._sums: dict[str, Sums] = {}
        self._documents = self._passages = 0
        self._sentiment: Counter[SentimentLabel] = Counter()
        self.cells: dict[str, Counter[str]] = {}
        """By topic: passages by sentiment and by action."""
        self.actions: Counter[str] = Counter()
        """Initiatives by action, each once."""

    def add(self, outcome: Outcome) -> None:
        """Count a document."""
        judged = sum(outcome.sentiment.values())
        sentiment, passages, actions = outcome.sentiment, outcome.passages, outcome.actions
        if self._topic:
            cells = outcome.topics.get(self._topic, Cells())
            sentiment = {"positive": cells.positive, "neutral": cells.neutral, "negative": cells.negative}
            passages = cells.passages
            actions = {"implemented": cells.implemented, "planned": cells.planned}
        self._documents += 1
        self._passages += passages
        self._sentiment.update(sentiment)
        self.actions.update(actions)
        self._put(JUDGED, judged, judged)
        for label in SENTIMENTS:
            self._put(f"sentiment/{label}", sentiment.get(label, 0), sum(sentiment.values()))
        for name, cells in outcome.topics.items():
            if self._topic in {None, name}:
                self._put(f"topic/{name}", cells.passages, judged)
                self._put(f"negative/{name}", cells.negative, cells.passages)
                self.cells.setdefault(name, Counter()).update(cells.model_dump())

    def statistics(self) -> Statistics:
        """Return what later windows need."""
        judged = self._sums.get(JUDGED, Sums())
        sums = {
            # Documents without the topic have been left out so far.
            name: judged._replace(x=of.x, xx=of.xx, xn=of.xn) if name.startswith("topic/") else of
            for name, of in sorted(self._sums.items())
        }
        return Statistics(
            documents=self._documents,
            passages=self._passages,
            sentiment={label: self._sentiment[label] for label in SENTIMENTS},
            topics={name: self.cells[name]["passages"] for name in in_order(self.cells)},
            sums={name: list(of) for name, of in sums.items()},
        )

    def _put(self, name: str, x: int, n: int) -> None:
        if n:
            self._sums[name] = self._sums.get(name, Sums()).plus(Sums(1, x, n, x * x, x * n, n * n))


def sums(statistics: Statistics, measure: str) -> Sums:
    """Return a measure's sums; a topic that no document had has zero passages in each."""
    stored = statistics.sums.get(measure)
    if stored is None and measure.startswith("topic/"):
        return Sums(*statistics.sums.get(JUDGED, Sums()))._replace(x=0, xx=0, xn=0)
    return Sums(*(stored or Sums()))


def in_order(topics: Iterable[str]) -> list[str]:
    """Return topics of the standard in its order, then those of another taxonomy."""
    return sorted(set(topics), key=lambda name: (TOPICS.index(name) if name in TOPICS else len(TOPICS), name))


LEVEL = 0.05
MIN_DOCUMENTS = 10
"""Effective ones, on either side: with fewer the variance is known too badly."""
MIN_WITH = 4
"""Effective documents in which the measure occurs at all, on both sides together: what one or two documents
say is theirs, not the time's."""
TEST = (
    "Shares were compared by Welch's t with documents, not passages, as units (linearised variance of a "
    f"ratio), where either side has at least {MIN_DOCUMENTS} documents of about equal length, or more of "
    f"unequal; p is corrected for the number of tests (Holm), and flagged below {LEVEL}."
)


class Sums(NamedTuple):
    """Over the documents with passages of which the measure is a share: x of n each."""

    documents: int = 0
    x: int = 0
    n: int = 0
    xx: int = 0
    xn: int = 0
    nn: int = 0

    def plus(self, other: Sums) -> Sums:
        """Return the sums over both."""
        return Sums(*(mine + its for mine, its in zip(self, other, strict=True)))

    @property
    def share(self) -> float | None:
        """The share; None if there are no passages to have a share of."""
        return self.x / self.n if self.n else None

    @property
    def effective(self) -> float:
        """Number of documents of equal length that would say as much."""
        return self.n * self.n / self.nn if self.nn else 0.0

    @property
    def occurring(self) -> float:
        """Effective number of the documents in which the measure occurs."""
        return self.x * self.x / self.xx if self.xx else 0.0

    def variance(self, share: float, like: Sums) -> float:
        """Return a share's variance, from how documents scatter about it; needs two documents or more."""
        scatter = like.xx - 2 * share * like.xn + share * share * like.nn
        each = max(0.0, scatter) / like.nn * like.documents / (like.documents - 1)
        return each * self.nn / self.n**2


def compare(now: Sums, before: Sums) -> float | None:
    """Return the uncorrected p of the difference between two shares; None if there are too few documents."""
    sides, both = (now, before), now.plus(before)
    if min(side.effective for side in sides) < MIN_DOCUMENTS:
        return None
    if both.occurring < MIN_WITH:
        return None
    variances = [
        max(side.variance(side.x / side.n, side), side.variance(both.x / both.n, both)) for side in sides
    ]
    total = sum(variances)
    difference = now.x / now.n - before.x / before.n
    if total <= 0:
        return 1.0 if difference == 0 else None  # no document differs from another: nothing to judge by
    degrees = total**2 / sum(
        variance**2 / (side.effective - 1) for side, variance in zip(sides, variances, strict=True)
    )
    return two_sided(difference / math.sqrt(total), degrees)


def holm(values: list[float | None]) -> list[float | None]:
    """Return p values corrected for their number, in their order; None was not tested and does not count."""
    order = sorted((value, at) for at, value in enumerate(values) if value is not None)
    corrected = list(values)
    highest = 0.0
    for rank, (value, at) in enumerate(order):
        highest = max(highest, min(1.0, value * (len(order) - rank)))
        corrected[at] = highest
    return corrected


def two_sided(t: float, degrees: float) -> float:
    """Return the probability that Student's t is as far from zero, with an error below 1e-8.

    This is Hill's approximation by a normal variable (Algorithm 395, Communications of the ACM 13(10), 1970),
    for nine degrees of freedom or more: no side of a comparison has fewer.
    """
    a = degrees - 0.5
    b = 48 * a * a
    z = math.sqrt(a * math.log1p(t * t / degrees))
    z += (z**3 + 3 * z) / b - (4 * z**7 + 33 * z**5 + 240 * z**3 + 855 * z) / (
        10 * b * (b + 0.8 * z**4 + 100)
    )
    return math.erfc(z / math.sqrt(2))


DIGESTS = "digests"
MAX_EARLIER = 8
"""Windows that a digest is compared with."""


def history(rows: Rows, request: Request, limit: int) -> tuple[list[Earlier], list[str]]:
    """Return the earlier windows, newest first, and notes for the reader.

    A window is taken from its digest if there is one, and is counted otherwise, of `limit` documents in all.
    """
    wanted = sorted(request.earlier, key=lambda window: window.start, reverse=True)[:MAX_EARLIER]
    stored = _stored(rows, request, wanted)
    windows: list[Earlier] = []
    for window in wanted:
        statistics = stored.get(_edges(window))
        if statistics is None:
            statistics, read = _counted(rows, request, window, limit)
            limit -= read
        if statistics is not None:
            windows.append(Earlier(window, statistics))
    if left_out := len(wanted) - len(windows):
        note = "of the earlier windows are left out: they have more documents than"
        return windows, [f"{left_out} {note} HEADRACE_DIGEST_HISTORY_DOCUMENTS allows."]
    return windows, []


def _edges(window: Window) -> tuple[float, float]:
    return window.start.timestamp(), window.end.timestamp()


def _stored(rows: Rows, request: Request, wanted: Sequence[Window]) -> dict[tuple[float, float], Statistics]:
    """Return the statistics of digests with exactly the same window, schedule and filter."""
    if not wanted:
        return {}
    conditions = [
        ("schedule", "==", request.schedule),
        ("asked", "==", fingerprint(request.filter)),
        ("end", "in", [window.end for window in wanted]),
    ]
    statistics: dict[tuple[float, float], Statistics] = {}
    for row in rows.matching(DIGESTS, conditions, ["statistics", "digest.window"]):
        edges = _edges(Window.model_validate(row["digest"]["window"]))
        statistics.setdefault(edges, Statistics.model_validate(row["statistics"]))
    return statistics


def _counted(rows: Rows, request: Request, window: Window, limit: int) -> tuple[Statistics | None, int]:
    """Count a window, and return how many documents were read; None if there are more than `limit`."""
    conditions = between("completed_at", window.start, window.end) + of_organisation(request.filter)
    tally, read = Tally(request.filter.topic), 0
    for row in rows.range(COLLECTION, "completed_at", conditions, COUNTS, limit=limit + 1):
        if read == limit:
            return None, read
        read += 1
        if fits(row, request.filter) and counts(row):
            tally.add(outcome(row))
    return tally.statistics(), read


class Earlier(NamedTuple):
    """An earlier window, and what its documents came to."""

    window: Window
    statistics: Statistics


class Measures(NamedTuple):
    """All the shares of a digest."""

    sentiments: list[Measure]
    topics: list[TopicRow]


def measures(
    now: Statistics,
    previous: Statistics | None,
    trailing: Sequence[Statistics],
    cells: Mapping[str, Mapping[str, int]],
    asked: str | None,
) -> Measures:
    """Return the shares, each with its changes; p is corrected for all of them together.

    `previous` is the window before, None if that could not be read; `trailing` are all earlier ones; `cells`
    are the window's passages by topic. Topics are the one that is `asked`, or all that occur, now or before.
    """
    topics = [asked] if asked else in_order({name for each in (now, *trailing) for name in each.topics})
    names = [f"sentiment/{label}" for label in SENTIMENTS]
    names += [f"{kind}/{topic}" for topic in topics for kind in ("topic", "negative")]
    against = [(name, *back) for name in names for back in _against(name, previous, trailing)]
    values = holm([compare(sums(now, name), before) for name, _, _, before in against])
    changes: dict[str, list[Change]] = {}
    for (name, back, windows, before), p in zip(against, values, strict=True):
        share, share_before = sums(now, name).share, before.share
        if share is not None and share_before is not None:
            change = Change(
                against=back,
                windows=windows,
                documents=before.documents,
                share=round(share_before, 6),
                difference=round(share - share_before, 6),
                p=None if p is None else round(p, 4),
                flagged=p is not None and p < LEVEL,
            )
            changes.setdefault(name, []).append(change)

    def measure(name: str) -> Measure:
        of = sums(now, name)
        share = None if of.share is None else round(of.share, 6)
        return Measure(
            name=name.partition("/")[2], count=of.x, of=of.n, share=share, changes=changes.get(name, [])
        )

    def row(topic: str) -> TopicRow:
        counted = cells.get(topic, {})
        return TopicRow(
            name=topic,
            sentiment={label: counted.get(label, 0) for label in SENTIMENTS},
            implemented=counted.get("implemented", 0),
            planned=counted.get("planned", 0),
            share=measure(f"topic/{topic}"),
            negative=measure(f"negative/{topic}"),
        )

    return Measures([measure(f"sentiment/{label}") for label in SENTIMENTS], [row(topic) for topic in topics])


def _against(
    name: str, previous: Statistics | None, trailing: Sequence[Statistics]
) -> Iterator[tuple[Literal["previous", "trailing"], int, Sums]]:
    """Yield what a measure is compared with; windows without passages to have a share of are left out."""
    if previous is not None and sums(previous, name).n:
        yield "previous", 1, sums(previous, name)
    behind = [each for each in trailing if sums(each, name).n]
    if behind and behind != [previous]:  # else the same comparison again
        yield "trailing", len(behind), reduce(Sums.plus, (sums(each, name) for each in behind))


def trend(earlier: Sequence[Earlier], window: Window, now: Statistics) -> list[Point]:
    """Return a point for each window, oldest first."""
    points = [
        Point(
            window=covered,
            documents=statistics.documents,
            passages=statistics.passages,
            judged=sums(statistics, JUDGED).n,
            sentiment=statistics.sentiment,
            topics=statistics.topics,
        )
        for covered, statistics in (*earlier, Earlier(window, now))
    ]
    return sorted(points, key=lambda point: point.window.start)
