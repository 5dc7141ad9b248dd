"""How are weights stored and multiplied: in float, or in eight bits?

Eight bits: weights are symmetric int8 with one scale per output channel; activations are uint8 with a scale
taken from each batch's own range. Twice as fast as float and a quarter of its size. Normalisation, the
products of attention, pooling and heads stay in float: a small part of the time, a large part of the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from onnx import TensorProto

from model_export.graph import CONTRIB

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_export.graph import Graph

    Floats = NDArray[np.float32]

PrecisionName = Literal["fp32", "int8"]
_INT8_MAX = 127


class Precision(Protocol):
    """The three places where a weight matrix meets data."""

    name: PrecisionName

    def rows(self, graph: Graph, table: Floats, ids: str, name: str) -> str:
        """Rows `ids` of `table` (vocabulary, width)."""

    def linear(self, graph: Graph, value: str, weight: Floats, name: str) -> str:
        """`value @ weight`, weight (in, out)."""

    def attention(self, graph: Graph, value: str, mask: str, layer: AttentionWeights, name: str) -> str:
        """Self-attention before its output projection."""


@dataclass(frozen=True, slots=True)
class AttentionWeights:
    """Query, key and value projections side by side."""

    weight: Floats
    """(width, 3 * width)"""
    bias: Floats
    """(3 * width,)"""
    heads: int


class Float32:
    """Weights as they come."""

    name: PrecisionName = "fp32"

    def rows(self, graph: Graph, table: Floats, ids: str, name: str) -> str:
        return graph.node("Gather", [graph.constant(f"{name}.table", table), ids], name)

    def linear(self, graph: Graph, value: str, weight: Floats, name: str) -> str:
        return graph.node("MatMul", [value, graph.constant(f"{name}.weight", weight)], name)

    def attention(self, graph: Graph, value: str, mask: str, layer: AttentionWeights, name: str) -> str:
        inputs = [
            value,
            graph.constant(f"{name}.weight", layer.weight),
            graph.constant(f"{name}.bias", layer.bias),
            mask,
        ]
        return graph.node("Attention", inputs, name, domain=CONTRIB, num_heads=layer.heads)


class Int8:
    """Weights in eight bits, a scale per output channel."""

    name: PrecisionName = "int8"

    def rows(self, graph: Graph, table: Floats, ids: str, name: str) -> str:
        data, scale = quantise(table, axis=1)
        codes = graph.node("Gather", [graph.constant(f"{name}.table", data), ids], f"{name}.codes")
        scales = graph.node("Gather", [graph.constant(f"{name}.table.scale", scale), ids], f"{name}.scales")
        values = graph.node("Cast", [codes], f"{name}.values", to=TensorProto.FLOAT)
        return graph.node("Mul", [values, scales], name)

    def linear(self, graph: Graph, value: str, weight: Floats, name: str) -> str:
        data, scale = self._weight(graph, weight, name)
        codes, value_scale, value_zero = graph.quantised(value)
        inputs = [codes, data, value_scale, scale, value_zero]
        return graph.node("MatMulIntegerToFloat", inputs, name, domain=CONTRIB)

    def attention(self, graph: Graph, value: str, mask: str, layer: AttentionWeights, name: str) -> str:
        data, scale = self._weight(graph, layer.weight, name)
        zero = graph.constant(f"{name}.weight.zero", np.zeros(layer.weight.shape[1], np.int8))
        codes, value_scale, value_zero = graph.quantised(value)
        bias = graph.constant(f"{name}.bias", layer.bias)
        inputs = [codes, data, bias, value_scale, scale, mask, value_zero, zero]
        return graph.node("QAttention", inputs, name, domain=CONTRIB, num_heads=layer.heads)

    def _weight(self, graph: Graph, weight: Floats, name: str) -> tuple[str, str]:
        data, scale = quantise(weight, axis=0)
        return (
            graph.constant(f"{name}.weight", data),
            graph.constant(f"{name}.weight.scale", scale.reshape(-1)),
        )


def quantise(values: Floats, axis: int) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8 codes, and scales with `axis` kept at length 1: `codes * scales` is `values`, nearly."""
    scale: NDArray[Any] = np.abs(values).max(axis=axis, keepdims=True) / _INT8_MAX
    scale[scale == 0] = 1
    return np.rint(values / scale).astype(np.int8), scale.astype(np.float32)
