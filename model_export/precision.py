"""How are weights stored and multiplied: in float, in half precision, or in eight bits?

Eight bits: weights are symmetric int8 with one scale per output channel; activations are uint8 with a scale
fixed beforehand. Twice as fast as float and a quarter of its size. Normalisation, the
products of attention, pooling and heads stay in float: a small part of the time, a large part of the error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from onnx import TensorProto

from model_export.graph import CONTRIB, LENGTHS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from model_export.graph import Graph

    Floats = NDArray[np.float32]

PrecisionName = Literal["fp32", "fp16", "int8"]
_INT8_MAX = 127
_UINT8_MAX = 255


class Precision(Protocol):
    """Where weights meet data, and what is done in between."""

    name: PrecisionName
    dtype: type[np.floating[Any]]
    """Of the values between."""

    def rows(self, graph: Graph, table: Floats, ids: str, name: str) -> str:
        """Rows `ids` of `table` (vocabulary, width)."""

    def linear(self, graph: Graph, value: str, layer: Linear, name: str) -> str:
        """One projection of `value`, (…, in) -> (…, out)."""

    def gelu(self, graph: Graph, value: str, name: str) -> str:
        """The encoder's activation, Hendrycks and Gimpel 2016, arXiv:1606.08415."""

    def attention(self, graph: Graph, value: str, layer: AttentionWeights, name: str) -> str:
        """Self-attention over each text's own positions, and its output projection."""


@dataclass(frozen=True, slots=True)
class Linear:
    """`value @ weight + bias`."""

    weight: Floats
    """(in, out)"""
    bias: Floats
    """(out,)"""


@dataclass(frozen=True, slots=True)
class AttentionWeights:
    """The four projections of one layer."""

    query: Linear
    key: Linear
    value: Linear
    output: Linear
    heads: int

    def inputs(self) -> tuple[tuple[str, Linear], ...]:
        """The three that read the layer's input, by name."""
        return ("query", self.query), ("key", self.key), ("value", self.value)


class Float32:
    """Weights as they come."""

    name: PrecisionName = "fp32"
    dtype: type[np.floating[Any]] = np.float32

    def rows(self, graph: Graph, table: Floats, ids: str, name: str) -> str:
        return graph.node("Gather", [self._constant(graph, f"{name}.table", table), ids], name)

    def linear(self, graph: Graph, value: str, layer: Linear, name: str) -> str:
        weight = self._constant(graph, f"{name}.weight", layer.weight)
        product = graph.node("MatMul", [value, weight], f"{name}.product")
        return graph.node("Add", [product, self._constant(graph, f"{name}.bias", layer.bias)], name)

    def gelu(self, graph: Graph, value: str, name: str) -> str:
        return graph.node("Gelu", [value], name, approximate="none")

    def attention(self, graph: Graph, value: str, layer: AttentionWeights, name: str) -> str:
        projections = [
            self.linear(graph, value, part, f"{name}.self.{part_name}") for part_name, part in layer.inputs()
        ]
        attended = _attend(graph, projections, layer.heads, f"{name}.self")
        return self.linear(graph, attended, layer.output, f"{name}.output.dense")

    def _constant(self, graph: Graph, name: str, value: Floats) -> str:
        return graph.constant(name, value.astype(self.dtype))


class Float16(Float32):
    """Half precision, for a GPU; pooling and heads stay in float."""

    name: PrecisionName = "fp16"
    dtype: type[np.floating[Any]] = np.float16


def _attend(graph: Graph, projections: Sequence[str], heads: int, name: str) -> str:
    """Scaled dot-product attention, in float, to the positions below each text's length."""
    inputs = [*projections, "", "", "", LENGTHS]
    return graph.node("Attention", inputs, name, q_num_heads=heads, kv_num_heads=heads)


@dataclass(frozen=True, slots=True)
class Scaling:
    """How a value becomes eight bits before it meets a weight matrix."""

    factors: Floats
    """(channels,); each channel is divided by its own, and its row of the weights multiplied."""
    low: float
    high: float
    """What the 256 steps span after the division; beyond it values are cut off."""

    def step(self) -> tuple[np.float32, np.uint8]:
        """Size of a step, and the code of zero."""
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        step = (high - low) / _UINT8_MAX
        return np.float32(step), np.uint8(round(-low / step))


class Int8:
    """Weights in eight bits, a scale per output channel; activations in eight bits, one scale a matrix.

    The scale of an activation is fixed beforehand, so a text's result does not depend on which others share
    its batch, and no time goes into looking for the extremes. A few channels of a transformer reach much
    further than the rest and would leave them hardly any of the 256 steps; so each channel is divided by a
    factor which its row of the weights is multiplied by (SmoothQuant, arXiv:2211.10438).
    """

    name: PrecisionName = "int8"
    dtype: type[np.floating[Any]] = np.float32

    def __init__(self, scalings: Mapping[str, Scaling]) -> None:
        """`scalings` by the name of the matrix they are for; query, key and value share one, `….self`."""
        self._scalings = scalings

    def rows(self, graph: Graph, table: Floats, ids: str, name: str) -> str:
        data, scale = quantise(table, axis=1)
        codes = graph.node("Gather", [graph.constant(f"{name}.table", data), ids], f"{name}.codes")
        scales = graph.node("Gather", [graph.constant(f"{name}.table.scale", scale), ids], f"{name}.scales")
        values = graph.node("Cast", [codes], f"{name}.values", to=TensorProto.FLOAT)
        return graph.node("Mul", [values, scales], name)

    def linear(self, graph: Graph, value: str, layer: Linear, name: str) -> str:
        return _product(graph, self._quantised(graph, value, name), layer, self._scalings[name], name)

    def gelu(self, graph: Graph, value: str, name: str) -> str:
        # A quarter faster than the exact function, and closer to it than a step of eight bits.
        return graph.node("Gelu", [value], name, approximate="tanh")

    def attention(self, graph: Graph, value: str, layer: AttentionWeights, name: str) -> str:
        # What attention gives is a mean of value rows: its channels are evened in the value projection, free.
        scaling, after = self._scalings[f"{name}.self"], self._scalings[f"{name}.output.dense"]
        content = Linear(layer.value.weight / after.factors, layer.value.bias / after.factors)
        codes = self._quantised(graph, value, f"{name}.self")
        projections = [
            _product(graph, codes, part, scaling, f"{name}.self.{part_name}")
            for part_name, part in replace(layer, value=content).inputs()
        ]
        attended = _attend(graph, projections, layer.heads, f"{name}.self")
        codes = _codes(graph, attended, after, f"{name}.output.dense")
        return _product(graph, codes, layer.output, after, f"{name}.output.dense")

    def _quantised(self, graph: Graph, value: str, name: str) -> Codes:
        scaling = self._scalings[name]
        divisors = graph.constant(f"{name}.divisors", 1 / scaling.factors)
        return _codes(graph, graph.node("Mul", [value, divisors], f"{name}.evened"), scaling, name)


class Codes(NamedTuple):
    """A value in eight bits: `scale * (codes - zero)`."""

    codes: str
    scale: str
    zero: str


def _codes(graph: Graph, value: str, scaling: Scaling, name: str) -> Codes:
    """`value`, already divided, in eight bits."""
    step, zero = scaling.step()
    scale_name = graph.constant(f"{name}.scale", np.array(step))
    zero_name = graph.constant(f"{name}.zero", np.array(zero))
    codes = graph.node("QuantizeLinear", [value, scale_name, zero_name], f"{name}.codes")
    return Codes(codes, scale_name, zero_name)


def _product(graph: Graph, value: Codes, layer: Linear, scaling: Scaling, name: str) -> str:
    """`layer` in eight bits applied to what `scaling` divided."""
    data, scale = quantise(layer.weight * scaling.factors[:, None], axis=0)
    inputs = [
        value.codes,
        graph.constant(f"{name}.weight", data),
        value.scale,
        graph.constant(f"{name}.weight.scale", scale.reshape(-1)),
        value.zero,
        "",
        graph.constant(f"{name}.bias", layer.bias),
    ]
    return graph.node("MatMulIntegerToFloat", inputs, name, domain=CONTRIB)


def quantise(values: Floats, axis: int) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8 codes, and scales with `axis` kept at length 1: `codes * scales` is `values`, nearly."""
    scale: NDArray[Any] = np.abs(values).max(axis=axis, keepdims=True) / _INT8_MAX
    scale[scale == 0] = 1
    return np.rint(values / scale).astype(np.int8), scale.astype(np.float32)
