"""F1 over labels, as the field reports it, and the functions that turn logits into probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


def f1(truth: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> float:
    """F1 over all cells of two arrays of one shape; 0 where nothing was true and nothing chosen."""
    return float(2 * (truth & chosen).sum() / max(truth.sum() + chosen.sum(), 1))


def macro_f1(truth: NDArray[np.int64], chosen: NDArray[np.int64]) -> float:
    """The mean of the F1 of each label that occurs in `truth`."""
    return float(np.mean([f1(truth == label, chosen == label) for label in np.unique(truth)]))


def micro_f1(known: Floats, chosen: NDArray[np.bool_]) -> float:
    """F1 over the cells of `known`, 1, 0 or nan, that are not nan."""
    judged = ~np.isnan(known)
    return f1(known[judged] == 1, chosen[judged])


def sigmoid(logits: Floats) -> Floats:
    """The probability that a logit stands for."""
    chances: Floats = np.reciprocal(1 + np.exp(-logits))
    return chances
