"""What training makes of an encoder: tuned layers, heads that read the last of them, and a card.

In a head every label attends for itself. With H (seq, width) the last layer's states of a text's own
positions, special tokens included, a label with query q, weight w and bias b has the logit

    sum over t of softmax(H q)[t] * (H[t] · w) + b

A query of zeros reads the mean, so a regression on mean-pooled states is a head as well.

Three files hold them. `heads.json` is a `Card`. `heads.safetensors` has of each head NAME `NAME.query` and
`NAME.weight` (labels, width) and `NAME.bias` (labels,), and `topic.thresholds`, `initiative.threshold` and
`embedding.weight`. `trunk.safetensors`, where the layers are tuned, has them in half precision, named as in
the checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from model_export.files import digest_of
from shared.inference.manifest import Source
from shared.platform.errors import SetupError
from shared.platform.records import ActionLabel, Record, SentimentLabel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.sources import Checkpoint

    Floats = NDArray[np.float32]

HEADS_FILE, TRUNK_FILE, CARD_FILE = "heads.safetensors", "trunk.safetensors", "heads.json"

HeadName = Literal["topic", "action", "sentiment", "salience", "initiative"]
HEAD_NAMES: tuple[HeadName, ...] = ("topic", "action", "sentiment", "salience", "initiative")
"""In the order of the graph's outputs. A model has the first three, and the others both or neither."""
EXCLUSIVE: frozenset[HeadName] = frozenset({"action", "sentiment"})
"""Heads of which one label applies; the labels of others are judged one by one."""
LEVELS = (1, 2, 3)
"""Labels of `salience`: whether it is at least this. Their chances add up to the salience expected."""


class Labels(Record):
    """The columns of each head that has names for them."""

    topic: tuple[str, ...]
    action: tuple[ActionLabel, ...]
    sentiment: tuple[SentimentLabel, ...]


class Card(Record):
    """`heads.json`."""

    labels: Labels
    sentences: dict[str, int]
    """Texts trained on, by source."""
    permissive: tuple[HeadName, ...] = ()
    """Heads whose training data are all under a known, permissive licence."""
    sources: tuple[Source, ...]
    heldout: dict[str, float]
    """Figures on texts that no training saw."""


@dataclass(frozen=True, slots=True)
class Head:
    """Labels that attend each for itself."""

    query: Floats
    """(labels, width)"""
    weight: Floats
    """(labels, width)"""
    bias: Floats
    """(labels,)"""


@dataclass(frozen=True, slots=True)
class Trunk:
    """Layers that take the place of the checkpoint's, and the way back to its embedding."""

    layers: Mapping[str, Floats]
    """Named as in the checkpoint: `encoder.layer.0.attention.self.query.weight` and so on."""
    projection: Floats
    """(taps * width, width). The embedding is the means of the last `taps` layers end to end, times this."""

    def digest(self) -> str:
        """SHA-256 of all of it: embeddings depend on every part."""
        tensors = {"": self.projection} | {k: v.astype(np.float16) for k, v in self.layers.items()}
        return digest_of(*(f"{k} {sha256(v.tobytes()).hexdigest()}" for k, v in sorted(tensors.items())))


@dataclass(frozen=True, slots=True)
class Heads:
    """The trained part of one model."""

    parts: Mapping[HeadName, Head]
    """In the order of `HEAD_NAMES`."""
    thresholds: Floats
    """(topics,)"""
    initiative_threshold: float | None
    """None where there is no such head."""
    trunk: Trunk | None = None
    """None: the heads read the checkpoint's own layers, and its embedding is the mean of the last."""

    def save(self, directory: Path) -> None:
        """Write `heads.safetensors`, and `trunk.safetensors` if layers are tuned."""
        tensors: dict[str, NDArray[np.generic]] = {"topic.thresholds": self.thresholds}
        for name, head in self.parts.items():
            for part in ("query", "weight", "bias"):
                tensors[f"{name}.{part}"] = np.ascontiguousarray(getattr(head, part))
        if self.initiative_threshold is not None:
            tensors["initiative.threshold"] = np.array([self.initiative_threshold], np.float32)
        # Written by ourselves: the library's files are readable by their owner alone.
        if self.trunk:
            tensors["embedding.weight"] = self.trunk.projection
            layers = {name: value.astype(np.float16) for name, value in self.trunk.layers.items()}
            (directory / TRUNK_FILE).write_bytes(save(layers))
        (directory / HEADS_FILE).write_bytes(save(tensors))


def tuned(checkpoint: Checkpoint, trunk: Trunk | None) -> Mapping[str, Floats]:
    """The tensors of the checkpoint, with tuned layers in place of its own."""
    return {**checkpoint.tensors, **trunk.layers} if trunk else checkpoint.tensors


def load_card(directory: Path) -> Card:
    """Read `heads.json`.

    Raises:
        SetupError: it is missing or not one of ours.
    """
    path = directory / CARD_FILE
    try:
        return Card.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError) as error:
        raise SetupError(
            f"{path} does not describe trained heads ({error}). Train them: python -m model_export train"
        ) from None


def load_heads(directory: Path) -> Heads:
    """Read the heads that `directory` holds, and the layers that they read.

    Raises:
        SetupError: a file is missing or not one of ours.
    """
    path = directory / HEADS_FILE
    try:
        tensors = load_file(path)
        found = [name for name in HEAD_NAMES if name in HEAD_NAMES[:3] or f"{name}.weight" in tensors]
        parts = {
            name: Head(tensors[f"{name}.query"], tensors[f"{name}.weight"], tensors[f"{name}.bias"])
            for name in found
        }
        threshold = None
        if len(found) > len(HEAD_NAMES[:3]):
            threshold = float(tensors["initiative.threshold"][0])
            parts = {name: parts[name] for name in HEAD_NAMES}
        trunk = None
        if (directory / TRUNK_FILE).exists():
            path = directory / TRUNK_FILE
            layers = {name: value.astype(np.float32) for name, value in load_file(path).items()}
            trunk = Trunk(layers, tensors["embedding.weight"])
        return Heads(parts, tensors["topic.thresholds"], threshold, trunk)
    except (FileNotFoundError, SafetensorError, KeyError) as error:
        raise SetupError(
            f"{path} does not hold trained heads ({error}). Train them: python -m model_export train"
        ) from None
