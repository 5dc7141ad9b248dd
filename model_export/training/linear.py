"""Linear heads on a frozen encoder, by full-batch gradient descent; missing labels stay out of the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.heads import Head
from shared.records import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from model_export.training.examples import Example

    Floats = NDArray[np.float64]

_STEPS = 600
_RATE = 0.1
_DECAY = 1e-5


def fit_topics(features: Floats, examples: Sequence[Example], weights: Floats) -> Head:
    """One logistic regression a topic.

    Where only "at least one of these" is known, the topic now thought likeliest of them is taken for
    true: the maximum of a group is its probability, as in multi-instance learning.
    """
    column = {topic: number for number, topic in enumerate(TOPICS)}
    known = np.full((len(examples), len(TOPICS)), np.nan)
    group = np.zeros_like(known, dtype=bool)
    for row, example in enumerate(examples):
        for topic, present in example.topics.items():
            known[row, column[topic]] = present
        group[row, [column[topic] for topic in example.any_of]] = True
    grouped = np.flatnonzero(group.any(axis=1))

    def slope(logits: Floats) -> Floats:
        target = known.copy()
        likeliest = np.where(group[grouped], logits[grouped], -np.inf).argmax(axis=1)
        target[grouped, likeliest] = 1
        return np.where(np.isnan(target), 0.0, 1 / (1 + np.exp(-logits)) - np.nan_to_num(target))

    return _descend(features, len(TOPICS), slope, weights)


def fit_action(features: Floats, examples: Sequence[Example], weights: Floats) -> Head:
    """A softmax regression over the actions."""
    labels = [ACTIONS.index(example.action) for example in examples if example.action]
    return _fit_exclusive(features, labels, len(ACTIONS), weights)


def fit_sentiment(features: Floats, examples: Sequence[Example], weights: Floats) -> Head:
    """A softmax regression over the sentiments."""
    labels = [SENTIMENTS.index(example.sentiment) for example in examples if example.sentiment]
    return _fit_exclusive(features, labels, len(SENTIMENTS), weights)


def _fit_exclusive(features: Floats, labels: Sequence[int], count: int, weights: Floats) -> Head:
    target = np.eye(count)[list(labels)]

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
