"""The model in use as something that can be trained on: its heads in float, and what they read.

A graph holds its heads as they were trained, but its layers in eight bits. So the trained files that a model
was built from are looked for beside it in the bucket, `models/{digest}/heads/`, where this job puts those of
what it publishes, and in the repository; they are taken only if the heads in the graph are the same to the
bit. What heads read is computed by the graph in use itself: they learn on what they will be given.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from model_export.attend import BIAS, COLUMNS, columns_of, pooling, stacked
from model_export.bucket import create, find
from model_export.build import HEADS
from model_export.files import replace_directory
from model_export.heads import CARD_FILE, HEADS_FILE, TRUNK_FILE, Card, load_card, load_heads
from model_export.run import run_graph
from model_export.scalings import SCALINGS_FILE
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest, read_verified
from shared.platform.clients import storage_client
from shared.platform.errors import SetupError
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.heads import HeadName, Heads
    from shared.inference.manifest import Manifest

    Floats = NDArray[np.float32]

FILES = (CARD_FILE, HEADS_FILE, TRUNK_FILE, SCALINGS_FILE)
TEXTS_A_CALL = 1024


@dataclass(frozen=True, slots=True)
class InUse:
    """The model in use."""

    directory: Path
    manifest: Manifest
    trained: Path
    """Directory of the heads that it was built with."""
    heads: Heads


def in_use(directory: Path, digest: str, scratch: Path) -> InUse:
    """The model `digest` in `directory`; what must be fetched goes to `scratch`.

    Raises:
        SetupError: the heads that it was built with cannot be found.
        Retryable: the bucket could not be reached.
    """
    manifest = read_manifest(directory, digest)
    model = onnx.load_from_string(read_verified(directory / MODEL_FILE, manifest.model))
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for trained in (_fetched(digest, scratch / "heads"), HEADS):
        if trained and load_card(trained).labels.topic == manifest.topics:
            heads = load_heads(trained)
            if _same(heads, constants):
                return InUse(directory, manifest, trained, heads)
    raise SetupError(
        f"The heads that the model {digest[:12]} was built with were not found. Copy the directory that "
        f"model_export train wrote to gs://{settings().models_bucket}/{_prefix(digest)}"
    )


def features(model: InUse, texts: Sequence[str], between: Callable[[], None]) -> dict[HeadName, Floats]:
    """What each head's labels attend to, (n, labels, width); `between` is called now and then."""
    graph = onnx.load_from_string(read_verified(model.directory / MODEL_FILE, model.manifest.model))
    tokenizer = read_verified(model.directory / TOKENIZER_FILE, model.manifest.tokenizer)
    content = pooling(graph)
    parts = []
    for start in range(0, len(texts), TEXTS_A_CALL):
        between()
        parts += run_graph(content, tokenizer, texts[start : start + TEXTS_A_CALL], model.manifest.window)
    return by_head(model.heads, np.concatenate(parts))


def by_head(heads: Heads, pooled: Floats) -> dict[HeadName, Floats]:
    """Split what all labels attend to, (n, labels, width), into that of each head's."""
    ends = np.cumsum([len(head.bias) for head in heads.parts.values()])
    return dict(zip(heads.parts, np.split(pooled, ends[:-1], axis=1), strict=True))


def write_trained(out: Path, model: InUse, heads: Heads, card: Card) -> None:
    """A directory of heads to build from: that of the model in use, with other heads."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(model.trained, out)
    heads.save(out)
    (out / CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def store_trained(directory: Path, digest: str) -> None:
    """Put the heads that a model was built with beside it, before it: the next training begins with them."""
    bucket = storage_client().bucket(settings().models_bucket)
    for name in FILES:
        if (directory / name).exists():
            # An earlier attempt may have put them there, from the same bytes.
            create(bucket, _prefix(digest) + name, (directory / name).read_bytes())


def _prefix(digest: str) -> str:
    return f"models/{digest}/heads/"


def _fetched(digest: str, out: Path) -> Path | None:
    bucket = storage_client().bucket(settings().models_bucket)
    files = {name: content for name in FILES if (content := find(bucket, _prefix(digest) + name)) is not None}
    if CARD_FILE not in files:
        return None
    with replace_directory(out, files):
        return out


def _same(heads: Heads, constants: dict[str, NDArray[Any]]) -> bool:
    expected = {COLUMNS: columns_of(heads), BIAS: stacked(heads, "bias")}
    return all(np.array_equal(constants.get(name, ()), value) for name, value in expected.items())
