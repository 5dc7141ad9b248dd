"""Is one model better than another, beyond chance, on the same rows?

A paired bootstrap (Efron and Tibshirani 1993; for differences of F1 Berg-Kirkpatrick et al. 2012): rows are
drawn again with replacement, both models are scored on the same draw, and the spread of the differences says
what chance does. `BETTER` demands that all but a share `ALPHA` of the draws favour the candidate, divided by
the number of heads compared, since with three heads one is lucky three times as often.

It demands one thing more. A model that says the same of every row has a poor mean F1, and one that guesses at
random a better one. So the candidate's score must also be beyond what it reaches on labels dealt out anew
among the rows (a permutation test, Ojala and Garriga 2010): it must have learnt a rule, and labels that
follow none do not lead to a new model. `WORSE` needs less: that all but `ALPHA` favour the model in use, or
that more than `MAX_LOSS` is lost, which with few rows chance alone would explain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 4_000
SEED = 20_250_101
ALPHA = 0.05
MAX_LOSS = 0.05
PERMUTATIONS = 1_000
_CELLS = 2_000_000
"""Draws times rows held in memory at once."""

Verdict = Literal["better", "worse", "no difference beyond chance", "no better than luck"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What two models chose of the same rows."""

    truth: NDArray[np.bool_]
    """(n, labels)"""
    known: NDArray[np.bool_]
    """(n, labels); what is not known counts neither for nor against."""
    in_use: NDArray[np.bool_]
    """(n, labels), chosen by the model in use."""
    candidate: NDArray[np.bool_]
    """(n, labels)"""


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate less model in use."""

    in_use: float
    candidate: float
    low: float
    """Between this and `high` lie all draws but `ALPHA` over the number of heads at either end."""
    high: float
    luck: float
    """What the candidate reaches by chance: a higher score is not to be had so, but for the same share."""
    verdict: Verdict


def compare(judged: Judged, *, macro: bool, heads: int) -> Difference:
    """Compare by the mean F1 of the labels that occur (`macro`), or by F1 over all cells.

    `heads` is how many heads are compared.
    """
    before, after = counts(judged, judged.in_use), counts(judged, judged.candidate)
    if not macro:
        before, after = (part.sum(axis=1, keepdims=True) for part in (before, after))
    rows = len(before)
    random = np.random.default_rng(SEED)
    differences = []
    left = DRAWS
    while left:
        size = min(left, max(_CELLS // max(rows, 1), 1))
        left -= size
        drawn = random.multinomial(rows, np.full(rows, 1 / rows), size=size).astype(np.float64)
        pair = [score((drawn @ part.reshape(rows, -1)).reshape(size, -1, 3)) for part in (before, after)]
        differences.append(pair[1] - pair[0])
    drawn_differences = np.concatenate(differences)
    share = ALPHA / heads
    low, high = (float(value) for value in np.quantile(drawn_differences, [share, 1 - share]))
    one, other = (float(score(part.sum(axis=0, keepdims=True))[0]) for part in (before, after))
    luck = float(np.quantile(_by_chance(judged, random, macro=macro), 1 - share))
    verdict: Verdict = "no difference beyond chance"
    if low > 0:
        verdict = "better" if other > luck else "no better than luck"
    elif float(np.quantile(drawn_differences, 1 - ALPHA)) < 0 or other - one < -MAX_LOSS:
        verdict = "worse"
    return Difference(one, other, low, high, luck, verdict)


def _by_chance(judged: Judged, random: np.random.Generator, *, macro: bool) -> Floats:
    """Scores of what the candidate chose, with the labels dealt out anew among the rows."""
    found = []
    for _ in range(PERMUTATIONS):
        order = random.permutation(len(judged.truth))
        dealt = Judged(judged.truth[order], judged.known[order], judged.in_use, judged.candidate)
        totals = counts(dealt, judged.candidate).sum(axis=0, keepdims=True)
        found.append(score(totals if macro else totals.sum(axis=1, keepdims=True)))
    return np.concatenate(found)


def counts(judged: Judged, chosen: NDArray[np.bool_]) -> Floats:
    """(n, labels, 3): hits, chosen, true."""
    truth, picked = judged.truth & judged.known, chosen & judged.known
    return np.stack([truth & picked, picked, truth], axis=2).astype(np.float64)


def score(totals: Floats) -> Floats:
    """(draws, labels, 3) -> (draws,), the mean F1 of the labels that occur; 0 where none does."""
    occurs = totals[:, :, 2] > 0
    values = label_scores(totals)
    mean: Floats = (values * occurs).sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)
    return mean


def label_scores(totals: Floats) -> Floats:
    """(…, labels, 3) -> (…, labels), F1; 0 where a label is neither true nor chosen."""
    values: Floats = 2 * totals[..., 0] / np.maximum(totals[..., 1] + totals[..., 2], 1)
    return values


def one_hot(labels: Sequence[int] | NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """(n,) -> (n, count)."""
    hot: NDArray[np.bool_] = np.eye(count, dtype=bool)[np.asarray(labels, np.int64)]
    return hot
