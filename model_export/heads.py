"""The classifying heads, and the branches of the encoder that some of them read.

A head is a matrix and a bias. It reads the embedding, or a *branch*: copies of the encoder's upper layers,
trained for the head's task, that fork off after a shared layer and leave the embedding untouched.

Three files describe them. `heads.json` (a `Card`) names labels and branches. `heads.safetensors` holds heads
that read the embedding. `branch.safetensors`, where there are branches, holds their layers in half precision
and the heads that read them, and the tables of `Words` where a head reads those; a head in it takes the
place of the one of the same name in the other file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from onnx import TensorProto
from pydantic import NonNegativeInt, PositiveInt, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from model_export.graph import IDS, LENGTHS, MASK, quantise
from shared.inference.manifest import Source
from shared.platform.errors import SetupError
from shared.platform.records import ActionLabel, Record, SentimentLabel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.graph import Graph

    Floats = NDArray[np.float32]
    Codes = NDArray[np.int8]

HEADS_FILE = "heads.safetensors"
BRANCH_FILE = "branch.safetensors"
CARD_FILE = "heads.json"

HeadName = Literal["topic", "action", "sentiment"]
HEAD_NAMES: tuple[HeadName, ...] = ("topic", "action", "sentiment")
PAIRS = 1 << 15
"""Pairs share this many places; where two meet, they share a weight."""
FACTOR = 40_503
"""Odd and far from a power of two, so that the pairs of one piece are spread. The place of a pair is
`(first * FACTOR + second) % PAIRS`."""
_PREFIX = "words."


class BranchCard(Record):
    """One branch, as `heads.json` describes it.

    Its layers are named in `branch.safetensors` as in the checkpoint, after `branch.{name}.`:
    `branch.{name}.encoder.layer.{fork + i}.…` for i below `layers`. The first takes the output of the
    encoder's layer `fork - 1`, that is, `fork` layers are shared.
    """

    name: str
    fork: NonNegativeInt
    layers: PositiveInt
    heads: tuple[HeadName, ...]
    input: Literal["branch", "embedding+branch", "branch+words", "embedding+branch+words"]
    """What its heads read, end to end in the order named. `branch`: the mean over the text's own positions of
    the branch's last layer, brought to unit length as the embedding is, (width,); `words`: the head's own
    columns of `Words`, (labels,). See `Heads.value` for what it is called in a graph."""


class Labels(Record):
    """The columns of each head."""

    topic: tuple[str, ...]
    action: tuple[ActionLabel, ...]
    sentiment: tuple[SentimentLabel, ...]


class Card(Record):
    """`heads.json`."""

    labels: Labels
    branches: tuple[BranchCard, ...] = ()
    sentences: dict[str, int]
    """Sentences trained on, by source."""
    permissive: tuple[HeadName, ...] = ()
    """Heads whose training data are all under a known, permissive licence."""
    sources: tuple[Source, ...]
    heldout: dict[str, float]
    """F1 on sentences that no training saw: ours, and those of a user's own files."""


@dataclass(frozen=True, slots=True)
class Head:
    """`features @ weight + bias` are the logits of its labels."""

    weight: Floats
    """(features, labels)"""
    bias: Floats
    """(labels,)"""

    def attach(self, graph: Graph, features: str, name: str, *, exclusive: bool) -> str:
        """Add the head as output `name`: probabilities that sum to 1 if `exclusive`, else one by one."""
        inputs = [
            features,
            graph.constant(f"{name}.weight", self.weight),
            graph.constant(f"{name}.bias", self.bias),
        ]
        logits = graph.node("Gemm", inputs, f"{name}.logits")
        if exclusive:
            return graph.node("Softmax", [logits], name, axis=-1)
        return graph.node("Sigmoid", [logits], name)


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
        """Return the tables in eight bits."""
        (first, first_scale), (second, second_scale) = (quantise(table, axis=0) for table in (pieces, pairs))
        return cls(first, second, np.concatenate([first_scale, second_scale]), tuple(counts))

    def columns(self, place: int) -> slice:
        """Columns of the head at `place` of `HEAD_NAMES`."""
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


@dataclass(frozen=True, slots=True)
class Branch:
    """Layers of its own on top of shared ones."""

    card: BranchCard
    tensors: Mapping[str, Floats]
    """Named as in the checkpoint: `encoder.layer.{fork}.attention.self.query.weight` and so on."""


@dataclass(frozen=True, slots=True)
class Heads:
    """The trained heads of one model."""

    topic: Head
    action: Head
    sentiment: Head
    thresholds: Floats
    """(topics,)"""
    branches: tuple[Branch, ...] = ()
    words: Words | None = None

    def branch_of(self, name: HeadName) -> Branch | None:
        """The branch that head `name` reads; None where it reads the embedding."""
        return next((branch for branch in self.branches if name in branch.card.heads), None)

    def value(self, name: HeadName) -> str:
        """The name of what head `name` reads in a graph."""
        branch = self.branch_of(name)
        if branch is None:
            return "embedding"
        return f"branch.{branch.card.name}.pooled" if branch.card.input == "branch" else f"{name}.features"

    def reads(self, name: HeadName, width: int) -> int:
        """How many features head `name` is given by an encoder of this width."""
        branch = self.branch_of(name)
        parts = (branch.card.input if branch else "embedding").split("+")
        columns = self.columns(name)
        return sum(columns.stop - columns.start if part == "words" else width for part in parts)

    def columns(self, name: HeadName) -> slice:
        """What head `name` reads of `words`."""
        return self.words.columns(HEAD_NAMES.index(name)) if self.words else slice(0, 0)

    def save(self, directory: Path) -> None:
        """Write `heads.safetensors` for heads that read the embedding, `branch.safetensors` for others."""
        plain: dict[str, NDArray[np.generic]] = {}
        branched: dict[str, NDArray[np.generic]] = {}
        for name in HEAD_NAMES:
            head: Head = getattr(self, name)
            into = plain if self.branch_of(name) is None else branched
            # As torch stores a linear layer: (labels, features).
            into |= {f"{name}.weight": np.ascontiguousarray(head.weight.T), f"{name}.bias": head.bias}
            if name == "topic":
                into["topic.thresholds"] = self.thresholds
        for branch in self.branches:
            prefix = f"branch.{branch.card.name}."
            branched |= {prefix + name: value.astype(np.float16) for name, value in branch.tensors.items()}
        if self.words:
            branched |= self.words.tensors()
        for file, tensors in ((HEADS_FILE, plain), (BRANCH_FILE, branched)):
            if tensors:
                # Written by ourselves: the library's files are readable by their owner alone.
                (directory / file).write_bytes(save(tensors))


def load_card(directory: Path) -> Card:
    """Read `heads.json`.

    Raises:
        SetupError: it is missing or not one of ours.
    """
    path = directory / CARD_FILE
    try:
        return Card.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError) as error:
        raise SetupError(
            f"{path} does not describe trained heads ({error}). Train them: python -m model_export train"
        ) from None


def load_heads(directory: Path, *, branches: bool = True) -> Heads:
    """Read the heads that `directory` holds, and the branches that they read.

    Without `branches`: the heads that read the embedding, also where a branch has taken their place.

    Raises:
        SetupError: a file is missing, not one of ours, or does not hold what `heads.json` says.
    """
    card = load_card(directory)
    path = directory / HEADS_FILE
    try:
        tensors = _floats(path) if path.exists() else {}
        cards = card.branches if branches else ()
        if cards:
            path = directory / BRANCH_FILE
            tensors |= _floats(path)
        topic, action, sentiment = (
            Head(np.ascontiguousarray(tensors[f"{name}.weight"].T), tensors[f"{name}.bias"])
            for name in HEAD_NAMES
        )
        loaded = tuple(Branch(branch, _layers(branch, tensors)) for branch in cards)
        worded = any("words" in branch.input for branch in cards)
        words = Words.from_tensors(tensors) if worded else None
        return Heads(topic, action, sentiment, tensors["topic.thresholds"], loaded, words)
    except (FileNotFoundError, SafetensorError, KeyError) as error:
        raise SetupError(
            f"{path} does not hold trained heads ({error}). Train them: python -m model_export train"
        ) from None


def _floats(path: Path) -> dict[str, Floats]:
    return {name: value.astype(np.float32) for name, value in load_file(path).items()}


def _layers(card: BranchCard, tensors: Mapping[str, Floats]) -> dict[str, Floats]:
    """The tensors of one branch, without its prefix.

    Raises:
        KeyError: one of its layers is not there.
    """
    prefix = f"branch.{card.name}."
    own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    for number in range(card.fork, card.fork + card.layers):
        if f"encoder.layer.{number}.output.dense.weight" not in own:
            raise KeyError(f"{prefix}encoder.layer.{number}")
    return own
