"""How one model's results differ from another's on the same passages. Pure; each passage is seen once.

Labels are compared as they are stored, embeddings by the cosine of the angle between them, where both have
as many dimensions. A comparison holds no text: its examples name passages.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, NonNegativeInt

from shared.documents.passages import COLLECTION
from shared.platform.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from google.cloud import firestore

UNTOLD = "untold"
"""In place of a label where the passage's language is not the model's."""
BINS = 4_000
"""Of a histogram of cosines from -1 to 1: each is 0.0005 wide, and only those with a passage are kept."""
LOW = 0.05
"""The share below which the fifth percentile lies."""
EXAMPLES = 5
"""Of a document."""
REPORT_EXAMPLES = 20
FIELDS = ("index", "text", "sentiment", "action", "topics", "initiative", "embedding")
PAGE = 200
"""Passages read at once of each run: a megabyte with their embeddings."""

Matrix = dict[str, dict[str, NonNegativeInt]]
"""Passages by the old label, then the new one."""


class Labels(Record):
    """What one model says of a passage."""

    sentiment: str
    action: str
    topics: list[str]


class Example(Record):
    """A passage of which the two models say different things."""

    document: str
    run: int
    """The new one, which is published."""
    index: NonNegativeInt
    old: Labels
    new: Labels


class Drift(Record):
    """Cosines between the old embedding and the new one."""

    passages: NonNegativeInt
    mean: float
    min: float
    p5: float
    """One passage in twenty lies below; in a report, to within a bin of the histogram."""
    histogram: dict[str, NonNegativeInt]
    """Passages by bin: bin b begins at b / 2000 - 1."""


class Comparison(Record):
    """Of one document, or of many."""

    passages: NonNegativeInt = 0
    changed: NonNegativeInt = 0
    """Of these: with another sentiment, another action or other topics."""
    unmatched: NonNegativeInt = 0
    """Passages that only one of the runs has, or whose text is not the same."""
    sentiment: Matrix = Field(default_factory=dict)
    action: Matrix = Field(default_factory=dict)
    topics_gained: dict[str, NonNegativeInt] = Field(default_factory=dict)
    topics_lost: dict[str, NonNegativeInt] = Field(default_factory=dict)
    initiatives_before: NonNegativeInt = 0
    initiatives_after: NonNegativeInt = 0
    drift: Drift | None = None
    """None where the dimensions differ."""
    examples: list[Example] = Field(default_factory=list)


class Comparer:
    """Adds passages up."""

    def __init__(self, document: str, run: int) -> None:
        """`run` is the new one."""
        self._document, self._run = document, run
        self._counts: Counter[str] = Counter()
        self._matrices: dict[str, dict[str, Counter[str]]] = {"sentiment": {}, "action": {}}
        self._gained: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._cosines: list[float] = []
        self._examples: list[tuple[int, str, int, Example]] = []

    def add(self, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        """One passage as each run has stored it; None where it has none."""
        if old is None or new is None or old["text"] != new["text"]:
            self._counts["unmatched"] += 1
            return
        before, after = labels(old), labels(new)
        self._counts["passages"] += 1
        for name, matrix in self._matrices.items():
            matrix.setdefault(getattr(before, name), Counter())[getattr(after, name)] += 1
        self._gained.update(set(after.topics) - set(before.topics))
        self._lost.update(set(before.topics) - set(after.topics))
        self._counts["initiatives_before"] += bool(old["initiative"])
        self._counts["initiatives_after"] += bool(new["initiative"])
        if (found := cosine(old["embedding"], new["embedding"])) is not None:
            self._cosines.append(found)
        if before != after:
            self._counts["changed"] += 1
            example = Example(
                document=self._document, run=self._run, index=new["index"], old=before, new=after
            )
            _keep(self._examples, example, EXAMPLES)

    def result(self) -> Comparison:
        """Of all that were added."""
        fields: dict[str, Any] = dict(self._counts)
        fields |= {name: _sorted(matrix) for name, matrix in self._matrices.items()}
        return Comparison(
            **fields,
            topics_gained=dict(sorted(self._gained.items())),
            topics_lost=dict(sorted(self._lost.items())),
            drift=_drift(self._cosines),
            examples=_in_order(self._examples),
        )


def combine(comparisons: Iterable[Comparison]) -> Comparison:
    """Of several documents, the same in whichever order they come."""
    counts: Counter[str] = Counter()
    matrices: dict[str, dict[str, Counter[str]]] = {"sentiment": {}, "action": {}}
    topics: dict[str, Counter[str]] = {"topics_gained": Counter(), "topics_lost": Counter()}
    drifts: list[Drift] = []
    examples: list[tuple[int, str, int, Example]] = []
    for one in comparisons:
        for name in ("passages", "changed", "unmatched", "initiatives_before", "initiatives_after"):
            counts[name] += getattr(one, name)
        for name, matrix in matrices.items():
            for old, row in getattr(one, name).items():
                matrix.setdefault(old, Counter()).update(row)
        for name, counted in topics.items():
            counted.update(getattr(one, name))
        if one.drift:
            drifts.append(one.drift)
        for example in one.examples:
            _keep(examples, example, REPORT_EXAMPLES)
    fields: dict[str, Any] = dict(counts) | {"drift": _together(drifts), "examples": _in_order(examples)}
    fields |= {name: dict(sorted(counted.items())) for name, counted in topics.items()}
    fields |= {name: _sorted(matrix) for name, matrix in matrices.items()}
    return Comparison(**fields)


def labels(stored: Mapping[str, Any]) -> Labels:
    """Of a passage as it is stored."""
    sentiment, action = stored["sentiment"], stored["action"]
    return Labels(
        sentiment=sentiment["label"] if sentiment else UNTOLD,
        action=action["label"] if action else UNTOLD,
        topics=sorted(topic["name"] for topic in stored["topics"]),
    )


def cosine(old: Iterable[float], new: Iterable[float]) -> float | None:
    """Of the angle between two vectors; None where they have not as many dimensions, or no length."""
    one, other = np.asarray(list(old)), np.asarray(list(new))
    if one.shape != other.shape or not one.size:
        return None
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return max(-1.0, min(1.0, float(one @ other) / lengths)) if lengths else None


def _sorted(matrix: Mapping[str, Mapping[str, int]]) -> Matrix:
    return {old: dict(sorted(row.items())) for old, row in sorted(matrix.items())}


def _drift(cosines: list[float]) -> Drift | None:
    if not cosines:
        return None
    ordered = sorted(cosines)
    bins = Counter(min(BINS - 1, int((value + 1) / 2 * BINS)) for value in ordered)
    return Drift(
        passages=len(ordered),
        mean=round(math.fsum(ordered) / len(ordered), 4),
        min=round(ordered[0], 4),
        p5=round(ordered[int(LOW * len(ordered))], 4),
        histogram={str(number): bins[number] for number in sorted(bins)},
    )


def _together(drifts: list[Drift]) -> Drift | None:
    if not drifts:
        return None
    total = sum(drift.passages for drift in drifts)
    bins: Counter[int] = Counter()
    for drift in drifts:
        bins.update({int(number): count for number, count in drift.histogram.items()})
    lowest = min(drift.min for drift in drifts)
    below, fifth = 0, min(bins)
    for number in sorted(bins):
        below += bins[number]
        if below > int(LOW * total):
            fifth = number
            break
    return Drift(
        passages=total,
        mean=round(math.fsum(drift.mean * drift.passages for drift in drifts) / total, 4),
        min=lowest,
        p5=max(round(2 * fifth / BINS - 1, 4), lowest),
        histogram={str(number): bins[number] for number in sorted(bins)},
    )


def _keep(heap: list[tuple[int, str, int, Example]], example: Example, most: int) -> None:
    """Keep those with the lowest hashes: any part of a document or a collection, and always the same."""
    rank = zlib.crc32(f"{example.document}/{example.index}".encode())
    heapq.heappush(heap, (-rank, example.document, example.index, example))
    if len(heap) > most:
        heapq.heappop(heap)


def _in_order(heap: list[tuple[int, str, int, Example]]) -> list[Example]:
    return sorted((example for *_, example in heap), key=lambda one: (one.document, one.index))


def compare(reference: firestore.DocumentReference, old_run: int, new_run: int) -> Comparison:
    """How the passages of the new run differ from those of the old one.

    Args:
        reference: the document.
        old_run: made from the same passages.
        new_run: compared with it.
    """
    comparer = Comparer(reference.id, new_run)
    olds, news = _passages(reference, old_run), _passages(reference, new_run)
    old, new = next(olds, None), next(news, None)
    while old is not None or new is not None:
        if old is not None and new is not None and old["index"] == new["index"]:
            comparer.add(old, new)
            old, new = next(olds, None), next(news, None)
        elif new is None or (old is not None and old["index"] < new["index"]):
            comparer.add(old, None)
            old = next(olds, None)
        else:
            comparer.add(None, new)
            new = next(news, None)
    return comparer.result()


def _passages(reference: firestore.DocumentReference, run: int) -> Iterator[dict[str, Any]]:
    from google.cloud.firestore_v1.base_query import FieldFilter

    query = reference.collection(COLLECTION).where(filter=FieldFilter("run", "==", run))
    query = query.order_by("index").select(FIELDS).limit(PAGE)
    page = [snapshot.to_dict() or {} for snapshot in query.stream()]
    while page:
        yield from page
        if len(page) < PAGE:
            return
        following = query.start_after({"index": page[-1]["index"]})
        page = [snapshot.to_dict() or {} for snapshot in following.stream()]
