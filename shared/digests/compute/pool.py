"""Choosing few sentences among many: bounded, the same in whatever order they come, nothing said twice.

Dot products of eight-bit vectors are whole numbers that 32-bit floats hold exactly, so no similarity depends
on the order in which a processor adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.digests.compute.selection import Doc

    Vectors = NDArray[np.float32]

T = TypeVar("T")

ALIKE = 0.92
"""Cosine from which two sentences are told as one. Less than two events in similar words have: "A fitter died
at the Elmsford works" and the same of another place must both be told."""
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
