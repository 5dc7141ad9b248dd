"""Both built models on the rows held out, head by head, and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_export.heads import HEAD_NAMES
from training.compare import Judged, compare, counts, label_scores, one_hot
from training.report import Comparison, LabelScore
from training.retrain import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from model_export.heads import HeadName
    from shared.inference.engine import Engine, Outputs
    from training.report import HeadReport
    from training.retrain import Corpus

TEXTS_A_CALL = 1024
METRICS: dict[HeadName, str] = {"topic": "micro-F1", "action": "macro-F1", "sentiment": "macro-F1"}


def compare_models(
    in_use: Engine, candidate: Engine, corpus: Corpus, retrained: int
) -> dict[HeadName, tuple[Comparison | None, Comparison | None]]:
    """By head: on the user's rows that were held out, and on our held-out sentences."""
    rows = np.flatnonzero(corpus.held)
    texts = [corpus.examples[row].text for row in rows.tolist()]
    chosen = [_chosen(engine, texts, corpus.topics) for engine in (in_use, candidate)]
    found = {}
    for name in HEAD_NAMES:
        truth, known = _truth(name, corpus)
        pair = []
        for group in (corpus.users, ~corpus.users):
            among = group[rows] & corpus.judged(name)[rows]
            part = rows[among]
            judged = Judged(truth[part], known[part], chosen[0][name][among], chosen[1][name][among])
            pair.append(_comparison(name, judged, corpus, retrained) if among.any() else None)
        found[name] = (pair[0], pair[1])
    return found


def decide(heads: Mapping[str, HeadReport]) -> tuple[str, str]:
    """Code and reason: `better` publishes."""
    worse = [
        f"{name} on {title}"
        for name, head in heads.items()
        for title, item in (("the rows held out", head.held_out), ("our own held-out sentences", head.own))
        if item and item.verdict == "worse"
    ]
    if worse:
        return "worse", f"The candidate is worse in {' and '.join(worse)}."
    better = [
        name
        for name, head in heads.items()
        if head.retrained and head.held_out and head.held_out.verdict == "better"
    ]
    if not better:
        return "not_better", "The candidate is not better beyond chance on the rows held out."
    return "better", f"The candidate is better beyond chance in {' and '.join(better)}, and worse in nothing."


def _truth(name: HeadName, corpus: Corpus) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    if name == "topic":
        return corpus.targets.topics == 1, ~np.isnan(corpus.targets.topics)
    labels = getattr(corpus.targets, name)
    truth = one_hot(np.maximum(labels, 0), len(LABELS[name]))
    return truth, np.ones_like(truth)


def _comparison(name: HeadName, judged: Judged, corpus: Corpus, retrained: int) -> Comparison:
    found = compare(judged, macro=name != "topic", heads=max(retrained, 1))
    before, after = (counts(judged, part).sum(axis=0) for part in (judged.in_use, judged.candidate))
    labels = corpus.topics if name == "topic" else LABELS[name]
    scores = zip(labels, before[:, 2], label_scores(before), label_scores(after), strict=True)
    return Comparison(
        rows=len(judged.truth),
        in_use=round(found.in_use, 4),
        candidate=round(found.candidate, 4),
        low=round(found.low, 4),
        high=round(found.high, 4),
        luck=round(found.luck, 4),
        verdict=found.verdict,
        labels={
            label: LabelScore(rows=int(count), in_use=round(float(one), 4), candidate=round(float(other), 4))
            for label, count, one, other in scores
            if count
        },
    )


def _chosen(engine: Engine, texts: Sequence[str], topics: Sequence[str]) -> dict[HeadName, NDArray[np.bool_]]:
    parts = [
        _labels(engine, engine.run(texts[start : start + TEXTS_A_CALL]), topics)
        for start in range(0, len(texts), TEXTS_A_CALL)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in HEAD_NAMES}


def _labels(engine: Engine, outputs: Outputs, topics: Sequence[str]) -> dict[HeadName, NDArray[np.bool_]]:
    """What results would say: topics from their thresholds, of the rest the likeliest label."""
    manifest = engine.manifest
    chosen = np.zeros((len(outputs), len(topics)), bool)
    for column, name in enumerate(manifest.topics):
        chosen[:, topics.index(name)] = outputs.topics[:, column] >= manifest.thresholds[column]
    return {
        "topic": chosen,
        "action": one_hot(outputs.action.argmax(axis=1), outputs.action.shape[1]),
        "sentiment": one_hot(outputs.sentiment.argmax(axis=1), outputs.sentiment.shape[1]),
    }
