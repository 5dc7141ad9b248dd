"""One model must be called better only where it is, and worse wherever it is."""

from __future__ import annotations

import numpy as np
import pytest

from model_export.scores import macro_f1, micro_f1
from training.compare import Judged, compare, counts, label_scores, one_hot, score

LABELS = 3


def judged(truth: list[int], in_use: list[int], candidate: list[int]) -> Judged:
    hot = [one_hot(np.array(labels), LABELS) for labels in (truth, in_use, candidate)]
    return Judged(hot[0], np.ones_like(hot[0]), hot[1], hot[2])


def spoiled(truth: list[int], share: float, seed: int = 0) -> list[int]:
    """`truth`, wrong in about this share of the rows."""
    random = np.random.default_rng(seed)
    return [(label + 1) % LABELS if random.random() < share else label for label in truth]


TRUTH = [number % LABELS for number in range(90)]


@pytest.mark.parametrize(
    ("in_use", "candidate", "verdict"),
    [
        (spoiled(TRUTH, 0.4), TRUTH, "better"),
        (TRUTH, spoiled(TRUTH, 0.4), "worse"),
        (spoiled(TRUTH, 0.4), spoiled(TRUTH, 0.4), "no difference beyond chance"),
        # One row more is right: that is chance.
        (spoiled(TRUTH, 0.4), [TRUTH[0], *spoiled(TRUTH, 0.4)[1:]], "no difference beyond chance"),
        # Against a model that always says the same, guessing has the better mean F1; it has learnt nothing.
        ([2] * 90, [0, 0, 0, 1, 1, 1, 2, 2, 2] * 10, "no better than luck"),
    ],
)
def test_verdicts(in_use: list[int], candidate: list[int], verdict: str) -> None:
    found = compare(judged(TRUTH, in_use, candidate), macro=True, heads=1)
    assert found.verdict == verdict
    assert found.low <= found.candidate - found.in_use <= found.high


def test_a_loss_too_large_to_put_down_to_chance_is_worse() -> None:
    """With ten rows, chance would explain any loss; a large one counts all the same."""
    truth = TRUTH[:9]
    found = compare(judged(truth, truth, [*truth[:8], (truth[8] + 1) % 3]), macro=True, heads=1)
    assert found.in_use - found.candidate > 0.05
    assert found.verdict == "worse"


def test_more_heads_demand_more() -> None:
    """The bounds are wider where three heads are tried: one of three is lucky more often."""
    pair = judged(TRUTH, spoiled(TRUTH, 0.3), spoiled(TRUTH, 0.2, seed=1))
    one, three = (compare(pair, macro=True, heads=heads) for heads in (1, 3))
    assert three.low < one.low
    assert three.high > one.high
    assert compare(pair, macro=True, heads=3) == three


def test_no_head_is_called_better_for_nothing() -> None:
    """Two equally good models, twenty times: about one in twenty may seem better, not many more."""
    better = 0
    for seed in range(20):
        pair = judged(TRUTH, spoiled(TRUTH, 0.3, seed), spoiled(TRUTH, 0.3, 1000 + seed))
        better += compare(pair, macro=True, heads=1).verdict == "better"
    assert better <= 3


def test_scores_are_those_of_the_training() -> None:
    """Micro and macro F1 as `model_export` computes them; what is not known does not count."""
    guess = spoiled(TRUTH, 0.4)
    totals = counts(judged(TRUTH, TRUTH, guess), one_hot(np.array(guess), LABELS)).sum(axis=0, keepdims=True)
    assert score(totals)[0] == pytest.approx(macro_f1(np.array(TRUTH), np.array(guess)))
    random = np.random.default_rng(1)
    known = np.where(random.random((50, 4)) < 0.3, np.nan, random.random((50, 4)) < 0.4).astype(np.float32)
    chosen = random.random((50, 4)) < 0.5
    topics = counts(Judged(known == 1, ~np.isnan(known), chosen, chosen), chosen).sum(axis=(0, 1))
    assert float(label_scores(topics)) == pytest.approx(micro_f1(known, chosen))
