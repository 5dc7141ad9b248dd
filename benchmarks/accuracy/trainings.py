"""Branches trained otherwise than those that ship: deeper or shallower, or on a part of the data.

A training takes minutes, so what each says of the sentences asked is kept on disk: when the labels of those
change, they are scored anew and nothing is trained again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from benchmarks.accuracy.systems import Answers, answers_of_heads
from model_export.assemble import embedding_graph
from model_export.graph import Int8
from model_export.heads import HEAD_NAMES, load_heads
from model_export.labelled import split_of
from model_export.run import run_graph
from model_export.scalings import SCALINGS_FILE, parse_scalings
from model_export.scores import sigmoid
from shared.platform.records import TOPICS
from training.branches import (
    BRANCHES,
    Settings,
    mean_over_corpora,
    train_branch,
    trial_rows,
    useful,
)
from training.corpora import text_hash
from training.rows import read_examples
from training.train import calibrate, train_linear

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.accuracy.sets import Data
    from model_export.heads import Heads
    from model_export.labelled import Example
    from model_export.sources import Checkpoint
    from training.branches import Trial

LEFT_OUT = {"newsmtsc": {"newsmtsc"}, "nyt": {"nyt"}, "sentfin": {"sentfin"}, "sst5": {"sst5", "sst2"}}
"""Corpora to leave out where the one named first is asked."""
_EPOCHS = {"topic": 2, "sentiment": 1}
_SHARE = 3
"""One in so many sentences that train sentiment alone is shown: trainings are compared, and none ships."""


@dataclass(frozen=True, slots=True)
class Training:
    """One branch."""

    branch: str
    layers: int = 2
    without: str = ""
    """A key of `LEFT_OUT`."""
    permissive: bool = False

    @property
    def name(self) -> str:
        """Of its file."""
        parts = (self.branch, str(self.layers), self.without, "permissive" if self.permissive else "")
        return "-".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Result:
    """What a training's heads say of the sentences asked, and how good they are on the development split."""

    answers: Answers
    developed: float | None
    """None of linear heads, which are fitted on that split too."""


@dataclass(frozen=True, slots=True)
class Laboratory:
    """Everything that the trainings share."""

    checkpoint: Checkpoint
    data: Data
    directory: Path
    """Of the corpora."""
    frozen: Path
    """Of the linear heads on the encoder."""
    cache: Path
    report: Callable[[str], None]

    def branch(self, training: Training) -> Result:
        """Train it, or remember what it said.

        Raises:
            ImportError: torch is not installed.
        """
        path = self.cache / f"{training.name}.safetensors"
        asked = self.data.asked
        hashes = [_hash(example) for example in asked]
        wanted = {text for text, e in zip(hashes, asked, strict=True) if useful(e, BRANCHES[training.branch])}
        known = _load(path)
        if known is None or not wanted <= set(known["hashes"].tolist()):
            known = self._train(training)
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(known, path)
        row_of = {text: row for row, text in enumerate(known["hashes"].tolist())}
        # Sentences that ask nothing of this branch are not there; whatever stands for them is not scored.
        rows = [row_of.get(text, 0) for text in hashes]
        outputs = {name: known[name][rows] for name in HEAD_NAMES if name in known}
        developed = float(known["developed"][0])
        if "sentiment" in outputs:
            chances = outputs["sentiment"]
            answers = Answers(sentiment=chances.argmax(axis=1), positive=chances[:, 0] > chances[:, 2])
        else:
            answers = Answers(topics=outputs["topic"] == 1, action=outputs["action"].argmax(axis=1))
        return Result(answers, developed)

    def linear(self) -> tuple[Result, Result]:
        """Linear heads on the embedding: those kept here, and others of permissive data alone."""
        allowed = self._examples(Training("topic", permissive=True))
        unique = list(dict.fromkeys(example.text for example in [*allowed, *self.data.asked]))
        scalings = parse_scalings((self.frozen / SCALINGS_FILE).read_bytes())
        graph = embedding_graph(self.checkpoint, Int8(scalings))
        vectors = dict(zip(unique, run_graph(graph, self.checkpoint.tokenizer, unique)[0], strict=True))

        def encode(texts: Sequence[str]) -> NDArray[np.float32]:
            return np.stack([vectors[text] for text in texts])

        asked = encode([example.text for example in self.data.asked])

        def result(heads: Heads) -> Result:
            topic, action, sentiment = (
                asked @ head.weight + head.bias for head in (heads.topic, heads.action, heads.sentiment)
            )
            return Result(answers_of_heads(sigmoid(topic), action, sentiment, heads.thresholds), None)

        return result(load_heads(self.frozen, branches=False)), result(
            train_linear(allowed, TOPICS, encode).heads
        )

    def _train(self, training: Training) -> dict[str, NDArray[Any]]:
        settings = Settings(
            self.cache,
            lambda line: self.report(f"{training.name}: {line}"),
            layers={training.branch: training.layers},
            epochs=_EPOCHS,
        )
        # What is asked is of the test split, which no training learns from or chooses by.
        examples = self._examples(training) + self.data.asked
        trial = train_branch(training.branch, self.checkpoint, examples, TOPICS, settings)
        return _said(trial, training.branch)

    def _examples(self, training: Training) -> list[Example]:
        """What it learns from; of corpora that judge nothing but sentiment, a third."""
        examples = self.data.learnt
        if training.permissive:
            allowed = read_examples(self.directory, permissive_only=True)
            examples = [example for example in allowed if split_of(example) != "test"]
        left_out = LEFT_OUT.get(training.without, set())
        return [example for example in examples if example.source not in left_out and _shown(example)]


def _shown(example: Example) -> bool:
    """Everything but two thirds of what trains sentiment alone."""
    more = example.topics or example.any_of or example.action or example.not_planned
    if more or split_of(example) != "train":
        return True
    return hashlib.sha256(example.text.encode()).digest()[9] % _SHARE == 0


def _said(trial: Trial, branch: str) -> dict[str, NDArray[Any]]:
    developed, asked = (trial_rows(trial, split) for split in ("dev", "test"))
    before, last = (trial.fitted.features_of(rows.tolist()) for rows in (developed, asked))
    heads = {name: trial.fitted.heads[name] for name in BRANCHES[branch]}
    chances: dict[str, NDArray[np.float32]] = {
        name: sigmoid(before @ head.weight + head.bias) for name, head in heads.items()
    }
    sources = [trial.shown[row].source for row in developed.tolist()]
    targets = trial.targets.rows(developed)
    found: dict[str, NDArray[Any]] = {
        "hashes": np.array([_hash(trial.shown[row]) for row in asked.tolist()], np.uint64),
        "developed": np.array([mean_over_corpora(chances, targets, sources)]),
    }
    for name, raw in heads.items():
        seen = (before @ raw.weight + raw.bias).astype(np.float64)
        head, thresholds = calibrate(name, raw, seen, targets)
        said = sigmoid(last @ head.weight + head.bias)
        found[name] = said if thresholds is None else (said >= thresholds).astype(np.uint8)
    return found


def _hash(example: Example) -> int:
    return int(text_hash(example.text), 16)


def _load(path: Path) -> dict[str, NDArray[Any]] | None:
    try:
        return load_file(path)
    except (FileNotFoundError, SafetensorError):  # not there, or cut short
        return None
