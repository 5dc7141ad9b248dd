"""Heads fitted on few rows, beginning at the heads in use and held near them.

The heads in use were learnt from some tens of thousands of sentences; a user has some hundreds. Fitted on
these alone a head forgets what they do not show. So what is minimised is the surprise of the rows plus
`strength / 2` times the squared distance from the head in use: the likeliest head where the one in use is
believed beforehand (a Gaussian prior with its mean there). How firmly it is believed is chosen by
cross-validation over the user's rows. Where nothing beats the head in use, that one stays; and so it does
where nothing beats knowing how common each label is: such labels follow no rule that could be learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model_export.heads import Head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STRENGTHS = (30.0, 10.0, 3.0, 1.0, 0.3)
FOLDS = 5
MAX_STEPS = 400
TOLERANCE = 1e-4
"""The largest step of any weight with which the descent ends; weights are of the order of 1 to 10."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What one head learns from."""

    features: Floats
    """(n, width)"""
    known: Floats
    """(n, labels), 1, 0 or nan; of an exclusive head exactly one label of a row is 1."""
    exclusive: bool
    users: NDArray[np.bool_]
    """(n,), the user's rows; the rest are ours, which are learnt from and not judged by."""
    fold: NDArray[np.int64]
    """(n,), below `FOLDS`."""

    def rows(self, rows: NDArray[np.bool_]) -> Problem:
        """Some of the rows."""
        return Problem(
            self.features[rows], self.known[rows], self.exclusive, self.users[rows], self.fold[rows]
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """A head, and how it came about."""

    head: Head
    strength: float | None
    """None: the head in use, since none fitted did better."""
    surprise: float
    """Of the user's rows, each judged by a head that did not see it: mean negative log-likelihood."""
    surprise_in_use: float
    surprise_of_guessing: float
    """By how common each label is among the user's rows."""


def choose(problem: Problem, in_use: Head) -> Choice:
    """The head that cross-validation over the user's rows likes best, fitted on all rows."""
    before = surprise(problem.rows(problem.users), in_use)
    sums = dict.fromkeys(STRENGTHS, 0.0)
    judged = 0.0
    for number in range(FOLDS):
        held = (problem.fold == number) & problem.users
        if not held.any():
            continue
        left, seen = problem.rows(held), problem.rows(problem.fold != number)
        cells = _cells(left)
        judged += cells
        for strength, head in zip(STRENGTHS, _path(seen, in_use, STRENGTHS), strict=True):
            sums[strength] += cells * surprise(left, head)
    best = min(STRENGTHS, key=lambda strength: sums[strength])
    after = sums[best] / max(judged, 1)
    guessing = _guessing(problem)
    if after >= min(before, guessing):
        return Choice(in_use, None, after, before, guessing)
    *_, head = _path(problem, in_use, STRENGTHS[: STRENGTHS.index(best) + 1])
    return Choice(head, best, after, before, guessing)


def surprise(problem: Problem, head: Head) -> float:
    """Mean negative log-likelihood of the labels known."""
    logits = problem.features @ head.weight.astype(np.float64) + head.bias
    if problem.exclusive:
        top = logits.max(axis=1, keepdims=True)
        normaliser = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
        return float((normaliser - (logits * problem.known).sum(axis=1)).mean())
    judged = ~np.isnan(problem.known)
    cells = np.logaddexp(0, logits) - np.nan_to_num(problem.known) * logits
    return float(cells[judged].mean())


def _guessing(problem: Problem) -> float:
    """The surprise of the user's rows to one who knows each label's share of them."""
    known = problem.known[problem.users]
    width = known.shape[1]
    share = np.clip(np.nanmean(known, axis=0), 1e-6, 1 - 1e-6)
    odds = np.log(share) if problem.exclusive else np.log(share / (1 - share))
    blind = Head(np.zeros((problem.features.shape[1], width), np.float32), odds.astype(np.float32))
    return surprise(problem.rows(problem.users), blind)


def _cells(problem: Problem) -> float:
    return float(len(problem.known) if problem.exclusive else (~np.isnan(problem.known)).sum())


def _path(problem: Problem, in_use: Head, strengths: Sequence[float]) -> list[Head]:
    """A head for each strength, from the strongest on, each beginning where the one before ended."""
    prior = np.vstack([in_use.weight, in_use.bias]).astype(np.float64)
    inputs = np.hstack([problem.features, np.ones((len(problem.features), 1))])
    gram = inputs.T @ inputs
    matrix, heads = prior, []
    for strength in strengths:
        matrix = _descend(problem, inputs, gram, prior, matrix, strength)
        heads.append(Head(matrix[:-1].astype(np.float32), matrix[-1].astype(np.float32)))
    return heads


def _descend(  # noqa: PLR0913, PLR0917 - one step of `_path`
    problem: Problem, inputs: Floats, gram: Floats, prior: Floats, start: Floats, strength: float
) -> Floats:
    """Newton's method with a curvature that bounds all (Boehning and Lindsay 1988), accelerated.

    The bound does not change, so one inverse serves every step; momentum (Nesterov) starts anew when it leads
    uphill (O'Donoghue and Candes 2015).
    """
    bound = (0.5 if problem.exclusive else 0.25) * gram + strength * np.eye(len(gram))
    inverse = np.linalg.inv(bound)
    matrix, ahead, pace = start, start, 1.0
    for _ in range(MAX_STEPS):
        gradient = inputs.T @ _slope(problem, inputs @ ahead) + strength * (ahead - prior)
        following = ahead - inverse @ gradient
        step = following - matrix
        if np.abs(step).max() < TOLERANCE:
            return following
        if (gradient * step).sum() > 0:
            pace = 1.0
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = following + (pace - 1) / faster * step
        matrix, pace = following, faster
    return matrix


def _slope(problem: Problem, logits: Floats) -> Floats:
    if problem.exclusive:
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        softmax: Floats = odds / odds.sum(axis=1, keepdims=True) - problem.known
        return softmax
    sigmoid: Floats = 1 / (1 + np.exp(-logits)) - problem.known
    return np.nan_to_num(sigmoid)
