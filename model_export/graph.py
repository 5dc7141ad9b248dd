"""An ONNX graph under construction, and the operators of each precision: float, half precision, eight bits.

In eight bits weights are symmetric int8 with one scale per output channel; activations are uint8 with a scale
fixed beforehand. Twice as fast as float and a quarter of its size. Normalisation, the products of attention,
pooling and heads stay in float: a small part of the time, a large part of the error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

Attribute = int | float | str | tuple[int, ...]

PrecisionName = Literal["fp32", "fp16", "int8"]
IDS, MASK = "input_ids", "attention_mask"
"""The inputs, (batch, seq) int64."""
CONTRIB = "com.microsoft"
"""Domain of onnxruntime's fused operators."""
LENGTHS = "lengths"
"""Name of the value that says how many of each row's positions are a text's own: (batch,) int64."""
OWN, SHARE = "own", "share"
"""Both (batch, 1, seq) float: 1 at a text's own positions, 0 at others; and that divided by their number."""
_OPSET = 24
_IR_VERSION = 11
_INT8_MAX, _UINT8_MAX = 127, 255


class Graph:
    """A graph under construction. Values are referred to by name, as ONNX does."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add an initialiser, or refer again to the one of this name."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(
        self, operator: str, inputs: Sequence[str], name: str, *, domain: str = "", **attributes: Attribute
    ) -> str:
        """Add a node of one output, which is called `name`."""
        node = helper.make_node(operator, inputs, [name], name=f"{operator}:{name}", domain=domain)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in sorted(attributes.items()))
        self._nodes.append(node)
        return name

    def part(self, value: str, start: int, stop: int, name: str) -> str:
        """[start, stop) of the second axis of `value`."""
        ends = [
            self.constant(f"{name}.{end}", np.array([place], np.int64))
            for end, place in (("start", start), ("stop", stop))
        ]
        return self.node("Slice", [value, *ends, self.constant("axis1", np.array([1], np.int64))], name)

    def model(
        self,
        name: str,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        metadata: Mapping[str, str],
    ) -> bytes:
        """The serialised model; the same graph gives the same bytes."""
        graph = helper.make_graph(self._nodes, name, inputs, outputs, list(self._constants.values()))
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(CONTRIB, 1)],
            ir_version=_IR_VERSION,
            producer_name="headrace",
        )
        helper.set_model_props(model, dict(sorted(metadata.items())))
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised


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
    """Weights as they come; the methods are what every precision writes in its own way."""

    name: PrecisionName = "fp32"
    dtype: type[np.floating[Any]] = np.float32
    """Type of the values between weights."""

    def rows(self, graph: Graph, table: Floats, ids: str, name: str) -> str:
        """Rows `ids` of `table` (vocabulary, width)."""
        return graph.node("Gather", [self._constant(graph, f"{name}.table", table), ids], name)

    def linear(self, graph: Graph, value: str, layer: Linear, name: str) -> str:
        """One projection of `value`, (…, in) -> (…, out)."""
        weight = self._constant(graph, f"{name}.weight", layer.weight)
        product = graph.node("MatMul", [value, weight], f"{name}.product")
        return graph.node("Add", [product, self._constant(graph, f"{name}.bias", layer.bias)], name)

    def attention(self, graph: Graph, value: str, layer: AttentionWeights, name: str) -> str:
        """Self-attention over each text's own positions, and its output projection."""
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


Precision = Float32 | Int8


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
