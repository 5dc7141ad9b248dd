"""Branches must be BERT's layers, learn what they are shown, and learn the same again. Needs torch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_export.labelled import Example, exhaustive
from shared.platform.records import TOPICS
from training.targets import Targets

torch = pytest.importorskip("torch", reason="torch is not installed: requirements/train.in")

from model_export.heads import load_card, load_heads  # noqa: E402
from model_export.textbook import Textbook  # noqa: E402 - what follows imports torch
from tests.unit.tiny_bert import LAYERS, WIDTH, tiny_checkpoint  # noqa: E402
from training.bert import (  # noqa: E402
    Lower,
    hidden_states,
    mean_pooled,
)
from training.branch import Fitted, Plan, action_loss, fit_branch, sentiment_loss, topic_loss  # noqa: E402  # noqa: E402
from training.branches import Settings, train_branches  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from shared.platform.records import ActionLabel, SentimentLabel
    from training.bert import Hidden

TEXTS = [f"w{1 if number % 2 else 2} w{3 + number % 7}" for number in range(40)]


def test_layers_are_berts() -> None:
    """Embeddings and layers in torch give what the textbook gives, for rows padded and not."""
    checkpoint = tiny_checkpoint()
    rows = [[3, 9, 4, 1], [7] * 11, [2, 8, 6, 40, 41, 42, 3, 2]]
    ids = torch.zeros(len(rows), 11, dtype=torch.long)
    mask = torch.zeros(len(rows), 11, dtype=torch.bool)
    for number, row in enumerate(rows):
        ids[number, : len(row)], mask[number, : len(row)] = torch.tensor(row), True
    with torch.no_grad():
        found = mean_pooled(Lower(checkpoint, LAYERS).eval()(ids, mask), mask).numpy()
    textbook = Textbook(checkpoint)
    for row, vector in zip(rows, found, strict=True):
        np.testing.assert_allclose(vector, textbook.answer(row)[0], atol=1e-5)


def states(cache: Path, texts: list[str]) -> Hidden:
    return hidden_states(tiny_checkpoint(), 1, texts, cache, lambda _: None)


def test_hidden_states_are_kept(tmp_path: Path) -> None:
    """Texts seen before are not computed again; other texts have a file of their own."""
    first = states(tmp_path, TEXTS[:3])
    (path,) = tmp_path.iterdir()
    written = path.stat().st_mtime_ns
    again, more = states(tmp_path, TEXTS[:3]), states(tmp_path, TEXTS[:6])
    assert path.stat().st_mtime_ns == written
    assert len(list(tmp_path.iterdir())) == 2
    for row in range(3):
        assert torch.equal(first.batch([row])[0], again.batch([row])[0])
        assert torch.allclose(first.batch([row])[0], more.batch([row])[0], atol=1e-2)
    assert len(more) == 6


def test_two_trainings_may_share_a_cache(tmp_path: Path) -> None:
    """Four that miss the same texts at the same time all get the right states, and leave one file."""
    alone = states(tmp_path / "alone", TEXTS)
    with ThreadPoolExecutor(4) as callers:
        for hidden in callers.map(lambda _: states(tmp_path / "shared", TEXTS), range(4)):
            for row in range(len(TEXTS)):
                assert torch.allclose(hidden.batch([row])[0], alone.batch([row])[0], atol=1e-2)
    assert len(list((tmp_path / "shared").iterdir())) == 1


def test_open_labels_cost_nothing() -> None:
    """Where nothing is known of a topic, an action or a sentiment, the loss is 0."""
    logits = torch.randn(2, 3)
    nothing, never = torch.full((2, 3), torch.nan), torch.zeros(2, 3, dtype=torch.bool)
    unknown, no = torch.tensor([-1, -1]), torch.tensor([False, False])
    assert topic_loss(logits, nothing, never) == 0
    assert action_loss(logits, unknown, no, torch.ones(3)) == 0
    assert sentiment_loss(logits, unknown, no) == 0


def test_one_of_several_is_enough() -> None:
    """The loss of "at least one of these" is gone once one is likely, and large while none is."""
    nothing, group = torch.full((1, 3), torch.nan), torch.tensor([[True, True, False]])
    one = topic_loss(torch.tensor([[6.0, -6.0, 0.0]]), nothing, group)
    none = topic_loss(torch.tensor([[-6.0, -6.0, 9.0]]), nothing, group)
    assert one < 0.01
    assert none > 4


def test_not_planned_leaves_the_rest_open() -> None:
    """Done and nothing are equally good where only a plan is ruled out."""
    unknown, ruled_out = torch.tensor([-1]), torch.tensor([True])
    done, nothing, planned = (
        action_loss(8.0 * torch.eye(3)[[label]], unknown, ruled_out, torch.ones(3)) for label in (0, 2, 1)
    )
    assert done == pytest.approx(float(nothing))
    assert done < 0.01
    assert planned > 4


def fit(cache: Path, seed: int) -> tuple[Fitted, Targets]:
    examples = [
        Example(text, "x", exhaustive(["E3"] if "w1 " in text else ["E1"]), action="none") for text in TEXTS
    ]
    targets = Targets.of(examples, TOPICS)
    plan = Plan("topic", {"topic": 10, "action": 3}, {}, epochs=150, fork=1, layers=1, seed=seed, rate=2e-3)
    rows = list(range(40))

    def score(fitted: Fitted) -> float:
        head = fitted.heads["topic"]
        return -float(np.abs(targets.topics - (fitted.features_of(rows) @ head.weight > -head.bias)).mean())

    hidden = states(cache, TEXTS)
    return fit_branch(
        tiny_checkpoint(), plan, hidden, targets, ["x"] * 40, rows, score, lambda _: None
    ), targets


def test_a_branch_learns(tmp_path: Path) -> None:
    """Two kinds of sentence are told apart, in unit-length features, and the weights bear BERT's names."""
    fitted, targets = fit(tmp_path, 0)
    features = fitted.features_of(range(40))
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-3)
    head = fitted.heads["topic"]
    assert head.weight.shape == (WIDTH, 10)
    np.testing.assert_array_equal(features @ head.weight + head.bias > 0, targets.topics == 1)
    assert set(fitted.tensors) == {
        name for name in tiny_checkpoint().tensors if name.startswith("encoder.layer.1.")
    }


def test_both_branches_from_end_to_end(tmp_path: Path) -> None:
    """From labelled sentences to weights on disk that load again, with a card that describes them."""
    kinds: tuple[tuple[str, list[str], ActionLabel, SentimentLabel], ...] = (
        ("w1", ["E3"], "planned", "positive"),
        ("w2", ["S1"], "none", "negative"),
        ("w3", [], "none", "neutral"),
    )
    examples = [
        Example(
            f"{word} w{4 + number % 9} w{14 + number // 9}",
            "own",
            exhaustive(named),
            action=action,
            sentiment=sentiment,
        )
        for word, named, action, sentiment in kinds
        for number in range(60)
    ]
    lines: list[str] = []
    trained = train_branches(tiny_checkpoint(), examples, TOPICS, Settings(tmp_path / "cache", lines.append))
    trained.save(tmp_path)
    loaded = load_heads(tmp_path)
    assert [branch.card.heads for branch in loaded.branches] == [("topic", "action"), ("sentiment",)]
    assert load_card(tmp_path).permissive == ("topic", "action", "sentiment")
    np.testing.assert_array_equal(loaded.topic.weight, trained.heads.topic.weight)
    assert {"topic_micro_f1", "action_macro_f1", "sentiment_macro_f1"} == set(trained.card.heldout)
    assert any("topic, epoch 3 of 3" in line for line in lines)
    assert [line.split(":")[0] for line in lines if "log loss" in line] == ["topic", "action", "sentiment"]
    assert loaded.words is not None
    assert loaded.words.counts == (10, 3, 3)
    assert loaded.reads("topic", WIDTH) == len(loaded.topic.weight) == 2 * WIDTH + 10


def test_the_same_seed_gives_the_same_branch(tmp_path: Path) -> None:
    """Training twice with a seed gives equal weights; another seed gives others."""
    torch.set_num_threads(1)
    first, again, other = (fit(tmp_path, seed)[0].tensors for seed in (0, 0, 1))
    name = "encoder.layer.1.output.dense.weight"
    np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first[name], other[name])
