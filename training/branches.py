"""The two branches that ship: which examples train them, and how their heads are put together.

Topics and actions share a branch, sentiment has one of its own: trained for sentiment, a branch forgets what
a text is about. A head of a branch is a sum of three: one that is trained with the branch, a linear one on
the embedding, and a regression on words. They are wrong about different sentences. How much each counts is
found on the development split, which none of them was fitted on: one number for each, so that a thousand
sentences are enough. Needs torch.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.heads import HEAD_NAMES, Branch, BranchCard, Head, HeadName, Heads, Words
from model_export.labelled import PILLARS, split_of
from model_export.scores import macro_f1, reachable_f1, sigmoid
from training.bert import copied_layers, hidden_states
from training.branch import Plan, features, fit_branch
from training.fit import best_shares, summed_loss
from training.targets import ASPECTS, OPEN, Targets
from training.train import Trained, calibrate, card_of, fit_linear, measure, unpublished_tests
from training.words import fit_tables, read_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.labelled import Example, Split
    from model_export.sources import Checkpoint
    from training.branch import Fitted
    from training.words import Tables, Texts

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
    """Directory that keeps hidden states."""
    report: Callable[[str], None]
    layers: Mapping[str, int] = field(default_factory=lambda: _LAYERS)
    """Layers of each branch."""
    epochs: Mapping[str, int] = field(default_factory=lambda: _EPOCHS)
    """Epochs of each branch."""
    seed: int = 0

    def fork(self, name: str, checkpoint: Checkpoint) -> int:
        """How many layers the branch `name` shares with the encoder."""
        return max(checkpoint.config.num_hidden_layers - self.layers[name], 0)


@dataclass(frozen=True, slots=True)
class Trial:
    """A trained branch, and the sentences that its rows are."""

    shown: list[Example]
    targets: Targets
    """The labels of `shown`."""
    fitted: Fitted


@dataclass(frozen=True, slots=True)
class Readers:
    """What the heads of one branch read; rows are those of the trial."""

    embedded: Floats | None
    """(n, width), of the encoder itself; None: this branch's heads do not read it."""
    pooled: Callable[[Sequence[int]], Floats]
    """(n, width), of the branch."""
    texts: Texts
    tables: Tables
    columns: Mapping[HeadName, slice]
    """Where each head is in `tables`."""

    def parts(self, name: HeadName, rows: NDArray[np.intp]) -> list[Floats]:
        """Each (n, …), in the order of the graph: embedding, branch, words."""
        words = self.tables.values(self.texts.of(rows))[:, self.columns[name]]
        parts = [self.pooled(rows.tolist()), words]
        return parts if self.embedded is None else [self.embedded[rows], *parts]


def train_branches(
    checkpoint: Checkpoint, examples: Sequence[Example], topics: Sequence[str], settings: Settings
) -> Trained:
    """Train both branches and the heads that read them, measure on sentences of no public corpus.

    Heads are calibrated on the development split.
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
            raw = _combined(head, trial, readers, settings.report)
            seen = np.concatenate(readers.parts(head, developed), axis=1) @ raw.weight + raw.bias
            heads[head], chosen = calibrate(head, raw, seen.astype(np.float64), trial.targets.rows(developed))
            thresholds = thresholds if chosen is None else chosen
            features = np.concatenate(readers.parts(head, held), axis=1)
            logits = features @ heads[head].weight + heads[head].bias
            figures |= measure(head, logits, thresholds, trial.targets.rows(held))
    pieces, pairs = (np.hstack([getattr(table, part) for table in tables]) for part in ("pieces", "pairs"))
    words = Words.of(pieces, pairs, [len(heads[name].bias) for name in HEAD_NAMES])
    trained = Heads(heads["topic"], heads["action"], heads["sentiment"], thresholds, tuple(branches), words)
    return Trained(trained, card_of(examples, topics, figures, branches))


def _readers(name: str, checkpoint: Checkpoint, trial: Trial, settings: Settings) -> Readers:
    """Embed all texts, and fit the regression on words on the training split."""
    texts = [example.text for example in trial.shown]
    embedded = None
    if "embedding" in _INPUTS[name]:
        fork = settings.fork(name, checkpoint)
        hidden = hidden_states(checkpoint, fork, texts, settings.cache, lambda _: None)
        upper = copied_layers(checkpoint, range(fork, checkpoint.config.num_hidden_layers), 0).eval()
        embedded = features(upper, hidden, range(len(texts)))
    train = trial_rows(trial, "train")
    repeats = np.array([_REPEATS[name].get(trial.shown[row].source, 1.0) for row in train.tolist()])
    outputs = {head: trial.fitted.heads[head].weight.shape[1] for head in BRANCHES[name]}
    weights = _balance(trial.targets.action[train])
    bags = read_texts(checkpoint, texts)
    tables = fit_tables(
        bags.of(train), trial.targets.rows(train), repeats, {str(h): n for h, n in outputs.items()}, weights
    )
    ends = np.cumsum(list(outputs.values())).tolist()
    columns = {head: slice(end - outputs[head], end) for head, end in zip(outputs, ends, strict=True)}
    return Readers(embedded, trial.fitted.features_of, bags, tables, columns)


def _combined(name: HeadName, trial: Trial, readers: Readers, report: Callable[[str], None]) -> Head:
    """Head `name` on all that `readers` give, from the branch's own and the two others."""
    train, developed = trial_rows(trial, "train"), trial_rows(trial, "dev")
    branch, bias = trial.fitted.heads[name], readers.tables.bias[readers.columns[name]]
    systems = [branch, Head(np.eye(len(bias), dtype=np.float32), bias)]
    if readers.embedded is not None:
        rows = train[trial.targets.judged(name)[train]]
        vectors = readers.embedded.astype(np.float64)
        systems.insert(0, fit_linear(name, trial.shown, trial.targets, vectors, rows))
    parts = zip(readers.parts(name, developed), systems, strict=True)
    logits = [read @ system.weight + system.bias for read, system in parts]
    start = np.zeros(len(systems))
    start[-2] = 1
    biases = [system.bias for system in systems]
    if name == "topic":
        # One shift for all topics: systems that are unsure say "no" less loudly. It has no weights.
        logits.append(np.ones_like(logits[0]))
        biases.append(np.ones_like(bias))
        start = np.append(start, 0)
    targets = trial.targets.rows(developed)
    known = targets.known(name).astype(np.float64)
    judged = ~np.isnan(known) if name == "topic" else targets.judged(name)
    design, truth = np.stack(logits, axis=2).astype(np.float64)[judged], known[judged]
    exclusive = name != "topic"
    shares = best_shares(design, truth, start, exclusive=exclusive)
    alone, together = (
        summed_loss(design @ part, truth, exclusive=exclusive) / max(len(truth), 1)
        for part in (start, shares)
    )
    weighed = ", ".join(f"{share:.2f}" for share in shares)
    report(f"{name}: log loss {alone:.4f} with the branch alone, {together:.4f} with all ({weighed})")
    weights = [system.weight * share for system, share in zip(systems, shares, strict=False)]
    total = np.sum([part * share for part, share in zip(biases, shares, strict=True)], axis=0)
    return Head(np.concatenate(weights).astype(np.float32), total.astype(np.float32))


def train_branch(
    name: str,
    checkpoint: Checkpoint,
    examples: Sequence[Example],
    topics: Sequence[str],
    settings: Settings,
) -> Trial:
    """Train the branch `name` of `BRANCHES` on those of `examples` that say something to its heads."""
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
    for rows in map(np.array, rows_of.values()):
        part = targets.rows(rows)
        for name, known in (("topic", part.topics), ("aspects", part.aspects), ("pillars", part.pillars)):
            if name in chances and (known == 1).any():
                scores.append(reachable_f1(known, chances[name][rows]))
        for name, labels in (("action", part.action), ("sentiment", part.sentiment)):
            if name in chances and (labels != OPEN).any():
                judged = labels != OPEN
                scores.append(macro_f1(labels[judged], chances[name][rows][judged].argmax(axis=1)))
    return float(np.mean(scores))
