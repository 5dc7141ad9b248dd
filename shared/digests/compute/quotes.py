"""Choose what a digest quotes: incidents, good news, what is novel, and the summary.

Few sentences are chosen among many, within bounds, the same in whatever order they come, and none twice. Dot
products of eight-bit vectors are whole numbers that 32-bit floats hold exactly, so no similarity depends on
the order in which a processor adds.

Novel sentences are compared with what was kept of earlier documents alone. The vectors of all passages would
give another answer once a document is analysed again.
"""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from shared.digests.records import Novel, Quote
from shared.platform.records import SENTIMENTS
from shared.text.figures import figures
from shared.text.quality import is_feared, tells_of_death
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


class Found(NamedTuple):
    """A sentence that was kept of a document."""

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
        self._last: Any = None
        self._added = 0

    @property
    def left_out(self) -> bool:
        """Whether more were added than are held."""
        return self._added > self._limit

    def add(self, key: tuple[Any, ...], item: T) -> None:
        """Hold an item, unless so many are better."""
        self._added += 1
        if self._last is not None and key > self._last:
            return
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
        if len(self._held) == self._limit:
            self._last = self._held[-1][0]


def unit(vectors: NDArray[np.int8]) -> tuple[Vectors, Vectors]:
    """Return (n, d) whole numbers and (n,) their lengths, so that products are exact and divided after."""
    whole = vectors.astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", whole, whole))
    return whole, np.where(lengths == 0, 1, lengths).astype(np.float32)


def matrix(found: Sequence[Found]) -> tuple[Vectors, Vectors]:
    """Return the vectors of sentences as `unit` does."""
    joined = np.frombuffer(b"".join(sentence.vector for sentence in found), dtype=np.int8)
    return unit(joined.reshape(len(found), -1 if found else 0))


def cosines(vectors: tuple[Vectors, Vectors], others: tuple[Vectors, Vectors]) -> Vectors:
    """Return (n, m) cosines of n and m vectors."""
    product: Vectors = vectors[0] @ others[0].T / vectors[1][:, None] / others[1][None, :]
    return product


def distinct(found: Sequence[Found], limit: int, per_document: int) -> list[tuple[Found, int]]:
    """Return the first `limit` sentences that differ, each with the number of those like it.

    Args:
        found: the best first.
        limit: sentences in all.
        per_document: sentences of one document; further ones are left out, but not as near-duplicates.
    """
    taken: list[int] = []
    also: Counter[int] = Counter()
    each: Counter[str] = Counter()
    by_space: dict[str | None, list[int]] = {}
    for at, sentence in enumerate(found):
        by_space.setdefault(sentence.doc.space, []).append(at)
    vectors = {space: matrix([found[at] for at in places]) for space, places in by_space.items()}
    place = {at: nth for places in by_space.values() for nth, at in enumerate(places)}
    for at, sentence in enumerate(found):
        doc = sentence.doc
        like = [other for other in taken if found[other].doc.space == doc.space]
        if like:
            whole, lengths = vectors[doc.space]
            rows = [place[other] for other in like]
            near = whole[rows] @ whole[place[at]] / lengths[rows] / lengths[place[at]]
            nearest = int(np.argmax(near))
            if near[nearest] >= ALIKE:
                also[like[nearest]] += 1
                continue
        if len(taken) < limit and each[doc.document] < per_document:
            taken.append(at)
            each[doc.document] += 1
    return [(found[at], also[at]) for at in taken]


def quote(found: Found, also: int = 0, *, more: bool = False) -> Quote:
    """Return a sentence with its figures and its place.

    Args:
        found: the sentence.
        also: near-duplicates of it.
        more: whether there may be more of these.
    """
    doc, kept = found.doc, found.kept
    return Quote(
        **{name: getattr(doc, name) for name in _DOC},
        **{name: kept[name] for name in _TAKEN},
        figures=figures(kept["text"]),
        also=also,
        also_at_least=more and also > 0,
    )


def quotes(best: Best[Found], limit: int, per_document: int) -> list[Quote]:
    """Return the best that are `distinct`."""
    chosen = distinct(best.all(), limit, per_document)
    return [quote(sentence, also, more=best.left_out) for sentence, also in chosen]


_DOC = ("document", "bucket", "name", "title", "organisation", "year")
_TAKEN = ("index", "page", "row", "text", "topics", "action", "negative", "positive")


MAX_INCIDENTS = 12
MAX_POSITIVES = 6
PER_DOCUMENT = 2
"""Most quotes of one document for either list, so that one bad report does not hide all others."""


class SentimentQuotes:
    """The window's most negative and most positive sentences."""

    def __init__(self) -> None:
        self._bad: Best[Found] = Best(POOL)
        self._good: Best[Found] = Best(POOL)

    def offer(self, found: Found) -> None:
        """Consider a sentence, by the roles that it was kept for."""
        kept = found.kept
        if "negative" in kept["roles"]:
            death = tells_of_death(kept["text"], kept["negative"], kept["positive"])
            self._bad.add((not death, is_feared(kept["text"]), -kept["negative"], *found.at), found)
        if "positive" in kept["roles"]:
            self._good.add((-kept["positive"], *found.at), found)

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
BLOCK = 8_192
"""Earlier vectors compared at once: 12 MB."""


class Oddities:
    """The window's sentences that are least like their documents, and what is nearest to them before it."""

    def __init__(self) -> None:
        self._best: Best[Found] = Best(CANDIDATES)
        self._candidates: dict[str | None, list[Found]] = {}
        self._near: dict[str | None, NDArray[np.float32]] = {}
        self._waiting: dict[str | None, list[NDArray[np.int8]]] = {}
        self.among = 0

    def offer(self, odd: Sequence[Found], centre: str) -> None:
        """Consider sentences of one document, the sum of whose vectors is `centre`."""
        if not odd or not centre:
            return
        whole = decode_sum(centre).astype(np.float64)
        middle = whole / (np.linalg.norm(whole) or 1.0)
        vectors, lengths = matrix(odd)
        for sentence, near in zip(odd, vectors.astype(np.float64) @ middle / lengths, strict=True):
            self._best.add((round(float(near), 4), *sentence.at), sentence)

    def close(self) -> bool:
        """End offering; return whether there is anything to compare."""
        for sentence in sorted(self._best.all(), key=lambda sentence: sentence.at):
            self._candidates.setdefault(sentence.doc.space, []).append(sentence)
        for space, candidates in self._candidates.items():
            self._near[space] = np.full(len(candidates), -1.0, np.float32)
        return bool(self._candidates)

    def dimensions(self, space: str | None) -> int:
        """Return the length of this space's vectors; 1 where nothing is compared with them."""
        candidates = self._candidates.get(space)
        return len(candidates[0].vector) if candidates else 1

    def compare(self, space: str | None, vectors: NDArray[np.int8]) -> None:
        """Compare with what was kept of an earlier document."""
        if space not in self._candidates or not len(vectors):
            return
        self.among += 1
        waiting = self._waiting.setdefault(space, [])
        waiting.append(vectors)
        if sum(map(len, waiting)) >= BLOCK:
            self._compare(space)

    def _compare(self, space: str | None) -> None:
        waiting = self._waiting.pop(space)
        near = cosines(matrix(self._candidates[space]), unit(np.concatenate(waiting))).max(axis=1)
        self._near[space] = np.maximum(self._near[space], near)

    def novel(self) -> list[Novel]:
        """Return the sentences least like anything before; none where nothing was before."""
        for space in list(self._waiting):
            self._compare(space)
        near = {
            sentence.at: round(float(similarity), 4)
            for space, candidates in self._candidates.items()
            for sentence, similarity in zip(candidates, self._near[space].round(4), strict=True)
            if -1.0 < similarity < UNLIKE
        }
        unlike = [each for each in self._best.all() if each.at in near]
        unlike.sort(key=lambda sentence: (near[sentence.at], *sentence.at))
        return [
            Novel(quote=quote(sentence, also, more=self._best.left_out), similarity=near[sentence.at])
            for sentence, also in distinct(unlike, MAX_NOVEL, PER_DOCUMENT)
        ]


class SummaryQuotes:
    """The summaries of a window's documents, by the space of their vectors."""

    def __init__(self) -> None:
        self._best: dict[str | None, Best[Found]] = {}
        self._centres: dict[str | None, NDArray[np.int64]] = {}
        self._documents: Counter[str | None] = Counter()

    def offer(self, space: str | None, found: list[Found], centre: str) -> None:
        """Consider the summary of a document."""
        if not centre:
            return
        self._documents[space] += 1
        total = decode_sum(centre).astype(np.int64)
        self._centres[space] = self._centres[space] + total if space in self._centres else total
        best = self._best.setdefault(space, Best(POOL))
        for sentence in found:
            best.add((-worth(_candidate(0, sentence)), *sentence.at), sentence)

    @property
    def left_out(self) -> int:
        """Documents whose vectors cannot be compared with those of most."""
        return sum(self._documents.values()) - max(self._documents.values(), default=0)

    def summary(self, statistics: Statistics) -> list[Quote]:
        """Return sentences in the order of the objects' names, and then as they stand in their documents."""
        if not self._documents:
            return []
        space = min(self._documents, key=lambda space: (-self._documents[space], space or ""))
        found = self._best[space].all()
        found.sort(key=lambda sentence: (sentence.doc.name, *sentence.at))
        centre = self._centres[space]
        scale = max(1, int(np.abs(centre).max()) >> 30)  # its direction is what counts, and it has 32 bits
        aggregate = Aggregate(
            passages=statistics.passages,
            sentiment={label: statistics.sentiment.get(label, 0) for label in SENTIMENTS},
            topics=statistics.topics,
            centre=base64.b64encode((centre // scale).astype("<i4").tobytes()).decode(),
            candidates=[_candidate(at, sentence) for at, sentence in enumerate(found)],
            space=space,
        )
        return [quote(found[chosen.index]) for chosen in choose(aggregate)]


def _candidate(at: int, found: Found) -> Candidate:
    fields = {name: found.kept[name] for name in (*_TAKEN, "quality")}
    embedding = base64.b64encode(found.vector).decode()
    return Candidate.model_construct(**fields | {"index": at, "embedding": embedding})
