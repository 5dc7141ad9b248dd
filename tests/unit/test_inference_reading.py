"""Numbers become labels: the likeliest one, and the topics that reach their own threshold."""

from __future__ import annotations

import numpy as np
import pytest

from shared.inference.engine import Outputs, interpret
from shared.inference.manifest import Manifest
from shared.platform.records import TOPICS

SHA = "0" * 64
MANIFEST = Manifest.model_validate(
    {
        "name": "test",
        "digest": SHA,
        "space": SHA,
        "model": {"sha256": SHA, "size": 1},
        "tokenizer": {"sha256": SHA, "size": 1},
        "precision": "int8",
        "window": 256,
        "dimensions": 384,
        "thresholds": [0.5, 0.4] + [0.5] * 8,
        "sentiments": ["positive", "neutral", "negative"],
        "actions": ["implemented", "planned", "none"],
        "metrics": {},
        "versions": {},
        "sources": [],
    }
)


def outputs(topics: list[float], action: list[float], sentiment: list[float]) -> Outputs:
    rows = [np.zeros((1, width), np.float32) for width in (384, 10, 3, 3)]
    rows[1][0, : len(topics)] = topics
    rows[2][0], rows[3][0] = action, sentiment
    return Outputs(rows[0], rows[1], rows[2], rows[3], np.array([4], np.int32), np.array([False]))


def test_topics_count_from_their_own_threshold_best_first() -> None:
    """E1 misses its threshold, E2 just reaches a lower one, E3 is surest and comes first."""
    reading = interpret(MANIFEST, outputs([0.45, 0.4001, 0.91], [0, 0, 1], [0, 1, 0]), 0)
    assert [(topic.name, topic.score) for topic in reading.topics] == [("E3", 0.91), ("E2", 0.4001)]


def test_no_topic() -> None:
    """A passage below every threshold has none."""
    assert interpret(MANIFEST, outputs([0.1], [0, 0, 1], [0, 1, 0]), 0).topics == []


@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_likeliest_label_is_named(position: int) -> None:
    """Columns are read in the manifest's order."""
    chances = [0.2, 0.2, 0.2]
    chances[position] = 0.6
    reading = interpret(MANIFEST, outputs([], chances, chances), 0)
    assert reading.action.label == MANIFEST.actions[position]
    assert reading.sentiment.label == MANIFEST.sentiments[position]


def test_scores_still_sum_to_one() -> None:
    """Rounding moves the sum by less than a thousandth."""
    reading = interpret(MANIFEST, outputs([], [1 / 3, 1 / 3, 1 / 3], [0.99994, 0.00003, 0.00003]), 0)
    for scores in (reading.action.scores.values(), reading.sentiment.scores.values()):
        assert sum(scores) == pytest.approx(1, abs=1e-3)


def test_topic_columns_are_the_records_order() -> None:
    """The manifest's topics are those that counts and scores use everywhere."""
    assert MANIFEST.topics == TOPICS
