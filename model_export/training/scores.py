"""How good are the heads? F1 over labels, as the field reports it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_export.assemble import ACTIONS, SENTIMENTS
from shared.records import TOPICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from model_export.heads import Heads
    from model_export.training.examples import Example


def score(heads: Heads, features: NDArray[np.float32], examples: Sequence[Example]) -> dict[str, float]:
    """Micro-F1 of topics and macro-F1 of action and sentiment, over examples with every label."""
    chances = 1 / (1 + np.exp(-(features @ heads.topic.weight + heads.topic.bias)))
    topics = np.array([[example.topics[name] for name in TOPICS] for example in examples])
    actions = np.array([ACTIONS.index(e.action) for e in examples if e.action])
    sentiments = np.array([SENTIMENTS.index(e.sentiment) for e in examples if e.sentiment])
    return {
        "topic_micro_f1": round(f1(topics, chances >= heads.thresholds), 4),
        "action_macro_f1": round(
            macro_f1(actions, (features @ heads.action.weight + heads.action.bias).argmax(axis=1)), 4
        ),
        "sentiment_macro_f1": round(
            macro_f1(sentiments, (features @ heads.sentiment.weight + heads.sentiment.bias).argmax(axis=1)), 4
        ),
    }


def f1(truth: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> float:
    """F1 over all cells of two arrays of one shape; 0 where nothing was true and nothing chosen."""
    return float(2 * (truth & chosen).sum() / max(truth.sum() + chosen.sum(), 1))


def macro_f1(truth: NDArray[np.intp], chosen: NDArray[np.intp]) -> float:
    """The mean of the F1 of each label that occurs in `truth`."""
    return float(np.mean([f1(truth == label, chosen == label) for label in np.unique(truth)]))
