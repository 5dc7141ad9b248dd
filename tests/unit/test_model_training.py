"""What corpora say must become labels faithfully, and heads must learn from partial ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_export.training import linear
from model_export.training.calibrate import best_threshold, platt
from model_export.training.corpora import read_directory
from model_export.training.examples import OWN, Example, exhaustive, read_labelled
from model_export.training.scores import f1, macro_f1
from shared.errors import SetupError
from shared.records import TOPICS

if TYPE_CHECKING:
    from pathlib import Path


def a3cg(directory: Path, categories: dict[str, list[str]], states: list[str]) -> Example:
    row = {
        "text": "A sentence.",
        "aspect_categories": categories,
        "aspects": {str(number): [state] for number, state in enumerate(states)},
    }
    (directory / "topic_a3cg_train.json").write_text(json.dumps([row]))
    (example,) = read_directory(directory)
    return example


@pytest.mark.parametrize(
    ("categories", "present", "open_topics"),
    [
        ({}, set(), set()),  # nothing named: no topic applies
        ({"workplace": ["training"]}, {"S1"}, set()),
        ({"emissions control": ["carbon emissions"]}, {"E1"}, set()),  # decided by its words
        ({"emissions control": ["emissions"]}, set(), {"E1", "E2"}),  # either: left open
        ({"management": ["committee"]}, set(), {"G1"}),  # of any subject: left open
        ({"outreach": ["schools"], "waste management": ["waste"]}, {"S3", "E5"}, set()),
    ],
)
def test_aspects_become_topics(
    tmp_path: Path, categories: dict[str, list[str]], present: set[str], open_topics: set[str]
) -> None:
    """Named aspects apply, ambiguous ones are left open, all others do not apply."""
    example = a3cg(tmp_path, categories, [])
    assert {topic for topic, applies in example.topics.items() if applies} == present
    assert set(TOPICS) - set(example.topics) == open_topics


@pytest.mark.parametrize(
    ("states", "action"),
    [
        ([], "none"),
        (["indeterminate"], "none"),
        (["implemented", "indeterminate"], "implemented"),
        (["implemented", "planning"], "planned"),  # a tie: the rarer
        (["implemented", "implemented", "planning"], "implemented"),
    ],
)
def test_states_become_an_action(tmp_path: Path, states: list[str], action: str) -> None:
    """The commonest state wins; what is neither done nor planned is no action."""
    assert a3cg(tmp_path, {}, states).action == action


def test_something_environmental_is_one_of_five(tmp_path: Path) -> None:
    """A yes on a pillar names a group, a no denies all of it, a blank says nothing."""
    (tmp_path / "topic_esgbert_multilabel_train.csv").write_text("text,env,soc,gov\nA sentence.,1,0,\n")
    (example,) = read_directory(tmp_path)
    assert example.any_of == ("E1", "E2", "E3", "E4", "E5")
    assert example.topics == dict.fromkeys(("S1", "S2", "S3", "S4"), False)


def test_own_lines(tmp_path: Path) -> None:
    """A label left out is unknown; an empty list of topics says that none applies."""
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "a", "topics": []}\n{"text": "b", "sentiment": "negative"}\n')
    first, second = read_labelled(path)
    assert first.topics == dict.fromkeys(TOPICS, False)
    assert (first.action, first.sentiment) == (None, None)
    assert (second.topics, second.sentiment) == ({}, "negative")


@pytest.mark.parametrize("line", ['{"text": ""}', '{"text": "a", "topics": ["E9"]}', '{"texts": "a"}', "a"])
def test_a_line_of_another_form_is_named(tmp_path: Path, line: str) -> None:
    """A misspelt label is refused with file and line, not learnt."""
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "fine"}\n' + line + "\n")
    with pytest.raises(SetupError, match=r"mine\.jsonl, line 2"):
        read_labelled(path)


def test_our_own_sentences() -> None:
    """Every topic has examples in both parts, fully labelled, and no sentence is in both."""
    train, heldout = read_labelled(OWN / "train.jsonl"), read_labelled(OWN / "heldout.jsonl")
    for part in (train, heldout):
        assert all(example.action and example.sentiment and example.topics for example in part)
        for topic in TOPICS:
            assert sum(example.topics[topic] for example in part) >= 3
    assert not {example.text for example in train} & {example.text for example in heldout}


def test_topics_are_learnt_from_groups_alone() -> None:
    """Two kinds of sentence, of which half say only "E1 or E2": the other half teaches which is which."""
    features = np.repeat(np.eye(4), 30, axis=0)
    features[:, 3] = 1
    examples = [Example("", "x", exhaustive(["E1"]))] * 30
    examples += [Example("", "x", exhaustive(["E2"]))] * 15
    examples += [Example("", "x", any_of=("E1", "E2"))] * 15
    examples += [Example("", "x", exhaustive([]))] * 60
    head = linear.fit_topics(features, examples, np.ones(len(examples)))
    chances = 1 / (1 + np.exp(-(features @ head.weight + head.bias)))
    assert chances[0, 0] > 0.9
    assert chances[45, 1] > 0.9
    assert chances[45, 0] < 0.1
    assert chances[70].max() < 0.1


def test_exclusive_labels_are_learnt() -> None:
    """A softmax head separates what can be separated."""
    features = np.repeat(np.eye(3), 10, axis=0)
    examples = [
        Example("", "x", action=label) for label in ("planned", "none", "implemented") for _ in range(10)
    ]
    head = linear.fit_action(features, examples, np.ones(30))
    assert (features @ head.weight + head.bias).argmax(axis=1).tolist() == [1] * 10 + [2] * 10 + [0] * 10


def test_platt_mends_overconfidence() -> None:
    """Scores three times too sure are scaled back to what happens."""
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, 20_000)
    present = (random.random(20_000) < 1 / (1 + np.exp(-logits))).astype(float)
    slope, intercept = platt(3 * logits, present, np.ones(20_000))
    assert slope == pytest.approx(1 / 3, abs=0.02)
    assert intercept == pytest.approx(0, abs=0.05)


def test_platt_leaves_few_examples_alone() -> None:
    """With two sentences to go by, nothing much is changed."""
    slope, intercept = platt(np.array([3.0, -3.0]), np.array([1.0, 0.0]), np.ones(2))
    assert slope == pytest.approx(1, abs=0.1)
    assert intercept == pytest.approx(0, abs=0.1)


def test_threshold_separates() -> None:
    """The middle of the gap between the two kinds is chosen."""
    chances, present = np.array([0.3, 0.38, 0.6, 0.9]), np.array([0.0, 0.0, 1.0, 1.0])
    assert best_threshold(chances, present, np.ones(4)) == pytest.approx(0.5, abs=0.03)


def test_f1() -> None:
    """Two hits of three chosen and four true: 2 * 2 / (3 + 4)."""
    truth = np.array([True, True, True, True, False])
    assert f1(truth, np.array([True, True, False, False, True])) == pytest.approx(4 / 7)
    assert macro_f1(np.array([0, 0, 1]), np.array([0, 0, 0])) == pytest.approx((4 / 5 + 0) / 2)
