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
from typing import TYPE_CHECKING, NamedTuple

from shared.digests.compute.rows import between, counts, fingerprint, fits, of_organisation
from shared.digests.records import Change, Measure, Point, TopicRow, Window
from shared.digests.store import Statistics
from shared.documents.outcomes import COLLECTION, COUNTS, Cells, outcome
from shared.platform.records import SENTIMENTS, TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Literal

    from shared.digests.compute.make import Request
    from shared.digests.compute.rows import Rows
    from shared.documents.outcomes import Outcome
    from shared.platform.records import SentimentLabel


JUDGED = "judged"
"""The measure of which every document has all: what a topic that occurs nowhere is a share of."""


class Tally:
    """What the documents of a window come to, on one topic or on all."""

    def __init__(self, topic: str | None) -> None:
        """Without documents."""
        self._topic = topic
        self._sums: dict[str, Sums] = {}
        self._documents = self._passages = self._judged = 0
        self._sentiment: Counter[SentimentLabel] = Counter()
        self.cells: dict[str, Counter[str]] = {}
        """By topic: passages by sentiment and by action."""
        self.actions: Counter[str] = Counter()
        """Initiatives by action, each once."""

    def add(self, outcome: Outcome) -> None:
        """Count a document."""
        judged = sum(outcome.sentiment.values())
        asked = outcome.topics.get(self._topic or "", Cells())
        of_topic = {"positive": asked.positive, "neutral": asked.neutral, "negative": asked.negative}
        sentiment = {
            label: of_topic[label] if self._topic else outcome.sentiment.get(label, 0) for label in SENTIMENTS
        }
        labelled = sum(sentiment.values())
        self._documents += 1
        self._passages += asked.passages if self._topic else outcome.passages
        self._sentiment.update(sentiment)
        self.actions.update(
            {"implemented": asked.implemented, "planned": asked.planned} if self._topic else outcome.actions
        )
        self._put(JUDGED, judged, judged)
        for label, count in sentiment.items():
            self._put(f"sentiment/{label}", count, labelled)
        for name, cells in outcome.topics.items():
            if self._topic in {None, name}:
                self._put(f"topic/{name}", cells.passages, judged)
                self._put(f"negative/{name}", cells.negative, cells.passages)
                self.cells.setdefault(name, Counter()).update(cells.model_dump())

    def statistics(self) -> Statistics:
        """What later windows need."""
        judged = self._sums.get(JUDGED, Sums())
        sums = {
            # Documents without the topic have been left out so far.
            name: judged._replace(x=one.x, xx=one.xx, xn=one.xn) if name.startswith("topic/") else one
            for name, one in sorted(self._sums.items())
        }
        return Statistics(
            documents=self._documents,
            passages=self._passages,
            sentiment={label: self._sentiment[label] for label in SENTIMENTS},
            topics={name: self.cells[name]["passages"] for name in in_order(self.cells)},
            sums={name: list(one) for name, one in sums.items()},
        )

    def _put(self, name: str, x: int, n: int) -> None:
        if n:
            one = Sums(1, x, n, x * x, x * n, n * n)
            self._sums[name] = self._sums.get(name, Sums()).plus(one)


def sums(statistics: Statistics, measure: str) -> Sums:
    """Return a measure's sums; a topic that no document had has zero passages in each."""
    known = statistics.sums.get(measure)
    if known is None and measure.startswith("topic/"):
        return Sums(*statistics.sums.get(JUDGED, Sums()))._replace(x=0, xx=0, xn=0)
    return Sums(*(known or Sums()))


def pooled(several: Iterable[Statistics], measure: str) -> Sums:
    """Return a measure's sums over the documents of several windows."""
    total = Sums()
    for each in several:
        total = total.plus(sums(each, measure))
    return total


def in_order(topics: Iterable[str]) -> list[str]:
    """The standard's first, in its order, then those of another taxonomy."""
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
_STEPS, _PRECISION, _TINY = 300, 1e-14, 1e-300


class Sums(NamedTuple):
    """Over the documents with passages of which the measure is a share: x of n each."""

    documents: int = 0
    x: int = 0
    n: int = 0
    xx: int = 0
    xn: int = 0
    nn: int = 0

    def plus(self, other: Sums) -> Sums:
        """The same over both."""
        return Sums(*(mine + its for mine, its in zip(self, other, strict=True)))

    @property
    def share(self) -> float | None:
        """None where there is nothing to have a share of."""
        return self.x / self.n if self.n else None

    @property
    def effective(self) -> float:
        """As many documents of equal length say as much."""
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
    """The uncorrected p of the difference between two shares; None: too few documents to tell."""
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
    """Corrected for their number, in their order; what was not tested does not count."""
    order = sorted((value, at) for at, value in enumerate(values) if value is not None)
    corrected = list(values)
    highest = 0.0
    for rank, (value, at) in enumerate(order):
        highest = max(highest, min(1.0, value * (len(order) - rank)))
        corrected[at] = highest
    return corrected


def two_sided(t: float, degrees: float) -> float:
    """Probability that Student's t is as far from zero."""
    total = degrees + t * t
    if degrees <= t * t:
        return _incomplete_beta(degrees / total, degrees / 2, 0.5)
    return 1.0 - _incomplete_beta(t * t / total, 0.5, degrees / 2)  # next to 1 the other share has no digits


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised one, by its continued fraction (Abramowitz and Stegun, 26.5.8)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side
        return 1.0 - _incomplete_beta(1 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return min(1.0, math.exp(front) / a / _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d1/(1 + d2/(1 + ...)), from the front by Lentz's method."""
    value, upper, lower = 1.0, 1.0, 0.0
    for step in range(1, _STEPS):
        half = step // 2
        if step % 2:
            term = -(a + half) * (a + b + half) * x / ((a + step - 1) * (a + step))
        else:
            term = half * (b - half) * x / ((a + step - 1) * (a + step))
        lower = 1.0 / ((1.0 + term * lower) or _TINY)
        upper = (1.0 + term / upper) or _TINY
        value *= upper * lower
        if abs(upper * lower - 1.0) < _PRECISION:
            break
    return value


DIGESTS = "digests"
MAX_EARLIER = 8
"""Windows that a digest is compared with."""


def history(rows: Rows, request: Request, limit: int) -> tuple[list[Earlier], list[str]]:
    """The earlier windows that could be read, newest first, and what is to be noted."""
    wanted = sorted(request.earlier, key=lambda one: one.start, reverse=True)[:MAX_EARLIER]
    known = _stored(rows, request, wanted)
    notes: list[str] = []
    for run in _runs([one for one in wanted if _edges(one) not in known]):
        found, left = _counted(rows, request, run, limit)
        known |= found
        limit -= left
        if len(found) < len(run):
            notes.append(
                f"{len(run) - len(found)} of the earlier windows are left out: they have more documents "
                "than HEADRACE_DIGEST_HISTORY_DOCUMENTS allows."
            )
    return [Earlier(one, known[_edges(one)]) for one in wanted if _edges(one) in known], notes


def _edges(window: Window) -> tuple[float, float]:
    return window.start.timestamp(), window.end.timestamp()


def _stored(rows: Rows, request: Request, wanted: Sequence[Window]) -> dict[tuple[float, float], Statistics]:
    """Those with exactly the same window, schedule and filter."""
    if not wanted:
        return {}
    conditions = [
        ("schedule", "==", request.schedule),
        ("asked", "==", fingerprint(request.filter)),
        ("end", "in", [one.end for one in wanted]),
    ]
    found: dict[tuple[float, float], Statistics] = {}
    for row in rows.matching(DIGESTS, conditions, ["statistics", "digest.window"]):
        edges = _edges(Window.model_validate(row["digest"]["window"]))
        found.setdefault(edges, Statistics.model_validate(row["statistics"]))
    return found


def _runs(windows: Sequence[Window]) -> list[list[Window]]:
    """Windows that follow each other are read by one query; newest first."""
    runs: list[list[Window]] = []
    for one in windows:
        if runs and runs[-1][-1].start == one.end:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _counted(
    rows: Rows, request: Request, run: Sequence[Window], limit: int
) -> tuple[dict[tuple[float, float], Statistics], int]:
    """Windows by their edges, newest first while they are whole, and how many documents were read."""
    conditions = between("completed_at", run[-1].start, run[0].end) + of_organisation(request.filter)
    tallies = [Tally(request.filter.topic) for _ in run]
    at = read = 0
    whole = True
    for row in rows.range(
        COLLECTION, "completed_at", conditions, COUNTS, limit=max(0, limit) + 1, descending=True
    ):
        read += 1
        if read > limit:
            whole = False
            break
        while row["completed_at"] < run[at].start:
            at += 1
        if fits(row, request.filter) and counts(row):
            tallies[at].add(outcome(row))
    complete = (
        len(run) if whole else next(at for at in range(len(run)) if row["completed_at"] >= run[at].start)
    )
    return {_edges(run[each]): tallies[each].statistics() for each in range(complete)}, read


class Earlier(NamedTuple):
    """An earlier window, and what its documents came to."""

    window: Window
    statistics: Statistics


class Measures(NamedTuple):
    """All the shares of a digest."""

    sentiments: list[Measure]
    topics: list[TopicRow]


class _Compared(NamedTuple):
    measure: str
    against: Literal["previous", "trailing"]
    windows: int
    among: int
    before: Sums


def measures(
    now: Statistics,
    previous: Statistics | None,
    trailing: Sequence[Statistics],
    cells: Mapping[str, Mapping[str, int]],
    asked: str | None,
) -> Measures:
    """The shares, each with its changes; p is corrected for all of them together.

    Args:
        now: the window's.
        previous: those of the window before; None where that could not be read.
        trailing: those of every earlier window that could.
        cells: the window's passages by topic, and in it by sentiment and by action.
        asked: the topic that the digest is about; None: all that occur, now or before.
    """
    topics = [asked] if asked else in_order({name for each in (now, *trailing) for name in each.topics})
    names = [f"sentiment/{label}" for label in SENTIMENTS]
    names += [f"{kind}/{topic}" for topic in topics for kind in ("topic", "negative")]
    compared = [one for name in names for one in _against(name, previous, trailing)]
    values = [compare(sums(now, one.measure), one.before) for one in compared]
    changes: dict[str, list[Change]] = {}
    for one, p in zip(compared, holm(values), strict=True):
        if (change := _change(one, sums(now, one.measure).share, p)) is not None:
            changes.setdefault(one.measure, []).append(change)

    def measure(name: str) -> Measure:
        of = sums(now, name)
        share = None if of.share is None else round(of.share, 6)
        return Measure(
            name=name.partition("/")[2], count=of.x, of=of.n, share=share, changes=changes.get(name, [])
        )

    return Measures(
        [measure(f"sentiment/{label}") for label in SENTIMENTS],
        [
            TopicRow(
                name=topic,
                sentiment={label: cells.get(topic, {}).get(label, 0) for label in SENTIMENTS},
                implemented=cells.get(topic, {}).get("implemented", 0),
                planned=cells.get(topic, {}).get("planned", 0),
                share=measure(f"topic/{topic}"),
                negative=measure(f"negative/{topic}"),
            )
            for topic in topics
        ],
    )


def _against(name: str, previous: Statistics | None, trailing: Sequence[Statistics]) -> list[_Compared]:
    """What a measure is compared with; a window without passages to have a share of stands behind none."""
    found = []
    if previous is not None and sums(previous, name).n:
        found.append(_Compared(name, "previous", 1, 1, sums(previous, name)))
    behind = [each for each in trailing if sums(each, name).n]
    if behind and behind != [previous]:  # else the same comparison again
        found.append(_Compared(name, "trailing", len(behind), len(trailing), pooled(behind, name)))
    return found


def _change(one: _Compared, share: float | None, p: float | None) -> Change | None:
    before = one.before.share
    if share is None or before is None:
        return None
    return Change(
        against=one.against,
        windows=one.windows,
        among=one.among,
        documents=one.before.documents,
        share=round(before, 6),
        difference=round(share - before, 6),
        p=None if p is None else round(p, 4),
        flagged=p is not None and p < LEVEL,
    )


def trend(earlier: Sequence[Earlier], window: Window, now: Statistics) -> list[Point]:
    """A point for each window, oldest first."""
    points = [
        Point(
            window=one.window,
            documents=one.statistics.documents,
            passages=one.statistics.passages,
            judged=sums(one.statistics, JUDGED).n,
            sentiment=one.statistics.sentiment,
            topics=one.statistics.topics,
        )
        for one in (*earlier, Earlier(window, now))
    ]
    return sorted(points, key=lambda point: point.window.start)
