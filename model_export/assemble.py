"""Encoder and heads put together into the one graph that answers everything."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, ValueInfoProto, helper

from model_export.attend import attach
from model_export.graph import IDS, LENGTHS, MASK, OWN, SHARE, AttentionWeights, Float32, Graph, Linear
from model_export.heads import tuned
from shared.platform.records import TOPICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from model_export.graph import Precision
    from model_export.heads import Heads, Trunk
    from model_export.sources import Checkpoint, Config
    from shared.platform.records import ActionLabel, SentimentLabel

    Tensors = Mapping[str, NDArray[np.float32]]

WINDOW = 256
SENTIMENTS: tuple[SentimentLabel, ...] = ("positive", "neutral", "negative")
ACTIONS: tuple[ActionLabel, ...] = ("implemented", "planned", "none")


def embedding_graph(checkpoint: Checkpoint, precision: Precision, trunk: Trunk | None = None) -> bytes:
    """`input_ids`, `attention_mask` (batch, seq) int64 -> `embedding` (batch, width) float32, unit length."""
    graph = Graph()
    _encode(graph, checkpoint, precision, trunk)
    outputs = [_output("embedding", checkpoint.config.hidden_size)]
    return graph.model("embedding", _inputs(), outputs, _metadata(checkpoint, precision))


def full_graph(
    checkpoint: Checkpoint, precision: Precision, heads: Heads, topics: Sequence[str] = TOPICS
) -> bytes:
    """The embedding graph with an output for each head, (batch, columns) float32, named as the head is.

    `topic`, `action`, `sentiment` and `initiative` are probabilities; `salience` lies between 0 and 3.
    `topics` are the columns of `topic`, where a user's own taxonomy has others than ours.
    """
    graph = Graph()
    states = _encode(graph, checkpoint, precision, heads.trunk)
    widths = attach(graph, states, heads)
    outputs = [_output("embedding", checkpoint.config.hidden_size)]
    outputs += [_output(name, width) for name, width in widths.items()]
    # Part of the file, and so of its digest: whatever changes an answer changes the model's name.
    metadata = _metadata(checkpoint, precision) | {
        "topics": json.dumps(topics),
        "thresholds": json.dumps(thresholds(heads)),
        "initiative_threshold": json.dumps(initiative_threshold(heads)),
        "actions": json.dumps(ACTIONS),
        "sentiments": json.dumps(SENTIMENTS),
    }
    return graph.model("headrace", _inputs(), outputs, metadata)


def mean_graph(checkpoint: Checkpoint, trunk: Trunk | None) -> bytes:
    """What labels without a query learn from: the mean of the last layer's states, (batch, width)."""
    graph = Graph()
    _mean(graph, _encode(graph, checkpoint, Float32(), trunk), "last")
    return graph.model("mean", _inputs(), [_output("last", checkpoint.config.hidden_size)], {})


def thresholds(heads: Heads) -> tuple[float, ...]:
    """Rounded as results are, so that a printed score can be compared with a printed threshold."""
    return tuple(round(float(value), 4) for value in heads.thresholds)


def initiative_threshold(heads: Heads) -> float | None:
    """Rounded in the same way."""
    return None if heads.initiative_threshold is None else round(heads.initiative_threshold, 4)


def window(checkpoint: Checkpoint) -> int:
    """Word pieces a text is cut at."""
    return min(WINDOW, checkpoint.config.max_position_embeddings)


def _encode(graph: Graph, checkpoint: Checkpoint, precision: Precision, trunk: Trunk | None) -> str:
    """Write the encoder and `embedding`; returns the last layer's states in float, (batch, seq, width)."""
    tensors = tuned(checkpoint, trunk)
    encoder = Encoder(checkpoint.config, precision)
    own_positions(graph)
    states = [encoder.embeddings(graph, tensors)]
    for number in range(checkpoint.config.num_hidden_layers):
        states.append(encoder.layer(graph, number, states[-1], tensors))
    count = len(trunk.projection) // checkpoint.config.hidden_size if trunk else 1
    exact = [_in_float(graph, value, precision) for value in states[-count:]]
    means = [_mean(graph, value, f"{value}.mean") for value in exact]
    taps = graph.node("Concat", means, "taps", axis=-1)
    if trunk:
        taps = graph.node("MatMul", [taps, graph.constant("projection", trunk.projection)], "projected")
    graph.node("LpNormalization", [taps], "embedding", axis=-1, p=2)
    return exact[-1]


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


def _output(name: str, *shape: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])


class Encoder:
    """Writes embeddings and layers into a graph."""

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

    def layer(self, graph: Graph, number: int, value: str, tensors: Tensors) -> str:
        """Layer `number` of `tensors` applied to `value` (batch, seq, width)."""
        name = f"encoder.layer.{number}"
        attention = AttentionWeights(
            query=_linear(tensors, f"{name}.attention.self.query"),
            key=_linear(tensors, f"{name}.attention.self.key"),
            value=_linear(tensors, f"{name}.attention.self.value"),
            output=_linear(tensors, f"{name}.attention.output.dense"),
            heads=self._config.num_attention_heads,
        )
        attended = self._precision.attention(graph, value, attention, f"{name}.attention")
        value = self._normalised_sum(graph, (attended, value), tensors, f"{name}.attention.output")
        inner = _linear(tensors, f"{name}.intermediate.dense")
        hidden = self._precision.linear(graph, value, inner, f"{name}.intermediate.dense")
        # Hendrycks and Gimpel 2016, arXiv:1606.08415; exact, which is faster here than by tanh.
        hidden = graph.node("Gelu", [hidden], f"{name}.intermediate", approximate="none")
        outer = _linear(tensors, f"{name}.output.dense")
        projected = self._precision.linear(graph, hidden, outer, f"{name}.output.dense")
        return self._normalised_sum(graph, (projected, value), tensors, f"{name}.output")

    def _normalised_sum(self, graph: Graph, terms: tuple[str, str], tensors: Tensors, name: str) -> str:
        # Two operators: the fused SkipLayerNormalization takes five times as long on a CPU.
        dtype = self._precision.dtype
        total = graph.node("Add", terms, f"{name}.sum")
        gain = graph.constant(f"{name}.gain", tensors[f"{name}.LayerNorm.weight"].astype(dtype))
        shift = graph.constant(f"{name}.shift", tensors[f"{name}.LayerNorm.bias"].astype(dtype))
        epsilon = self._config.layer_norm_eps
        return graph.node("LayerNormalization", [total, gain, shift], name, axis=-1, epsilon=epsilon)


def own_positions(graph: Graph) -> None:
    """Add `LENGTHS`, `OWN` and `SHARE`; padding stands at the end of a row."""
    graph.node("ReduceSum", [MASK, _axis(graph, 1)], LENGTHS, keepdims=0)
    mask = graph.node("Cast", [MASK], "own.mask", to=TensorProto.FLOAT)
    graph.node("Unsqueeze", [mask, _axis(graph, 1)], OWN)
    count = graph.node("ReduceSum", [OWN, _axis(graph, 2)], "own.count", keepdims=1)
    graph.node("Div", [OWN, count], SHARE)


def _mean(graph: Graph, value: str, name: str) -> str:
    """The mean over each text's own positions: (batch, seq, width) -> (batch, width), in one product."""
    product = graph.node("MatMul", [SHARE, value], f"{name}.product")
    return graph.node("Squeeze", [product, _axis(graph, 1)], name)


def _axis(graph: Graph, number: int) -> str:
    return graph.constant(f"axis{number}", np.array([number], np.int64))


def _linear(tensors: Tensors, path: str) -> Linear:
    return Linear(tensors[f"{path}.weight"].T, tensors[f"{path}.bias"])
