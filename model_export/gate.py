"""What must hold before a model is written: fp32 agrees with the reference, and int8 with fp32.

The reference vectors are those of the publisher's pipeline (transformers, mean pooling, unit length) for
texts of our own, computed once and kept in `reference/`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.numpy import load_file

from model_export.encode import run_graph
from model_export.training.examples import OWN, read_labelled
from shared.errors import SetupError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

REFERENCE = Path(__file__).parent / "reference"
MIN_REFERENCE_COSINE = 0.9999
MIN_INT8_COSINE = 0.99
MAX_CHANGED_LABELS = 0.05


class GateFailed(SetupError):
    """The model is not good enough to be written."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Texts with the embeddings the reference implementation gives them."""

    texts: list[str]
    embeddings: Floats
    """(n, 384), unit length."""


def load_reference(directory: Path = REFERENCE) -> Reference:
    """Read `texts.json` and `embeddings.safetensors`."""
    texts = json.loads((directory / "texts.json").read_text(encoding="utf-8"))
    return Reference(texts, load_file(directory / "embeddings.safetensors")["embeddings"])


def check(fp32: bytes, int8: bytes, tokenizer: bytes) -> dict[str, float]:
    """Measure both graphs; returns the figures for the manifest.

    Raises:
        GateFailed: a figure is below its limit.
    """
    reference = load_reference()
    exact = run_graph(fp32, tokenizer, reference.texts)[0]
    texts = [example.text for example in read_labelled(OWN / "heldout.jsonl")] + reference.texts
    full, small = run_graph(fp32, tokenizer, texts), run_graph(int8, tokenizer, texts)
    cosines = _cosines(full[0], small[0])
    changed = [(full[column].argmax(axis=1) != small[column].argmax(axis=1)).mean() for column in (2, 3)]
    metrics = {
        "reference_cosine_min": float(_cosines(exact, reference.embeddings).min()),
        "int8_cosine_mean": float(cosines.mean()),
        "int8_cosine_min": float(cosines.min()),
        "int8_changed_labels": float(max(changed)),
    }
    _require(
        metrics["reference_cosine_min"] >= MIN_REFERENCE_COSINE, "fp32 does not match the reference", metrics
    )
    _require(metrics["int8_cosine_mean"] >= MIN_INT8_COSINE, "int8 strays too far from fp32", metrics)
    _require(metrics["int8_changed_labels"] <= MAX_CHANGED_LABELS, "int8 changes too many labels", metrics)
    return {name: round(value, 6) for name, value in metrics.items()}


def _cosines(left: Floats, right: Floats) -> Floats:
    cosines: Floats = (left * right).sum(axis=1)
    return cosines


def _require(holds: bool, claim: str, metrics: dict[str, float]) -> None:  # noqa: FBT001 - read at the call
    if not holds:
        figures = ", ".join(f"{name} {value:.5f}" for name, value in metrics.items())
        raise GateFailed(f"{claim}: {figures}. Nothing was written.")
