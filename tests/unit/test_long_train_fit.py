"""A head must move where its rows say so, and stay where they say nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.fit import FOLDS, Choice, Rows, choose, log_loss, logits_of, zero_head

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_export.heads import Head

WIDTH, ROWS = 12, 200


def problem(known: NDArray[np.float64], *, exclusive: bool) -> Rows:
    """Random directions of unit length."""
    random = np.random.default_rng(0)
    features = random.normal(size=(len(known), WIDTH))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return Rows(features, known, exclusive)


def chosen_of(rows: Rows, in_use: Head, users: NDArray[np.bool_] | None = None) -> Choice:
    """By default all rows are the user's."""
    count = len(rows.known)
    return choose(rows, in_use, np.ones(count, bool) if users is None else users, np.arange(count) % FOLDS)


def head(labels: int, scale: float = 3.0) -> Head:
    random = np.random.default_rng(1)
    weight = random.normal(0, scale, (labels, WIDTH)).astype(np.float32)
    return replace(zero_head(WIDTH, labels), weight=weight)


def labelled_by(rule: Head, *, exclusive: bool) -> Rows:
    """Rows whose labels are what `rule` says."""
    count = len(rule.bias)
    part = problem(np.zeros((ROWS, count)), exclusive=exclusive)
    logits = logits_of(rule, part.features)
    known = np.eye(count)[logits.argmax(axis=1)] if exclusive else (logits > 0).astype(np.float64)
    return Rows(part.features, known, exclusive)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_rule_is_learnt(*, exclusive: bool) -> None:
    """Where the head in use is wrong throughout, one is fitted that says what the rows say."""
    rule = head(3)
    rows = labelled_by(rule, exclusive=exclusive)
    wrong = replace(rule, weight=-rule.weight)
    choice = chosen_of(rows, wrong)
    assert choice.strength is not None
    assert log_loss(rows, choice.head) < choice.loss < choice.loss_of_guessing
    chosen = logits_of(choice.head, rows.features)
    right = chosen.argmax(axis=1) == rows.known.argmax(axis=1) if exclusive else (chosen > 0) == rows.known
    assert right.mean() > 0.9


@pytest.mark.parametrize("exclusive", [True, False])
def test_labels_without_a_rule_leave_the_head_alone(*, exclusive: bool) -> None:
    random = np.random.default_rng(2)
    one_of, any_of = np.eye(3)[random.integers(0, 3, ROWS)], random.integers(0, 2, (ROWS, 3))
    known = (one_of if exclusive else any_of).astype(np.float64)
    in_use = head(3)
    choice = chosen_of(problem(known, exclusive=exclusive), in_use)
    assert choice.strength is None
    assert choice.head is in_use


def test_the_minimum_is_found() -> None:
    """At the head that was fitted, the slope of what is minimised is nothing."""
    rows = labelled_by(head(3), exclusive=True)
    choice = chosen_of(rows, zero_head(WIDTH, 3))
    assert choice.strength is not None
    odds = np.exp(logits_of(choice.head, rows.features))
    difference = odds / odds.sum(axis=1, keepdims=True) - rows.known
    slope = rows.features.T @ difference + choice.strength * choice.head.weight.T
    assert np.abs(slope).max() < 0.02


def test_our_sentences_are_learnt_from_and_not_judged_by() -> None:
    """What a head is chosen by is the log loss of the user's rows alone."""
    rows = labelled_by(head(3), exclusive=True)
    users = np.arange(ROWS) < ROWS // 2
    in_use = head(3, 0.1)
    assert chosen_of(rows, in_use, users).loss_in_use == pytest.approx(log_loss(rows.of(users), in_use))


def test_open_labels_do_not_count() -> None:
    """A row whose labels are all open changes nothing."""
    rows = labelled_by(head(2), exclusive=False)
    known = np.vstack([rows.known, np.full((50, 2), np.nan)])
    more = problem(known, exclusive=False)
    features = np.vstack([rows.features, more.features[-50:]])
    users = np.arange(len(known)) < ROWS
    wider = Rows(features, known, exclusive=False)
    in_use = head(2, 0.1)
    one, other = chosen_of(rows, in_use), chosen_of(wider, in_use, users)
    assert one.strength == other.strength
    np.testing.assert_allclose(one.head.weight, other.head.weight, atol=0.01)
