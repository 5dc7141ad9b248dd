"""Words must be learnt. Needs torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_export.labelled import Example, exhaustive
from model_export.textbook import Textbook
from shared.platform.records import TOPICS
from training.targets import Targets

torch = pytest.importorskip("torch", reason="torch is not installed: requirements/train.in")

from model_export.heads import FACTOR, PAIRS, Words  # noqa: E402
from tests.unit.tiny_bert import branch, heads_with, tiny_checkpoint  # noqa: E402
from training.words import fit_tables, read_texts  # noqa: E402

EXAMPLES = [
    Example(f"{start} w{4 + number % 9}", "x", exhaustive(named), action="planned" if planned else "none")
    for start, named, planned in (("w1 w2", ["E3"], True), ("w2 w1", ["S1"], True), ("w3 w2", ["S1"], False))
    for number in range(20)
]
TARGETS = Targets.of(EXAMPLES, TOPICS)
TEXTS = [example.text for example in EXAMPLES]


def test_words_and_pairs_are_learnt() -> None:
    """What one word decides is learnt from pieces, and what their order decides from pairs."""
    texts = read_texts(tiny_checkpoint(), TEXTS)
    tables = fit_tables(texts, TARGETS, np.ones(60), {"topic": 10, "action": 3}, (1.0, 1.0, 1.0))
    logits = tables.values(texts) + tables.bias
    np.testing.assert_array_equal(logits[:, :10] > 0, TARGETS.topics == 1)
    np.testing.assert_array_equal(logits[:, 10:].argmax(axis=1), TARGETS.action)


def test_a_text_can_count_more_than_once() -> None:
    """Of contradicting labels those count that are repeated."""
    contradicting = [Example("w1 w5", "x", action="planned"), Example("w1 w5", "x", action="none")]
    texts = read_texts(tiny_checkpoint(), ["w1 w5", "w1 w5"])
    for repeats, winner in (([5.0, 1.0], 1), ([1.0, 5.0], 2)):
        targets = Targets.of(contradicting, TOPICS)
        tables = fit_tables(texts, targets, np.array(repeats), {"action": 3}, (1.0, 1.0, 1.0))
        assert (tables.values(texts) + tables.bias).argmax(axis=1).tolist() == [winner, winner]


def test_what_is_fitted_is_what_the_model_computes() -> None:
    """Sums in training are those of the textbook, but for eight bits."""
    checkpoint = tiny_checkpoint()
    texts = read_texts(checkpoint, TEXTS)
    tables = fit_tables(
        texts, TARGETS, np.ones(60), {"topic": 10, "action": 3, "sentiment": 3}, (1.0, 1.0, 1.0)
    )
    heads = heads_with(branch(checkpoint, "all", 1, ("topic", "action", "sentiment"), "branch+words"))
    heads.topic.weight[:32] = 0
    heads.topic.weight[32:] = np.eye(10)
    textbook = Textbook(checkpoint, replace(heads, words=Words.of(tables.pieces, tables.pairs, (10, 3, 3))))
    # w1 w2 w4 between its two special tokens
    ids = [2, 5, 6, 8, 3]
    assert texts.pieces.places[:5].tolist() == ids
    assert texts.pairs.places[0] == (2 * FACTOR + 5) % PAIRS
    expected = 1 / (1 + np.exp(-tables.values(texts)[0, :10]))
    np.testing.assert_allclose(textbook.answer(ids)[1], expected, atol=0.01)
