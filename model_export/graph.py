"""A little bookkeeping over onnx.helper: unique names, shared constants, and the finished model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Attribute = int | float | str

CONTRIB = "com.microsoft"
"""Domain of onnxruntime's fused operators."""
LENGTHS = "lengths"
"""Name of the value that says how many of each row's positions are a text's own: (batch,) int64."""
_OPSET = 24
_IR_VERSION = 11


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
