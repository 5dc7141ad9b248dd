"""Choose what a digest quotes: incidents, good news, what is novel, and the summary.

Few sentences are chosen among many, within bounds, the same in whatever order they come, and none twice. Dot
products of eight-bit vectors are whole numbers that 32-bit floats hold exactly, so no similarity depends on
the order in which a processor adds.

Vectors of two models cannot be compared. A digest compares those of the model that read most of its
documents; a sentence of another model has an empty vector, which is like nothing.

Novel sentences are compared with what was kept of earlier documents alone. The vectors of all passages would
give another answer once a document is analyzed again.
"""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from shared.digests.records import Novel, Quote
from shared.platform.records import SENTIMENTS
from shared.text.figures import figures
from shared.text.quality import is_feared, reports_death
from shared.text.summary import Aggregate, Candidate, choose, decode_sum, worth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.digests.compute.rows import Doc
    from shared.digests.store import Statistics

    Vectors = NDArray[np.float32]

T = TypeVar("T")

ALIKE = 0.92
"""Cosine from which two sentences are quoted as one. Two events in similar words have less: "A fitter died at
the Elmsford works" and the same of another place must both be quoted."""
POOL = 2_048
"""Sentences among which the few of a section are chosen."""


class Sentence(NamedTuple):
    """A sentence that was kept of a document, with its vector."""

    doc: Doc
    kept: dict[str, Any]
    """Fields of `Kept`."""
    vector: bytes

    @property
    def at(self) -> tuple[str, int]:
        """Place of the sentence, which breaks ties."""
        return self.doc.document, self.kept["index"]


class Best(Generic[T]):
    """The first `limit` of all that is added, by keys no two of which are equal."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: list[tuple[Any, T]] = []

    def add(self, key: tuple[Any, ...], item: T) -> None:
        """Hold an item, unless so many are better."""
        self._held.append((key, item))
        if len(self._held) >= 2 * self._limit:
            self._cut()

    def all(self) -> list[T]:
        """Return the items held, the best first."""
        self._cut()
        return [item for _, item in self._held]

    def _cut(self) -> None:
        self._held.sort(key=lambda pair: pair[0])
        del self._held[self._limit :]


def unit(vectors: NDArray[np.int8]) -> tuple[Vectors, Vectors]:
    """Return (n, d) whole numbers and (n,) their lengths, so that products are exact and divided after."""
    whole = vectors.astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", whole, whole))
    return whole, np.where(lengths == 0, 1, lengths).astype(np.float32)


def matrix(sentences: Sequence[Sentence]) -> tuple[Vectors, Vectors]:
    """Return the vectors of sentences as `unit` does."""
    size = max((len(sentence.vector) for sentence in sentences), default=0)
    joined = b"".join(sentence.vector or bytes(size) for sentence in sentences)
    return unit(np.frombuffer(joined, dtype=np.int8).reshape(len(sentences), size))


def cosines(vectors: tuple[Vectors, Vectors], others: tuple[Vectors, Vectors]) -> Vectors:
    """Return (n, m) cosines of n and m vectors."""
    product: Vectors = vectors[0] @ others[0].T / vectors[1][:, None] / others[1][None, :]
    return product


def distinct(sentences: Sequence[Sentence], limit: int, per_document: int) -> list[tuple[Sentence, int]]:
    """Return the first `limit` sentences that differ, each with the number of those like it.

    Of one document, at most `per_document` are taken; further ones do not count as near-duplicates.
    """
    taken: list[int] = []
    also: Counter[int] = Counter()
    each: Counter[str] = Counter()
    whole, lengths = matrix(sentences)
    for at, sentence in enumerate(sentences):
        if taken:
            near = whole[taken] @ whole[at] / lengths[taken] / lengths[at]
            nearest = int(np.argmax(near))
            if near[nearest] >= ALIKE:
                also[taken[nearest]] += 1
                continue
        if len(taken) < limit and each[sentence.doc.document] < per_document:
            taken.append(at)
            each[sentence.doc.document] += 1
    return [(sentences[at], also[at]) for at in taken]


def quote(sentence: Sentence, also: int = 0) -> Quote:
    """Return a sentence with its figures, its place and the number of its near-duplicates."""
    doc, kept = sentence.doc, sentence.kept
    return Quote(
        **{name: getattr(doc, name) for name in _DOC},
        **{name: kept[name] for name in _TAKEN},
        figures=figures(kept["text"]),
        also=also,
    )


def quotes(best: Best[Sentence], limit: int, per_document: int) -> list[Quote]:
    """Return the best that are `distinct`."""
    return [quote(sentence, also) for sentence, also in distinct(best.all(), limit, per_document)]


_DOC = ("document", "bucket", "name", "title", "organisation", "year")
_TAKEN = ("index", "page", "row", "text", "topics", "action", "negative", "positive")


MAX_INCIDENTS = 12
MAX_POSITIVES = 6
PER_DOCUMENT = 2
"""Most quotes of one document for either list, so that one bad report does not hide all others."""


class SentimentQuotes:
    """The window's most negative and most positive sentences."""

    def __init__(self) -> None:
        self._bad: Best[Sentence] = Best(POOL)
        self._good: Best[Sentence] = Best(POOL)

    def offer(self, sentence: Sentence) -> None:
        """Consider a sentence, by the roles that it was kept for."""
        kept = sentence.kept
        if "negative" in kept["roles"]:
            death = reports_death(kept["text"], kept["negative"], kept["positive"])
            self._bad.add((not death, is_feared(kept["text"]), -kept["negative"], *sentence.at), sentence)
        if "positive" in kept["roles"]:
            self._good.add((-kept["positive"], *sentence.at), sentence)

    def incidents(self) -> list[Quote]:
        """Return people's deaths first, then what went wrong, then what might; the surest of each first."""
        return quotes(self._bad, MAX_INCIDENTS, PER_DOCUMENT)

    def positives(self) -> list[Quote]:
        """Return the most positive sentences first."""
        return quotes(self._good, MAX_POSITIVES, PER_DOCUMENT)


MAX_NOVEL = 6
UNLIKE = 0.45
"""Cosine to what is nearest of what was kept of earlier documents, below which a sentence is news."""
CANDIDATES = 256
"""Compared: the least like their own documents."""


class Oddities:
    """The window's sentences that are least like their documents, and what is nearest to them before it."""

    def __init__(self) -> None:
        self._best: Best[Sentence] = Best(CANDIDATES)
        self._candidates: list[Sentence] = []
        self._near = np.empty(0, np.float32)
        self.among = 0

    def offer(self, odd: Sequence[Sentence], centre: str) -> None:
        """Consider sentences of one document, the sum of whose vectors is `centre`."""
        if not odd or not centre:
            return
        whole = decode_sum(centre).astype(np.float64)
        middle = whole / (np.linalg.norm(whole) or 1.0)
        vectors, lengths = matrix(odd)
        for sentence, near in zip(odd, vectors.astype(np.float64) @ middle / lengths, strict=True):
            self._best.add((round(float(near), 4), *sentence.at), sentence)

    def close(self) -> int:
        """End offering; return the length of the vectors to compare, 0 if there are none."""
        self._candidates = self._best.all()
        self._vectors = matrix(self._candidates)
        self._near = np.full(len(self._candidates), -1.0, np.float32)
        return len(self._candidates[0].vector) if self._candidates else 0

    def compare(self, vectors: NDArray[np.int8]) -> None:
        """Compare with what was kept of an earlier document."""
        self.among += 1
        near = cosines(self._vectors, unit(vectors)).max(axis=1)
        self._near = np.maximum(self._near, near)

    def novel(self) -> list[Novel]:
        """Return the sentences least like anything before; none where nothing was before."""
        pairs = zip(self._near.round(4), self._candidates, strict=True)
        near = {sentence.at: round(float(value), 4) for value, sentence in pairs if -1.0 < value < UNLIKE}
        unlike = [sentence for sentence in self._candidates if sentence.at in near]
        unlike.sort(key=lambda sentence: (near[sentence.at], *sentence.at))
        return [
            Novel(quote=quote(sentence, also), similarity=near[sentence.at])
            for sentence, also in distinct(unlike, MAX_NOVEL, PER_DOCUMENT)
        ]


class SummaryQuotes:
    """The summaries of a window's documents."""

    def __init__(self) -> None:
        self._best: Best[Sentence] = Best(POOL)
        self._centre: NDArray[np.int64] | None = None

    def offer(self, sentences: list[Sentence], centre: str) -> None:
        """Consider the summary of a document, the sum of whose vectors is `centre`."""
        if not centre:
            return
        total = decode_sum(centre).astype(np.int64)
        self._centre = total if self._centre is None else self._centre + total
        for sentence in sentences:
            self._best.add((-worth(_candidate(0, sentence)), *sentence.at), sentence)

    def summary(self, statistics: Statistics) -> list[Quote]:
        """Return sentences in the order of the objects' names, and then as they stand in their documents."""
        if self._centre is None:
            return []
        sentences = self._best.all()
        sentences.sort(key=lambda sentence: (sentence.doc.name, *sentence.at))
        # The direction of the centre is what counts, and it has 32 bits.
        scale = max(1, int(np.abs(self._centre).max()) >> 30)
        aggregate = Aggregate(
            passages=statistics.passages,
            sentiment={label: statistics.sentiment.get(label, 0) for label in SENTIMENTS},
            topics=statistics.topics,
            centre=base64.b64encode((self._centre // scale).astype("<i4").tobytes()).decode(),
            candidates=[_candidate(at, sentence) for at, sentence in enumerate(sentences)],
        )
        return [quote(sentences[chosen.index]) for chosen in choose(aggregate)]


def _candidate(at: int, sentence: Sentence) -> Candidate:
    fields = {name: sentence.kept[name] for name in (*_TAKEN, "quality")}
    embedding = base64.b64encode(sentence.vector).decode()
    return Candidate.model_construct(**fields | {"index": at, "embedding": embedding})
