"""Run a graph that is still in memory over texts: for training, for the gate, for reference vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_export.assemble import WINDOW
from shared.inference.engine import plan_batches
from shared.inference.session import cpu_limit, open_session
from shared.inference.tokens import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def run_graph(
    model: bytes, tokenizer: bytes, texts: Sequence[str], window: int = WINDOW
) -> list[NDArray[np.float32]]:
    """Every output of `model`, (n, …) in the order of `texts`, each text cut at the window."""
    session = open_session(model, threads=cpu_limit())
    splitter = load_tokenizer(tokenizer)
    splitter.enable_truncation(window)
    ids = [encoding.ids for encoding in splitter.encode_batch_fast(list(texts))]
    outputs = [np.empty((len(ids), output.shape[1]), np.float32) for output in session.get_outputs()]
    for batch in plan_batches([len(row) for row in ids]):
        width = max(len(ids[index]) for index in batch)
        input_ids = np.zeros((len(batch), width), np.int64)
        for row, index in enumerate(batch):
            input_ids[row, : len(ids[index])] = ids[index]
        feed = {"input_ids": input_ids, "attention_mask": (input_ids > 0).astype(np.int64)}
        for part, values in zip(outputs, session.run(None, feed), strict=True):
            part[batch] = values
    return outputs
