"""From labelled rows to the heads of a candidate: what of each head may change, and what stays as it is.

A head is fitted only where the user's rows show each of its labels a few times, a topic only where they have
it a few times. All else keeps the weights in use, so no label is unlearnt for not being in the data. Our own
sentences are always learnt from too: they show what the rows may lack. Thresholds stay: chances are fitted
by likelihood and keep meaning what they say.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.heads import HEAD_NAMES, Head
from model_export.labelled import split_of
from shared.platform.errors import Rejected
from shared.platform.records import TOPICS
from training.compare import one_hot
from training.fit import FOLDS, Problem, choose
from training.reading import own_sentences
from training.rows import fold_of, plain
from training.targets import OPEN, Targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from model_export.heads import HeadName, Heads
    from model_export.labelled import Example

    Floats = NDArray[np.float64]

MIN_LEARNT_ROWS = 60
MIN_HELD_ROWS = 30
"""Fewer cannot tell two models apart."""
MIN_LABEL_ROWS = 5
"""To learn from, of every label that is to change."""
NEW_THRESHOLD = 0.5
LABELS: dict[HeadName, tuple[str, ...]] = {"action": ACTIONS, "sentiment": SENTIMENTS}


@dataclass(frozen=True, slots=True)
class Corpus:
    """All texts, the user's first, with what is known of them."""

    examples: list[Example]
    targets: Targets
    topics: tuple[str, ...]
    """Columns of the candidate's head `topic`: those in use, then new ones."""
    users: NDArray[np.bool_]
    held: NDArray[np.bool_]

    def learnt(self, name: HeadName) -> NDArray[np.bool_]:
        """Rows to learn head `name` from."""
        return ~self.held & self.judged(name)

    def judged(self, name: HeadName) -> NDArray[np.bool_]:
        """Rows that say something of head `name`."""
        if name == "topic":
            return np.asarray((~np.isnan(self.targets.topics)).any(axis=1))
        return np.asarray(getattr(self.targets, name) != OPEN)


@dataclass(frozen=True, slots=True)
class Learnt:
    """One head of the candidate."""

    head: Head
    retrained: bool
    why: str
    rows: int
    strength: float | None = None


def corpus(users: Sequence[Example], in_use: Sequence[str], topics: tuple[str, ...]) -> Corpus:
    """The user's rows and our sentences; no text is both learnt from and held out."""
    ours = own_sentences()
    if tuple(in_use[: len(TOPICS)]) != TOPICS:
        # Codes of another taxonomy, which may be spelt like ours and mean something else.
        ours = [dataclasses.replace(example, topics={}) for example in ours]
    held_ours = {plain(example.text) for example in ours if split_of(example) == "test"}
    rows = [
        dataclasses.replace(example, split="test") if plain(example.text) in held_ours else example
        for example in users
    ]
    held_rows = {plain(example.text) for example in rows if split_of(example) == "test"}
    kept = [
        example for example in ours if split_of(example) == "test" or plain(example.text) not in held_rows
    ]
    examples = [*rows, *kept]
    return Corpus(
        examples,
        Targets.of(examples, topics),
        topics,
        np.arange(len(examples)) < len(rows),
        np.array([split_of(example) == "test" for example in examples]),
    )


def widened(heads: Heads, corpus: Corpus) -> Heads:
    """The heads in use with a column for each new topic, which so far says how common it is.

    Raises:
        Rejected: a new topic has too few rows.
    """
    known = len(heads.thresholds)
    new = corpus.topics[known:]
    if not new:
        return heads
    labels = corpus.targets.topics[corpus.users & corpus.learnt("topic"), known:]
    present = (labels == 1).sum(axis=0)
    for name, count in zip(new, present, strict=True):
        if count < MIN_LABEL_ROWS:
            raise Rejected(
                "too_few_rows",
                f"The new topic {name} has {count} rows to learn from; {MIN_LABEL_ROWS} are needed.",
                "Label more rows, or take it out of the taxonomy.",
            )
    share = present / len(labels)
    bias = np.log(share / (1 - share + 1e-9)).astype(np.float32)
    topic = Head(
        np.hstack([heads.topic.weight, np.zeros((len(heads.topic.weight), len(new)), np.float32)]),
        np.concatenate([heads.topic.bias, bias]),
    )
    thresholds = np.concatenate([heads.thresholds, np.full(len(new), NEW_THRESHOLD, np.float32)])
    return dataclasses.replace(heads, topic=topic, thresholds=thresholds)


def shortage(name: HeadName, corpus: Corpus) -> str | None:
    """Why head `name` cannot be learnt or compared on these rows; None where it can."""
    learnt = corpus.users & corpus.learnt(name)
    held = corpus.users & corpus.held & corpus.judged(name)
    rows = int(learnt.sum())
    if not rows and not held.any():
        return "The rows say nothing of it."
    if rows < MIN_LEARNT_ROWS or held.sum() < MIN_HELD_ROWS:
        return (
            f"{rows} rows to learn from and {held.sum()} held out; "
            f"{MIN_LEARNT_ROWS} and {MIN_HELD_ROWS} are needed."
        )
    if name == "topic":
        if not columns(corpus).any():
            return f"No topic has {MIN_LABEL_ROWS} rows to learn from."
        return None
    counts = Counter(getattr(corpus.targets, name)[learnt].tolist())
    for number, label in enumerate(LABELS[name]):
        if counts[number] < MIN_LABEL_ROWS:
            return f"{counts[number]} rows to learn {label} from; {MIN_LABEL_ROWS} are needed of each label."
    return None


def columns(corpus: Corpus) -> NDArray[np.bool_]:
    """Topics that the user's rows have, and lack, often enough."""
    labels = corpus.targets.topics[corpus.users & corpus.learnt("topic")]
    present, absent = ((labels == value).sum(axis=0) for value in (1, 0))
    enough: NDArray[np.bool_] = (present >= MIN_LABEL_ROWS) & (absent >= MIN_LABEL_ROWS)
    return enough


def learn(heads: Heads, corpus: Corpus, features: Mapping[HeadName, Floats]) -> dict[HeadName, Learnt]:
    """Fit what can be fitted. The same rows give the same heads."""
    found: dict[HeadName, Learnt] = {}
    for name in HEAD_NAMES:
        head: Head = getattr(heads, name)
        rows = int((corpus.users & corpus.learnt(name)).sum())
        missing = shortage(name, corpus)
        found[name] = (
            Learnt(head, retrained=False, why=f"{missing} The head in use stays.", rows=rows)
            if missing
            else _learn_one(name, head, corpus, features[name])
        )
    return found


def _learn_one(name: HeadName, head: Head, corpus: Corpus, features: Floats) -> Learnt:
    learnt = corpus.learnt(name)
    users = corpus.users[learnt]
    folds = np.array([fold_of(corpus.examples[row].text, FOLDS) for row in np.flatnonzero(learnt).tolist()])
    chosen = columns(corpus) if name == "topic" else np.ones(len(head.bias), bool)
    if name == "topic":
        known = corpus.targets.topics[learnt][:, chosen].astype(np.float64)
    else:
        known = one_hot(getattr(corpus.targets, name)[learnt], len(head.bias)).astype(np.float64)
    problem = Problem(features[learnt], known, name != "topic", users, folds)
    choice = choose(problem, Head(head.weight[:, chosen], head.bias[chosen]))
    rows = int(users.sum())
    said = (
        f"surprise {choice.surprise:.3f} in cross-validation, {choice.surprise_in_use:.3f} in use, "
        f"{choice.surprise_of_guessing:.3f} by guessing"
    )
    if choice.strength is None:
        return Learnt(head, retrained=False, why=f"Nothing fitted did better ({said}).", rows=rows)
    weight, bias = head.weight.copy(), head.bias.copy()
    weight[:, chosen], bias[chosen] = choice.head.weight, choice.head.bias
    which = f" {', '.join(np.array(corpus.topics)[chosen])};" if name == "topic" else ""
    why = f"Fitted on {rows} rows:{which} {said}."
    return Learnt(Head(weight, bias), retrained=True, why=why, rows=rows, strength=choice.strength)
