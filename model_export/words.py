"""A weight for every word piece and every pair of neighbours, by label: what a regression on words knows.

From a few thousand sentences a branch learns what a word does in its sentence, and a regression which words
matter; where one is wrong the other often is not. To look weights up and add them takes next to no time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from onnx import TensorProto

from model_export.encoder import IDS, MASK
from model_export.graph import LENGTHS
from model_export.precision import quantise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from model_export.graph import Graph

    Floats = NDArray[np.float32]
    Codes = NDArray[np.int8]

PAIRS = 1 << 15
"""Pairs share this many places; where two meet, they share a weight."""
FACTOR = 40_503
"""Odd and far from a power of two, so that the pairs of one piece are spread. The place of a pair is
`(first * FACTOR + second) % PAIRS`."""
_PREFIX = "words."


@dataclass(frozen=True, slots=True)
class Words:
    """Tables of weights in eight bits; columns are the labels of all heads, in the order of `HEAD_NAMES`.

    A text's value is the sum over its pieces and its pairs, the special ones at its ends included, divided by
    the root of how many pieces there are.
    """

    pieces: Codes
    """(vocabulary, labels)"""
    pairs: Codes
    """(PAIRS, labels)"""
    scales: Floats
    """(2, labels), what a step is worth: of `pieces`, and of `pairs`."""
    counts: tuple[int, ...]
    """How many columns each head reads. A head that was given more labels later reads no more of them."""

    @classmethod
    def of(cls, pieces: Floats, pairs: Floats, counts: Sequence[int]) -> Self:
        """In eight bits."""
        (first, first_scale), (second, second_scale) = (quantise(table, axis=0) for table in (pieces, pairs))
        return cls(first, second, np.concatenate([first_scale, second_scale]), tuple(counts))

    def columns(self, place: int) -> slice:
        """Those of the head that is at `place` of `HEAD_NAMES`."""
        return slice(sum(self.counts[:place]), sum(self.counts[: place + 1]))

    def attach(self, graph: Graph) -> str:
        """Add the value of each text: (batch, labels) float32."""
        axis, last = (graph.constant(f"axis{n}", np.array([n], np.int64)) for n in (1, 2))
        start, stop, end = (
            graph.constant(name, np.array([value], np.int64))
            for name, value in (("first", 0), ("from.second", 1), ("to.end", np.iinfo(np.int64).max))
        )
        before_last = graph.constant("before.last", np.array([-1], np.int64))
        own = graph.node("Cast", [MASK], "bag.mask", to=TensorProto.FLOAT)
        own = graph.node("Unsqueeze", [own, axis], "bag.own")
        left = graph.node("Slice", [IDS, start, before_last, axis], "bag.left")
        right = graph.node("Slice", [IDS, stop, end, axis], "bag.right")
        factor = graph.constant("bag.factor", np.array(FACTOR, np.int64))
        mixed = graph.node("Add", [graph.node("Mul", [left, factor], "bag.spread"), right], "bag.mixed")
        places = graph.constant("bag.places", np.array(PAIRS, np.int64))
        pairs = graph.node("Mod", [mixed, places], "bag.pair")
        # A pair is a text's own if its second piece is.
        owned = graph.node("Slice", [own, stop, end, last], "bag.pairs.own")
        terms = [
            self._sum(graph, "bag.pieces", (self.pieces, self.scales[0]), IDS, own),
            self._sum(graph, "bag.pairs", (self.pairs, self.scales[1]), pairs, owned),
        ]
        total = graph.node("Squeeze", [graph.node("Add", terms, "bag.both"), axis], "bag.sum")
        count = graph.node("Cast", [LENGTHS], "bag.count", to=TensorProto.FLOAT)
        root = graph.node("Unsqueeze", [graph.node("Sqrt", [count], "bag.sqrt"), axis], "bag.root")
        return graph.node("Div", [total, root], "bag")

    @staticmethod
    def _sum(graph: Graph, name: str, table: tuple[Codes, Floats], ids: str, own: str) -> str:
        """(batch, 1, labels)"""
        codes = graph.node("Gather", [graph.constant(f"{name}.table", table[0]), ids], f"{name}.codes")
        steps = graph.node("Cast", [codes], f"{name}.steps", to=TensorProto.FLOAT)
        total = graph.node("MatMul", [own, steps], f"{name}.total")
        return graph.node("Mul", [total, graph.constant(f"{name}.scale", table[1])], f"{name}.sum")

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """By the names they are kept under."""
        return {
            f"{_PREFIX}pieces": self.pieces,
            f"{_PREFIX}pairs": self.pairs,
            f"{_PREFIX}scales": self.scales,
            f"{_PREFIX}counts": np.array(self.counts, np.int32),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Floats]) -> Self:
        """What `tensors` gave, read back as floats.

        Raises:
            KeyError: a table is missing.
        """
        pieces, pairs = (tensors[f"{_PREFIX}{name}"].astype(np.int8) for name in ("pieces", "pairs"))
        counts = tuple(int(count) for count in tensors[f"{_PREFIX}counts"])
        return cls(pieces, pairs, tensors[f"{_PREFIX}scales"], counts)
