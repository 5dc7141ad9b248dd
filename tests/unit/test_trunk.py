"""Training of the trunk on a tiny encoder; skipped where torch is not installed."""

from __future__ import annotations

import numpy as np
import pytest

from model_export.assemble import full_graph
from model_export.graph import Float32
from model_export.heads import HEAD_NAMES
from model_export.labelled import Example
from model_export.run import run_graph
from shared.platform.records import TOPICS
from tests.unit.tiny_bert import tiny_checkpoint

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -r requirements/train.in")

from training.trunk import Plan, balance, train_trunk  # noqa: E402 - needs torch


def _examples() -> list[Example]:
    words = ("water", "air", "pay", "soil", "trade", "law")
    return [
        Example(
            f"{words[number % 6]} {words[number % 5]} {number}",
            "passages",
            dict.fromkeys(TOPICS, number % 2 == 0),
            action=("implemented", "planned", "none")[number % 3],
            sentiment=("positive", "neutral", "negative")[number % 3],
            salience=number % 4,
            initiative=number % 3 == 0,
            split=("train", "train", "dev", "test")[number % 4],
        )
        for number in range(48)
    ]


def test_a_training_gives_the_same_heads_twice_and_a_graph_answers_with_them() -> None:
    checkpoint, examples = tiny_checkpoint(), _examples()
    first, second = (
        train_trunk(checkpoint, examples, TOPICS, lambda _: None, Plan(repeats={"passages": 2.0}))
        for _ in range(2)
    )
    assert first.heads.trunk is not None
    assert second.heads.trunk is not None
    assert first.heads.trunk.digest() == second.heads.trunk.digest()
    assert tuple(first.heads.parts) == HEAD_NAMES
    graph = full_graph(checkpoint, Float32(), first.heads)
    outputs = run_graph(graph, checkpoint.tokenizer, [example.text for example in examples])
    assert np.isfinite(np.concatenate(outputs, axis=1)).all()


def test_the_balance_makes_a_rare_label_the_likeliest_where_that_is_right() -> None:
    labels = np.array([0] * 5 + [2] * 95)
    logits = np.zeros((100, 3))
    logits[:, 2] = 1.0
    logits[:5, 0] = 0.5
    chosen = (logits + balance(logits, labels)).argmax(axis=1)
    assert (chosen == labels).all()
