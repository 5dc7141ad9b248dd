"""From labelled sentences to trained heads: read, encode, fit, calibrate on folds not fitted on, measure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.heads import Heads
from model_export.training import linear
from model_export.training.calibrate import best_threshold, platt, rescaled
from model_export.training.corpora import SOURCES, read_directory
from model_export.training.examples import OWN, Example, read_labelled
from model_export.training.scores import score
from shared.records import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.heads import Head

    Floats = NDArray[np.float64]
    Fit = Callable[[Floats, Sequence[Example], Floats], Head]

_FOLDS = 5
_OWN_WEIGHT = {"topic": 6.0, "action": 4.0, "sentiment": 15.0}
"""Sentences written for this project count this many times: they cover what the corpora lack, and are few."""


@dataclass(frozen=True, slots=True)
class Trained:
    """Heads and what they reach on sentences they have not seen."""

    heads: Heads
    metrics: dict[str, float]
    counts: dict[str, int]
    """Sentences by source."""


def read_examples(data: Path | None) -> list[Example]:
    """Our own sentences, the corpora under `data`, and any `*.jsonl` of labelled lines there, once each."""
    examples = read_labelled(OWN / "train.jsonl")
    if data is not None:
        examples += read_directory(data)
        for path in sorted(data.rglob("*.jsonl")):
            examples += read_labelled(path)
    unique = {(example.text, example.source): example for example in examples}
    return list(unique.values())


def train_heads(
    examples: Sequence[Example], encode: Callable[[Sequence[str]], NDArray[np.float32]]
) -> Trained:
    """Fit all heads on `encode(texts)`, (n, width) unit length. The same examples give the same heads."""
    features = encode([example.text for example in examples]).astype(np.float64)

    def fit(task: str, fitter: Fit, chosen: Sequence[int]) -> Head:
        subset = [examples[index] for index in chosen]
        weights = [_OWN_WEIGHT[task] if example.source == "train" else 1.0 for example in subset]
        return fitter(features[list(chosen)], subset, np.array(weights))

    judged = [i for i, example in enumerate(examples) if example.topics or example.any_of]
    topic = fit("topic", linear.fit_topics, judged)
    unseen = np.full((len(examples), len(TOPICS)), np.nan)
    for fold in range(_FOLDS):
        held = [i for i in judged if _fold(examples[i].text) == fold]
        partial = fit("topic", linear.fit_topics, [i for i in judged if _fold(examples[i].text) != fold])
        unseen[held] = features[held] @ partial.weight + partial.bias
    topic, thresholds = _calibrated(topic, unseen, examples)

    heads = Heads(
        topic=topic,
        action=fit("action", linear.fit_action, [i for i, e in enumerate(examples) if e.action]),
        sentiment=fit("sentiment", linear.fit_sentiment, [i for i, e in enumerate(examples) if e.sentiment]),
        thresholds=thresholds,
    )
    heldout = read_labelled(OWN / "heldout.jsonl")
    counts: dict[str, int] = {}
    for example in examples:
        counts[example.source] = counts.get(example.source, 0) + 1
    return Trained(heads, score(heads, encode([e.text for e in heldout]), heldout), counts)


def _fold(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0] % _FOLDS


def _calibrated(head: Head, unseen: Floats, examples: Sequence[Example]) -> tuple[Head, NDArray[np.float32]]:
    slopes, intercepts, thresholds = (np.zeros(len(TOPICS)) for _ in range(3))
    for column, name in enumerate(TOPICS):
        rows = [i for i, example in enumerate(examples) if name in example.topics]
        present = np.array([float(examples[i].topics[name]) for i in rows])
        weights = np.array([_OWN_WEIGHT["topic"] if examples[i].source == "train" else 1.0 for i in rows])
        logits = unseen[rows, column]
        slope, intercept = platt(logits, present, weights)
        chances = 1 / (1 + np.exp(-(slope * logits + intercept)))
        slopes[column], intercepts[column] = slope, intercept
        thresholds[column] = best_threshold(chances, present, weights)
    return rescaled(head, slopes, intercepts), thresholds.astype(np.float32)


def write_card(directory: Path, trained: Trained) -> None:
    """Write `heads.json` beside the weights: labels, training data and figures, for the model's card."""
    card = {
        "labels": {"topic": TOPICS, "action": ACTIONS, "sentiment": SENTIMENTS},
        "sentences": trained.counts,
        "sources": [SOURCES[name].model_dump() for name in sorted(trained.counts) if name in SOURCES],
        "heldout": trained.metrics,
    }
    (directory / "heads.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
