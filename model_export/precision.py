"""How are weights stored and multiplied: in float, or in eight bits?

Eight bits: weights are symmetric int8 with one scale per output channel; activations are uint8 with a scale
fixed beforehand. Twice as fast as float and a quarter of its size. Normalisation, the
products of attention, pooling and heads stay in float: a small part of the time, a large part of the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from onnx import TensorProto

from model_export.graph import CONTRIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from model_export.graph import Graph

    Floats = NDArray[np.float32]

PrecisionName = Literal["fp32", "int8"]
_INT8_MAX = 127
_UINT8_MAX = 255
_MIGRATED = 0.75
"""Share of the unevenness of channels that moves into the weights. Measured: mean cosine with fp32 over
unseen sentences .992 without, .985 at .5, .9976 at .7, .998 at .8 to .9; over report passages best at .7."""
_MARGIN = 1.1
"""How far beyond the measured range an activation may go before it is cut off."""


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


@dataclass(frozen=True, slots=True)
class Range:
    """What the channels of a value reach."""

    low: Floats
    """(channels,)"""
    high: Floats
    """(channels,)"""

    def joined(self, other: Range) -> Range:
        """The range that holds both."""
        return Range(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


class Int8:
    """Weights in eight bits, a scale per output channel; activations in eight bits, one scale a matrix.

    The scale of an activation is fixed beforehand from `ranges`, so a text's result does not depend on which
    others share its batch, and no time goes into looking for the extremes. A few channels of a transformer
    reach much further than the rest and would leave them hardly any of the 256 steps; so each channel is
    divided by a factor which its row of the weights is multiplied by (SmoothQuant, arXiv:2211.10438).
    """

    name: PrecisionName = "int8"

    def __init__(self, ranges: Mapping[str, Range]) -> None:
        """`ranges` of every value that meets a weight matrix, by its name in the graph."""
        self._ranges = ranges

    def rows(self, graph: Graph, table: Floats, ids: str, name: str) -> str:
        data, scale = quantise(table, axis=1)
        codes = graph.node("Gather", [graph.constant(f"{name}.table", data), ids], f"{name}.codes")
        scales = graph.node("Gather", [graph.constant(f"{name}.table.scale", scale), ids], f"{name}.scales")
        values = graph.node("Cast", [codes], f"{name}.values", to=TensorProto.FLOAT)
        return graph.node("Mul", [values, scales], name)

    def linear(self, graph: Graph, value: str, weight: Floats, name: str) -> str:
        data, data_scale, codes, scale, zero = self._operands(graph, value, weight, name)
        inputs = [codes, data, scale, data_scale, zero]
        return graph.node("MatMulIntegerToFloat", inputs, name, domain=CONTRIB)

    def attention(self, graph: Graph, value: str, mask: str, layer: AttentionWeights, name: str) -> str:
        data, data_scale, codes, scale, zero = self._operands(graph, value, layer.weight, name)
        bias = graph.constant(f"{name}.bias", layer.bias)
        data_zero = graph.constant(f"{name}.weight.zero", np.zeros(layer.weight.shape[1], np.int8))
        inputs = [codes, data, bias, scale, data_scale, mask, zero, data_zero]
        return graph.node("QAttention", inputs, name, domain=CONTRIB, num_heads=layer.heads)

    def _operands(
        self, graph: Graph, value: str, weight: Floats, name: str
    ) -> tuple[str, str, str, str, str]:
        """Weight codes and scales, then `value` as codes with scale and zero point."""
        reach = self._ranges[value]
        factors = _smoothing(reach, weight)
        data, data_scale = quantise(weight * factors[:, None], axis=0)
        low, high = min(float((reach.low / factors).min()), 0), max(float((reach.high / factors).max()), 0)
        step = (high - low) * _MARGIN / _UINT8_MAX
        scale = np.array(step, np.float32)
        zero = np.array(round(-low * _MARGIN / step), np.uint8)
        divided = graph.node("Mul", [value, graph.constant(f"{name}.factors", 1 / factors)], f"{name}.smooth")
        scale_name = graph.constant(f"{name}.scale", scale)
        zero_name = graph.constant(f"{name}.zero", zero)
        return (
            graph.constant(f"{name}.weight", data),
            graph.constant(f"{name}.weight.scale", data_scale.reshape(-1)),
            graph.node("QuantizeLinear", [divided, scale_name, zero_name], f"{name}.codes"),
            scale_name,
            zero_name,
        )


def _smoothing(reach: Range, weight: Floats) -> Floats:
    """What to divide each channel by, so that channels and rows of the weights are even; (channels,)."""
    channels = np.maximum(np.abs(reach.low), np.abs(reach.high)).clip(1e-3).astype(np.float64)
    rows = np.abs(weight).max(axis=1).clip(1e-5).astype(np.float64)
    factors = channels**_MIGRATED / rows ** (1 - _MIGRATED)
    # Powers differ in their last bits from machine to machine; half precision drops those, and the same
    # weights give the same model everywhere.
    evened: Floats = (factors / np.exp(np.log(factors).mean())).astype(np.float16).astype(np.float32)
    return evened


def quantise(values: Floats, axis: int) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8 codes, and scales with `axis` kept at length 1: `codes * scales` is `values`, nearly."""
    scale: NDArray[Any] = np.abs(values).max(axis=axis, keepdims=True) / _INT8_MAX
    scale[scale == 0] = 1
    return np.rint(values / scale).astype(np.int8), scale.astype(np.float32)
