"""One head of three: a branch's, a linear one on the embedding, and a regression on words, added up.

They are wrong about different sentences. How much each counts is found on the development split, which none
of them was fitted on: one number for each of the three, so that a thousand sentences are enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model_export.heads import Head
from model_export.labelled import split_of
from training.targets import OPEN
from training.train import fit_linear
from training.words import fit_tables, read_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from model_export.heads import HeadName
    from model_export.labelled import Example
    from model_export.sources import Checkpoint
    from training.targets import Targets
    from training.words import Tables, Texts

    Floats = NDArray[np.float64]

_PRIOR = 5.0
"""Weight, in sentences, of the belief that the branch alone is right."""
_STEPS = 25
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Readers:
    """What heads of one branch read, and the heads to be added up, by name."""

    pooled: Callable[[Sequence[int]], NDArray[np.float32]]
    """Of the branch, for rows of the training data."""
    embedded: Callable[[Sequence[int]], NDArray[np.float32]] | None
    """Of the encoder itself; None: this branch's heads do not read it."""
    texts: Texts
    tables: Tables
    columns: Mapping[HeadName, slice]
    """Of each head in `tables`."""

    def features(self, name: HeadName, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """(n, features), as the graph puts them together: embedding, branch, words."""
        parts = [self.pooled(rows.tolist()), self.words(name, rows)]
        if self.embedded:
            parts.insert(0, self.embedded(rows.tolist()))
        return np.concatenate(parts, axis=1)

    def words(self, name: HeadName, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """(n, labels), without the bias."""
        return self.tables.values(self.texts.of(rows))[:, self.columns[name]]


def fit_readers(  # noqa: PLR0913, PLR0917 - what a branch was trained with
    checkpoint: Checkpoint,
    examples: Sequence[Example],
    targets: Targets,
    repeats: Mapping[str, float],
    outputs: dict[HeadName, int],
    action_weights: Sequence[float],
    pooled: Callable[[Sequence[int]], NDArray[np.float32]],
    embedded: Callable[[Sequence[int]], NDArray[np.float32]] | None,
) -> Readers:
    """Fit the regression on words on the training split of `examples`."""
    rows = np.flatnonzero([split_of(example) == "train" for example in examples])
    texts = read_texts(checkpoint, [example.text for example in examples])
    counts = np.array([repeats.get(examples[row].source, 1.0) for row in rows.tolist()])
    tables = fit_tables(
        texts.of(rows),
        targets.rows(rows),
        counts,
        {str(name): count for name, count in outputs.items()},
        action_weights,
    )
    columns, start = {}, 0
    for name, count in outputs.items():
        columns[name] = slice(start, start + count)
        start += count
    return Readers(pooled, embedded, texts, tables, columns)


def combined(  # noqa: PLR0913, PLR0917 - what is added up, on what, and who hears of it
    name: HeadName,
    branch: Head,
    readers: Readers,
    examples: Sequence[Example],
    targets: Targets,
    report: Callable[[str], None],
) -> Head:
    """Head `name` on `readers.features`, from the branch's own and the two others."""
    splits = np.array([split_of(example) for example in examples])
    train, developed = (np.flatnonzero(splits == split) for split in ("train", "dev"))
    bias = readers.tables.bias[readers.columns[name]]
    weights = [branch.weight, np.eye(len(bias), dtype=np.float32)]
    biases = [branch.bias, bias]
    reads = [readers.pooled(developed.tolist()), readers.words(name, developed)]
    if readers.embedded:
        embedded = readers.embedded(train.tolist()).astype(np.float64)
        linear = fit_linear(name, [examples[i] for i in train.tolist()], targets.rows(train), embedded)
        weights.insert(0, linear.weight)
        biases.insert(0, linear.bias)
        reads.insert(0, readers.embedded(developed.tolist()))
    logits = [read @ weight + bias for read, weight, bias in zip(reads, weights, biases, strict=True)]
    if name == "topic":
        # One shift for all topics: systems that are unsure say "no" less loudly.
        logits.append(np.ones_like(logits[0]))
        biases.append(np.ones_like(bias))
    start = np.zeros(len(logits))
    start[len(weights) - 2] = 1
    design = np.stack(logits, axis=2).astype(np.float64)
    shares = best_shares(name, design, targets.rows(developed), start)
    alone, together = (log_loss(name, design @ part, targets.rows(developed)) for part in (start, shares))
    parts = ", ".join(f"{share:.2f}" for share in shares)
    report(f"{name}: log loss {alone:.4f} with the branch alone, {together:.4f} with all ({parts})")
    # The shift has a bias and no weights.
    weight = np.concatenate([weight * share for weight, share in zip(weights, shares, strict=False)])
    bias = np.sum([bias * share for bias, share in zip(biases, shares, strict=True)], axis=0)
    return Head(weight.astype(np.float32), bias.astype(np.float32))


def best_shares(name: HeadName, logits: Floats, targets: Targets, start: Floats) -> Floats:
    """Factors with which the sum of `logits`, (n, labels, systems), makes the labels likeliest.

    By Newton's method, with a penalty that holds them near `start`.
    """
    loss = _loss(name, logits, targets)

    def value(shares: Floats) -> float:
        return loss.value(shares) + _PRIOR / 2 * float(((shares - start) ** 2).sum())

    shares = start
    for _ in range(_STEPS):
        gradient, curvature = loss.slopes(shares)
        gradient += _PRIOR * (shares - start)
        step = np.linalg.solve(curvature + _PRIOR * np.eye(len(start)), gradient)
        # Where scores are far too sure the curve is flat, and a whole step would overshoot.
        while value(shares - step) > value(shares) and np.abs(step).max() > _TINY:
            step = step / 2
        shares = shares - step
    return shares


def log_loss(name: HeadName, logits: Floats, targets: Targets) -> float:
    """Of `logits` (n, labels), a label judged; an exclusive head has one a text."""
    loss = _loss(name, logits[..., None], targets)
    return loss.value(np.ones(1)) / max(len(loss.truth), 1)


def _loss(name: HeadName, logits: Floats, targets: Targets) -> _Several | _Exclusive:
    if name == "topic":
        known = ~np.isnan(targets.topics)
        return _Several(logits[known], targets.topics[known].astype(np.float64))
    labels = targets.action if name == "action" else targets.sentiment
    rows = (labels != OPEN) & ~(targets.polar & (name == "sentiment"))
    return _Exclusive(logits[rows], labels[rows])


@dataclass(frozen=True, slots=True)
class _Several:
    """The log loss of labels that are true or not, one by one."""

    design: Floats
    """(n, systems)"""
    truth: Floats
    """(n,), 1 or 0."""

    def value(self, shares: Floats) -> float:
        scores = self.design @ shares
        return float((np.logaddexp(0, scores) - self.truth * scores).sum())

    def slopes(self, shares: Floats) -> tuple[Floats, Floats]:
        """First and second derivative."""
        chance = 1 / (1 + np.exp(-self.design @ shares))
        weighted = self.design * (chance * (1 - chance))[:, None]
        return self.design.T @ (chance - self.truth), weighted.T @ self.design


@dataclass(frozen=True, slots=True)
class _Exclusive:
    """The log loss of labels of which one is true."""

    design: Floats
    """(n, labels, systems)"""
    truth: NDArray[np.int64]
    """(n,), which."""

    def value(self, shares: Floats) -> float:
        return -float(np.log(self._chances(shares)[np.arange(len(self.truth)), self.truth] + _TINY).sum())

    def slopes(self, shares: Floats) -> tuple[Floats, Floats]:
        """First and second derivative."""
        chances = self._chances(shares)
        mean = np.einsum("nl,nls->ns", chances, self.design)
        gradient = (mean - self.design[np.arange(len(self.truth)), self.truth]).sum(axis=0)
        spread = np.einsum("nl,nls,nlt->st", chances, self.design, self.design) - mean.T @ mean
        return gradient, spread

    def _chances(self, shares: Floats) -> Floats:
        scores = self.design @ shares
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances: Floats = odds / odds.sum(axis=1, keepdims=True)
        return chances
