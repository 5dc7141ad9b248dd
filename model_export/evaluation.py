"""How often is each head right on labelled sentences?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from model_export.assemble import ACTIONS, SENTIMENTS
from shared.platform.records import TOPICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from model_export.labelled import Example

    Floats = NDArray[np.float32]

HEADS = ("topic", "action", "sentiment")


class Accuracy(NamedTuple):
    """Of one head on one set."""

    value: float
    """Topics: micro-F1 over the topics judged. Action, sentiment: the share of right labels."""
    texts: int
    """How many were judged."""


def accuracies(
    outputs: Sequence[Floats], thresholds: Floats, examples: Sequence[Example], topics: Sequence[str] = TOPICS
) -> dict[str, Accuracy]:
    """Accuracy of `outputs` (embedding, topic, action, sentiment), by head; without those no text judges."""
    _, topic, action, sentiment = outputs
    found = {}
    judged = [row for row, example in enumerate(examples) if example.topics.keys() & set(topics)]
    if judged:
        found["topic"] = Accuracy(_topic_f1(topic >= thresholds, examples, topics), len(judged))
    for name, chances, labels in (("action", action, ACTIONS), ("sentiment", sentiment, SENTIMENTS)):
        rows = [row for row, example in enumerate(examples) if getattr(example, name)]
        if rows:
            truth = [labels.index(getattr(examples[row], name)) for row in rows]
            found[name] = Accuracy(float((chances[rows].argmax(axis=1) == truth).mean()), len(rows))
    return found


def _topic_f1(chosen: NDArray[np.bool_], examples: Sequence[Example], topics: Sequence[str]) -> float:
    right = wrong = 0
    for row, example in enumerate(examples):
        for column, name in enumerate(topics):
            if name not in example.topics:
                continue
            picked, applies = bool(chosen[row, column]), example.topics[name]
            right += picked and applies
            wrong += picked != applies
    return 2 * right / max(2 * right + wrong, 1)
