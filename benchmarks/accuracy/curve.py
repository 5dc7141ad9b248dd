"""Accuracy against speed: what more layers, tuning and fewer bits are worth on the same passages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.accuracy.labels import OPEN
from model_export.assemble import embedding_graph, full_graph
from model_export.build import HEADS
from model_export.graph import Float32
from model_export.heads import load_heads
from model_export.run import run_graph
from model_export.scores import f1, macro_f1
from model_export.sources import load_packaged
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest, read_verified

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.accuracy.labels import Judged

    Floats = NDArray[np.float64]

_LEARNT = 4_000
"""Passages that the regressions learn from, about: more hardly help them, and take minutes."""
_TIMED = 600
"""Texts; the median of `_ROUNDS` over all systems in turn."""
_ROUNDS = 3


class _System(NamedTuple):
    name: str
    run: Callable[[Sequence[str]], object]
    topics: NDArray[np.bool_]
    action: NDArray[np.intp]
    initiative: NDArray[np.bool_]


def table(learnt: Judged, asked: Judged, directory: Path, weights: Path) -> str:
    """Markdown: F1 on passages of unseen companies beside texts a second on all processors, in one run."""
    checkpoint, heads, manifest = load_packaged(weights), load_heads(HEADS), read_manifest(directory)
    exact = full_graph(checkpoint, Float32(), heads)
    small = read_verified(directory / MODEL_FILE, manifest.model)
    plain = embedding_graph(checkpoint, Float32())

    def run(graph: bytes) -> Callable[[Sequence[str]], list[NDArray[np.float32]]]:
        tokenizer = read_verified(directory / TOKENIZER_FILE, manifest.tokenizer)
        return lambda texts: run_graph(graph, tokenizer, texts)

    systems = [_regressions("the original embedding, a regression for each label", run(plain), learnt, asked)]
    for name, graph in (("tuned layers and heads, fp32", exact), ("the same in eight bits: shipped", small)):
        _, topic, action, _, _, initiative = run(graph)(asked.texts)
        chosen = initiative[:, 0] >= (manifest.initiative_threshold or 0.5)
        systems.append(
            _System(name, run(graph), topic >= np.array(manifest.thresholds), action.argmax(axis=1), chosen)
        )
    rates = _rates([system.run for system in systems], asked.texts[:_TIMED])
    lines = [
        "| | texts/s | topics, micro-F1 | action, macro-F1 | initiatives, F1 |",
        "| --- " + "| ---: " * 4 + "|",
    ]
    rows = asked.action != OPEN
    for system, rate in zip(systems, rates, strict=True):
        figures = (
            f1(asked.topics[rows] == 1, system.topics[rows]),
            macro_f1(asked.action[rows].astype(np.int64), system.action[rows].astype(np.int64)),
            f1(asked.initiative[rows] == 1, system.initiative[rows]),
        )
        lines.append(f"| {system.name} | {rate:.0f} | " + " | ".join(f"{x:.3f}" for x in figures) + " |")
    return "\n".join(lines)


def _regressions(
    name: str, run: Callable[[Sequence[str]], list[NDArray[np.float32]]], learnt: Judged, asked: Judged
) -> _System:
    """Logistic regressions on what `run` gives first."""
    from sklearn.linear_model import LogisticRegression

    step = max(len(learnt.texts) // _LEARNT, 1)
    known, wanted = run(learnt.texts[::step])[0], run(asked.texts)[0]

    def fitted(labels: NDArray[np.int8]) -> NDArray[np.intp]:
        labels = labels[::step]
        rows = labels != OPEN
        model = LogisticRegression(C=10, class_weight="balanced", max_iter=300)
        return np.asarray(model.fit(known[rows], labels[rows]).predict(wanted))

    topics = np.stack([fitted(column) == 1 for column in learnt.topics.T], axis=1)
    return _System(name, run, topics, fitted(learnt.action), fitted(learnt.initiative) == 1)


def _rates(systems: Sequence[Callable[[Sequence[str]], object]], texts: Sequence[str]) -> list[float]:
    seconds: list[list[float]] = [[] for _ in systems]
    for _ in range(_ROUNDS):
        for place, run in enumerate(systems):
            began = time.monotonic()
            run(texts)
            seconds[place].append(time.monotonic() - began)
    return [len(texts) / float(np.median(each)) for each in seconds]
