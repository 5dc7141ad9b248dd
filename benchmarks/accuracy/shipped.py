"""The shipped file and the frozen encoder, run over texts for what they say and for what their heads read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from benchmarks.accuracy.systems import Features
from model_export.heads import load_heads
from model_export.run import run_graph
from model_export.scores import sigmoid
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest, read_verified

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HEADS = Path("model_export/heads")
_POOLED = "branch.topic.pooled"


def run_shipped(directory: Path, texts: Sequence[str]) -> tuple[Features, Features]:
    """What the built model says of `texts`, and what linear heads on its embedding would."""
    manifest = read_manifest(directory)
    model = onnx.load_from_string(read_verified(directory / MODEL_FILE, manifest.model))
    values = {name for node in model.graph.node for name in node.output}
    if _POOLED in values:
        width = manifest.dimensions
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(_POOLED, onnx.TensorProto.FLOAT, ["batch", width])
        )
    tokenizer = read_verified(directory / TOKENIZER_FILE, manifest.tokenizer)
    found = run_graph(model.SerializeToString(), tokenizer, texts)
    embedding, topic, action, sentiment = (part.astype(np.float64) for part in found[:4])
    # What the corpora's own categories are told by: the embedding and the branch together.
    vectors = np.hstack([embedding, *(part.astype(np.float64) for part in found[4:])])
    shipped = Features(vectors, sentiment, action, topic, np.array(manifest.thresholds))
    return shipped, _frozen(embedding)


def _frozen(embedding: NDArray[np.float64]) -> Features:
    heads = load_heads(HEADS, branches=False)
    topic, action, sentiment = (
        embedding @ head.weight + head.bias for head in (heads.topic, heads.action, heads.sentiment)
    )
    return Features(
        embedding,
        sentiment,
        action,
        sigmoid(topic.astype(np.float32)).astype(np.float64),
        heads.thresholds.astype(np.float64),
    )
