"""The classifying heads: a matrix and a bias each, on top of the pooled encoding of a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from shared.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from model_export.graph import Graph

    Floats = NDArray[np.float32]

HEADS_FILE = "heads.safetensors"


@dataclass(frozen=True, slots=True)
class Head:
    """`features @ weight + bias` are the logits of its labels."""

    weight: Floats
    """(features, labels)"""
    bias: Floats
    """(labels,)"""

    def attach(self, graph: Graph, features: str, name: str, *, exclusive: bool) -> str:
        """Add the head as output `name`: probabilities that sum to 1 if `exclusive`, else one by one."""
        inputs = [
            features,
            graph.constant(f"{name}.weight", self.weight),
            graph.constant(f"{name}.bias", self.bias),
        ]
        logits = graph.node("Gemm", inputs, f"{name}.logits")
        if exclusive:
            return graph.node("Softmax", [logits], name, axis=-1)
        return graph.node("Sigmoid", [logits], name)


@dataclass(frozen=True, slots=True)
class Heads:
    """The trained heads of one model."""

    topic: Head
    action: Head
    sentiment: Head
    thresholds: Floats
    """(topics,)"""

    def save(self, directory: Path) -> None:
        """Write `heads.safetensors`."""
        tensors = {"topic.thresholds": self.thresholds}
        for name in ("topic", "action", "sentiment"):
            head: Head = getattr(self, name)
            tensors |= {f"{name}.weight": head.weight, f"{name}.bias": head.bias}
        save_file(tensors, directory / HEADS_FILE)


def load_heads(directory: Path) -> Heads:
    """Read `heads.safetensors`.

    Raises:
        SetupError: it is missing or not one of ours.
    """
    path = directory / HEADS_FILE
    try:
        tensors = load_file(path)
        topic, action, sentiment = (
            Head(tensors[f"{name}.weight"], tensors[f"{name}.bias"])
            for name in ("topic", "action", "sentiment")
        )
        return Heads(topic, action, sentiment, tensors["topic.thresholds"])
    except (FileNotFoundError, SafetensorError, KeyError) as error:
        raise SetupError(
            f"{path} does not hold trained heads ({error}). Train them: python -m model_export train"
        ) from None
