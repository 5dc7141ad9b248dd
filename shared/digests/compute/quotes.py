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
        """Where it stands; what breaks ties."""
        return self.doc.document, self.kept["index"]


class Best(Generic[T]):
    """The first `limit` of all that is added, by keys no two of which are equal."""

    def __init__(self, limit: int) -> None:
        """Empty."""
        self._limit = limit
        self._held: list[tuple[Any, T]] = []
        self._last: Any = None
        self._added = 0

    @property
    def left_out(self) -> bool:
        """Whether more were added than it holds."""
        return self._added > self._limit

    def add(self, key: tuple[Any, ...], one: T) -> None:
        """Hold it, unless so many are better."""
        self._added += 1
        if self._last is not None and key > self._last:
            return
        self._held.append((key, one))
        if len(self._held) >= 2 * self._limit:
            self._cut()

    def all(self) -> list[T]:
        """The best first."""
        self._cut()
        return [one for _, one in self._held]

    def _cut(self) -> None:
        self._held.sort(key=lambda pair: pair[0])
        del self._held[self._limit :]
        if len(self._held) == self._limit:
            self._last = self._held[-1][0]


def unit(vectors: NDArray[np.int8]) -> tuple[Vectors, Vectors]:
    """(n, d) whole numbers and (n,) their lengths, so that products can be exact and be divided after."""
    whole = vectors.astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", whole, whole))
    return whole, np.where(lengths == 0, 1, lengths).astype(np.float32)


def matrix(found: Sequence[Found]) -> tuple[Vectors, Vectors]:
    """The same of sentences."""
    joined = np.frombuffer(b"".join(one.vector for one in found), dtype=np.int8)
    return unit(joined.reshape(len(found), -1 if found else 0))


def cosines(one: tuple[Vectors, Vectors], other: tuple[Vectors, Vectors]) -> Vectors:
    """(n, m) of n and m vectors."""
    product: Vectors = one[0] @ other[0].T / one[1][:, None] / other[1][None, :]
    return product


class Distinct(NamedTuple):
    """A sentence, and how many like it were left out."""

    found: Found
    also: int


def distinct(found: Sequence[Found], limit: int, per_document: int) -> list[Distinct]:
    """The first `limit` of sentences in order of preference, without what says the same as one of them.

    Args:
        found: the best first.
        limit: sentences in all.
        per_document: sentences of one document; further ones are left out, but not as near-duplicates.
    """
    taken: list[int] = []
    also: dict[int, int] = {}
    each: dict[str, int] = {}
    by_space: dict[str | None, list[int]] = {}
    for at, one in enumerate(found):
        by_space.setdefault(one.doc.space, []).append(at)
    vectors = {space: matrix([found[at] for at in places]) for space, places in by_space.items()}
    place = {at: nth for places in by_space.values() for nth, at in enumerate(places)}
    for at, one in enumerate(found):
        space = one.doc.space
        like = [other for other in taken if found[other].doc.space == space]
        if like:
            whole, lengths = vectors[space]
            rows = [place[other] for other in like]
            near = whole[rows] @ whole[place[at]] / lengths[rows] / lengths[place[at]]
            nearest = int(np.argmax(near))
            if near[nearest] >= ALIKE:
                also[like[nearest]] = also.get(like[nearest], 0) + 1
                continue
        if len(taken) < limit and each.get(one.doc.document, 0) < per_document:
            taken.append(at)
            each[one.doc.document] = each.get(one.doc.document, 0) + 1
    return [Distinct(found[at], also.get(at, 0)) for at in taken]


def quote(found: Found, also: int = 0, *, more: bool = False) -> Quote:
    """With its figures, and where it stands.

    Args:
        found: the sentence.
        also: near-duplicates of it.
        more: whether there may be more of these.
    """
    doc, kept = found.doc, found.kept
    return Quote(
        document=doc.document,
        bucket=doc.bucket,
        name=doc.name,
        title=doc.title,
        organisation=doc.organisation,
        year=doc.year,
        **{name: kept[name] for name in _TAKEN},
        figures=figures(kept["text"]),
        also=also,
        also_at_least=more and also > 0,
    )


def quotes(best: Best[Found], limit: int, per_document: int) -> list[Quote]:
    """The best that are `distinct`, each with the number of those like it."""
    several = distinct(best.all(), limit, per_document)
    return [quote(one.found, one.also, more=best.left_out) for one in several]


_TAKEN = ("index", "page", "row", "text", "topics", "action", "negative", "positive")


MAX_INCIDENTS = 12
MAX_POSITIVES = 6
PER_DOCUMENT = 2
"""Most quotes of one document for either list, so that one bad report does not hide all others."""


class SentimentQuotes:
    """The window's most negative and most positive sentences."""

    def __init__(self) -> None:
        """Without any."""
        self._bad: Best[Found] = Best(POOL)
        self._good: Best[Found] = Best(POOL)

    def offer(self, one: Found) -> None:
        """Take up a sentence, by the roles that it was kept for."""
        kept = one.kept
        if "negative" in kept["roles"]:
            death = tells_of_death(kept["text"], kept["negative"], kept["positive"])
            self._bad.add((not death, is_feared(kept["text"]), -kept["negative"], *one.at), one)
        if "positive" in kept["roles"]:
            self._good.add((-kept["positive"], *one.at), one)

    def incidents(self) -> list[Quote]:
        """People's deaths first; then what went wrong, then what might; the surest of each first."""
        return quotes(self._bad, MAX_INCIDENTS, PER_DOCUMENT)

    def positives(self) -> list[Quote]:
        """The surest first."""
        return quotes(self._good, MAX_POSITIVES, PER_DOCUMENT)


MAX_NOVEL = 6
UNLIKE = 0.45
"""Cosine to what is nearest of what was kept of earlier documents, below which a sentence is news."""
CANDIDATES = 256
"""Compared: the least like their own documents."""
BLOCK = 8_192
"""Earlier vectors compared at once: 12 MB."""
_PER_DOCUMENT = 2


class Oddities:
    """The window's sentences that are least like their documents, and what is nearest to them before it."""

    def __init__(self) -> None:
        """Without any."""
        self._best: Best[Found] = Best(CANDIDATES)
        self._candidates: dict[str | None, list[Found]] = {}
        self._near: dict[str | None, NDArray[np.float32]] = {}
        self._waiting: dict[str | None, list[NDArray[np.int8]]] = {}
        self.among = 0

    def offer(self, odd: Sequence[Found], centre: str) -> None:
        """Take up sentences of one document, the sum of whose vectors is `centre`."""
        if not odd or not centre:
            return
        whole = decode_sum(centre).astype(np.float64)
        middle = whole / (np.linalg.norm(whole) or 1.0)
        vectors, lengths = matrix(odd)
        for one, near in zip(odd, vectors.astype(np.float64) @ middle / lengths, strict=True):
            self._best.add((round(float(near), 4), *one.at), one)

    def close(self) -> bool:
        """No more are offered; whether there are any."""
        for one in sorted(self._best.all(), key=lambda found: found.at):
            self._candidates.setdefault(one.doc.space, []).append(one)
        self._near = {
            space: np.full(len(several), -1.0, np.float32) for space, several in self._candidates.items()
        }
        return bool(self._candidates)

    def dimensions(self, space: str | None) -> int:
        """Return the length of this space's vectors; 1 where nothing is compared with them."""
        several = self._candidates.get(space)
        return len(several[0].vector) if several else 1

    def compare(self, space: str | None, vectors: NDArray[np.int8]) -> None:
        """With what was kept of an earlier document."""
        if space not in self._candidates or not len(vectors):
            return
        self.among += 1
        waiting = self._waiting.setdefault(space, [])
        waiting.append(vectors)
        if sum(map(len, waiting)) >= BLOCK:
            self._compare(space)

    def novel(self) -> list[Novel]:
        """The least like anything before; none where nothing was before."""
        for space in list(self._waiting):
            self._compare(space)
        ranked: list[tuple[tuple[Any, ...], Found]] = []
        for space, several in self._candidates.items():
            for one, near in zip(several, self._near[space].round(4), strict=True):
                if -1.0 < near < UNLIKE:
                    ranked.append(((float(near), *one.at), one))
        ranked.sort(key=lambda pair: pair[0])
        similarity = {one.at: key[0] for key, one in ranked}
        chosen = distinct([one for _, one in ranked], MAX_NOVEL, _PER_DOCUMENT)
        return [
            Novel(
                quote=quote(one.found, one.also, more=self._best.left_out),
                similarity=round(similarity[one.found.at], 4),
            )
            for one in chosen
        ]

    def _compare(self, space: str | None) -> None:
        waiting = self._waiting.pop(space)
        near = cosines(matrix(self._candidates[space]), unit(np.concatenate(waiting))).max(axis=1)
        self._near[space] = np.maximum(self._near[space], near)


class SummaryQuotes:
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
