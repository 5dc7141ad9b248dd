"""How one model's results differ from another's on the same passages.

Labels are compared as the models gave them, whatever people corrected. A comparison holds no text: its
examples name passages.
"""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pydantic import Field, NonNegativeInt

from shared.documents.passages import COLLECTION
from shared.documents.store import in_pages
from shared.platform.clients import where
from shared.platform.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from google.cloud import firestore

UNLABELED = "unlabeled"
"""Label of a passage whose language the model does not know."""
EXAMPLES, REPORT_EXAMPLES = 5, 20
"""Examples that are kept of a document, and of all."""
COUNTS = ("passages", "changed", "unmatched", "initiatives_before", "initiatives_after")
MATRICES = ("sentiment", "action")
FIELDS = ("index", "text", "sentiment", "action", "topics", "initiative", "corrected")
PAGE = 500
"""Passages read at once of each run."""

Matrix = dict[str, dict[str, NonNegativeInt]]
"""Passages by the old label, then the new one."""


class Labels(Record):
    """What one model says of a passage."""

    sentiment: str
    action: str
    topics: list[str]


class Example(Record):
    """A passage that the two models label differently."""

    document: str
    run: int
    """The new run, which is published."""
    index: NonNegativeInt
    old: Labels
    new: Labels


class Comparison(Record):
    """Two models' results on a passage, on a document, or on many."""

    passages: NonNegativeInt = 0
    changed: NonNegativeInt = 0
    """Passages with another sentiment, another action or other topics."""
    unmatched: NonNegativeInt = 0
    """Passages that only one of the runs has, or whose text differs."""
    sentiment: Matrix = Field(default_factory=dict)
    action: Matrix = Field(default_factory=dict)
    topics_gained: dict[str, NonNegativeInt] = Field(default_factory=dict)
    topics_lost: dict[str, NonNegativeInt] = Field(default_factory=dict)
    initiatives_before: NonNegativeInt = 0
    initiatives_after: NonNegativeInt = 0
    examples: list[Example] = Field(default_factory=list)


def compare(reference: firestore.DocumentReference, old_run: int, new_run: int) -> Comparison:
    """Compare the passages of two runs of a document; both were made from the same text."""
    olds = ((passage["index"], False, passage) for passage in _passages(reference, old_run))
    news = ((passage["index"], True, passage) for passage in _passages(reference, new_run))
    both = heapq.merge(olds, news, key=lambda item: item[:2])

    def pairs() -> Iterator[Comparison]:
        for _, same in groupby(both, key=lambda item: item[0]):
            by_run = {is_new: passage for _, is_new, passage in same}
            yield compare_passages(by_run.get(False), by_run.get(True), reference.id, new_run)

    return combine(pairs(), EXAMPLES)


def _passages(reference: firestore.DocumentReference, run: int) -> Iterator[dict[str, Any]]:
    query = where(reference.collection(COLLECTION), ("run", "==", run))
    for page in in_pages(query.order_by("index").select(FIELDS), PAGE):
        for snapshot in page:
            stored = snapshot.to_dict() or {}
            yield stored | ((stored.get("corrected") or {}).get("model_says") or {})


def compare_passages(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, document: str, run: int
) -> Comparison:
    """Compare one passage as each run has stored it; None where a run has none. `run` is the newer one."""
    if old is None or new is None or old["text"] != new["text"]:
        return Comparison(unmatched=1)
    before, after = _labels(old), _labels(new)
    example = Example(document=document, run=run, index=new["index"], old=before, new=after)
    return Comparison(
        passages=1,
        changed=before != after,
        sentiment={before.sentiment: {after.sentiment: 1}},
        action={before.action: {after.action: 1}},
        topics_gained=dict.fromkeys(set(after.topics) - set(before.topics), 1),
        topics_lost=dict.fromkeys(set(before.topics) - set(after.topics), 1),
        initiatives_before=bool(old["initiative"]),
        initiatives_after=bool(new["initiative"]),
        examples=[example] if before != after else [],
    )


def combine(comparisons: Iterable[Comparison], examples: int = REPORT_EXAMPLES) -> Comparison:
    """Add comparisons up; the result does not depend on their order. Keep so many `examples` at most."""
    counts: Counter[str] = Counter()
    matrices: dict[str, dict[str, Counter[str]]] = {name: {} for name in MATRICES}
    topics: dict[str, Counter[str]] = {"topics_gained": Counter(), "topics_lost": Counter()}
    kept: list[tuple[int, str, int, Example]] = []
    for comparison in comparisons:
        counts.update({name: getattr(comparison, name) for name in COUNTS})
        for name, matrix in matrices.items():
            for label, row in getattr(comparison, name).items():
                matrix.setdefault(label, Counter()).update(row)
        for name, counted in topics.items():
            counted.update(getattr(comparison, name))
        for example in comparison.examples:
            # Those with the lowest hashes: any part of a document or a collection, and always the same.
            rank = zlib.crc32(f"{example.document}/{example.index}".encode())
            heapq.heappush(kept, (-rank, example.document, example.index, example))
            if len(kept) > examples:
                heapq.heappop(kept)
    fields: dict[str, Any] = dict(counts)
    fields |= {name: dict(sorted(counted.items())) for name, counted in topics.items()}
    for name, matrix in matrices.items():
        fields[name] = {label: dict(sorted(row.items())) for label, row in sorted(matrix.items())}
    ordered = sorted(kept, key=lambda item: item[1:3])
    return Comparison(**fields, examples=[example for *_, example in ordered])


def _labels(stored: Mapping[str, Any]) -> Labels:
    sentiment, action = stored["sentiment"], stored["action"]
    return Labels(
        sentiment=sentiment["label"] if sentiment else UNLABELED,
        action=action["label"] if action else UNLABELED,
        topics=sorted(topic["name"] for topic in stored["topics"]),
    )
