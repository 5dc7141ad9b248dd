"""Turn a head's scores into probabilities that mean what they say, and choose from where a topic counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_export.heads import Head

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_GRID = np.arange(0.25, 0.71, 0.01)
"""Below a quarter a topic would be more often wrong than right threefold; above .7 obvious ones are lost."""
_NEWTON_STEPS = 25
_PRIOR = 5.0
"""Weight, in sentences, of the belief that scores are calibrated already: few examples move little."""


def platt(logits: Floats, present: Floats, weights: Floats) -> tuple[float, float]:
    """Slope and intercept that make `sigmoid(slope * logit + intercept)` the chance of `present`.

    Platt 1999, by Newton's method, with a penalty that holds the slope near 1 and the intercept near 0.
    """
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    start = np.array([1.0, 0.0])

    def loss(parameters: Floats) -> float:
        scores = design @ parameters
        surprise = np.logaddexp(0, scores) - present * scores
        return float((weights * surprise).sum() + _PRIOR / 2 * ((parameters - start) ** 2).sum())

    parameters = start
    for _ in range(_NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-design @ parameters))
        gradient = design.T @ (weights * (chance - present)) + _PRIOR * (parameters - start)
        curvature = (design * (weights * chance * (1 - chance))[:, None]).T @ design + _PRIOR * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        # Where scores are far too sure the curve is flat, and a whole step would overshoot.
        while loss(parameters - step) > loss(parameters):
            step = step / 2
        parameters = parameters - step
    return float(parameters[0]), float(parameters[1])


def best_threshold(chances: Floats, present: Floats, weights: Floats) -> float:
    """The probability from which counting a topic gives the best F1; the middle one where several do."""
    scores = []
    for threshold in _GRID:
        chosen = chances >= threshold
        hits = (weights * chosen * present).sum()
        scores.append(2 * hits / max((weights * chosen).sum() + (weights * present).sum(), 1e-9))
    best = np.flatnonzero(np.array(scores) >= max(scores) - 1e-9)
    return float(_GRID[best[len(best) // 2]])


def rescaled(head: Head, slopes: Floats, intercepts: Floats) -> Head:
    """The head whose logits are `slope * logit + intercept` of the given one's."""
    return Head(
        weight=(head.weight * slopes).astype(np.float32),
        bias=(head.bias * slopes + intercepts).astype(np.float32),
    )
