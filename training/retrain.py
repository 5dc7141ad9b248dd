"""From a user's labelled rows to the heads of a candidate: what of each may change, and what stays as it is.

A head is fitted only where the user's rows show each of its labels a few times, a topic only where they have
it a few times. All else keeps the weights in use, so no label is unlearnt for not being in the data. Our own
sentences are always learnt from too: they show what the rows may lack. Thresholds stay: chances are fitted
by likelihood and keep meaning what they say.

With torch, branches can be fine-tuned. A branch begins at its layers in use, not at the encoder's: some
hundreds of rows could not teach it what the corpora did.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model_export.heads import HEAD_NAMES, Branch, Head, Heads
from model_export.labelled import split_of
from shared.platform.errors import Rejected, SetupError
from shared.platform.records import TOPICS
from training.fit import FOLDS, Rows, choose
from training.rows import fold_of, own_sentences, plain
from training.targets import LABELS, Targets
from training.train import calibrate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.heads import HeadName
    from model_export.labelled import Example
    from model_export.sources import Checkpoint

    Floats = NDArray[np.float64]

MIN_LEARNT_ROWS = 60
MIN_HELD_ROWS = 30
"""Fewer cannot tell two models apart."""
MIN_LABEL_ROWS = 5
"""To learn from, of every label that is to change."""
NEW_THRESHOLD = 0.5


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
        return ~self.held & self.targets.judged(name)


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
    kept = [e for e in ours if split_of(e) == "test" or plain(e.text) not in held_rows]
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
    held = corpus.users & corpus.held & corpus.targets.judged(name)
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
    counts = Counter(corpus.targets.labels(name)[learnt].tolist())
    for number, label in enumerate(LABELS[name]):
        if counts[number] < MIN_LABEL_ROWS:
            return f"{counts[number]} rows to learn {label} from; {MIN_LABEL_ROWS} are needed of each label."
    return None


def columns(corpus: Corpus) -> NDArray[np.bool_]:
    """Topics that the user's rows have, and lack, often enough."""
    labels = corpus.targets.topics[corpus.users & corpus.learnt("topic")]
    present, absent = ((labels == value).sum(axis=0) for value in (1, 0))
    return np.asarray((present >= MIN_LABEL_ROWS) & (absent >= MIN_LABEL_ROWS))


def learn(heads: Heads, corpus: Corpus, features: Mapping[HeadName, Floats]) -> dict[HeadName, Learnt]:
    """Fit what can be fitted. The same rows give the same heads."""
    return {
        name: _kept(name, heads, corpus, missing)
        if (missing := shortage(name, corpus))
        else _fitted(name, getattr(heads, name), corpus, features[name])
        for name in HEAD_NAMES
    }


def _kept(name: HeadName, heads: Heads, corpus: Corpus, missing: str) -> Learnt:
    rows = int((corpus.users & corpus.learnt(name)).sum())
    return Learnt(getattr(heads, name), retrained=False, why=f"{missing} The head in use stays.", rows=rows)


def _fitted(name: HeadName, head: Head, corpus: Corpus, features: Floats) -> Learnt:
    learnt = corpus.learnt(name)
    users = corpus.users[learnt]
    folds = np.array([fold_of(corpus.examples[row].text, FOLDS) for row in np.flatnonzero(learnt).tolist()])
    chosen = columns(corpus) if name == "topic" else np.ones(len(head.bias), bool)
    known = corpus.targets.known(name)[learnt][:, chosen].astype(np.float64)
    rows = Rows(features[learnt], known, name != "topic")
    choice = choose(rows, Head(head.weight[:, chosen], head.bias[chosen]), users, folds)
    count = int(users.sum())
    losses = (
        f"log loss {choice.loss:.3f} in cross-validation, {choice.loss_in_use:.3f} in use, "
        f"{choice.loss_of_guessing:.3f} by guessing"
    )
    if choice.strength is None:
        return Learnt(head, retrained=False, why=f"Nothing fitted did better ({losses}).", rows=count)
    weight, bias = head.weight.copy(), head.bias.copy()
    weight[:, chosen], bias[chosen] = choice.head.weight, choice.head.bias
    which = f" {', '.join(np.array(corpus.topics)[chosen])};" if name == "topic" else ""
    why = f"Fitted on {count} rows:{which} {losses}."
    return Learnt(Head(weight, bias), retrained=True, why=why, rows=count, strength=choice.strength)


def learn_branches(  # noqa: PLR0913, PLR0917 - what they are trained on, and who hears of it
    heads: Heads,
    corpus: Corpus,
    checkpoint: Checkpoint,
    cache: Path,
    between: Callable[[], None],
    report: Callable[[str], None],
) -> tuple[Heads, dict[HeadName, Learnt]]:
    """Fine-tune each branch of which all heads can be learnt and compared on these rows. Needs torch.

    Raises:
        SetupError: the model in use has other branches than are trained here.
        Rejected: the taxonomy has new topics, whose columns no branch in use has.
    """
    from training.branches import BRANCHES

    in_use = {branch.card.name: branch for branch in heads.branches}
    if {name: branch.card.heads for name, branch in in_use.items()} != BRANCHES:
        raise SetupError("The model in use has no branches to go on from. Train without --branches.")
    if len(corpus.topics) != len(heads.thresholds):
        raise Rejected(
            "new_topics", "Branches are not trained for new topics.", "Train without --branches first."
        )
    missing = {name: shortage(name, corpus) for name in HEAD_NAMES}
    learnt = {
        name: _kept(name, heads, corpus, why or "Another head of its branch lacks rows.")
        for name, why in missing.items()
    }
    for branch in in_use.values():
        if not any(missing[name] for name in branch.card.heads):
            between()
            heads, tuned = _fine_tuned(branch, heads, corpus, checkpoint, cache, report)
            learnt |= tuned
    return heads, learnt


def _fine_tuned(  # noqa: PLR0913, PLR0917 - one step of `learn_branches`
    branch: Branch,
    heads: Heads,
    corpus: Corpus,
    checkpoint: Checkpoint,
    cache: Path,
    report: Callable[[str], None],
) -> tuple[Heads, dict[HeadName, Learnt]]:
    """Keep the epoch that does best on the development rows, and calibrate the branch's heads on these."""
    from training.branches import BRANCHES, Settings, train_branch, trial_rows

    # The head that is trained with a branch reads nothing else.
    card = branch.card.model_copy(update={"input": "branch"})
    settings = Settings(cache, report, layers=dict.fromkeys(BRANCHES, card.layers))
    # The layers that the branch shares are the encoder's; from `fork` on it begins with its own.
    start = dataclasses.replace(checkpoint, tensors={**checkpoint.tensors, **branch.tensors})
    trial = train_branch(card.name, start, corpus.examples, corpus.topics, settings)
    developed = trial_rows(trial, "dev")
    features = trial.fitted.features_of(developed.tolist())
    tuned: dict[HeadName, Learnt] = {}
    thresholds = heads.thresholds
    for name in card.heads:
        raw = trial.fitted.heads[name]
        seen = (features @ raw.weight + raw.bias).astype(np.float64)
        head, chosen = calibrate(name, raw, seen, trial.targets.rows(developed))
        thresholds = thresholds if chosen is None else chosen
        rows = int((corpus.users & corpus.learnt(name)).sum())
        why = f"Fine-tuned with its branch on {rows} rows."
        tuned[name] = Learnt(head, retrained=True, why=why, rows=rows)
    branches = tuple(
        Branch(card, trial.fitted.tensors) if other.card.name == card.name else other
        for other in heads.branches
    )
    topic, action, sentiment = (
        tuned[name].head if name in tuned else getattr(heads, name) for name in HEAD_NAMES
    )
    return Heads(topic, action, sentiment, thresholds, branches, heads.words), tuned
