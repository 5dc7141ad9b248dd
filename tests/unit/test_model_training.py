"""Heads must learn from partial labels, be calibrated, and be scored rightly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_export.labelled import Example, exhaustive
from model_export.scores import f1, macro_f1, micro_f1
from shared.platform.records import TOPICS
from training.fit import (
    Rows,
    best_shares,
    best_threshold,
    calibrated_each,
    calibrated_exclusive,
    fit,
    logits_of,
    platt,
    zero_head,
)
from training.targets import Targets


def test_topics_are_learnt_from_groups_alone() -> None:
    """Two kinds of sentence, of which half say only "E1 or E2": the other half teaches which is which."""
    features = np.repeat(np.eye(4), 30, axis=0)
    features[:, 3] = 1
    examples = [Example("", "x", exhaustive(["E1"]))] * 30
    examples += [Example("", "x", exhaustive(["E2"]))] * 15
    examples += [Example("", "x", any_of=("E1", "E2"))] * 15
    examples += [Example("", "x", exhaustive([]))] * 60
    targets = Targets.of(examples, TOPICS)
    rows = Rows(features, targets.topics.astype(float), exclusive=False, any_of=targets.any_of)
    (head,) = fit(rows, zero_head(4, len(TOPICS)), [0.001])
    chances = 1 / (1 + np.exp(-(logits_of(head, features))))
    assert chances[0, 0] > 0.9
    assert chances[45, 1] > 0.9
    assert chances[45, 0] < 0.1
    assert chances[70].max() < 0.1


def test_exclusive_labels_are_learnt() -> None:
    """A softmax head separates what can be separated."""
    features = np.repeat(np.eye(3), 10, axis=0)
    known = np.eye(3)[np.repeat([1, 2, 0], 10)]
    (head,) = fit(Rows(features, known, exclusive=True), zero_head(3, 3), [0.001])
    assert (logits_of(head, features)).argmax(axis=1).tolist() == [1] * 10 + [2] * 10 + [0] * 10


def test_every_label_learns_from_what_it_attends_to() -> None:
    """Two labels that see the same rows turned round learn opposite weights, and each the right ones."""
    random = np.random.default_rng(0)
    seen = random.normal(0, 3, (200, 4))
    features = np.stack([seen, -seen], axis=1)
    known = np.repeat((seen[:, :1] > 0).astype(float), 2, axis=1)
    (head,) = fit(Rows(features, known, exclusive=False), zero_head(4, 2), [0.001])
    np.testing.assert_allclose(head.weight[0], -head.weight[1], rtol=1e-3)
    assert ((logits_of(head, features) > 0) == (known == 1)).mean() > 0.98


def test_strengths_do_not_depend_on_the_length_of_features() -> None:
    """Features ten times longer give weights ten times smaller, and the same logits."""
    random = np.random.default_rng(0)
    features = random.normal(0, 1, (100, 4))
    known = (features[:, :1] + random.normal(0, 1, (100, 1)) > 0).astype(float)
    one, other = (
        fit(Rows(features * length, known, exclusive=False), zero_head(4, 1), [10.0])[0] for length in (1, 10)
    )
    np.testing.assert_allclose(one.weight, other.weight * 10, rtol=1e-3)
    np.testing.assert_allclose(one.bias, other.bias, atol=1e-4)


def test_platt_mends_overconfidence() -> None:
    """Scores three times too sure are scaled back to what happens."""
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, 20_000)
    present = (random.random(20_000) < 1 / (1 + np.exp(-logits))).astype(float)
    slope, intercept = platt(3 * logits, present)
    assert slope == pytest.approx(1 / 3, abs=0.02)
    assert intercept == pytest.approx(0, abs=0.05)


def test_platt_leaves_few_examples_alone() -> None:
    """With two sentences to go by, nothing much is changed."""
    slope, intercept = platt(np.array([3.0, -3.0]), np.array([1.0, 0.0]))
    assert slope == pytest.approx(1, abs=0.1)
    assert intercept == pytest.approx(0, abs=0.1)


def test_threshold_separates() -> None:
    """The middle of the gap between the two kinds is chosen."""
    chances, present = np.array([0.3, 0.38, 0.6, 0.9]), np.array([0.0, 0.0, 1.0, 1.0])
    assert best_threshold(chances, present) == pytest.approx(0.5, abs=0.03)


def test_f1() -> None:
    """Two hits of three chosen and four true: 2 * 2 / (3 + 4)."""
    truth = np.array([True, True, True, True, False])
    assert f1(truth, np.array([True, True, False, False, True])) == pytest.approx(4 / 7)
    assert macro_f1(np.array([0, 0, 1]), np.array([0, 0, 0])) == pytest.approx((4 / 5 + 0) / 2)


def test_open_cells_do_not_count() -> None:
    """Of three cells one is open: one hit, one missed."""
    known = np.array([[1, np.nan], [1, 0]], np.float32)
    assert micro_f1(known, np.array([[True, True], [False, False]])) == pytest.approx(2 / 3)


def test_rare_topics_share_a_threshold() -> None:
    """A topic seen once cannot have a threshold of its own; one seen often can."""
    random = np.random.default_rng(5)
    logits = random.normal(0, 2, (4000, 2))
    known = np.stack([random.random(4000) < 1 / (1 + np.exp(-logits[:, 0])), np.zeros(4000)], axis=1) * 1.0
    known[:, 1] = np.nan
    known[0, 1] = 1
    head = replace(zero_head(2, 2), weight=np.eye(2, dtype=np.float32))
    _, thresholds = calibrated_each(head, logits, known)
    assert thresholds[0] == pytest.approx(thresholds[1], abs=0.02)


def test_temperature_mends_overconfidence() -> None:
    """Logits three times too large are divided by about three, and no label changes."""
    random = np.random.default_rng(7)
    logits = random.normal(0, 1.5, (5000, 3))
    odds = np.exp(logits)
    chances = odds / odds.sum(axis=1, keepdims=True)
    labels = np.array([random.choice(3, p=row) for row in chances])
    head = replace(zero_head(3, 3), weight=np.eye(3, dtype=np.float32))
    cooled = calibrated_exclusive(head, 3 * logits, labels)
    np.testing.assert_allclose(cooled.weight * 3, head.weight, rtol=0.06)


def test_shares_follow_who_is_right() -> None:
    """A system that knows the labels gets weight, one of noise gets none; for one label of several too."""
    random = np.random.default_rng(0)
    start = np.array([1.0, 0.0])
    present = random.integers(0, 2, 600).astype(np.float64)
    noise, knowing = random.normal(0, 2, 600), np.where(present, 2.0, -2.0) + random.normal(0, 1, 600)
    shares = best_shares(np.stack([noise, knowing], axis=1), present, start, exclusive=False)
    assert abs(shares[0]) < 0.3
    assert shares[1] > 1
    truth = np.eye(3)[random.integers(0, 3, 60)]
    systems = [random.normal(0, 2, (60, 3)), 3 * truth + random.normal(0, 1, (60, 3))]
    shares = best_shares(np.stack(systems, axis=2), truth, start, exclusive=True)
    assert abs(shares[0]) < 0.3
    assert shares[1] > 0.5


def test_without_sentences_shares_stay_where_they_began() -> None:
    """Nothing known of a label leaves the shares where they began."""
    start = np.array([0.0, 1.0, 0.0])
    shares = best_shares(np.ones((0, 3, 3)), np.ones((0, 3)), start, exclusive=True)
    assert shares.tolist() == start.tolist()
