"""What must hold before a model is written.

The graph in float agrees with the publisher's pipeline (transformers, mean pooling, unit length), whose
vectors for texts of our own were computed once and are kept in `reference/`, and with the textbook, tuned
layers and heads included. Where layers are tuned, the embedding still points where it did before. The
quantised graph agrees with the one in float, in its embeddings, in its labels, and in how often those are
right on our held-out sentences.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from safetensors.numpy import load_file

from model_export.assemble import ACTIONS, SENTIMENTS, embedding_graph, initiative_threshold, window
from model_export.graph import Float32
from model_export.heads import HEAD_NAMES
from model_export.run import run_graph
from model_export.scores import micro_f1
from model_export.sources import MINILM, WEIGHTS
from model_export.textbook import Textbook
from shared.inference.tokens import load_tokenizer
from shared.platform.errors import SetupError
from shared.platform.records import TOPICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from model_export.graph import PrecisionName
    from model_export.heads import HeadName, Heads, Trunk
    from model_export.labelled import Example
    from model_export.sources import Checkpoint

    Floats = NDArray[np.float32]

REFERENCE = Path(__file__).parent / "reference"
MIN_REFERENCE_COSINE = 0.9999
MIN_TUNED_COSINE = 0.985
"""The mean, of embeddings by tuned layers to those of the layers as they came."""
MAX_TEXTBOOK_DIFFERENCE = 1e-3
"""The greatest difference of any probability, or of salience."""
MIN_QUANTISED_COSINE = 0.99
MAX_CHANGED_LABELS = 0.05
MAX_SALIENCE_DIFFERENCE = 0.1
"""The mean difference."""
MAX_ACCURACY_LOSS = 0.01
"""Or one text, where a head has fewer than a hundred and one text is more than a point."""


class GateFailed(SetupError):
    """The model is not good enough to be written."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A graph that asks to be written, and what it was made from."""

    graph: bytes
    precision: PrecisionName
    exact: bytes
    """The same in fp32."""
    checkpoint: Checkpoint
    heads: Heads | None
    topics: tuple[str, ...] = TOPICS
    """Columns of the head `topic`."""

    @property
    def trunk(self) -> Trunk | None:
        return self.heads.trunk if self.heads else None


def load_reference() -> tuple[list[str], Floats]:
    """Texts, and the embeddings (n, 384) that the reference implementation gives them, of unit length."""
    texts: list[str] = json.loads((REFERENCE / "texts.json").read_text(encoding="utf-8"))
    return texts, load_file(REFERENCE / "embeddings.safetensors")["embeddings"]


def check(candidate: Candidate, heldout: Sequence[Example]) -> dict[str, float]:
    """Measure the candidate; returns the figures for the manifest.

    Raises:
        GateFailed: a figure is beyond its limit.
    """
    metrics = check_exact(candidate, [example.text for example in heldout])
    if candidate.precision != "fp32":
        reference, _ = load_reference()
        texts = reference + [example.text for example in heldout]
        tokenizer, cut_at = candidate.checkpoint.tokenizer, window(candidate.checkpoint)
        exact = run_graph(candidate.exact, tokenizer, texts, cut_at)
        small = run_graph(candidate.graph, tokenizer, texts, cut_at)
        metrics |= check_agreement(candidate, exact, small)
        if candidate.heads:
            first = len(reference)
            pair = [part[first:] for part in exact], [part[first:] for part in small]
            metrics |= check_accuracy(candidate, candidate.heads, heldout, pair)
    return {name: round(value, 6) for name, value in metrics.items()}


def check_exact(candidate: Candidate, texts: Sequence[str]) -> dict[str, float]:
    """The fp32 graph against the publisher's vectors, where there are any, and against the textbook.

    Where layers are tuned, the layers as they came are compared with the publisher's vectors, and their
    embeddings of all texts with those of the tuned ones.
    """
    reference, vectors = load_reference()
    checkpoint = candidate.checkpoint
    tokenizer, cut_at = checkpoint.tokenizer, window(checkpoint)
    outputs = run_graph(candidate.exact, tokenizer, [*reference, *texts], cut_at)
    original, metrics = outputs[0], {}
    if candidate.trunk:
        graph = embedding_graph(checkpoint, Float32())
        original = run_graph(graph, tokenizer, [*reference, *texts], cut_at)[0]
        metrics["tuned_cosine_mean"] = float(_cosines(outputs[0], original).mean())
    if checkpoint.source.sha256 == MINILM.digests[WEIGHTS]:
        metrics["reference_cosine_min"] = float(_cosines(original[: len(reference)], vectors).min())
    textbook, splitter = Textbook(checkpoint, candidate.heads), load_tokenizer(tokenizer)
    splitter.enable_truncation(cut_at)
    answers = [textbook.answer(splitter.encode(text).ids) for text in reference]
    expected = [np.array(column) for column in zip(*answers, strict=True)]
    found = [column[: len(reference)] for column in outputs]
    metrics["textbook_cosine_min"] = float(_cosines(found[0], expected[0]).min())
    differences = [np.abs(left - right).max() for left, right in zip(found[1:], expected[1:], strict=True)]
    metrics["textbook_difference_max"] = float(max(differences, default=0.0))
    for name in ("reference_cosine_min", "textbook_cosine_min"):
        if metrics.get(name, 1) < MIN_REFERENCE_COSINE:
            raise _failed("fp32 does not match the reference", name, metrics[name], MIN_REFERENCE_COSINE)
    if metrics["textbook_difference_max"] > MAX_TEXTBOOK_DIFFERENCE:
        name = "textbook_difference_max"
        raise _failed("the heads do not match the reference", name, metrics[name], MAX_TEXTBOOK_DIFFERENCE)
    if metrics.get("tuned_cosine_mean", 1) < MIN_TUNED_COSINE:
        name = "tuned_cosine_mean"
        raise _failed("tuning has turned the embedding too far", name, metrics[name], MIN_TUNED_COSINE)
    return metrics


def check_agreement(
    candidate: Candidate, exact: Sequence[Floats], small: Sequence[Floats]
) -> dict[str, float]:
    """The quantised graph against the exact one: directions of embeddings, and labels."""
    cosines = _cosines(exact[0], small[0])
    precision = candidate.precision
    mean = float(cosines.mean())
    metrics = {f"{precision}_cosine_mean": mean, f"{precision}_cosine_min": float(cosines.min())}
    if mean < MIN_QUANTISED_COSINE:
        name = f"{precision}_cosine_mean"
        raise _failed(f"{precision} strays too far from fp32", name, mean, MIN_QUANTISED_COSINE)
    if candidate.heads:
        chosen = [_chosen(candidate.heads, part) for part in (exact, small)]
        name = f"{precision}_changed_labels"
        changed = metrics[name] = max(
            float((chosen[0][k] != chosen[1][k]).mean()) for k in chosen[0] if k != "salience"
        )
        if changed > MAX_CHANGED_LABELS:
            raise _failed(f"{precision} changes too many labels", name, changed, MAX_CHANGED_LABELS)
        if candidate.heads.initiative_threshold is not None:
            name, place = f"{precision}_salience_difference", 1 + HEAD_NAMES.index("salience")
            metrics[name] = float(np.abs(exact[place] - small[place]).mean())
            if metrics[name] > MAX_SALIENCE_DIFFERENCE:
                limit = MAX_SALIENCE_DIFFERENCE
                raise _failed(f"{precision} changes salience too much", name, metrics[name], limit)
    return metrics


def check_accuracy(
    candidate: Candidate,
    heads: Heads,
    examples: Sequence[Example],
    outputs: tuple[Sequence[Floats], Sequence[Floats]],
) -> dict[str, float]:
    """How often each head is right, in fp32 and in the precision, which may lose a point."""
    precision = candidate.precision
    exact, quantised = (accuracies(part, heads, examples, candidate.topics) for part in outputs)
    metrics = {}
    for head in HEAD_NAMES:
        if head not in exact:
            continue
        metrics[f"heldout_{head}_fp32"] = exact[head].value
        metrics[f"heldout_{head}_{precision}"] = quantised[head].value
        allowed = max(MAX_ACCURACY_LOSS, 1 / exact[head].texts)
        if exact[head].value - quantised[head].value > allowed + 1e-9:
            raise _failed(
                f"{precision} loses too much accuracy of {head} ({exact[head].value:.4f})",
                f"heldout_{head}_{precision}",
                quantised[head].value,
                exact[head].value - allowed,
            )
    return metrics


class Accuracy(NamedTuple):
    """How often one head is right on one set."""

    value: float
    """Topics: micro-F1 over the topics judged. Others: the share of right labels."""
    texts: int
    """How many were judged."""


def accuracies(
    outputs: Sequence[Floats], heads: Heads, examples: Sequence[Example], topics: Sequence[str] = TOPICS
) -> dict[str, Accuracy]:
    """Accuracy of `outputs` (embedding, then by head), by each head that some text judges."""
    by_head = {}
    known = np.array([[e.topics.get(name, np.nan) for name in topics] for e in examples], np.float32)
    if judged := int((~np.isnan(known)).any(axis=1).sum()):
        by_head["topic"] = Accuracy(micro_f1(known, outputs[1] >= heads.thresholds), judged)
    order: dict[HeadName, Sequence[object]] = {
        "action": ACTIONS, "sentiment": SENTIMENTS, "salience": range(4), "initiative": (False, True),
    }  # fmt: skip
    for name, chosen in _chosen(heads, outputs).items():
        rows = [row for row, example in enumerate(examples) if getattr(example, name) is not None]
        if rows:
            truth = [order[name].index(getattr(examples[row], name)) for row in rows]
            by_head[name] = Accuracy(float((chosen[rows] == truth).mean()), len(rows))
    return by_head


def _chosen(heads: Heads, outputs: Sequence[Floats]) -> dict[HeadName, NDArray[np.intp]]:
    """(n,) of each head but that of the topics: the likeliest label, the nearest salience, yes or no."""
    chosen: dict[HeadName, NDArray[np.intp]] = {}
    for name, columns in zip(heads.parts, outputs[1:], strict=True):
        if name == "salience":
            chosen[name] = np.rint(columns[:, 0]).astype(np.intp)
        elif name == "initiative":
            chosen[name] = (columns[:, 0] >= (initiative_threshold(heads) or 0)).astype(np.intp)
        elif name != "topic":
            chosen[name] = columns.argmax(axis=1)
    return chosen


def _cosines(left: Floats, right: Floats) -> Floats:
    cosines: Floats = (left * right).sum(axis=1)
    return cosines


def _failed(claim: str, name: str, value: float, limit: float) -> GateFailed:
    return GateFailed(f"{claim}: {name} {value:.5f}, the limit is {limit:.5f}. Nothing was written.")
