"""The shipped file, run over texts for what it says and for what its heads read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx

from benchmarks.accuracy.systems import Scores
from model_export.run import run_graph
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest, read_verified
from shared.platform.records import SENTIMENTS
from shared.text.directions import contradicts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_POSITIVE, _NEGATIVE = SENTIMENTS.index("positive"), SENTIMENTS.index("negative")
_READ = ("taps",)
"""Values inside the graph that a head of a corpus' own categories may read beside the embedding."""


def run_shipped(directory: Path, texts: Sequence[str]) -> Scores:
    """What Headrace says of `texts`: the built model, and what corrects it."""
    manifest = read_manifest(directory)
    model = onnx.load_from_string(read_verified(directory / MODEL_FILE, manifest.model))
    inside = {name for node in model.graph.node for name in node.output}
    names = [output.name for output in model.graph.output]
    for name in _READ:
        if name in inside:
            names.append(name)
            shape = ["batch", None]
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    tokenizer = read_verified(directory / TOKENIZER_FILE, manifest.tokenizer)
    outputs = run_graph(model.SerializeToString(), tokenizer, texts)
    found = {name: part.astype(np.float64) for name, part in zip(names, outputs, strict=True)}
    for outcome, text in zip(found["sentiment"], texts, strict=True):
        if contradicts(text, outcome[_POSITIVE], outcome[_NEGATIVE]):
            outcome[[_POSITIVE, _NEGATIVE]] = outcome[[_NEGATIVE, _POSITIVE]]
    return Scores(
        topics=found["topic"],
        action=found["action"],
        sentiment=found["sentiment"],
        salience=found["salience"][:, 0] if "salience" in found else None,
        initiative=found["initiative"][:, 0] if "initiative" in found else None,
        thresholds=np.array(manifest.thresholds),
        initiative_threshold=manifest.initiative_threshold or 0.5,
        embedding=found["embedding"],
        features=np.hstack([_unit(found[name]) for name in ("embedding", *_READ) if name in found]),
    )


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale vectors to unit length, so that one penalty suits all that a regression reads."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
