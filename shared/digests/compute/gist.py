"""The window in a few sentences: its documents' summaries, summarised as the passages of one document are."""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from shared.digests.compute.pool import POOL, Best, Found
from shared.digests.compute.quotes import quote
from shared.platform.records import SENTIMENTS
from shared.text.summary.choose import choose
from shared.text.summary.partial import Aggregate, Candidate, decode_sum, worth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.digests.records import Quote
    from shared.digests.stored import Statistics


class Gist:
    """The summaries of a window's documents, by the space of their vectors."""

    def __init__(self) -> None:
        """Without any."""
        self._best: dict[str | None, Best[Found]] = {}
        self._centres: dict[str | None, NDArray[np.int64]] = {}
        self._documents: Counter[str | None] = Counter()

    def offer(self, space: str | None, found: list[Found], centre: str) -> None:
        """Take up the summary of a document."""
        if not centre:
            return
        self._documents[space] += 1
        total = decode_sum(centre).astype(np.int64)
        self._centres[space] = self._centres[space] + total if space in self._centres else total
        best = self._best.setdefault(space, Best(POOL))
        for one in found:
            best.add((-worth(_candidate(0, one)), *one.at), one)

    @property
    def left_out(self) -> int:
        """Documents whose vectors cannot be compared with those of most."""
        return sum(self._documents.values()) - max(self._documents.values(), default=0)

    def summary(self, statistics: Statistics) -> list[Quote]:
        """In the order of the objects' names, and then as they stand in their documents."""
        if not self._documents:
            return []
        space = min(self._documents, key=lambda one: (-self._documents[one], one or ""))
        found = sorted(
            self._best[space].all(), key=lambda one: (one.doc.name, one.doc.document, one.kept["index"])
        )
        centre = self._centres[space]
        scale = max(1, int(np.abs(centre).max()) >> 30)  # its direction is what counts, and it has 32 bits
        aggregate = Aggregate(
            passages=statistics.passages,
            sentiment={label: statistics.sentiment.get(label, 0) for label in SENTIMENTS},
            topics=statistics.topics,
            centre=base64.b64encode((centre // scale).astype("<i4").tobytes()).decode(),
            candidates=[_candidate(at, one) for at, one in enumerate(found)],
            space=space,
        )
        return [quote(found[one.index]) for one in choose(aggregate)]


def _candidate(at: int, one: Found) -> Candidate:
    kept = one.kept
    return Candidate.model_construct(
        index=at,
        page=kept["page"],
        row=kept["row"],
        text=kept["text"],
        quality=kept["quality"],
        topics=kept["topics"],
        action=kept["action"],
        negative=kept["negative"],
        positive=kept["positive"],
        embedding=base64.b64encode(one.vector).decode(),
    )
