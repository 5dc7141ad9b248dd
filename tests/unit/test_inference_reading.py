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
        "initiative_threshold": 0.4,
        "metrics": {},
        "versions": {},
        "sources": [],
    }
)


def outputs(
    topics: list[float],
    action: list[float],
    sentiment: list[float],
    salience: float = 0,
    initiative: float = 0,
) -> Outputs:
    chances = np.zeros((1, 10), np.float32)
    chances[0, : len(topics)] = topics
    action_row, sentiment_row, salience_row, initiative_row = (
        np.array([row], np.float32) for row in (action, sentiment, [salience], [initiative])
    )
    return Outputs(
        embedding=np.zeros((1, 384), np.float32),
        topics=chances,
        action=action_row,
        sentiment=sentiment_row,
        salience=salience_row,
        initiative=initiative_row,
        tokens=np.array([4], np.int32),
        truncated=np.array([False]),
    )


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


@pytest.mark.parametrize(("chance", "expected"), [(0.39996, True), (0.3999, False)])
def test_an_initiative_reaches_the_threshold(*, chance: float, expected: bool) -> None:
    """By the printed probability, whatever topics and action are; salience is what the model says."""
    reading = interpret(MANIFEST, outputs([], [0, 0, 1], [0, 1, 0], 2.34567, chance), 0)
    assert (reading.initiative, reading.initiative_score) == (expected, round(chance, 4))
    assert reading.salience == 2.3457


@pytest.mark.parametrize(("topics", "expected"), [([0.9], True), ([0.1], False)])
def test_a_model_that_does_not_say_it(*, topics: list[float], expected: bool) -> None:
    """Where there is no such head, an initiative has a topic and an action."""
    manifest = MANIFEST.model_copy(update={"initiative_threshold": None})
    reading = interpret(manifest, outputs(topics, [1, 0, 0], [0, 1, 0]), 0)
    assert (reading.initiative, reading.initiative_score, reading.salience) == (expected, None, None)
