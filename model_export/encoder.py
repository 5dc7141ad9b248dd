"""BERT's encoder, written to a graph straight from its weights.

Writing onnxruntime's operators, rather than exporting a framework's trace and searching it for patterns,
needs no framework and leaves nothing to a pattern that may not match. Layer by layer: Devlin et al. 2019,
arXiv:1810.04805, with the normalisation after each residual sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from onnx import TensorProto

from model_export.graph import LENGTHS
from model_export.precision import AttentionWeights, Linear

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from model_export.graph import Graph
    from model_export.precision import Precision
    from model_export.sources import Config

    Tensors = Mapping[str, NDArray[np.float32]]

IDS = "input_ids"
MASK = "attention_mask"


class _Norm(NamedTuple):
    gain: NDArray[np.float32]
    shift: NDArray[np.float32]


class Encoder:
    """Writes layers of one shape into a graph, from the checkpoint's tensors or a branch's own."""

    def __init__(self, config: Config, precision: Precision) -> None:
        self._config = config
        self._precision = precision

    def embeddings(self, graph: Graph, tensors: Tensors) -> str:
        """Word, position and (all zero) segment embeddings, normalised: (batch, seq, width)."""
        words = self._precision.rows(graph, tensors["embeddings.word_embeddings.weight"], IDS, "words")
        positions = tensors["embeddings.position_embeddings.weight"]
        segment = tensors["embeddings.token_type_embeddings.weight"][0]
        start = graph.constant("first", np.array([0], np.int64))
        length = graph.node("Shape", [IDS], "length", start=1, end=2)
        table = graph.constant("positions.table", (positions + segment).astype(self._precision.dtype))
        places = graph.node("Slice", [table, start, length], "positions")
        return self._normalised_sum(graph, (words, places), _norm(tensors, "embeddings"), "embeddings")

    def layer(self, graph: Graph, number: int, value: str, tensors: Tensors, prefix: str = "") -> str:
        """Layer `number` of `tensors` applied to `value` (batch, seq, width); its names get `prefix`."""
        path = f"encoder.layer.{number}"
        name = prefix + path
        attention = AttentionWeights(
            query=_linear(tensors, f"{path}.attention.self.query"),
            key=_linear(tensors, f"{path}.attention.self.key"),
            value=_linear(tensors, f"{path}.attention.self.value"),
            output=_linear(tensors, f"{path}.attention.output.dense"),
            heads=self._config.num_attention_heads,
        )
        attended = self._precision.attention(graph, value, attention, f"{name}.attention")
        norm = _norm(tensors, f"{path}.attention.output")
        value = self._normalised_sum(graph, (attended, value), norm, f"{name}.attention.output")
        inner = _linear(tensors, f"{path}.intermediate.dense")
        hidden = self._precision.linear(graph, value, inner, f"{name}.intermediate.dense")
        hidden = self._precision.gelu(graph, hidden, f"{name}.intermediate")
        outer = _linear(tensors, f"{path}.output.dense")
        projected = self._precision.linear(graph, hidden, outer, f"{name}.output.dense")
        return self._normalised_sum(
            graph, (projected, value), _norm(tensors, f"{path}.output"), f"{name}.output"
        )

    def _normalised_sum(self, graph: Graph, terms: tuple[str, str], norm: _Norm, name: str) -> str:
        # Two operators: the fused SkipLayerNormalization takes five times as long on a CPU.
        total = graph.node("Add", terms, f"{name}.sum")
        gain = graph.constant(f"{name}.gain", norm.gain.astype(self._precision.dtype))
        shift = graph.constant(f"{name}.shift", norm.shift.astype(self._precision.dtype))
        epsilon = self._config.layer_norm_eps
        return graph.node("LayerNormalization", [total, gain, shift], name, axis=-1, epsilon=epsilon)


def lengths(graph: Graph) -> None:
    """Add `LENGTHS`; padding stands at the end of a row."""
    graph.node("ReduceSum", [MASK, graph.constant("axis1", np.array([1], np.int64))], LENGTHS, keepdims=0)


def mean_pooled(graph: Graph, value: str, name: str) -> str:
    """The unit-length mean of each text's own positions: (batch, seq, width) -> (batch, width) float32."""
    weights = graph.node("Cast", [MASK], f"{name}.mask", to=TensorProto.FLOAT)
    axis = graph.constant("axis1", np.array([1], np.int64))
    weights = graph.node("Unsqueeze", [weights, axis], f"{name}.weights")
    total = graph.node("MatMul", [weights, value], f"{name}.total")
    total = graph.node("Squeeze", [total, axis], f"{name}.sum")
    # The sum's direction is the mean's; dividing by the count first would change nothing.
    return graph.node("LpNormalization", [total], name, axis=-1, p=2)


def _linear(tensors: Tensors, path: str) -> Linear:
    return Linear(tensors[f"{path}.weight"].T, tensors[f"{path}.bias"])


def _norm(tensors: Tensors, path: str) -> _Norm:
    return _Norm(tensors[f"{path}.LayerNorm.weight"], tensors[f"{path}.LayerNorm.bias"])
