"""From labelled sentences to linear heads: fit, calibrate on sentences not fitted on, measure, describe."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.heads import CARD_FILE, HEAD_NAMES, Branch, Card, Head, HeadName, Heads, Labels
from model_export.labelled import split_of
from training import linear
from training.calibrate import calibrated_exclusive, calibrated_topics
from training.scores import macro_f1, micro_f1, sigmoid
from training.sources import SOURCES, permissive
from training.targets import OPEN, Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.labelled import Example

    Floats = NDArray[np.float64]

_FOLDS = 5
_OWN_WEIGHT: dict[HeadName, float] = {"topic": 6.0, "action": 4.0, "sentiment": 15.0}
"""Sentences written for this project count this many times: they cover what the corpora lack, and are few."""


@dataclass(frozen=True, slots=True)
class Trained:
    """Heads with what they were trained on and what they reach on sentences they have not seen."""

    heads: Heads
    card: Card

    def save(self, directory: Path) -> None:
        """Write the weights and `heads.json`."""
        directory.mkdir(parents=True, exist_ok=True)
        self.heads.save(directory)
        (directory / CARD_FILE).write_text(self.card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def train_linear(
    examples: Sequence[Example],
    topics: Sequence[str],
    encode: Callable[[Sequence[str]], NDArray[np.float32]],
) -> Trained:
    """Fit all heads on `encode(texts)`, (n, width) unit length. The same examples give the same heads.

    The test split is left alone; what of it is of no public corpus is measured on. Chances and thresholds are
    calibrated by five-fold cross-validation over the rest.
    """
    targets = Targets.of(examples, topics)
    used = np.any([judged(targets, name) for name in HEAD_NAMES], axis=0)
    examples = [examples[i] for i in np.flatnonzero(used).tolist()]
    targets = targets.rows(np.flatnonzero(used))
    features = encode([example.text for example in examples]).astype(np.float64)
    learnt = np.array([split_of(example) != "test" for example in examples])
    own = np.array([example.source == "own" for example in examples])
    fold = np.array([_fold(example) for example in examples])
    heads: dict[HeadName, Head] = {}
    thresholds = np.full(len(topics), 0.5, np.float32)
    for name in HEAD_NAMES:
        rows = np.flatnonzero(learnt & judged(targets, name))
        weights = np.where(own[rows], _OWN_WEIGHT[name], 1.0)
        head = _fit(name, features[rows], targets.rows(rows), weights)
        unseen = np.zeros((len(rows), head.weight.shape[1]))
        for number in range(_FOLDS):
            held = fold[rows] == number
            if held.any() and not held.all():
                kept = rows[~held]
                part = _fit(name, features[kept], targets.rows(kept), weights[~held])
                unseen[held] = features[rows[held]] @ part.weight + part.bias
        heads[name], chosen = calibrate(name, head, unseen, targets.rows(rows))
        thresholds = thresholds if chosen is None else chosen
    trained = Heads(heads["topic"], heads["action"], heads["sentiment"], thresholds)
    tested = unpublished_tests(examples)
    figures: dict[str, float] = {}
    for name, head in heads.items():
        logits = features[tested] @ head.weight + head.bias
        figures |= measure(name, logits, thresholds, targets.rows(tested))
    return Trained(trained, card_of(examples, topics, figures))


def fit_linear(name: HeadName, examples: Sequence[Example], targets: Targets, features: Floats) -> Head:
    """A linear head on the `features` of all `examples`; those that say nothing to it are passed over."""
    rows = np.flatnonzero(judged(targets, name))
    own = np.array([examples[i].source == "own" for i in rows.tolist()])
    return _fit(name, features[rows], targets.rows(rows), np.where(own, _OWN_WEIGHT[name], 1.0))


def unpublished_tests(examples: Sequence[Example]) -> NDArray[np.intp]:
    """Rows of the test split that are of our own or of the user's files: what the card's figures are of."""
    return np.flatnonzero([split_of(e) == "test" and e.source not in SOURCES for e in examples])


def judged(targets: Targets, name: HeadName) -> NDArray[np.bool_]:
    """Which examples say anything that head `name` can learn from without a partial loss."""
    known: NDArray[np.bool_]
    if name == "topic":
        told: NDArray[np.bool_] = ~np.isnan(targets.topics) | targets.any_of
        known = np.asarray(told.any(axis=1))
    elif name == "action":
        known = targets.action != OPEN
    else:
        known = (targets.sentiment != OPEN) & ~targets.polar
    return known


def calibrate(
    name: HeadName, head: Head, logits: Floats, targets: Targets
) -> tuple[Head, NDArray[np.float32] | None]:
    """`head` with calibrated chances, and the thresholds if it is that of the topics."""
    if name == "topic":
        return calibrated_topics(head, logits, targets.topics.astype(np.float64))
    labels = targets.action if name == "action" else targets.sentiment
    known = judged(targets, name)
    return calibrated_exclusive(head, logits[known], labels[known]), None


def measure(
    name: HeadName, logits: NDArray[np.floating], thresholds: NDArray[np.float32], targets: Targets
) -> dict[str, float]:
    """Micro-F1 of topics, macro-F1 of action or sentiment; nothing where no example is judged."""
    if name == "topic":
        if np.isnan(targets.topics).all():
            return {}
        chosen = sigmoid(np.asarray(logits, np.float32)) >= thresholds
        return {"topic_micro_f1": round(micro_f1(targets.topics, chosen), 4)}
    known = judged(targets, name)
    if not known.any():
        return {}
    labels = targets.action if name == "action" else targets.sentiment
    return {f"{name}_macro_f1": round(macro_f1(labels[known], logits[known].argmax(axis=1)), 4)}


def card_of(
    examples: Sequence[Example],
    topics: Sequence[str],
    heldout: dict[str, float],
    branches: Sequence[Branch] = (),
) -> Card:
    """What `heads.json` says of heads trained on all of `examples` but the test split."""
    used = [example for example in examples if split_of(example) != "test"]
    counts = Counter(example.source for example in used)
    targets = Targets.of(used, topics)
    return Card(
        labels=Labels(topic=tuple(topics), action=ACTIONS, sentiment=SENTIMENTS),
        branches=tuple(branch.card for branch in branches),
        sentences=dict(sorted(counts.items())),
        permissive=tuple(
            name
            for name in HEAD_NAMES
            if all(permissive(used[i]) for i in np.flatnonzero(judged(targets, name)))
        ),
        sources=tuple(SOURCES[name] for name in sorted(counts) if name in SOURCES),
        heldout=heldout,
    )


def _fit(name: HeadName, features: Floats, targets: Targets, weights: Floats) -> Head:
    if name == "topic":
        return linear.fit_several(features, targets.topics.astype(np.float64), weights, targets.any_of)
    labels, names = (targets.action, ACTIONS) if name == "action" else (targets.sentiment, SENTIMENTS)
    return linear.fit_exclusive(features, labels, len(names), weights)


def _fold(example: Example) -> int:
    return hashlib.sha256((example.group or example.text).encode()).digest()[8] % _FOLDS
