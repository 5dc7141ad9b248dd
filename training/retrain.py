"""From a user's labelled rows to the heads of a candidate: what of each may change, and what stays as it is.

A head is fitted only where the user's rows show each of its labels a few times, a topic only where they have
it a few times. All else keeps the weights in use, so no label is unlearnt for not being in the data. Layers
and queries stay: a label weighs anew what it attends to. Our own sentences are always learnt from too.
Thresholds stay, since chances keep meaning what they say.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from model_export.heads import EXCLUSIVE, Head
from model_export.labelled import split_of
from shared.platform.records import TOPICS
from training.compare import METRICS
from training.fit import FOLDS, Rows, choose
from training.report import HeadReport
from training.rows import fold_of, own_sentences, plain
from training.targets import LABELS, Corpus, Targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from model_export.heads import HeadName, Heads
    from model_export.labelled import Example

    Floats = NDArray[np.floating]

MIN_LEARNT_ROWS = 60
MIN_HELD_ROWS = 30
"""Fewer cannot tell two models apart."""
MIN_LABEL_ROWS = 5
"""To learn from, of every label that is to change."""


def corpus(users: Sequence[Example], topics: tuple[str, ...]) -> Corpus:
    """The user's rows and our sentences; no text is both learnt from and held out."""
    ours = own_sentences()
    if topics != TOPICS:
        # Codes of another taxonomy, which may be spelt like ours and mean something else.
        ours = [dataclasses.replace(example, topics={}) for example in ours]
    held_ours = {plain(example.text) for example in ours if split_of(example) == "test"}
    rows = [
        dataclasses.replace(example, split="test") if plain(example.text) in held_ours else example
        for example in users
    ]
    held_rows = {plain(example.text) for example in rows if split_of(example) == "test"}
    kept = [e for e in ours if split_of(e) == "test" or plain(e.text) not in held_rows]
    examples = [*rows, *kept]
    return Corpus(
        examples,
        Targets.of(examples, topics),
        topics,
        np.arange(len(examples)) < len(rows),
        np.array([split_of(example) == "test" for example in examples]),
    )


def shortage(name: HeadName, corpus: Corpus, min_held: int = MIN_HELD_ROWS) -> str | None:
    """Why head `name` cannot be learnt or compared on these rows; None where it can."""
    learnt = corpus.users & corpus.learnt(name)
    held = corpus.users & corpus.held & corpus.targets.judged(name)
    rows = int(learnt.sum())
    if not rows and not held.any():
        return "The rows say nothing of it."
    if rows < MIN_LEARNT_ROWS or held.sum() < min_held:
        return (
            f"{rows} rows to learn from and {held.sum()} held out; "
            f"{MIN_LEARNT_ROWS} and {min_held} are needed."
        )
    if name == "topic":
        if not columns(corpus).any():
            return f"No topic has {MIN_LABEL_ROWS} rows to learn from."
        return None
    known = corpus.targets.known(name)[learnt]
    for label, cells in zip(LABELS[name], known.T, strict=True):
        counts = {f"{label}": (cells == 1).sum()}
        if name not in EXCLUSIVE:
            counts[f"not {label}"] = (cells == 0).sum()
        for what, count in counts.items():
            if count < MIN_LABEL_ROWS:
                return f"{count} rows to learn {what} from; {MIN_LABEL_ROWS} are needed of each label."
    return None


def columns(corpus: Corpus) -> NDArray[np.bool_]:
    """Topics that the user's rows have, and lack, often enough."""
    labels = corpus.targets.topics[corpus.users & corpus.learnt("topic")]
    present, absent = ((labels == value).sum(axis=0) for value in (1, 0))
    return np.asarray((present >= MIN_LABEL_ROWS) & (absent >= MIN_LABEL_ROWS))


def learn(
    heads: Heads,
    corpus: Corpus,
    features: Mapping[HeadName, Floats],
    min_held: int = MIN_HELD_ROWS,
) -> dict[HeadName, tuple[Head, HeadReport]]:
    """Fit what can be fitted of the heads of `features`, each (n, labels, width): what labels attend to.

    The same rows give the same heads.
    """
    return {name: _learnt(name, heads.parts[name], corpus, part, min_held) for name, part in features.items()}


def _learnt(
    name: HeadName, head: Head, corpus: Corpus, features: Floats, min_held: int
) -> tuple[Head, HeadReport]:
    learnt = corpus.learnt(name)
    users = corpus.users[learnt]
    report = HeadReport(metric=METRICS[name], retrained=False, why="", rows=int(users.sum()))
    if missing := shortage(name, corpus, min_held):
        return head, report.model_copy(update={"why": f"{missing} The head in use stays."})
    folds = np.array([fold_of(corpus.examples[row].text, FOLDS) for row in np.flatnonzero(learnt).tolist()])
    chosen = columns(corpus) if name == "topic" else np.ones(len(head.bias), bool)
    known = corpus.targets.known(name)[learnt][:, chosen].astype(np.float64)
    rows = Rows(features[learnt][:, chosen], known, name in EXCLUSIVE)
    prior = Head(head.query[chosen], head.weight[chosen], head.bias[chosen])
    choice = choose(rows, prior, users, folds)
    losses = (
        f"log loss {choice.loss:.3f} in cross-validation, {choice.loss_in_use:.3f} in use, "
        f"{choice.loss_of_guessing:.3f} by guessing"
    )
    if choice.strength is None:
        return head, report.model_copy(update={"why": f"Nothing fitted did better ({losses})."})
    weight, bias = head.weight.copy(), head.bias.copy()
    weight[chosen], bias[chosen] = choice.head.weight, choice.head.bias
    which = f" {', '.join(np.array(corpus.topics)[chosen])};" if name == "topic" else ""
    why = f"Fitted on {report.rows} rows:{which} {losses}."
    return Head(head.query, weight, bias), report.model_copy(update={"retrained": True, "why": why})
