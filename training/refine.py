"""Branches that go on from those in use, fine-tuned on the user's rows and our own sentences. Needs torch.

A branch begins at its layers in use, not at the encoder's: some hundreds of rows could not teach it what the
corpora did. Of its epochs that one is kept that does best on a part of the rows which it does not learn from,
and its heads' chances are calibrated on that part. Whether that is better is for the comparison to say.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from model_export.heads import HEAD_NAMES, Branch, Head
from shared.platform.errors import Rejected, SetupError
from shared.platform.logs import get_logger
from training.branches import BRANCHES, Settings, train_branch, trial_rows
from training.retrain import Learnt, shortage
from training.train import calibrate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_export.heads import HeadName, Heads
    from model_export.sources import Checkpoint
    from training.retrain import Corpus


def learn_branches(
    heads: Heads, corpus: Corpus, checkpoint: Checkpoint, cache: Path, between: Callable[[], None]
) -> tuple[Heads, dict[HeadName, Learnt]]:
    """Fine-tune each branch of which all heads can be learnt and compared on these rows.

    Raises:
        SetupError: the model in use has other branches than are trained here.
        Rejected: the taxonomy has new topics, whose columns no branch in use has.
    """
    in_use = {branch.card.name: branch for branch in heads.branches}
    if {name: branch.card.heads for name, branch in in_use.items()} != BRANCHES:
        raise SetupError("The model in use has no branches to go on from. Train without --branches.")
    if len(corpus.topics) != len(heads.thresholds):
        raise Rejected(
            "new_topics", "Branches are not trained for new topics.", "Train without --branches first."
        )
    learnt = {name: _kept(name, heads, corpus) for name in HEAD_NAMES}
    for branch in in_use.values():
        lacking = [missing for head in branch.card.heads if (missing := shortage(head, corpus))]
        if lacking:
            continue
        between()
        heads, found = _fine_tuned(branch, heads, corpus, checkpoint, cache)
        learnt |= found
    return heads, learnt


def _fine_tuned(
    branch: Branch, heads: Heads, corpus: Corpus, checkpoint: Checkpoint, cache: Path
) -> tuple[Heads, dict[HeadName, Learnt]]:
    # The head that is trained with a branch reads nothing else.
    card = branch.card.model_copy(update={"input": "branch"})
    log = get_logger("long_job")
    settings = Settings(
        cache,
        lambda line: log.info("training", progress=line),
        layers=dict.fromkeys(BRANCHES, card.layers),
    )
    # The layers that the branch shares are the encoder's; from `fork` on it begins with its own.
    start = dataclasses.replace(checkpoint, tensors={**checkpoint.tensors, **branch.tensors})
    trial = train_branch(card.name, start, corpus.examples, corpus.topics, settings)
    developed = trial_rows(trial, "dev")
    features = trial.fitted.features_of(developed.tolist())
    found: dict[HeadName, Learnt] = {}
    thresholds = heads.thresholds
    for name in card.heads:
        raw = trial.fitted.heads[name]
        seen = (features @ raw.weight + raw.bias).astype(np.float64)
        head, chosen = calibrate(name, raw, seen, trial.targets.rows(developed))
        thresholds = thresholds if chosen is None else chosen
        rows = int((corpus.users & corpus.learnt(name)).sum())
        why = f"Fine-tuned with its branch on {rows} rows."
        found[name] = Learnt(head, retrained=True, why=why, rows=rows)
    branches = tuple(
        Branch(card, trial.fitted.tensors) if other.card.name == card.name else other
        for other in heads.branches
    )
    topic, action, sentiment = (
        found[name].head if name in found else getattr(heads, name) for name in HEAD_NAMES
    )
    return dataclasses.replace(
        heads, topic=topic, action=action, sentiment=sentiment, thresholds=thresholds, branches=branches
    ), found


def _kept(name: HeadName, heads: Heads, corpus: Corpus) -> Learnt:
    head: Head = getattr(heads, name)
    rows = int((corpus.users & corpus.learnt(name)).sum())
    missing = shortage(name, corpus) or "Another head of its branch lacks rows."
    return Learnt(head, retrained=False, why=f"{missing} The head in use stays.", rows=rows)
