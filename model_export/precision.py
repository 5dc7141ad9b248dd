"""How are weights stored and multiplied: in float, or in eight bits?

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

PrecisionName = Literal["fp32", "int8"]
_INT8_MAX = 127
_UINT8_MAX = 255
_MIGRATED = 0.75
"""Share of the unevenness of channels that moves into the weights. Measured: mean cosine with fp32 over
unseen sentences .992 without, .985 at .5, .9976 at .7, .998 at .8 to .9; over report passages best at .7."""
_MARGIN = 1.1
"""How far beyond the measured range an activation may go before it is cut off."""


class Precision(Protocol):
    """Where weights meet data, and what is done in between."""

    name: PrecisionName

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

    def rows(self, graph: Graph, table: Floats, ids: str, name: str) -> str:
        return graph.node("Gather", [graph.constant(f"{name}.table", table), ids], name)

    def linear(self, graph: Graph, value: str, layer: Linear, name: str) -> str:
        weight = graph.constant(f"{name}.weight", layer.weight)
        product = graph.node("MatMul", [value, weight], f"{name}.product")
        return graph.node("Add", [product, graph.constant(f"{name}.bias", layer.bias)], name)

    def gelu(self, graph: Graph, value: str, name: str) -> str:
        return graph.node("Gelu", [value], name, approximate="none")

    def attention(self, graph: Graph, value: str, layer: AttentionWeights, name: str) -> str:
        projections = [
            self.linear(graph, value, part, f"{name}.self.{part_name}") for part_name, part in layer.inputs()
        ]
        attended = _attend(graph, projections, layer.heads, f"{name}.self")
        return self.linear(graph, attended, layer.output, f"{name}.output.dense")


def _attend(graph: Graph, projections: Sequence[str], heads: int, name: str) -> str:
    """Scaled dot-product attention, in float, to the positions below each text's length."""
    inputs = [*projections, "", "", "", LENGTHS]
    return graph.node("Attention", inputs, name, q_num_heads=heads, kv_num_heads=heads)


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

    def divided(self, factors: Floats) -> Range:
        """The range of the value once each channel is divided by its factor, all positive."""
        return Range(self.low / factors, self.high / factors)


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

    def linear(self, graph: Graph, value: str, layer: Linear, name: str) -> str:
        codes, factors = self._even(graph, value, layer.weight, name)
        return _product(graph, codes, layer, factors, name)

    def gelu(self, graph: Graph, value: str, name: str) -> str:
        # A quarter faster than the exact function, and closer to it than a step of eight bits.
        return graph.node("Gelu", [value], name, approximate="tanh")

    def attention(self, graph: Graph, value: str, layer: AttentionWeights, name: str) -> str:
        # What attention gives is a mean of value rows: its channels are evened in the value projection, free.
        reach = self._ranges[f"{name}.self"]
        evened = _smoothing(reach, layer.output.weight)
        content = Linear(layer.value.weight / evened, layer.value.bias / evened)
        parts = replace(layer, value=content).inputs()
        together = np.concatenate([part.weight for _, part in parts], axis=1)
        codes, factors = self._even(graph, value, together, f"{name}.self")
        projections = [
            _product(graph, codes, part, factors, f"{name}.self.{part_name}") for part_name, part in parts
        ]
        attended = _attend(graph, projections, layer.heads, f"{name}.self")
        codes = _quantised(graph, attended, reach.divided(evened), f"{name}.output.dense")
        return _product(graph, codes, layer.output, evened, f"{name}.output.dense")

    def _even(self, graph: Graph, value: str, weight: Floats, name: str) -> tuple[Codes, Floats]:
        """`value` with even channels, in eight bits; and the factors its channels were divided by."""
        reach = self._ranges[value]
        factors = _smoothing(reach, weight)
        divisors = graph.constant(f"{name}.divisors", 1 / factors)
        divided = graph.node("Mul", [value, divisors], f"{name}.evened")
        return _quantised(graph, divided, reach.divided(factors), name), factors


class Codes(NamedTuple):
    """A value in eight bits: `scale * (codes - zero)`."""

    codes: str
    scale: str
    zero: str


def _quantised(graph: Graph, value: str, reach: Range, name: str) -> Codes:
    """`value` in eight bits, with one scale and zero point that hold `reach`."""
    low, high = min(float(reach.low.min()), 0), max(float(reach.high.max()), 0)
    step = (high - low) * _MARGIN / _UINT8_MAX
    scale = graph.constant(f"{name}.scale", np.array(step, np.float32))
    zero = graph.constant(f"{name}.zero", np.array(round(-low * _MARGIN / step), np.uint8))
    return Codes(graph.node("QuantizeLinear", [value, scale, zero], f"{name}.codes"), scale, zero)


def _product(graph: Graph, value: Codes, layer: Linear, factors: Floats, name: str) -> str:
    """`layer` in eight bits applied to what `factors` divided."""
    data, scale = quantise(layer.weight * factors[:, None], axis=0)
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
