"""A training must change what the rows show, keep what they do not, and begin at zero where it must."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.heads import HEAD_NAMES, Card, Labels
from model_export.labelled import Example, exhaustive
from shared.platform.records import TOPICS
from tests.unit.tiny_bert import tiny_checkpoint, tiny_heads, tiny_trunk
from training import fit
from training.train import Trained, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_export.sources import Checkpoint


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return tiny_checkpoint()


@pytest.fixture(scope="module")
def in_use(checkpoint: Checkpoint) -> Trained:
    labels = Labels(topic=TOPICS, action=ACTIONS, sentiment=SENTIMENTS)
    heads = tiny_heads(tiny_trunk(checkpoint))
    return Trained(heads, Card(labels=labels, sentences={}, sources=(), heldout={}))


def rows(topics: Sequence[str]) -> list[Example]:
    """Texts of w1, w2 or w3, the first two of which stand for a topic; and some of our own."""
    found = []
    for number in range(240):
        word, filler = number % 3, number // 3 % 40 + 4
        present = topics[word : word + 1] if word < 2 else []
        text = f"w{word + 1} " * 6 + f"w{filler} w{number % 7 + 4}"
        found.append(Example(text, "mine", exhaustive(present, topics=topics)))
    own = [
        Example(f"w{n % 9} w{n % 11}", "own", action=ACTIONS[n % 3], sentiment="neutral") for n in range(60)
    ]
    return [*found, *own]


def test_only_what_the_rows_show_changes(
    checkpoint: Checkpoint, in_use: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two topics move; all else, layers and queries too, stays to the bit. The card says what was new."""
    # Texts of the tiny encoder are all alike.
    monkeypatch.setattr(fit, "STRENGTHS", (1.0, 0.01, 0.0001))
    said: list[str] = []
    trained = train(checkpoint, rows(TOPICS), TOPICS, in_use, said.append)
    assert trained.heads.trunk is in_use.heads.trunk
    before, after = in_use.heads.parts["topic"], trained.heads.parts["topic"]
    assert np.flatnonzero((before.weight != after.weight).any(axis=1)).tolist() == [0, 1]
    assert (before.query == after.query).all()
    assert all(trained.heads.parts[name] is in_use.heads.parts[name] for name in HEAD_NAMES[1:])
    assert [line.partition(":")[0] for line in said] == list(HEAD_NAMES)
    assert trained.card.sentences.keys() == {"mine"}


def test_topics_of_another_taxonomy_begin_at_zero(checkpoint: Checkpoint, in_use: Trained) -> None:
    """They read the mean of the tuned layers; the other heads stay."""
    topics = ("mill", "race")
    trained = train(checkpoint, rows(topics), topics, in_use, lambda _: None)
    topic = trained.heads.parts["topic"]
    assert not topic.query.any()
    assert list(trained.heads.parts) == list(HEAD_NAMES)
    assert trained.card.labels.topic == topics
    assert len(trained.heads.thresholds) == 2
    assert trained.card.heldout["topic_micro_f1"] > 0.9
    assert trained.heads.parts["action"] is in_use.heads.parts["action"]


def test_another_encoder_has_no_heads_to_begin_at(checkpoint: Checkpoint) -> None:
    """Its own layers are read; salience and initiative are left out where nothing says them."""
    trained = train(checkpoint, rows(TOPICS), TOPICS, None, lambda _: None)
    assert trained.heads.trunk is None
    assert list(trained.heads.parts) == list(HEAD_NAMES[:3])
    assert trained.heads.initiative_threshold is None
    said = [
        Example(each.text, each.source, each.topics, action=each.action, sentiment=each.sentiment,
                salience=number % 4, initiative=number % 2 == 0)
        for number, each in enumerate(rows(TOPICS))
    ]  # fmt: skip
    trained = train(checkpoint, said, TOPICS, None, lambda _: None)
    assert list(trained.heads.parts) == list(HEAD_NAMES)
    assert trained.heads.initiative_threshold is not None
    assert {"salience_correlation", "initiative_f1"} <= trained.card.heldout.keys()
