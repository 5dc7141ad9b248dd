"""Encoder and heads put together into the one graph that answers everything."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from onnx import TensorProto, ValueInfoProto, helper

from model_export.encoder import IDS, MASK, Encoder, mean_pooled
from model_export.graph import Graph
from shared.records import TOPICS

if TYPE_CHECKING:
    from model_export.heads import Heads
    from model_export.precision import Precision
    from model_export.sources import Checkpoint
    from shared.records import ActionLabel, SentimentLabel

WINDOW = 256
SENTIMENTS: tuple[SentimentLabel, ...] = ("positive", "neutral", "negative")
ACTIONS: tuple[ActionLabel, ...] = ("implemented", "planned", "none")


def embedding_graph(checkpoint: Checkpoint, precision: Precision) -> bytes:
    """`input_ids`, `attention_mask` (batch, seq) int64 -> `embedding` (batch, width) float32, unit length."""
    graph, _ = _encode(checkpoint, precision)
    width = checkpoint.config.hidden_size
    return graph.model("embedding", _inputs(), [_output("embedding", width)], {})


def full_graph(checkpoint: Checkpoint, precision: Precision, heads: Heads) -> bytes:
    """The embedding graph with three more outputs: `topic`, `action` and `sentiment`, (batch, labels)."""
    graph, features = _encode(checkpoint, precision)
    heads.topic.attach(graph, features, "topic", exclusive=False)
    heads.action.attach(graph, features, "action", exclusive=True)
    heads.sentiment.attach(graph, features, "sentiment", exclusive=True)
    outputs = [
        _output("embedding", checkpoint.config.hidden_size),
        _output("topic", len(TOPICS)),
        _output("action", len(ACTIONS)),
        _output("sentiment", len(SENTIMENTS)),
    ]
    # Part of the file, and so of its digest: whatever changes an answer changes the model's name.
    metadata = {
        "window": str(WINDOW),
        "precision": precision.name,
        "tokenizer_sha256": hashlib.sha256(checkpoint.tokenizer).hexdigest(),
        "topics": json.dumps(TOPICS),
        "thresholds": json.dumps(thresholds(heads)),
        "actions": json.dumps(ACTIONS),
        "sentiments": json.dumps(SENTIMENTS),
    }
    return graph.model("headrace", _inputs(), outputs, metadata)


def thresholds(heads: Heads) -> tuple[float, ...]:
    """Rounded as results are, so that a printed score can be compared with a printed threshold."""
    return tuple(round(float(value), 4) for value in heads.thresholds)


def _encode(checkpoint: Checkpoint, precision: Precision) -> tuple[Graph, str]:
    graph = Graph()
    encoder = Encoder(checkpoint, precision)
    value, mask = encoder.embeddings(graph), encoder.mask(graph)
    for number in range(checkpoint.config.num_hidden_layers):
        value = encoder.layer(graph, number, value, mask)
    return graph, mean_pooled(graph, value, "embedding")


def _inputs() -> list[ValueInfoProto]:
    return [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "seq"]) for name in (IDS, MASK)]


def _output(name: str, width: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
