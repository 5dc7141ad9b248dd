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
_TEMPERATURES = np.geomspace(0.25, 4, 81)
_NEWTON_STEPS = 25
_PRIOR = 5.0
"""Weight, in sentences, of the belief that scores are calibrated already: few examples move little."""
_SHARED = 30.0
"""Weight, in sentences that have the topic, of the threshold that is best for all topics together."""


def calibrated_topics(head: Head, logits: Floats, known: Floats) -> tuple[Head, NDArray[np.float32]]:
    """The head with calibrated chances, and thresholds (topics,), from sentences it was not fitted on.

    `logits` and `known` (n, topics); known is 1, 0 or nan. A topic with few examples gets a threshold near
    the one that is best for all topics together: with calibrated chances that is the best guess.
    """
    count = known.shape[1]
    slopes, intercepts = np.ones(count), np.zeros(count)
    chances = np.full_like(logits, np.nan)
    for topic in range(count):
        judged = ~np.isnan(known[:, topic])
        if not judged.any():
            continue
        slopes[topic], intercepts[topic] = platt(logits[judged, topic], known[judged, topic])
        chances[judged, topic] = 1 / (1 + np.exp(-slopes[topic] * logits[judged, topic] - intercepts[topic]))
    everywhere = ~np.isnan(chances)
    shared = best_threshold(chances[everywhere], known[everywhere])
    thresholds = np.full(count, shared)
    for topic in range(count):
        judged = everywhere[:, topic]
        present = known[judged, topic].sum()
        if present:
            own = best_threshold(chances[judged, topic], known[judged, topic])
            thresholds[topic] = (present * own + _SHARED * shared) / (present + _SHARED)
    return rescaled(head, slopes, intercepts), thresholds.astype(np.float32)


def calibrated_exclusive(head: Head, logits: Floats, labels: NDArray[np.int64]) -> Head:
    """The head divided by the temperature that makes `labels` likeliest (Guo et al. 2017)."""
    if not len(labels):
        return head

    def surprise(temperature: float) -> float:
        scaled = logits / temperature
        top = scaled.max(axis=1, keepdims=True)
        normaliser = top[:, 0] + np.log(np.exp(scaled - top).sum(axis=1))
        belief = _PRIOR * np.log(temperature) ** 2
        return float((normaliser - scaled[np.arange(len(labels)), labels]).sum() + belief)

    scale = 1 / min(_TEMPERATURES, key=surprise)
    width = head.weight.shape[1]
    return rescaled(head, np.full(width, scale), np.zeros(width))


def platt(logits: Floats, present: Floats) -> tuple[float, float]:
    """Slope and intercept that make `sigmoid(slope * logit + intercept)` the chance of `present`.

    Platt 1999, by Newton's method, with a penalty that holds the slope near 1 and the intercept near 0.
    """
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    start = np.array([1.0, 0.0])

    def loss(parameters: Floats) -> float:
        scores = design @ parameters
        surprise = np.logaddexp(0, scores) - present * scores
        return float(surprise.sum() + _PRIOR / 2 * ((parameters - start) ** 2).sum())

    parameters = start
    for _ in range(_NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-design @ parameters))
        gradient = design.T @ (chance - present) + _PRIOR * (parameters - start)
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + _PRIOR * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        # Where scores are far too sure the curve is flat, and a whole step would overshoot.
        while loss(parameters - step) > loss(parameters):
            step = step / 2
        parameters = parameters - step
    return float(parameters[0]), float(parameters[1])


def best_threshold(chances: Floats, present: Floats) -> float:
    """The probability from which counting a topic gives the best F1; the middle one where several do."""
    scores = []
    for threshold in _GRID:
        chosen = chances >= threshold
        hits = (chosen * present).sum()
        scores.append(2 * hits / max(chosen.sum() + present.sum(), 1e-9))
    best = np.flatnonzero(np.array(scores) >= max(scores) - 1e-9)
    return float(_GRID[best[len(best) // 2]])


def rescaled(head: Head, slopes: Floats, intercepts: Floats) -> Head:
    """The head whose logits are `slope * logit + intercept` of the given one's."""
    return Head(
        weight=(head.weight * slopes).astype(np.float32),
        bias=(head.bias * slopes + intercepts).astype(np.float32),
    )
