"""Read a built model's manifest, and verify that its files are the ones that were built."""

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
    """Size in bytes."""


class Source(Record):
    """Origin of weights or training data, and its terms."""

    name: str
    revision: str
    licence: str
    use: str
    sha256: Sha256 | None = None


class Manifest(Record):
    """`manifest.json`: all that a program needs to know about the graph beside it."""

    schema_version: Literal[1] = 1
    name: str
    digest: Sha256
    """SHA-256 of `model.onnx`, whose metadata names tokenizer, labels and thresholds: models that can answer
    differently have different digests. Stored with each result."""
    space: Sha256
    """Hash of the encoder's weights, configuration and tokenizer: models of one space give comparable
    embeddings, whatever their precision and heads. Stored with each embedding."""
    model: File
    tokenizer: File
    precision: Literal["fp32", "fp16", "int8"]
    window: PositiveInt
    """Word pieces at which a text is cut, with the two special tokens."""
    dimensions: PositiveInt
    topics: tuple[str, ...] = TOPICS
    """Order of the columns of `topic`; empty, as for other heads, if the model only embeds."""
    thresholds: tuple[float, ...]
    """The probability from which each topic counts."""
    sentiments: tuple[SentimentLabel, ...]
    actions: tuple[ActionLabel, ...]
    initiative_threshold: float | None = None
    """The probability from which a text is an initiative; None if the model has no outputs `salience` and
    `initiative`."""
    metrics: dict[str, float]
    """Measurements of the build: parity with the reference, agreement of int8 with fp32."""
    versions: dict[str, str]
    """Versions of the libraries that wrote the graph."""
    sources: tuple[Source, ...]


def read_manifest(directory: Path, digest: str | None = None) -> Manifest:
    """Read `manifest.json`.

    Raises:
        SetupError: it is missing, comes from another version of Headrace, or is not of the model `digest`.
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
    """Read a file of the model and verify that it is the one that was built.

    Raises:
        SetupError: the file is missing, cut short, or not the one in the manifest.
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
