"""Texts in, everything the model says of them out, as fast as the processors allow.

Tokenise once, sort by length, run small batches of nearly equal length on independent single-threaded
workers, and put the rows back into the order of the input. On a GPU batches are large, and it computes one
slice of the input while the processors make word pieces of the next.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.inference.batches import GPU_MAX_WASTE, GPU_TOKEN_BUDGET, MAX_WASTE, TOKEN_BUDGET, plan_batches
from shared.inference.cache import RowCache
from shared.inference.cpus import cpu_limit
from shared.inference.forward import Forward
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest, read_verified
from shared.inference.outputs import Outputs
from shared.inference.session import CPU, best_device, open_session
from shared.text.tokens import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from shared.inference.session import Device

    Rows = NDArray[np.float32]

SLICE_TEXTS = 2048
"""Tokenised at once: some 10 MB of word pieces, seconds of work, whatever the length of the input."""
GPU_SLICE_TEXTS = 512
"""Some three batches: enough to sort by length, few enough that the GPU need not wait long for the first."""
GPU_WORKERS = 2
"""One batch is filled, or its results are put in their places, while the GPU computes another."""


class Engine:
    """One loaded model. Safe to share between threads; not across a fork, so make it after one."""

    def __init__(
        self,
        directory: Path,
        *,
        workers: int | None = None,
        digest: str | None = None,
        cached_texts: int = 0,
        device: Device | None = None,
    ) -> None:
        """Load and verify the model in `directory`.

        Args:
            directory: what `model_export` wrote.
            workers: batches that run at once on the CPU, sharing one session; by default one a processor.
            digest: the model it must be; None: whichever it is.
            cached_texts: texts whose rows are kept for the next call.
            device: where to run; by default a GPU if there is one and the graph is in float, else the CPU.

        Raises:
            SetupError: a file is missing, truncated or altered, or is not a model this version can run, or
                not the one that `digest` names.
        """
        self.manifest = read_manifest(directory, digest)
        self.digest = self.manifest.digest
        self._tokenizer = load_tokenizer(read_verified(directory / TOKENIZER_FILE, self.manifest.tokenizer))
        # Each worker computes alone: two threads on one small matrix wait for each other more than they work.
        self._session = open_session(
            read_verified(directory / MODEL_FILE, self.manifest.model),
            device or best_device(self.manifest.precision),
        )
        self.on_cpu = self._session.get_providers()[0] == CPU
        if self.on_cpu:
            self._limits, self._slice_texts = (TOKEN_BUDGET, MAX_WASTE), SLICE_TEXTS
        else:
            self._limits, self._slice_texts = (GPU_TOKEN_BUDGET, GPU_MAX_WASTE), GPU_SLICE_TEXTS
        (self._separator,) = self._tokenizer.encode("").ids[-1:]
        self._columns = {
            "embedding": self.manifest.dimensions,
            "topic": len(self.manifest.topics),
            "action": len(self.manifest.actions),
            "sentiment": len(self.manifest.sentiments),
        }
        asked = [name for name, width in self._columns.items() if width]
        self._forward = Forward(self._session, asked, bound=not self.on_cpu)
        threads = workers or cpu_limit() if self.on_cpu else GPU_WORKERS
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="inference")
        self._cache = RowCache(cached_texts)

    def run(self, texts: Sequence[str]) -> Outputs:
        """Analyse `texts`; row i of the result belongs to text i. Equal texts are computed once.

        A text longer than the window is cut after `manifest.window` word pieces and flagged.

        Raises:
            ValueError: a text is empty or blank.
        """
        import numpy as np  # here and below: importing this module must stay cheap

        places: dict[str, int] = {}
        for position, text in enumerate(texts):
            if not text.strip():
                raise ValueError(f"text {position} is empty")
            places.setdefault(text, len(places))
        unique = list(places)
        # The last column is the text's own count of word pieces.
        rows = np.empty((len(unique), sum(self._columns.values()) + 1), np.float32)
        unknown = []
        for place, row in enumerate(self._cache.find(unique)):
            if row is None:
                unknown.append(place)
            else:
                rows[place] = row
        cpu_seconds, start = 0.0, 0
        with closing(self._computed([unique[place] for place in unknown])) as slices:
            for texts_of, found, seconds in slices:
                self._cache.keep(texts_of, found)
                rows[unknown[start : start + len(found)]] = found
                start += len(found)
                cpu_seconds += seconds
        return self._outputs(rows[[places[text] for text in texts]], cpu_seconds)

    def _computed(self, texts: list[str]) -> Generator[tuple[list[str], Rows, float]]:
        """Slices of different texts in order, with their rows and the processor seconds these took.

        The workers have a slice to compute while this thread makes word pieces of the next.
        """
        begun: list[_Slice] = []
        try:
            for start in range(0, len(texts), self._slice_texts):
                begun.append(self._begin(texts[start : start + self._slice_texts]))
                if len(begun) > 1:
                    yield begun[0].finish()
                    del begun[0]
            for last in begun:
                yield last.finish()
        finally:
            for unfinished in begun:
                unfinished.give_up()

    def _begin(self, texts: list[str]) -> _Slice:
        """Make word pieces of the texts and hand them to the workers."""
        import numpy as np

        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        rows = np.empty((len(ids), sum(self._columns.values()) + 1), np.float32)
        rows[:, -1] = [len(row) for row in ids]
        window = self.manifest.window
        ids = [row if len(row) <= window else [*row[: window - 1], self._separator] for row in ids]

        def run_batch(batch: list[int]) -> float:
            started = time.thread_time()
            rows[batch, :-1] = self._forward([ids[index] for index in batch])
            return time.thread_time() - started

        batches = plan_batches([len(row) for row in ids], *self._limits)
        return _Slice(texts, rows, [self._workers.submit(run_batch, batch) for batch in batches])

    def _outputs(self, rows: Rows, cpu_seconds: float) -> Outputs:
        import numpy as np

        parts = []
        start = 0
        for width in self._columns.values():
            parts.append(np.ascontiguousarray(rows[:, start : start + width]))
            start += width
        tokens = rows[:, -1].astype(np.int32)
        embedding, topics, action, sentiment = parts
        return Outputs(
            embedding=embedding,
            topics=topics,
            action=action,
            sentiment=sentiment,
            tokens=tokens,
            truncated=tokens > self.manifest.window,
            cpu_seconds=cpu_seconds,
        )


@dataclass
class _Slice:
    """Texts that the workers have begun to compute."""

    texts: list[str]
    rows: Rows
    pending: list[Future[float]]

    def finish(self) -> tuple[list[str], Rows, float]:
        """Wait for the rows. Raises what a batch raised."""
        return self.texts, self.rows, sum(batch.result() for batch in self.pending)

    def give_up(self) -> None:
        """Batches that are not begun are not begun any more."""
        for batch in self.pending:
            batch.cancel()
