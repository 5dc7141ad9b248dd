"""Encoder, branches and heads put together into the one graph that answers everything."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, ValueInfoProto, helper

from model_export.encoder import IDS, MASK, Encoder, lengths, mean_pooled
from model_export.graph import Graph
from model_export.heads import HEAD_NAMES
from shared.platform.records import TOPICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_export.heads import Branch, Head, Heads
    from model_export.precision import Precision
    from model_export.sources import Checkpoint
    from shared.platform.records import ActionLabel, SentimentLabel

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
