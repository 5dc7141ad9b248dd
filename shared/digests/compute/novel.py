"""What is unlike all that was kept of earlier documents: the window's odd sentences beside that.

What was not kept of an earlier document is not compared, even if it was the same sentence: its vectors are in
the passages, and to search those would give another answer once one of them is analysed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.digests.compute.pool import Best, Found, cosines, distinct, matrix, unit
from shared.digests.compute.quotes import quote
from shared.digests.records import Novel
from shared.text.summary.partial import decode_sum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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
        """Of vectors of this space; one where nothing is to be compared with them."""
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
