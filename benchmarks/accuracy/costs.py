"""What a layer of a branch costs: the graph that ships, with branches of every depth, on one core."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from model_export.assemble import full_graph, window
from model_export.graph import Int8
from model_export.heads import HEAD_NAMES, Branch, BranchCard, Head, Heads
from model_export.scalings import calibration_texts, find_scalings
from shared.inference.engine import plan_batches
from shared.inference.session import open_session
from shared.inference.tokens import load_tokenizer
from shared.platform.records import TOPICS
from training.branches import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_export.sources import Checkpoint

_ROUNDS = 7
_TEXTS = 400
_CALIBRATION = 60
"""Speed does not depend on the scalings, nor on what a branch has learnt."""


def milliseconds(checkpoint: Checkpoint, depths: Sequence[int], texts: Sequence[str]) -> dict[int, float]:
    """Processor time a text of graphs whose two branches have so many layers, in turns; the median round."""
    random = np.random.default_rng(0)
    chosen = [texts[i] for i in random.choice(len(texts), min(_TEXTS, len(texts)), replace=False)]
    splitter = load_tokenizer(checkpoint.tokenizer)
    splitter.enable_truncation(window(checkpoint))
    ids = [encoding.ids for encoding in splitter.encode_batch_fast(chosen)]
    feeds = []
    for batch in plan_batches([len(row) for row in ids]):
        padded = np.zeros((len(batch), max(len(ids[i]) for i in batch)), np.int64)
        for row, i in enumerate(batch):
            padded[row, : len(ids[i])] = ids[i]
        feeds.append({"input_ids": padded, "attention_mask": (padded > 0).astype(np.int64)})
    sessions = {layers: open_session(_graph(checkpoint, layers)) for layers in depths}
    seconds: dict[int, list[float]] = {layers: [] for layers in depths}
    for number in range(_ROUNDS + 1):
        for layers, session in sessions.items():
            began = time.process_time()
            for feed in feeds:
                session.run(None, feed)
            if number:  # the first round warms up
                seconds[layers].append(time.process_time() - began)
    return {layers: float(np.median(found)) * 1000 / len(chosen) for layers, found in seconds.items()}


def _graph(checkpoint: Checkpoint, layers: int) -> bytes:
    """With copies of the encoder's own upper layers as branches, and heads of zeros."""
    width, total = checkpoint.config.hidden_size, checkpoint.config.num_hidden_layers
    fork = total - layers
    names = tuple(f"encoder.layer.{number}." for number in range(fork, total))
    tensors = {name: value for name, value in checkpoint.tensors.items() if name.startswith(names)}
    branches = tuple(
        Branch(BranchCard(name=name, fork=fork, layers=layers, heads=heads, input="branch"), tensors)
        for name, heads in BRANCHES.items()
        if layers
    )
    topic, action, sentiment = (
        Head(np.zeros((width, count), np.float32), np.zeros(count, np.float32))
        for count in (len(TOPICS), *(3 for _ in HEAD_NAMES[1:]))
    )
    heads = Heads(topic, action, sentiment, np.full(len(TOPICS), 0.5, np.float32), branches)
    scalings = find_scalings(checkpoint, heads, calibration_texts()[:_CALIBRATION])
    return full_graph(checkpoint, Int8(scalings), heads)
