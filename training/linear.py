"""Linear heads on a frozen encoder, by full-batch gradient descent; missing labels stay out of the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_export.heads import Head

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_STEPS = 600
_RATE = 0.1
_DECAY = 1e-5


def fit_several(
    features: Floats, known: Floats, weights: Floats, any_of: NDArray[np.bool_] | None = None
) -> Head:
    """One logistic regression a label; `known` (n, labels) is 1, 0 or nan.

    Where only "at least one of these" (`any_of`) is known, the label now thought likeliest of them is taken
    for true: the maximum of a group is its probability, as in multi-instance learning.
    """
    group = np.zeros(known.shape, bool) if any_of is None else any_of
    grouped = np.flatnonzero(group.any(axis=1))

    def slope(logits: Floats) -> Floats:
        target = known.copy()
        likeliest = np.where(group[grouped], logits[grouped], -np.inf).argmax(axis=1)
        target[grouped, likeliest] = 1
        return np.where(np.isnan(target), 0.0, 1 / (1 + np.exp(-logits)) - np.nan_to_num(target))

    return _descend(features, known.shape[1], slope, weights)


def fit_exclusive(features: Floats, labels: NDArray[np.int64], count: int, weights: Floats) -> Head:
    """A softmax regression over `count` labels."""
    target = np.eye(count)[labels]

    def slope(logits: Floats) -> Floats:
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        difference: Floats = odds / odds.sum(axis=1, keepdims=True) - target
        return difference

    return _descend(features, count, slope, weights)


def _descend(features: Floats, outputs: int, slope: Callable[[Floats], Floats], weights: Floats) -> Head:
    """Adam on the weighted mean of a loss whose derivative by the logits is `slope`."""
    inputs = np.hstack([features, np.ones((len(features), 1))])
    share = (weights / weights.sum())[:, None]
    matrix = np.zeros((inputs.shape[1], outputs))
    mean, square = np.zeros_like(matrix), np.zeros_like(matrix)
    for step in range(1, _STEPS + 1):
        decay = _DECAY * matrix
        decay[-1] = 0
        gradient = inputs.T @ (share * slope(inputs @ matrix)) + decay
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        unbiased = mean / (1 - 0.9**step), square / (1 - 0.999**step)
        rate = _RATE * (1 - step / (_STEPS + 1))
        matrix -= rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-9)
    return Head(matrix[:-1].astype(np.float32), matrix[-1].astype(np.float32))
