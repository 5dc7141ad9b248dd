"""Encoder, branches and heads put together into the one graph that answers everything."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, ValueInfoProto, helper

from model_export.graph import IDS, LENGTHS, MASK, AttentionWeights, Graph, Linear
from model_export.heads import HEAD_NAMES
from shared.platform.records import TOPICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from model_export.graph import Precision
    from model_export.heads import Branch, Head, Heads
    from model_export.sources import Checkpoint, Config
    from shared.platform.records import ActionLabel, SentimentLabel

    Tensors = Mapping[str, NDArray[np.float32]]

WINDOW = 256
SENTIMENTS: tuple[SentimentLabel, ...] = ("positive", "neutral", "negative")
ACTIONS: tuple[ActionLabel, ...] = ("implemented", "planned", "none")


def embedding_graph(checkpoint: Checkpoint, precision: Precision) -> bytes:
    """`input_ids`, `attention_mask` (batch, seq) int64 -> `embedding` (batch, width) float32, unit length."""
    graph = Graph()
    _encode(graph, checkpoint, precision, ())
    outputs = [_output("embedding", checkpoint.config.hidden_size)]
    return graph.model("embedding", _inputs(), outputs, _metadata(checkpoint, precision))


def full_graph(
    checkpoint: Checkpoint, precision: Precision, heads: Heads, topics: Sequence[str] = TOPICS
) -> bytes:
    """The embedding graph with three more outputs: `topic`, `action` and `sentiment`, (batch, labels).

    `topics` are the columns of `topic`, where a user's own taxonomy has others than ours.
    """
    graph = Graph()
    pooled = _encode(graph, checkpoint, precision, heads.branches)
    outputs = [_output("embedding", checkpoint.config.hidden_size)]
    words = heads.words.attach(graph) if heads.words else ""
    for name in HEAD_NAMES:
        features = "embedding"
        if branch := heads.branch_of(name):
            parts = {"embedding": features, "branch": pooled[branch.card.name]}
            if "words" in branch.card.input:
                parts["words"] = _columns(graph, words, heads.columns(name), f"{name}.words")
            read = [parts[part] for part in branch.card.input.split("+")]
            features = read[0]
            if len(read) > 1:
                features = graph.node("Concat", read, f"{name}.features", axis=-1)
        head: Head = getattr(heads, name)
        head.attach(graph, features, name, exclusive=name != "topic")
        outputs.append(_output(name, len(head.bias)))
    # Part of the file, and so of its digest: whatever changes an answer changes the model's name.
    metadata = _metadata(checkpoint, precision) | {
        "topics": json.dumps(topics),
        "thresholds": json.dumps(thresholds(heads)),
        "actions": json.dumps(ACTIONS),
        "sentiments": json.dumps(SENTIMENTS),
    }
    return graph.model("headrace", _inputs(), outputs, metadata)


def _columns(graph: Graph, value: str, columns: slice, name: str) -> str:
    start, stop = (
        graph.constant(f"{name}.{end}", np.array([place], np.int64))
        for end, place in (("start", columns.start), ("stop", columns.stop))
    )
    return graph.node("Slice", [value, start, stop, graph.constant("axis1", np.array([1], np.int64))], name)


def thresholds(heads: Heads) -> tuple[float, ...]:
    """Rounded as results are, so that a printed score can be compared with a printed threshold."""
    return tuple(round(float(value), 4) for value in heads.thresholds)


def window(checkpoint: Checkpoint) -> int:
    """Word pieces a text is cut at."""
    return min(WINDOW, checkpoint.config.max_position_embeddings)


def _encode(
    graph: Graph, checkpoint: Checkpoint, precision: Precision, branches: tuple[Branch, ...]
) -> dict[str, str]:
    """Write the encoder up to `embedding`, and the branches; returns each branch's pooled value."""
    encoder = Encoder(checkpoint.config, precision)
    lengths(graph)
    shared = [encoder.embeddings(graph, checkpoint.tensors)]
    for number in range(checkpoint.config.num_hidden_layers):
        shared.append(encoder.layer(graph, number, shared[-1], checkpoint.tensors))
    mean_pooled(graph, _in_float(graph, shared[-1], precision), "embedding")
    pooled = {}
    for branch in branches:
        card = branch.card
        value, prefix = shared[card.fork], f"branch.{card.name}."
        for number in range(card.fork, card.fork + card.layers):
            value = encoder.layer(graph, number, value, branch.tensors, prefix)
        pooled[card.name] = mean_pooled(graph, _in_float(graph, value, precision), f"{prefix}pooled")
    return pooled


def _in_float(graph: Graph, value: str, precision: Precision) -> str:
    if precision.dtype is np.float32:
        return value
    return graph.node("Cast", [value], f"{value}.float", to=TensorProto.FLOAT)


def _metadata(checkpoint: Checkpoint, precision: Precision) -> dict[str, str]:
    return {
        "window": str(window(checkpoint)),
        "precision": precision.name,
        "tokenizer_sha256": hashlib.sha256(checkpoint.tokenizer).hexdigest(),
    }


def _inputs() -> list[ValueInfoProto]:
    return [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "seq"]) for name in (IDS, MASK)]


def _output(name: str, width: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])


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
        return self._normalised_sum(graph, (words, places), tensors, "embeddings")

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
        value = self._normalised_sum(graph, (attended, value), tensors, f"{path}.attention.output", prefix)
        inner = _linear(tensors, f"{path}.intermediate.dense")
        hidden = self._precision.linear(graph, value, inner, f"{name}.intermediate.dense")
        hidden = self._precision.gelu(graph, hidden, f"{name}.intermediate")
        outer = _linear(tensors, f"{path}.output.dense")
        projected = self._precision.linear(graph, hidden, outer, f"{name}.output.dense")
        return self._normalised_sum(graph, (projected, value), tensors, f"{path}.output", prefix)

    def _normalised_sum(
        self, graph: Graph, terms: tuple[str, str], tensors: Tensors, path: str, prefix: str = ""
    ) -> str:
        # Two operators: the fused SkipLayerNormalization takes five times as long on a CPU.
        name, dtype = prefix + path, self._precision.dtype
        total = graph.node("Add", terms, f"{name}.sum")
        gain = graph.constant(f"{name}.gain", tensors[f"{path}.LayerNorm.weight"].astype(dtype))
        shift = graph.constant(f"{name}.shift", tensors[f"{path}.LayerNorm.bias"].astype(dtype))
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
