"""From labelled sentences to heads: fit, calibrate on sentences not fitted on, measure, describe."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.heads import CARD_FILE, HEAD_NAMES, Branch, Card, Head, HeadName, Heads, Labels
from model_export.labelled import split_of
from model_export.scores import macro_f1, micro_f1, sigmoid
from training.corpora import SOURCES, permissive
from training.fit import FOLDS, Rows, calibrated_exclusive, calibrated_topics, fit, zero_head
from training.rows import fold_of
from training.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.labelled import Example

    Floats = NDArray[np.float64]

_OWN_WEIGHT: dict[HeadName, float] = {"topic": 6.0, "action": 4.0, "sentiment": 15.0}
"""Sentences written for this project count this many times: they cover what the corpora lack, and are few."""
DECAY = 1e-5
"""Strength of the belief that weights are zero, for each sentence learnt from."""


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
    used = np.flatnonzero(np.any([targets.judged(name) for name in HEAD_NAMES], axis=0))
    examples = [examples[i] for i in used.tolist()]
    targets = targets.rows(used)
    features = encode([example.text for example in examples]).astype(np.float64)
    learnt = np.array([split_of(example) != "test" for example in examples])
    fold = np.array([fold_of(example.group or example.text, FOLDS) for example in examples])
    heads: dict[HeadName, Head] = {}
    thresholds = np.full(len(topics), 0.5, np.float32)
    for name in HEAD_NAMES:
        rows = np.flatnonzero(learnt & targets.judged(name))
        head = fit_linear(name, examples, targets, features, rows)
        unseen = np.zeros((len(rows), head.weight.shape[1]))
        for number in range(FOLDS):
            held = fold[rows] == number
            if held.any() and not held.all():
                part = fit_linear(name, examples, targets, features, rows[~held])
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


def fit_linear(
    name: HeadName, examples: Sequence[Example], targets: Targets, features: Floats, rows: NDArray[np.intp]
) -> Head:
    """A linear head on the `features` of `rows`, all of which say something to it."""
    known = targets.known(name)[rows].astype(np.float64)
    weights = np.array([_OWN_WEIGHT[name] if examples[i].source == "own" else 1.0 for i in rows.tolist()])
    any_of = targets.any_of[rows] if name == "topic" else None
    part = Rows(features[rows], known, name != "topic", weights, any_of)
    (head,) = fit(part, zero_head(features.shape[1], known.shape[1]), [DECAY * float(weights.sum())])
    return head


def unpublished_tests(examples: Sequence[Example]) -> NDArray[np.intp]:
    """Rows of the test split that are of our own or of the user's files: what the card's figures are of."""
    return np.flatnonzero([split_of(e) == "test" and e.source not in SOURCES for e in examples])


def calibrate(
    name: HeadName, head: Head, logits: Floats, targets: Targets
) -> tuple[Head, NDArray[np.float32] | None]:
    """`head` with calibrated chances, and the thresholds if it is that of the topics."""
    if name == "topic":
        return calibrated_topics(head, logits, targets.topics.astype(np.float64))
    known = targets.judged(name)
    return calibrated_exclusive(head, logits[known], targets.labels(name)[known]), None


def measure(
    name: HeadName, logits: NDArray[np.floating], thresholds: NDArray[np.float32], targets: Targets
) -> dict[str, float]:
    """Micro-F1 of topics, macro-F1 of action or sentiment; nothing where no example is judged."""
    if name == "topic":
        if np.isnan(targets.topics).all():
            return {}
        chosen = sigmoid(np.asarray(logits, np.float32)) >= thresholds
        return {"topic_micro_f1": round(micro_f1(targets.topics, chosen), 4)}
    known = targets.judged(name)
    if not known.any():
        return {}
    score = macro_f1(targets.labels(name)[known], logits[known].argmax(axis=1))
    return {f"{name}_macro_f1": round(score, 4)}


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
            if all(permissive(used[i]) for i in np.flatnonzero(targets.judged(name)))
        ),
        sources=tuple(SOURCES[name] for name in sorted(counts) if name in SOURCES),
        heldout=heldout,
    )
