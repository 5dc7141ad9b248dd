"""BERT's encoder, written to a graph straight from its weights, in onnxruntime's fused operators.

Writing the fused form, rather than exporting a framework's trace and searching it for patterns, needs no
framework and leaves nothing to a pattern that may not match. Layer by layer: Devlin et al. 2019,
arXiv:1810.04805, with the normalisation after each residual sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from model_export.graph import CONTRIB
from model_export.precision import AttentionWeights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_export.graph import Graph
    from model_export.precision import Precision
    from model_export.sources import Checkpoint

IDS = "input_ids"
MASK = "attention_mask"


class Encoder:
    """Writes one checkpoint's encoder into a graph, whole or layer by layer."""

    def __init__(self, checkpoint: Checkpoint, precision: Precision) -> None:
        self._config = checkpoint.config
        self._tensors = checkpoint.tensors
        self._precision = precision

    def embeddings(self, graph: Graph) -> str:
        """Word, position and (all zero) segment embeddings, normalised: (batch, seq, width)."""
        words = self._precision.rows(graph, self._tensor("embeddings.word_embeddings.weight"), IDS, "words")
        positions = self._tensor("embeddings.position_embeddings.weight")
        segment = self._tensor("embeddings.token_type_embeddings.weight")[0]
        start = graph.constant("first", np.array([0], np.int64))
        length = graph.node("Shape", [IDS], "length", start=1, end=2)
        table = graph.constant("positions.table", positions + segment)
        places = graph.node("Slice", [table, start, length], "positions")
        total = graph.node("Add", [words, places], "embeddings.sum")
        gain, shift = self._normalisation(graph, "embeddings")
        epsilon = self._config.layer_norm_eps
        return graph.node("LayerNormalization", [total, gain, shift], "embeddings", axis=-1, epsilon=epsilon)

    def mask(self, graph: Graph) -> str:
        """The attention mask as the attention operators take it."""
        return graph.node("Cast", [MASK], "mask", to=TensorProto.INT32)

    def layer(self, graph: Graph, number: int, value: str, mask: str, tensors: str = "encoder") -> str:
        """Layer `number` applied to `value` (batch, seq, width)."""
        path = f"{tensors}.layer.{number}"
        projections = [f"{path}.attention.self.{part}" for part in ("query", "key", "value")]
        weights = AttentionWeights(
            weight=np.concatenate([self._tensor(f"{name}.weight").T for name in projections], axis=1),
            bias=np.concatenate([self._tensor(f"{name}.bias") for name in projections]),
            heads=self._config.num_attention_heads,
        )
        attended = self._precision.attention(graph, value, mask, weights, f"{path}.attention.self")
        value = self._project_and_add(graph, attended, value, f"{path}.attention.output")
        hidden = self._linear(graph, value, f"{path}.intermediate.dense")
        bias = graph.constant(f"{path}.intermediate.bias", self._tensor(f"{path}.intermediate.dense.bias"))
        hidden = graph.node("BiasGelu", [hidden, bias], f"{path}.intermediate", domain=CONTRIB)
        return self._project_and_add(graph, hidden, value, f"{path}.output")

    def _project_and_add(self, graph: Graph, value: str, residual: str, path: str) -> str:
        projected = self._linear(graph, value, f"{path}.dense")
        gain, shift = self._normalisation(graph, path)
        bias = graph.constant(f"{path}.bias", self._tensor(f"{path}.dense.bias"))
        inputs = [projected, residual, gain, shift, bias]
        epsilon = self._config.layer_norm_eps
        return graph.node("SkipLayerNormalization", inputs, path, domain=CONTRIB, epsilon=epsilon)

    def _linear(self, graph: Graph, value: str, path: str) -> str:
        return self._precision.linear(graph, value, self._tensor(f"{path}.weight").T, path)

    def _normalisation(self, graph: Graph, path: str) -> tuple[str, str]:
        return (
            graph.constant(f"{path}.gain", self._tensor(f"{path}.LayerNorm.weight")),
            graph.constant(f"{path}.shift", self._tensor(f"{path}.LayerNorm.bias")),
        )

    def _tensor(self, name: str) -> NDArray[np.float32]:
        return self._tensors[name]


def mean_pooled(graph: Graph, value: str, name: str) -> str:
    """The unit-length mean of each text's own positions: (batch, seq, width) -> (batch, width)."""
    weights = graph.node("Cast", [MASK], f"{name}.mask", to=TensorProto.FLOAT)
    axis = graph.constant("axis1", np.array([1], np.int64))
    weights = graph.node("Unsqueeze", [weights, axis], f"{name}.weights")
    total = graph.node("MatMul", [weights, value], f"{name}.total")
    total = graph.node("Squeeze", [total, axis], f"{name}.sum")
    # The sum's direction is the mean's; dividing by the count first would change nothing.
    return graph.node("LpNormalization", [total], name, axis=-1, p=2)
