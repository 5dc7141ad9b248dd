"""Fitting the tables of `Words`: a regression on word pieces and their pairs, for all heads of a branch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from model_export.heads import FACTOR, PAIRS
from shared.inference.tokens import load_tokenizer
from training.bert import MAX_TOKENS
from training.branch import total_loss

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from model_export.sources import Checkpoint
    from training.targets import Targets

    Floats = NDArray[np.float32]
    Places = NDArray[np.int64]

_ITERATIONS = 80
_DECAY = 1.0
"""Half of this times the squared weights is added to the loss, a sum over sentences."""
_OFTEN = 2
"""A place that fewer sentences have has no weight."""


@dataclass(frozen=True, slots=True)
class Bags:
    """Word pieces of n texts, or their pairs, end to end."""

    places: Places
    """Rows of the table."""
    lengths: Places
    """(n,)"""

    def of(self, rows: NDArray[np.intp]) -> Bags:
        """The bags of some texts, in the order of `rows`."""
        starts = np.cumsum(self.lengths) - self.lengths
        parts = [self.places[starts[row] : starts[row] + self.lengths[row]] for row in rows]
        return Bags(np.concatenate([*parts, np.empty(0, np.int64)]), self.lengths[rows])

    def sums(self, table: Tensor, factors: Tensor | None) -> Tensor:
        """(n, labels): sums of the table's rows, each times the factor of its place if there are factors."""
        places = torch.from_numpy(self.places)
        offsets = torch.from_numpy(np.cumsum(self.lengths) - self.lengths)
        return functional.embedding_bag(
            places,
            table,
            offsets,
            mode="sum",
            per_sample_weights=None if factors is None else factors[places],
        )


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts as tables read them."""

    pieces: Bags
    pairs: Bags
    vocabulary: int

    def of(self, rows: NDArray[np.intp]) -> Texts:
        """Some of the texts, in the order of `rows`."""
        return Texts(self.pieces.of(rows), self.pairs.of(rows), self.vocabulary)


@dataclass(frozen=True, slots=True)
class Tables:
    """Fitted weights, one column a label."""

    pieces: Floats
    """(vocabulary, labels)"""
    pairs: Floats
    """(PAIRS, labels)"""
    bias: Floats
    """(labels,)"""

    def values(self, texts: Texts) -> Floats:
        """(n, labels), as `Words` has them: without the bias."""
        return np.asarray(_sums(texts, (torch.from_numpy(self.pieces), torch.from_numpy(self.pairs))))


def read_texts(checkpoint: Checkpoint, texts: Sequence[str]) -> Texts:
    """Cut into word pieces, and those into pairs."""
    splitter = load_tokenizer(checkpoint.tokenizer)
    splitter.enable_truncation(min(MAX_TOKENS, checkpoint.config.max_position_embeddings))
    rows = [np.array(encoding.ids, np.int64) for encoding in splitter.encode_batch_fast(list(texts))]
    pairs = [(row[:-1] * FACTOR + row[1:]) % PAIRS for row in rows]
    bags = [
        Bags(np.concatenate(part), np.array([len(row) for row in part], np.int64)) for part in (rows, pairs)
    ]
    return Texts(bags[0], bags[1], len(checkpoint.tensors["embeddings.word_embeddings.weight"]))


def fit_tables(
    texts: Texts,
    targets: Targets,
    repeats: NDArray[np.float64],
    outputs: Mapping[str, int],
    action_weights: Sequence[float],
) -> Tables:
    """Tables for the heads `outputs`, by the losses that train a branch; row i counts `repeats[i]` times.

    Rare places start with larger values, as in TF-IDF: the decay holds them back less.
    """
    labels = sum(outputs.values())
    factors = _rarities(texts)
    tables = [torch.zeros(size, labels, requires_grad=True) for size in (texts.vocabulary, PAIRS)]
    bias = torch.zeros(labels, requires_grad=True)
    parts = []
    for weight in np.unique(repeats):
        rows = np.flatnonzero(repeats == weight)
        known = dataclasses.asdict(targets.rows(rows))
        parts.append((float(weight), texts.of(rows), {k: torch.as_tensor(v) for k, v in known.items()}))
    optimiser = torch.optim.LBFGS(
        [*tables, bias], max_iter=_ITERATIONS, history_size=6, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        total = _DECAY / 2 * torch.stack([table.square().sum() for table in tables]).sum()
        for weight, part, known in parts:
            values = _sums(part, (tables[0], tables[1]), factors) + bias
            logits = dict(zip(outputs, values.split(list(outputs.values()), dim=1), strict=True))
            count = weight * len(values)
            total = total + count * total_loss(logits, known, torch.tensor(action_weights))
        total.backward()
        return total

    optimiser.step(loss)
    pieces, pairs = (
        (table.detach() * factor[:, None]).numpy() for table, factor in zip(tables, factors, strict=True)
    )
    return Tables(pieces, pairs, bias.detach().numpy())


def _sums(
    texts: Texts, tables: tuple[Tensor, Tensor], factors: tuple[Tensor | None, Tensor | None] = (None, None)
) -> Tensor:
    both = texts.pieces.sums(tables[0], factors[0]) + texts.pairs.sums(tables[1], factors[1])
    return both / torch.from_numpy(texts.pieces.lengths).float().sqrt()[:, None]


def _rarities(texts: Texts) -> tuple[Tensor, Tensor]:
    """The logarithm of how rare each place is, scaled so that the squares of a text's have a mean of 1."""
    rarities = []
    for bags, size in ((texts.pieces, texts.vocabulary), (texts.pairs, PAIRS)):
        # A place counts once a text.
        text = np.repeat(np.arange(len(bags.lengths)), bags.lengths)
        counts = np.bincount(np.unique(text * size + bags.places) % size, minlength=size)
        rarity = np.log((1 + len(bags.lengths)) / (1 + counts)) + 1
        rarities.append(np.where(counts >= _OFTEN, rarity, 0))
    scale = np.sqrt(np.mean(rarities[0][texts.pieces.places] ** 2))
    pieces, pairs = (torch.from_numpy((rarity / max(scale, 1e-6)).astype(np.float32)) for rarity in rarities)
    return pieces, pairs
