"""Figures that need nothing but arrays: intervals, correlations, calibration, and the gain of a ranking."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

RESAMPLES = 300
_BINS = 15


def interval(measure: Callable[[Rows], float | None], rows: Rows) -> tuple[float, float] | None:
    """95% interval of `measure` over resamples of `rows` with replacement (percentile bootstrap).

    None where the measure has no value for a resample, as of a label that nothing bears.
    """
    random = np.random.default_rng(0)
    found = [measure(random.choice(rows, len(rows))) for _ in range(RESAMPLES)]
    values = [value for value in found if value is not None]
    if len(values) < len(found):
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def pearson(left: Floats, right: Floats) -> float | None:
    """Linear correlation; None where one of the two does not vary."""
    if not (np.ptp(left) and np.ptp(right)):
        return None
    return float(np.corrcoef(left, right)[0, 1])


def spearman(left: Floats, right: Floats) -> float | None:
    """Correlation of ranks, ties sharing the mean of theirs; None where one of the two does not vary."""
    return pearson(_ranks(left), _ranks(right))


def _ranks(values: Floats) -> Floats:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place])


def top_share(scores: Floats, good: NDArray[np.bool_], part: int) -> float:
    """Share of `good` among the one in `part` with the highest scores; of ties the first are taken."""
    best = np.argsort(-scores, kind="stable")[: max(1, len(scores) // part)]
    return float(good[best].mean())


def calibration_error(chances: Floats, truth: Floats, width: float = 1.0) -> float:
    """Expected calibration error: mean distance of what is said from what is true, over 15 equal bins.

    `chances` and `truth` (n,) run from 0 to `width`: of a probability to 1, of salience to 3.
    """
    bins = np.minimum((chances / width * _BINS).astype(np.intp), _BINS - 1)
    count = np.bincount(bins, minlength=_BINS)
    gap = np.bincount(bins, chances, _BINS) - np.bincount(bins, truth, _BINS)
    return float(np.abs(gap).sum() / count.sum())


def gain(ranking: Sequence[str], grades: dict[str, int], size: int = 10) -> float:
    """nDCG: the gain of the first `size` of `ranking` over that of the best order; without a grade: 0."""

    def discounted(found: Sequence[int]) -> float:
        return sum((2.0**grade - 1) / math.log2(place + 2) for place, grade in enumerate(found))

    best = discounted(sorted(grades.values(), reverse=True)[:size])
    return discounted([grades.get(name, 0) for name in ranking[:size]]) / best if best else 0.0
