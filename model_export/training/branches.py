"""The two branches that ship: which examples train them, and when an epoch is better than another.

Topics and actions share a branch, sentiment has one of its own: trained for sentiment, a branch forgets what
a text is about.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.heads import Branch, BranchCard, Head, HeadName, Heads
from model_export.training.branch import Plan, fit_branch
from model_export.training.examples import PILLARS, split_of
from model_export.training.hidden import hidden_states
from model_export.training.scores import macro_f1, reachable_f1, sigmoid
from model_export.training.targets import ASPECTS, OPEN, Targets
from model_export.training.train import Trained, calibrate, card_of, measure, unpublished_tests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.sources import Checkpoint
    from model_export.training.branch import Fitted
    from model_export.training.examples import Example

    Floats = NDArray[np.float32]

_LAYERS = 2
"""Upper layers that are copied; those below are shared."""
_BRANCHES: dict[str, tuple[HeadName, ...]] = {"topic": ("topic", "action"), "sentiment": ("sentiment",)}
_EPOCHS = {"topic": 3, "sentiment": 3}
_DROPOUT = {"topic": 0.2, "sentiment": 0.1}
_REPEATS: dict[str, dict[str, float]] = {
    "topic": {"own": 4, "a3cg": 3, "goals": 0.4},
    "sentiment": {"own": 4, "nyt": 2, "sst2": 0.5, "goals": 0.5, "esgbert": 0.5},
}
"""Small corpora of clean labels are shown more often, large ones of noisy or partial labels less."""


def train_branches(  # noqa: PLR0913 - a training needs all of these, and none belong together
    checkpoint: Checkpoint,
    examples: Sequence[Example],
    topics: Sequence[str],
    *,
    cache: Path,
    seed: int = 0,
    report: Callable[[str], None],
) -> Trained:
    """Train both branches, calibrate on the development split, measure on sentences of no public corpus.

    Raises:
        ImportError: torch is not installed.
    """
    heads: dict[HeadName, Head] = {}
    figures: dict[str, float] = {}
    branches: list[Branch] = []
    thresholds = np.full(len(topics), 0.5, np.float32)
    for name, outputs in _BRANCHES.items():
        shown = [example for example in examples if _useful(example, outputs)]
        targets = Targets.of(shown, topics)
        fitted = _train(name, checkpoint, shown, targets, cache, seed, report)
        card = BranchCard(name=name, fork=_fork(checkpoint), layers=_LAYERS, heads=outputs, input="branch")
        branches.append(Branch(card, fitted.tensors))
        splits = np.array([split_of(example) for example in shown])
        developed, held = np.flatnonzero(splits == "dev"), unpublished_tests(shown)
        before, last = (fitted.features_of(rows.tolist()) for rows in (developed, held))
        for head in outputs:
            raw = fitted.heads[head]
            seen = (before @ raw.weight + raw.bias).astype(np.float64)
            heads[head], chosen = calibrate(head, raw, seen, targets.rows(developed))
            thresholds = thresholds if chosen is None else chosen
            logits = last @ heads[head].weight + heads[head].bias
            figures |= measure(head, logits, thresholds, targets.rows(held))
    trained = Heads(heads["topic"], heads["action"], heads["sentiment"], thresholds, tuple(branches))
    return Trained(trained, card_of(examples, topics, figures, branches))


def _fork(checkpoint: Checkpoint) -> int:
    return max(checkpoint.config.num_hidden_layers - _LAYERS, 0)


def _useful(example: Example, heads: Sequence[HeadName]) -> bool:
    """Whether it says anything that one of `heads` can learn from."""
    return (
        ("topic" in heads and bool(example.topics or example.any_of))
        or ("action" in heads and bool(example.action or example.not_planned))
        or ("sentiment" in heads and bool(example.sentiment))
    )


def _train(  # noqa: PLR0913, PLR0917 - one step of `train_branches`
    name: str,
    checkpoint: Checkpoint,
    examples: Sequence[Example],
    targets: Targets,
    cache: Path,
    seed: int,
    report: Callable[[str], None],
) -> Fitted:
    hidden = hidden_states(
        checkpoint,
        _fork(checkpoint),
        [example.text for example in examples],
        cache,
        lambda share: report(f"{name}: hidden states, {share:.0%}"),
    )
    outputs = {"sentiment": len(SENTIMENTS)}
    if "topic" in _BRANCHES[name]:
        outputs = {
            "topic": targets.topics.shape[1],
            "action": len(ACTIONS),
            # Dropped after training: what they ask for makes the layers notice more.
            "aspects": len(ASPECTS),
            "pillars": len(PILLARS),
        }
    splits = np.array([split_of(example) for example in examples])
    train = np.flatnonzero(splits == "train").tolist()
    developed = np.flatnonzero(splits == "dev")
    sources = [example.source for example in examples]

    def score(fitted: Fitted) -> float:
        features = fitted.features_of(developed.tolist())
        logits = {name: features @ head.weight + head.bias for name, head in fitted.heads.items()}
        return _score(logits, targets.rows(developed), [sources[i] for i in developed])

    plan = Plan(
        name=name,
        outputs=outputs,
        repeats=_REPEATS[name],
        epochs=_EPOCHS[name],
        dropout=_DROPOUT[name],
        fork=_fork(checkpoint),
        layers=_LAYERS,
        seed=seed,
        action_weights=_balance(targets.action[train]),
    )
    return fit_branch(checkpoint, plan, hidden, targets, sources, train, score, report)


def _balance(labels: NDArray[np.int64]) -> tuple[float, ...]:
    """Rare labels weigh more, by the root of how rare they are."""
    counts = np.maximum(np.bincount(labels[labels >= 0], minlength=len(ACTIONS)), 1)
    return tuple(np.sqrt(counts.mean() / counts).tolist())


def _score(logits: Mapping[str, Floats], targets: Targets, sources: Sequence[str]) -> float:
    """The mean over corpora and heads: a corpus counts as much as another, however large."""
    rows_of = defaultdict(list)
    for row, source in enumerate(sources):
        rows_of[source].append(row)
    scores = []
    for rows in (np.array(found) for found in rows_of.values()):
        part = targets.rows(rows)
        for name, known in (("topic", part.topics), ("aspects", part.aspects), ("pillars", part.pillars)):
            if name in logits and (known == 1).any():
                scores.append(reachable_f1(known, sigmoid(logits[name][rows])))
        for name, labels in (("action", part.action), ("sentiment", part.sentiment)):
            if name in logits and (labels != OPEN).any():
                told = labels != OPEN
                scores.append(macro_f1(labels[told], logits[name][rows][told].argmax(axis=1)))
    return float(np.mean(scores))
