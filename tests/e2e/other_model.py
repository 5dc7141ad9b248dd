"""A second model, which answers differently: the built one, altered where it tells."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper

from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, File, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

DRIFT = 0.02
"""Of the last layer's shift: the embeddings turn a little."""
GLOOM = 1.5
"""Added to what speaks for a negative sentiment."""
EAGER = 1.0
"""Added to what speaks for each topic."""


def other_model(built: Path, out: Path) -> str:
    """Write a model that turns the embeddings and sees more topics and more that is negative; its digest."""
    graph = onnx.load(built / MODEL_FILE)
    rng = np.random.default_rng(7)
    for tensor in graph.graph.initializer:
        value = numpy_helper.to_array(tensor).copy()
        if tensor.name == "sentiment.bias":
            value[2] += GLOOM
        elif tensor.name == "topic.bias":
            value += EAGER
        elif tensor.name == "encoder.layer.5.output.dense.bias":
            value += rng.normal(0, DRIFT, value.shape).astype(value.dtype)
        else:
            continue
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    content = graph.SerializeToString()
    digest = hashlib.sha256(content).hexdigest()
    manifest = read_manifest(built)
    changed = {"digest": digest, "model": File(sha256=digest, size=len(content))}
    out.mkdir(parents=True)
    (out / MODEL_FILE).write_bytes(content)
    (out / TOKENIZER_FILE).write_bytes((built / TOKENIZER_FILE).read_bytes())
    (out / "MODEL_CARD.md").write_text("# A model for tests\n")
    (out / "manifest.json").write_text(manifest.model_copy(update=changed).model_dump_json())
    return digest
