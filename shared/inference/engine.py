"""Texts in, everything the model says of them out, as fast as the processors allow.

Tokenise once, sort by length, run small batches of nearly equal length on independent single-threaded
workers, and put the rows back into the order of the input.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from shared.errors import SetupError
from shared.inference.batches import plan_batches
from shared.inference.cpus import cpu_limit
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest, read_verified
from shared.inference.outputs import Outputs
from shared.inference.tokens import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

_OUTPUTS = ("embedding", "topic", "action", "sentiment")


class Engine:
    """One loaded model. Safe to share between threads; not across a fork, so make it after one."""

    def __init__(self, directory: Path, *, workers: int | None = None) -> None:
        """Load and verify the model in `directory`; `workers` batches run at once (default: one a processor).

        Raises:
            SetupError: a file is missing, truncated or altered, or is not a model this version can run.
        """
        self.manifest = read_manifest(directory)
        self.digest = self.manifest.digest
        self._tokenizer = load_tokenizer(read_verified(directory / TOKENIZER_FILE, self.manifest.tokenizer))
        self._session = _open_session(read_verified(directory / MODEL_FILE, self.manifest.model))
        (self._separator,) = self._tokenizer.encode("").ids[-1:]
        self._workers = ThreadPoolExecutor(workers or cpu_limit(), thread_name_prefix="inference")

    def run(self, texts: Sequence[str]) -> Outputs:
        """Analyse `texts`; row i of the result belongs to text i. Equal texts are computed once.

        A text longer than the window is cut after `manifest.window` word pieces and flagged.

        Raises:
            ValueError: a text is empty or blank.
        """
        import numpy as np  # here and below: importing this module must stay cheap

        first_seen: dict[str, int] = {}
        for position, text in enumerate(texts):
            if not text.strip():
                raise ValueError(f"text {position} is empty")
            first_seen.setdefault(text, len(first_seen))
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(first_seen))]
        tokens = np.fromiter(map(len, ids), np.int32, len(ids))
        window = self.manifest.window
        ids = [row if len(row) <= window else [*row[: window - 1], self._separator] for row in ids]

        parts = self._allocate(len(ids))

        def run_batch(batch: list[int]) -> None:
            for part, rows in zip(parts, self._forward([ids[index] for index in batch]), strict=True):
                part[batch] = rows

        for done in [
            self._workers.submit(run_batch, batch) for batch in plan_batches([len(row) for row in ids])
        ]:
            done.result()

        rows = np.fromiter((first_seen[text] for text in texts), np.intp, len(texts))
        embedding, topics, action, sentiment = (part[rows] for part in parts)
        return Outputs(
            embedding=embedding,
            topics=topics,
            action=action,
            sentiment=sentiment,
            tokens=tokens[rows],
            truncated=tokens[rows] > window,
        )

    def _allocate(self, count: int) -> list[NDArray[np.float32]]:
        import numpy as np

        manifest = self.manifest
        widths = (manifest.dimensions, len(manifest.topics), len(manifest.actions), len(manifest.sentiments))
        return [np.empty((count, width), np.float32) for width in widths]

    def _forward(self, rows: list[list[int]]) -> list[NDArray[np.float32]]:
        """One batch, padded to its longest row (padding is id 0 and masked)."""
        import numpy as np

        shape = (len(rows), max(map(len, rows)))
        input_ids, attention_mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for index, row in enumerate(rows):
            input_ids[index, : len(row)] = row
            attention_mask[index, : len(row)] = 1
        return self._session.run(_OUTPUTS, {"input_ids": input_ids, "attention_mask": attention_mask})  # type: ignore[no-any-return]  # onnxruntime is untyped


def _open_session(model: bytes) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Each worker computes alone: two threads on one small matrix wait for each other more than they work.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Both keep the largest shape ever seen; our shapes vary by a factor of fifty.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise SetupError(f"onnxruntime {onnxruntime.__version__} cannot load the model: {error}") from error
