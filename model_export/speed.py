"""How fast is the graph here? Ingest plans by it: what is too long for a function goes to a job."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from model_export.labelled import OWN, read_labelled
from shared.inference.engine import plan_batches
from shared.inference.session import open_session
from shared.inference.tokens import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKENS_PER_SECOND = "tokens_per_second"
"""Its name in the manifest's metrics. The one figure there that is of the machine, not of the model alone."""
_ROUNDS = 3
_SENTENCES = 300
_SENTENCES_OF_A_PASSAGE = 4
"""Of some 20 word pieces each: about as long as the passages that the pipeline cuts."""


def timed_texts() -> list[str]:
    """Sentences of our own, by themselves and joined to passages."""
    sentences = [example.text for example in read_labelled(OWN / "train.jsonl")[:_SENTENCES]]
    size = _SENTENCES_OF_A_PASSAGE
    return sentences + [" ".join(sentences[i : i + size]) for i in range(0, len(sentences), size)]


def tokens_per_second(model: bytes, tokenizer: bytes, texts: Sequence[str], window: int) -> float:
    """Word pieces of `texts` that one processor answers a second, by the time of the thread that does it.

    Of some rounds the median, after one that warms up. Padding takes time and is not counted.
    """
    session = open_session(model)
    splitter = load_tokenizer(tokenizer)
    splitter.enable_truncation(window)
    ids = [encoding.ids for encoding in splitter.encode_batch_fast(list(texts))]
    lengths = [len(row) for row in ids]
    feeds = []
    for batch in plan_batches(lengths):
        padded = np.zeros((len(batch), max(lengths[i] for i in batch)), np.int64)
        for row, i in enumerate(batch):
            padded[row, : lengths[i]] = ids[i]
        feeds.append({"input_ids": padded, "attention_mask": (padded > 0).astype(np.int64)})
    seconds = []
    for _ in range(1 + _ROUNDS):
        began = time.thread_time()
        for feed in feeds:
            session.run(None, feed)
        seconds.append(time.thread_time() - began)
    return sum(lengths) / float(np.median(seconds[1:]))
