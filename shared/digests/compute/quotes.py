"""Choose what a digest quotes: the summary, incidents, good news, and what is novel.

Each list has the sentences first that matter most and are surest to be what the list says.

Few sentences are chosen among many, within bounds, the same in whatever order they come, and none twice. Dot
products of eight-bit vectors are whole numbers that 32-bit floats hold exactly, so no similarity depends on
the order in which a processor adds.

Vectors of two models cannot be compared. A digest compares those of the model that read most of its
documents; a sentence of another model has an empty vector, which is like nothing.

Novel sentences are compared with what was kept of earlier documents alone. The vectors of all passages would
give another answer once a document is analyzed again.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from shared.digests.records import Novel, Quote
from shared.text.figures import figures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.digests.compute.rows import Doc
    from shared.documents.outcomes import Role

    Vectors = NDArray[np.float32]

T = TypeVar("T")

ALIKE = 0.92
"""Cosine from which two sentences are quoted as one. Two events in similar words have less: "A fitter died at
the Elmsford works" and the same of another place must both be quoted."""
POOL = 2_048
"""Sentences among which the few of a section are chosen."""


LEAST = 1.0
"""Salience from which a sentence is quoted; what is below an analyst would file at most."""


class Sentence(NamedTuple):
    """A sentence that was kept of a document, with its vector."""

    doc: Doc
    kept: dict[str, Any]
    """Fields of `Kept`."""
    vector: bytes

    @property
    def at(self) -> tuple[str, int, str]:
        """Which sentence it is, which breaks ties: a passage may have several."""
        return self.doc.document, self.kept["index"], self.kept["text"]


def matters(kept: dict[str, Any]) -> bool:
    """Return whether a sentence is more than background, or the model did not say."""
    salience = kept.get("salience")
    return salience is None or salience >= LEAST


def sure(kept: dict[str, Any], role: Role) -> float | None:
    """Return the probability that a sentence is what a list with that role says; None: it says nothing."""
    likely: float | None = kept.get(_LIKELY.get(role, ""))
    return likely


def weight(kept: dict[str, Any], role: Role) -> float:
    """Return what a sentence is worth in a list: how much it tells a reader, by how sure it belongs there.

    What is surest comes before what matters a little more, as in a document's lists. Sentences that earlier
    versions kept come last.
    """
    likely = sure(kept, role)
    worth: float = kept.get("worth", 0.0)
    return worth if likely is None else worth * likely**2


_LIKELY = {"negative": "negative", "positive": "positive", "initiative": "initiative_score"}
"""Field of the probability, by role."""


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


def quote(sentence: Sentence, role: Role, also: int = 0) -> Quote:
    """Return a sentence with its figures, its place and the number of its near-duplicates."""
    doc, kept = sentence.doc, sentence.kept
    likely = sure(kept, role)
    return Quote(
        **{name: getattr(doc, name) for name in _DOC},
        **{name: kept[name] for name in _TAKEN},
        salience=kept.get("salience"),
        sure=None if likely is None else round(likely, 2),
        figures=figures(kept["text"]),
        also=also,
    )


def spread(best: Best[Sentence], limit: int) -> list[tuple[Sentence, int]]:
    """Return the best that are `distinct`; of few documents, more of each."""
    sentences = best.all()
    documents = len({sentence.doc.document for sentence in sentences})
    return distinct(sentences, limit, max(PER_DOCUMENT, limit // max(1, documents)))


_DOC = ("document", "bucket", "name", "title", "organisation", "year")
_TAKEN = ("index", "page", "row", "text", "topics", "action", "negative", "positive")


PER_DOCUMENT = 2
"""Most quotes of one document in a list, so that one report hides no other."""
LISTS: dict[Role, int] = {"summary": 8, "negative": 10, "positive": 10}
"""Most quotes of a list, by the role that its sentences were kept for."""


class Lists:
    """The sentences of a window that matter most: of all, of the bad news, and of the good."""

    def __init__(self) -> None:
        self._best: dict[Role, Best[Sentence]] = {role: Best(POOL) for role in LISTS}

    def offer(self, sentence: Sentence) -> None:
        """Consider a sentence, by the roles that it was kept for."""
        for role, best in self._best.items():
            if role in sentence.kept["roles"] and matters(sentence.kept):
                best.add((-weight(sentence.kept, role), *sentence.at), sentence)

    def listed(self, role: Role) -> list[Quote]:
        """Return a list, the best first."""
        chosen = spread(self._best[role], LISTS[role])
        return [quote(sentence, role, also) for sentence, also in chosen]


MAX_NOVEL = 6
UNLIKE = 0.45
"""Cosine to what is nearest of what was kept of earlier documents, below which a sentence is news."""
CANDIDATES = 256
"""Compared: those that matter most."""


class News:
    """The sentences of a window that matter most, and what is nearest to them before it."""

    def __init__(self) -> None:
        self._best: Best[Sentence] = Best(CANDIDATES)
        self._candidates: list[Sentence] = []
        self._near = np.empty(0, np.float32)
        self.among = 0

    def offer(self, sentence: Sentence) -> None:
        """Consider a sentence."""
        if matters(sentence.kept):
            self._best.add((-weight(sentence.kept, "summary"), *sentence.at), sentence)

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
        """Return the sentences unlike anything before, the best first; none where nothing was before."""
        pairs = zip(self._near.tolist(), self._candidates, strict=True)
        near = {sentence.at: round(value, 4) for value, sentence in pairs if -1.0 < value < UNLIKE}
        unlike = [sentence for sentence in self._candidates if sentence.at in near]
        return [
            Novel(quote=quote(sentence, "summary", also), similarity=near[sentence.at])
            for sentence, also in distinct(unlike, MAX_NOVEL, PER_DOCUMENT)
        ]
