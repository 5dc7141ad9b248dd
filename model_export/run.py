"""Run a graph that is still in memory over texts: for training and the gate, and to measure its speed.

Ingest plans by the speed: what is too long for a function goes to a job.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from model_export.assemble import WINDOW
from model_export.labelled import OWN, read_labelled
from shared.inference.engine import plan_batches
from shared.inference.session import cpu_limit, open_session
from shared.inference.tokens import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

TOKENS_PER_SECOND = "tokens_per_second"
"""A name in the manifest's metrics: the one figure there that depends on the machine."""
_ROUNDS = 3
_SENTENCES = 300
_SENTENCES_OF_A_PASSAGE = 4
"""A sentence has some 20 word pieces: together about as long as the passages that the pipeline cuts."""


def run_graph(
    model: bytes, tokenizer: bytes, texts: Sequence[str], window: int = WINDOW
) -> list[NDArray[np.float32]]:
    """Every output of `model`, (n, …) in the order of `texts`, each text cut at the window."""
    session = open_session(model, threads=cpu_limit())
    outputs = [np.empty((len(texts), *output.shape[1:]), np.float32) for output in session.get_outputs()]
    for batch, feed in _feeds(tokenizer, texts, window):
        for part, values in zip(outputs, session.run(None, feed), strict=True):
            part[batch] = values
    return outputs


def tokens_per_second(model: bytes, tokenizer: bytes, window: int) -> float:
    """Word pieces that one processor answers a second, by the time of the thread that does it.

    Measured on our own sentences, by themselves and joined to passages. The median of some rounds, after one
    that warms up. Padding takes time and is not counted.
    """
    sentences = [example.text for example in read_labelled(OWN / "train.jsonl")[:_SENTENCES]]
    size = _SENTENCES_OF_A_PASSAGE
    passages = [" ".join(sentences[i : i + size]) for i in range(0, len(sentences), size)]
    session = open_session(model)
    feeds = [feed for _, feed in _feeds(tokenizer, sentences + passages, window)]
    seconds = []
    for _ in range(1 + _ROUNDS):
        began = time.thread_time()
        for feed in feeds:
            session.run(None, feed)
        seconds.append(time.thread_time() - began)
    tokens = sum(int(feed["attention_mask"].sum()) for feed in feeds)
    return tokens / float(np.median(seconds[1:]))


def _feeds(
    tokenizer: bytes, texts: Sequence[str], window: int
) -> Iterator[tuple[list[int], dict[str, NDArray[np.int64]]]]:
    """Batches of texts of like lengths: their rows, and the graph's inputs."""
    splitter = load_tokenizer(tokenizer)
    splitter.enable_truncation(window)
    ids = [encoding.ids for encoding in splitter.encode_batch_fast(list(texts))]
    for batch in plan_batches([len(row) for row in ids]):
        input_ids = np.zeros((len(batch), max(len(ids[index]) for index in batch)), np.int64)
        for row, index in enumerate(batch):
            input_ids[row, : len(ids[index])] = ids[index]
        yield batch, {"input_ids": input_ids, "attention_mask": (input_ids > 0).astype(np.int64)}
