"""Counts of documents, added up as they are read: what is shown, and the sums that the test of changes takes.

A measure is named by what it is a share of: `sentiment/negative` and `topic/E1` of the passages that the
model judged (it does not judge languages that it was not trained on), `negative/E1` of the topic's.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from shared.digests.compute.change import Sums
from shared.digests.stored import Statistics
from shared.documents.outcomes import Cells
from shared.platform.records import SENTIMENTS, TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        told = sum(sentiment.values())
        self._documents += 1
        self._passages += asked.passages if self._topic else outcome.passages
        self._sentiment.update(sentiment)
        self.actions.update(
            {"implemented": asked.implemented, "planned": asked.planned} if self._topic else outcome.actions
        )
        self._put(JUDGED, judged, judged)
        for label, count in sentiment.items():
            self._put(f"sentiment/{label}", count, told)
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
    """Of a measure: where none of the documents had the topic, they had none of it all the same."""
    known = statistics.sums.get(measure)
    if known is None and measure.startswith("topic/"):
        return Sums(*statistics.sums.get(JUDGED, Sums()))._replace(x=0, xx=0, xn=0)
    return Sums(*(known or Sums()))


def pooled(several: Iterable[Statistics], measure: str) -> Sums:
    """Of all their documents together."""
    total = Sums()
    for each in several:
        total = total.plus(sums(each, measure))
    return total


def in_order(topics: Iterable[str]) -> list[str]:
    """The standard's first, in its order, then those of another taxonomy."""
    return sorted(set(topics), key=lambda name: (TOPICS.index(name) if name in TOPICS else len(TOPICS), name))
