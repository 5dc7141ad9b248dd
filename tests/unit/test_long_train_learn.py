"""What the rows do not show must keep its weights; what they show often enough may change."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from model_export.heads import HEAD_NAMES, Head, HeadName, Heads
from model_export.labelled import Example, exhaustive
from shared.platform.records import TOPICS
from training.retrain import corpus, learn, shortage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from model_export.labelled import Split
    from training.targets import Corpus

WIDTH = 8
WORDS = ("alpha", "beta", "gamma")


def heads_in_use() -> Heads:
    random = np.random.default_rng(0)

    def head(labels: int) -> Head:
        weight = random.normal(0, 2, (WIDTH, labels)).astype(np.float32)
        return Head(weight, np.full(labels, -1, np.float32))

    return Heads(head(len(TOPICS)), head(3), head(3), np.full(len(TOPICS), 0.5, np.float32))


def rows(topics: Sequence[str], codes: Sequence[str], count: int = 150) -> list[Example]:
    """Texts that name one of three words, the first two of which stand for a topic each."""
    found = []
    for number in range(count):
        word = WORDS[number % 3]
        present = [codes[number % 3]] if number % 3 < len(codes) else []
        split: Split = "test" if number % 10 < 3 else "train"
        judged = exhaustive(present, topics=topics)
        found.append(Example(f"{word} {number}", "users", judged, split=split))
    return found


def features(known: Corpus) -> dict[HeadName, NDArray[np.float64]]:
    """A direction a word; of our own sentences another, and a little of everything."""
    random = np.random.default_rng(1)
    found = random.normal(0, 0.05, (len(known.examples), WIDTH))
    for row, example in enumerate(known.examples):
        word = example.text.split()[0]
        found[row, WORDS.index(word) if word in WORDS else 5] += 1
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return dict.fromkeys(HEAD_NAMES, found)


def test_only_topics_that_the_rows_have_change() -> None:
    """Two columns move; the other eight, thresholds and the other heads stay to the bit."""
    heads = heads_in_use()
    known = corpus(rows(TOPICS, ("E4", "G1")), TOPICS)
    learnt = learn(heads, known, features(known))
    assert [learnt[name][1].retrained for name in HEAD_NAMES] == [True, False, False]
    changed = (learnt["topic"][0].weight != heads.topic.weight).any(axis=0)
    assert [TOPICS[column] for column in np.flatnonzero(changed)] == ["E4", "G1"]
    assert learnt["action"][0] is heads.action
    logits = features(known)["topic"] @ learnt["topic"][0].weight + learnt["topic"][0].bias
    users = np.flatnonzero(known.users & known.held)
    right = (logits[users][:, changed] > 0) == (known.targets.topics[users][:, changed] == 1)
    assert right.mean() > 0.95


def test_a_label_with_few_rows_keeps_its_head() -> None:
    """Reviews that are positive or negative teach no head what is neutral."""
    users = [
        dataclasses.replace(
            example, topics={}, sentiment="positive" if number % 2 else "negative", action="none"
        )
        for number, example in enumerate(rows(TOPICS, ()))
    ]
    known = corpus(users, TOPICS)
    assert shortage("sentiment", known) == "0 rows to learn neutral from; 5 are needed of each label."
    assert shortage("action", known) == "0 rows to learn implemented from; 5 are needed of each label."
    assert shortage("topic", known) == "The rows say nothing of it."
