"""What a built model directory holds, and whether the files in it are the ones that were built."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt, ValidationError

from shared.platform.errors import SetupError
from shared.platform.records import TOPICS, ActionLabel, Record, SentimentLabel

if TYPE_CHECKING:
    from pathlib import Path

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
MANIFEST_FILE = "manifest.json"
_REBUILD = "Build the model again: make model"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class File(Record):
    """One file of the directory, as it was when the model was built."""

    sha256: Sha256
    size: PositiveInt
    """Bytes."""


class Source(Record):
    """Where weights or training data came from, and under what terms."""

    name: str
    revision: str
    licence: str
    use: str
    sha256: Sha256 | None = None


class Manifest(Record):
    """`manifest.json`: everything a program needs to know about the graph beside it."""

    schema_version: Literal[1] = 1
    name: str
    digest: Sha256
    """SHA-256 of `model.onnx`, whose metadata names tokenizer, labels and thresholds: two models that can
    answer differently have different digests. Stored with each result."""
    space: Sha256
    """Of the encoder's weights, configuration and tokenizer: models of one space give embeddings that can be
    compared, whatever their precision and their heads. Stored with each embedding."""
    model: File
    tokenizer: File
    precision: Literal["fp32", "fp16", "int8"]
    window: PositiveInt
    """Word pieces a text is cut at, the two special tokens included."""
    dimensions: PositiveInt
    topics: tuple[str, ...] = TOPICS
    """Order of the columns of `topic`; none, as for the other heads, where the model only embeds."""
    thresholds: tuple[float, ...]
    """For each topic the probability from which it counts."""
    sentiments: tuple[SentimentLabel, ...]
    actions: tuple[ActionLabel, ...]
    metrics: dict[str, float]
    """What the build measured: parity with the reference, agreement of int8 with fp32."""
    versions: dict[str, str]
    """Libraries that wrote the graph."""
    sources: tuple[Source, ...]


def read_manifest(directory: Path, digest: str | None = None) -> Manifest:
    """Read `manifest.json`, of the model `digest` where that is given.

    Raises:
        SetupError: it is missing, was written by another version of Headrace, or is of another model.
    """
    path = directory / MANIFEST_FILE
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise SetupError(
            f"There is no model in {directory}: {MANIFEST_FILE} is missing. {_REBUILD}"
        ) from None
    except ValidationError as error:
        detail = error.errors()[0]
        place = ".".join(str(part) for part in detail["loc"]) or "the file"
        raise SetupError(
            f"{path} cannot be used: {place}: {detail['msg']}. It may come from another version. {_REBUILD}"
        ) from None
    if digest not in {None, manifest.digest}:
        raise SetupError(
            f"The model in {directory} is {manifest.digest}, but the settings name {digest}. "
            "Fetch that one (python -m model_export pull), or change HEADRACE_MODEL_DIGEST."
        )
    return manifest


def read_verified(path: Path, expected: File) -> bytes:
    """Return the content of a file of the model, having checked that it is the one that was built.

    Raises:
        SetupError: the file is missing, cut short, or not the one named in the manifest.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SetupError(f"{path} is missing. {_REBUILD}") from None
    if len(content) < expected.size:
        raise SetupError(
            f"{path} is truncated: it has {len(content):,} of {expected.size:,} bytes. {_REBUILD}"
        )
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected.sha256:
        raise SetupError(
            f"{path} was altered: its SHA-256 is {digest}, the manifest says {expected.sha256}. {_REBUILD}"
        )
    return content
