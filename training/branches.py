"""The two branches that ship: which examples train them, and when an epoch is better than another.

Topics and actions share a branch, sentiment has one of its own: trained for sentiment, a branch forgets what
a text is about.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.heads import HEAD_NAMES, Branch, BranchCard, Head, HeadName, Heads
from model_export.labelled import PILLARS, split_of
from model_export.words import Words
from training.bert import copied_layers
from training.branch import Plan, features, fit_branch
from training.combine import combined, fit_readers
from training.hidden import hidden_states
from training.scores import macro_f1, reachable_f1, sigmoid
from training.targets import ASPECTS, OPEN, Targets
from training.train import Trained, calibrate, card_of, measure, unpublished_tests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.labelled import Example, Split
    from model_export.sources import Checkpoint
    from training.branch import Fitted
    from training.combine import Readers
    from training.words import Tables

    Floats = NDArray[np.float32]

BRANCHES: dict[str, tuple[HeadName, ...]] = {"topic": ("topic", "action"), "sentiment": ("sentiment",)}
"""The heads of each branch."""
_LAYERS = {"topic": 2, "sentiment": 2}
"""Upper layers that are copied; those below are shared. Chosen by the curve in docs/accuracy.md."""
_EPOCHS = {"topic": 3, "sentiment": 2}
_DROPOUT = {"topic": 0.2, "sentiment": 0.1}
_REPEATS: dict[str, dict[str, float]] = {
    "topic": {"own": 4, "a3cg": 3, "goals": 0.4},
    "sentiment": {"own": 4, "nyt": 2, "sst2": 0.5, "goals": 0.5, "esgbert": 0.5},
}
"""Small corpora of clean labels are shown more often, large ones of noisy or partial labels less."""

_INPUTS: dict[str, Literal["embedding+branch+words", "branch+words"]] = {
    "topic": "embedding+branch+words",
    "sentiment": "branch+words",
}
"""What heads read. Of sentiment the embedding knows nothing that the branch does not."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How branches are trained; what they are trained on is another matter."""

    cache: Path
    """For hidden states."""
    report: Callable[[str], None]
    layers: Mapping[str, int] = field(default_factory=lambda: _LAYERS)
    """Of each branch."""
    epochs: Mapping[str, int] = field(default_factory=lambda: _EPOCHS)
    """Of each branch."""
    seed: int = 0

    def fork(self, name: str, checkpoint: Checkpoint) -> int:
        """How many layers the branch `name` shares with the encoder."""
        return max(checkpoint.config.num_hidden_layers - self.layers[name], 0)


@dataclass(frozen=True, slots=True)
class Trial:
    """A trained branch, and the sentences that its rows are."""

    shown: list[Example]
    targets: Targets
    """Of `shown`."""
    fitted: Fitted


def train_branches(
    checkpoint: Checkpoint, examples: Sequence[Example], topics: Sequence[str], settings: Settings
) -> Trained:
    """Train both branches and the heads that read them, measure on sentences of no public corpus.

    How much a head heeds its branch, the embedding and single words, and its calibration, are found on the
    development split.

    Raises:
        ImportError: torch is not installed.
    """
    heads: dict[HeadName, Head] = {}
    figures: dict[str, float] = {}
    branches: list[Branch] = []
    tables: list[Tables] = []
    thresholds = np.full(len(topics), 0.5, np.float32)
    for name, outputs in BRANCHES.items():
        trial = train_branch(name, checkpoint, examples, topics, settings)
        card = BranchCard(
            name=name,
            fork=settings.fork(name, checkpoint),
            layers=settings.layers[name],
            heads=outputs,
            input=_INPUTS[name],
        )
        branches.append(Branch(card, trial.fitted.tensors))
        readers = _readers(name, checkpoint, trial, settings)
        tables.append(readers.tables)
        developed, held = trial_rows(trial, "dev"), unpublished_tests(trial.shown)
        for head in outputs:
            own = trial.fitted.heads[head]
            raw = combined(head, own, readers, trial.shown, trial.targets, settings.report)
            seen = (readers.features(head, developed) @ raw.weight + raw.bias).astype(np.float64)
            heads[head], chosen = calibrate(head, raw, seen, trial.targets.rows(developed))
            thresholds = thresholds if chosen is None else chosen
            logits = readers.features(head, held) @ heads[head].weight + heads[head].bias
            figures |= measure(head, logits, thresholds, trial.targets.rows(held))
    pieces, pairs = (np.hstack([getattr(table, part) for table in tables]) for part in ("pieces", "pairs"))
    words = Words.of(pieces, pairs, [len(heads[name].bias) for name in HEAD_NAMES])
    trained = Heads(heads["topic"], heads["action"], heads["sentiment"], thresholds, tuple(branches), words)
    return Trained(trained, card_of(examples, topics, figures, branches))


def _readers(name: str, checkpoint: Checkpoint, trial: Trial, settings: Settings) -> Readers:
    """What the heads of the branch `name` read."""
    embedded = None
    if "embedding" in _INPUTS[name]:
        fork = settings.fork(name, checkpoint)
        texts = [example.text for example in trial.shown]
        hidden = hidden_states(checkpoint, fork, texts, settings.cache, lambda _: None)
        upper = copied_layers(checkpoint, range(fork, checkpoint.config.num_hidden_layers), 0).eval()
        vectors = features(upper, hidden, range(len(texts)))
        embedded = vectors.__getitem__
    return fit_readers(
        checkpoint,
        trial.shown,
        trial.targets,
        _REPEATS[name],
        {head: trial.fitted.heads[head].weight.shape[1] for head in BRANCHES[name]},
        _balance(trial.targets.action[trial_rows(trial, "train")]),
        trial.fitted.features_of,
        embedded,
    )


def train_branch(
    name: str,
    checkpoint: Checkpoint,
    examples: Sequence[Example],
    topics: Sequence[str],
    settings: Settings,
) -> Trial:
    """Train the branch `name` of `BRANCHES` on those of `examples` that say something to its heads.

    Raises:
        ImportError: torch is not installed.
    """
    shown = [example for example in examples if useful(example, BRANCHES[name])]
    targets = Targets.of(shown, topics)
    fork = settings.fork(name, checkpoint)
    hidden = hidden_states(
        checkpoint,
        fork,
        [example.text for example in shown],
        settings.cache,
        lambda share: settings.report(f"{name}: hidden states, {share:.0%}"),
    )
    outputs = {"sentiment": len(SENTIMENTS)}
    if "topic" in BRANCHES[name]:
        outputs = {
            "topic": len(topics),
            "action": len(ACTIONS),
            # Dropped after training: what they ask for makes the layers notice more.
            "aspects": len(ASPECTS),
            "pillars": len(PILLARS),
        }
    splits = np.array([split_of(example) for example in shown])
    train, developed = (np.flatnonzero(splits == split) for split in ("train", "dev"))
    sources = [example.source for example in shown]

    def score(fitted: Fitted) -> float:
        features = fitted.features_of(developed.tolist())
        chances = {name: sigmoid(features @ head.weight + head.bias) for name, head in fitted.heads.items()}
        return mean_over_corpora(chances, targets.rows(developed), [sources[i] for i in developed])

    plan = Plan(
        name=name,
        outputs=outputs,
        repeats=_REPEATS[name],
        epochs=settings.epochs[name],
        dropout=_DROPOUT[name],
        fork=fork,
        layers=settings.layers[name],
        seed=settings.seed,
        action_weights=_balance(targets.action[train]),
    )
    fitted = fit_branch(checkpoint, plan, hidden, targets, sources, train.tolist(), score, settings.report)
    return Trial(shown, targets, fitted)


def trial_rows(trial: Trial, split: Split) -> NDArray[np.intp]:
    """Rows of `trial.shown` that are of a split."""
    return np.flatnonzero([split_of(example) == split for example in trial.shown])


def useful(example: Example, heads: Sequence[HeadName]) -> bool:
    """Whether it says anything that one of `heads` can learn from."""
    return (
        ("topic" in heads and bool(example.topics or example.any_of))
        or ("action" in heads and bool(example.action or example.not_planned))
        or ("sentiment" in heads and bool(example.sentiment))
    )


def _balance(labels: NDArray[np.int64]) -> tuple[float, ...]:
    """Rare labels weigh more, by the root of how rare they are."""
    counts = np.maximum(np.bincount(labels[labels >= 0], minlength=len(ACTIONS)), 1)
    return tuple(np.sqrt(counts.mean() / counts).tolist())


def mean_over_corpora(chances: Mapping[str, Floats], targets: Targets, sources: Sequence[str]) -> float:
    """How good `chances` (n, labels) of some heads are: a corpus counts as much as another, however large.

    Topics and what else is judged one by one: F1 at the best of some thresholds. The rest: macro-F1.
    """
    rows_of = defaultdict(list)
    for row, source in enumerate(sources):
        rows_of[source].append(row)
    scores = []
    for rows in (np.array(found) for found in rows_of.values()):
        part = targets.rows(rows)
        for name, known in (("topic", part.topics), ("aspects", part.aspects), ("pillars", part.pillars)):
            if name in chances and (known == 1).any():
                scores.append(reachable_f1(known, chances[name][rows]))
        for name, labels in (("action", part.action), ("sentiment", part.sentiment)):
            if name in chances and (labels != OPEN).any():
                told = labels != OPEN
                scores.append(macro_f1(labels[told], chances[name][rows][told].argmax(axis=1)))
    return float(np.mean(scores))
