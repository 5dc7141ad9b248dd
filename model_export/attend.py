"""The heads in a graph: every label attends to the last layer's states for itself, all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper

from model_export.graph import OWN
from model_export.heads import EXCLUSIVE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from model_export.graph import Graph
    from model_export.heads import HeadName, Heads

COLUMNS, BIAS = "heads.columns", "heads.bias"
"""Names of the heads' constants: queries and weights, (width, 2 * labels), and (labels,)."""
_ATTENTION, _PRODUCT, _POOLED = "heads.attention", "heads.product", "heads.pooled"
_MASKED = 1e9
"""Taken from the scores of padding, so that nobody attends to it."""


def attach(graph: Graph, states: str, heads: Heads) -> dict[HeadName, int]:
    """Add each head as an output of its name; returns how many columns each has.

    `states` (batch, seq, width) are float. They meet the queries and the weights of all labels in one
    product; then labels stand before positions, since operators are fast along the last axis.
    """
    labels = sum(len(head.bias) for head in heads.parts.values())
    columns = graph.constant(COLUMNS, columns_of(heads))
    product = graph.node("MatMul", [states, columns], _PRODUCT)
    product = graph.node("Transpose", [product], "heads.rows", perm=(0, 2, 1))
    scores = graph.part(product, 0, labels, "heads.scores")
    values = graph.part(product, labels, 2 * labels, "heads.values")
    padding = graph.node("Sub", [OWN, graph.constant("one", np.array(1, np.float32))], "heads.padding")
    masked = graph.constant("heads.masked", np.array(_MASKED, np.float32))
    masked = graph.node("Mul", [padding, masked], "heads.mask")
    scores = graph.node("Add", [scores, masked], "heads.own")
    attention = graph.node("Softmax", [scores], _ATTENTION, axis=-1)
    shares = graph.node("Mul", [attention, values], "heads.shares")
    last = graph.constant("axis2", np.array([2], np.int64))
    total = graph.node("ReduceSum", [shares, last], "heads.total", keepdims=0)
    logits = graph.node("Add", [total, graph.constant(BIAS, stacked(heads, "bias"))], "heads.logits")
    return _answers(graph, logits, heads)


def _answers(graph: Graph, logits: str, heads: Heads) -> dict[HeadName, int]:
    start = 0
    columns: dict[HeadName, int] = {}
    for name, head in heads.parts.items():
        columns[name] = len(head.bias)
        own = graph.part(logits, start, start + len(head.bias), f"{name}.logits")
        start += len(head.bias)
        if name in EXCLUSIVE:
            graph.node("Softmax", [own], name, axis=-1)
        elif name == "salience":
            # Chances to be at least 1, 2 and 3: their sum is what to expect.
            levels = graph.node("Sigmoid", [own], f"{name}.levels")
            axis = graph.constant("axis1", np.array([1], np.int64))
            graph.node("ReduceSum", [levels, axis], name, keepdims=1)
            columns[name] = 1
        else:
            graph.node("Sigmoid", [own], name)
    return columns


def pooling(model: ModelProto) -> bytes:
    """A graph with heads that answers what their labels attend to instead, (batch, labels, width)."""
    (product,) = (node for node in model.graph.node if node.output[0] == _PRODUCT)
    model.graph.node.append(helper.make_node("MatMul", [_ATTENTION, product.input[0]], [_POOLED]))
    columns = next(tensor for tensor in model.graph.initializer if tensor.name == COLUMNS)
    width, count = columns.dims
    del model.graph.output[:]
    shape = ["batch", count // 2, width]
    model.graph.output.append(helper.make_tensor_value_info(_POOLED, TensorProto.FLOAT, shape))
    content: bytes = model.SerializeToString()
    return content


def columns_of(heads: Heads) -> NDArray[np.float32]:
    """Queries of all labels, then their weights, each a column."""
    return np.concatenate([stacked(heads, "query"), stacked(heads, "weight")]).T


def stacked(heads: Heads, part: str) -> NDArray[np.float32]:
    """`query`, `weight` or `bias` of all labels, head after head."""
    return np.concatenate([getattr(head, part) for head in heads.parts.values()])
