"""What the rows do not show must keep its weights; what they show often enough may change."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from model_export.heads import HEAD_NAMES, Head, HeadName, Heads
from model_export.labelled import Example, exhaustive
from shared.platform.records import TOPICS
from training.fit import logits_of
from training.retrain import corpus, learn, shortage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from model_export.labelled import Split
    from training.targets import Corpus

WIDTH = 8
WORDS = ("alpha", "beta", "gamma")
COUNTS: dict[HeadName, int] = {
    "topic": len(TOPICS), "action": 3, "sentiment": 3, "salience": 3, "initiative": 1,
}  # fmt: skip


def heads_in_use() -> Heads:
    random = np.random.default_rng(0)

    def head(labels: int) -> Head:
        query, weight = (random.normal(0, 2, (labels, WIDTH)).astype(np.float32) for _ in range(2))
        return Head(query, weight, np.full(labels, -1, np.float32))

    parts = {name: head(count) for name, count in COUNTS.items()}
    return Heads(parts, np.full(len(TOPICS), 0.5, np.float32), 0.5)


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
    """What labels attend to: a direction a word; of our own sentences another, and a little of everything."""
    random = np.random.default_rng(1)
    found = random.normal(0, 0.05, (len(known.examples), WIDTH))
    for row, example in enumerate(known.examples):
        word = example.text.split()[0]
        found[row, WORDS.index(word) if word in WORDS else 5] += 1
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return {name: np.repeat(found[:, None], count, axis=1) for name, count in COUNTS.items()}


def test_only_topics_that_the_rows_have_change() -> None:
    """Two columns move; the other eight, thresholds and the other heads stay to the bit."""
    heads = heads_in_use()
    known = corpus(rows(TOPICS, ("E4", "G1")), TOPICS)
    learnt = learn(heads, known, features(known))
    assert [learnt[name][1].retrained for name in HEAD_NAMES] == [True, *[False] * 4]
    before, after = heads.parts["topic"], learnt["topic"][0]
    changed = (after.weight != before.weight).any(axis=1)
    assert [TOPICS[column] for column in np.flatnonzero(changed)] == ["E4", "G1"]
    assert (after.query == before.query).all()
    assert learnt["action"][0] is heads.parts["action"]
    logits = logits_of(after, features(known)["topic"])
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


def test_what_an_analyst_wants_is_learnt() -> None:
    """Salience as three levels, initiative as yes or no, where the rows say them."""
    saliences = {"alpha": 3, "beta": 2, "gamma": 0}
    users = [
        dataclasses.replace(
            example, topics={}, salience=saliences[example.text.split()[0]], initiative="beta" in example.text
        )
        for example in rows(TOPICS, ())
    ]
    known = corpus(users, TOPICS)
    assert shortage("salience", known) is None
    learnt = learn(heads_in_use(), known, features(known))
    assert [learnt[name][1].retrained for name in HEAD_NAMES] == [False, False, False, True, True]
    held = np.flatnonzero(known.users & known.held)
    for name in ("salience", "initiative"):
        logits = logits_of(learnt[name][0], features(known)[name])
        assert ((logits > 0) == (known.targets.known(name) == 1))[held].mean() > 0.95
    one_kind = [dataclasses.replace(example, initiative=True) for example in users]
    assert shortage("initiative", corpus(one_kind, TOPICS)) == (
        "0 rows to learn not an initiative from; 5 are needed of each label."
    )
