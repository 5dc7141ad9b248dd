"""Run texts through the model: batches of equal length, single-threaded workers, a cache.

Texts are tokenized once, sorted by length and run in small batches of nearly equal length on independent
workers of one thread; the rows return in the order of the input. On a GPU batches are large, and it computes
one slice of the input while the processors tokenize the next.

Rows are cached by text, because reviews and forms repeat themselves across batches. A fifth of the tokens of
3,000 short reviews had been seen in an earlier batch of the same document, and a third of a percent of those
of a report. A lookup costs two microseconds a text, computing some five milliseconds.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest, read_verified
from shared.inference.session import CPU, best_device, cpu_limit, open_session
from shared.inference.tokens import load_tokenizer
from shared.platform.errors import Retryable
from shared.platform.records import Action, Sentiment, TopicScore

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

    from shared.inference.manifest import Manifest
    from shared.inference.session import Device

    Row = NDArray[np.float32]
    TokenRows = NDArray[np.float32]
    Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Results of the model; row i of every array belongs to text i.

    Probabilities have the order of the manifest's labels. Without heads, their arrays have no columns.
    """

    embedding: NDArray[np.float32]
    """(n, 384), unit length."""
    topics: NDArray[np.float32]
    """(n, topics); independent, calibrated probabilities."""
    action: NDArray[np.float32]
    """(n, 3), rows sum to 1."""
    sentiment: NDArray[np.float32]
    """(n, 3), rows sum to 1."""
    salience: NDArray[np.float32]
    """(n, 1), from 0 to 3."""
    initiative: NDArray[np.float32]
    """(n, 1), calibrated probabilities."""
    tokens: NDArray[np.int32]
    """(n,), word pieces of the whole text, with the two special tokens."""
    truncated: NDArray[np.bool_]
    """(n,), true if only the beginning of the text was read."""

    cpu_seconds: float = 0.0
    """Processor seconds of the workers; less if rows came from the cache."""

    def __len__(self) -> int:
        return len(self.tokens)


_DECIMALS = 4


class Reading(NamedTuple):
    """The model's result for one text, in the shapes that Firestore stores."""

    sentiment: Sentiment
    action: Action
    topics: list[TopicScore]
    """Topics that reach their threshold, best first."""
    salience: float | None
    """From 0 to 3."""
    initiative: bool
    """Whether its probability reaches the threshold."""
    initiative_score: float | None
    """Its probability; None, as salience, if the model has no such outputs. An initiative then has a topic
    and an action."""


def interpret(manifest: Manifest, outputs: Outputs, row: int) -> Reading:
    """Read row `row` of `outputs`; scores are rounded to four decimals, so they sum to 1 within 0.0002.

    Raises:
        ValueError: the model only embeds.
    """
    if not manifest.sentiments:
        raise ValueError(f"model {manifest.name} has no heads")
    sentiment = dict(zip(manifest.sentiments, _rounded(outputs.sentiment[row].tolist()), strict=True))
    action = dict(zip(manifest.actions, _rounded(outputs.action[row].tolist()), strict=True))
    scored = zip(manifest.topics, manifest.thresholds, outputs.topics[row].tolist(), strict=True)
    topics = [
        TopicScore(name=name, score=round(score, _DECIMALS))
        for name, threshold, score in scored
        if score >= threshold
    ]
    chosen = Action(label=max(action, key=action.__getitem__), scores=action)
    threshold = manifest.initiative_threshold
    salience = score = None
    if threshold is not None:
        salience, score = _rounded([outputs.salience[row].item(), outputs.initiative[row].item()])
    return Reading(
        sentiment=Sentiment(label=max(sentiment, key=sentiment.__getitem__), scores=sentiment),
        action=chosen,
        topics=sorted(topics, key=lambda topic: -topic.score),
        salience=salience,
        initiative=bool(topics) and chosen.label != "none" if score is None else score >= (threshold or 0),
        initiative_score=score,
    )


def _rounded(scores: list[float]) -> list[float]:
    return [round(score, _DECIMALS) for score in scores]


CACHED_TEXTS = 4096
"""Number of texts cached by a function's engine: about 9 MB."""
KEPT_SECONDS = 15 * 60.0
"""Time for which a row stays after its last use; the next call drops it. Cloud Run ends an instance that is
not called for about as long.
"""


class RowCache:
    """Cache of the rows of the texts last used; safe to share between threads.

    Texts are kept only as digests, and not for long: a deleted document must not live on in memory.
    """

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep at most `capacity` rows."""
        self._capacity = capacity
        self._clock = clock
        self._rows: OrderedDict[bytes, tuple[float, Row]] = OrderedDict()
        """Time of last use and row, ordered by that time."""
        self._lock = threading.Lock()

    def find(self, texts: Iterable[str]) -> list[Row | None]:
        """Return the row of each text, or None if it is unknown."""
        keys = [_key(text) for text in texts]
        with self._lock:
            moment = self._clock()
            self._drop(moment)
            rows: list[Row | None] = []
            for key in keys:
                entry = self._rows.pop(key, None)
                if entry:
                    self._rows[key] = (moment, entry[1])
                rows.append(entry[1] if entry else None)
            return rows

    def keep(self, texts: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Keep row i for text i; rows that were unused the longest make room."""
        # The last ones alone would stay; copies, so that a row does not hold its whole array.
        start = max(len(texts) - self._capacity, 0)
        fresh = [(_key(text), row.copy()) for text, row in zip(texts[start:], rows[start:], strict=True)]
        with self._lock:
            moment = self._clock()
            for key, row in fresh:
                self._rows.pop(key, None)
                self._rows[key] = (moment, row)
            self._drop(moment)

    def _drop(self, moment: float) -> None:
        """Drop rows beyond the capacity or unused for too long; the first is the oldest."""
        while self._rows:
            used, _ = next(iter(self._rows.values()))
            if len(self._rows) <= self._capacity and moment - used < KEPT_SECONDS:
                return
            self._rows.popitem(last=False)


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


TOKEN_BUDGET = 256
"""Limit of a batch in tokens, with padding. More activations do not fit the cache of one core."""
MAX_WASTE = 0.04
"""Largest share of padding in a batch: about what a larger batch gains over single texts."""

GPU_TOKEN_BUDGET = 16_384
"""Limit of a batch on a GPU: small batches leave most of it idle, and padding costs less than a batch."""
GPU_MAX_WASTE = 0.2


def plan_batches(
    lengths: Sequence[int], budget: int = TOKEN_BUDGET, max_waste: float = MAX_WASTE
) -> list[list[int]]:
    """Partition the indices of `lengths` into batches, longest texts first so that workers finish together.

    A batch holds at most `budget` tokens after padding to its longest text, unless it is one longer text; at
    most `max_waste` of the padded tokens are padding.
    """
    batches: list[list[int]] = []
    width = real = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        length = lengths[index]
        if batches:
            padded = width * (len(batches[-1]) + 1)
            if padded <= budget and padded - (real + length) <= max_waste * padded:
                batches[-1].append(index)
                real += length
                continue
        batches.append([index])
        width = real = length
    return batches


GPU_FAULT = re.compile(r"\bCU[A-Z]+ failure \d+")
"""Message of onnxruntime for an error of CUDA, after which a process cannot use CUDA again."""


class Forward:
    """Runs a session; safe to call from several threads."""

    def __init__(self, session: InferenceSession, outputs: Sequence[str], *, bound: bool) -> None:
        """`outputs` are asked for in this order; `bound` uses I/O binding, for a GPU."""
        self._session = session
        self._outputs = list(outputs)
        self._run = self._bound if bound else self._plain

    def __call__(self, ids: Sequence[Sequence[int]]) -> TokenRows:
        """Return the outputs side by side, for word pieces padded to the longest text (with id 0, masked).

        Raises:
            Retryable: the GPU failed; another process may succeed.
        """
        import numpy as np

        shape = (len(ids), max(map(len, ids)))
        input_ids, attention_mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for index, row in enumerate(ids):
            input_ids[index, : len(row)] = row
            attention_mask[index, : len(row)] = 1
        return np.concatenate(self._run({"input_ids": input_ids, "attention_mask": attention_mask}), axis=1)

    def _plain(self, feed: dict[str, NDArray[np.int64]]) -> list[TokenRows]:
        rows: list[TokenRows] = self._session.run(self._outputs, feed)
        return rows

    def _bound(self, feed: dict[str, NDArray[np.int64]]) -> list[TokenRows]:
        # Only inputs and outputs are in the host's memory: a quarter of a megabyte each.
        binding = self._session.io_binding()
        for name, value in feed.items():
            binding.bind_cpu_input(name, value)
        for name in self._outputs:
            binding.bind_output(name, "cpu")
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:
            if GPU_FAULT.search(str(error)):
                raise Retryable(f"the GPU failed: {error}") from error
            raise
        rows: list[TokenRows] = binding.copy_outputs_to_cpu()
        return rows


SLICE_TEXTS = 2048
"""Texts that are tokenized at once: some 10 MB of word pieces, seconds of work."""
GPU_SLICE_TEXTS = 512
"""The same on a GPU: some three batches, enough to sort by length, and little wait for the first."""
GPU_WORKERS = 2
"""Workers of a GPU: one batch is filled or unpacked while the GPU computes another."""


class Engine:
    """A loaded model; safe to share between threads, not across a fork."""

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
            workers: batches that run at once on the CPU; by default one per processor.
            digest: the model that it must be; None: any.
            cached_texts: number of texts whose rows are kept for the next calls.
            device: where to run; by default a GPU if there is one and the graph is in float, else the CPU.

        Raises:
            SetupError: a file is missing, truncated or altered, this version cannot run the model, or it is
                not `digest`.
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
            "salience": int(self.manifest.initiative_threshold is not None),
            "initiative": int(self.manifest.initiative_threshold is not None),
        }
        asked = [name for name, width in self._columns.items() if width]
        self._forward = Forward(self._session, asked, bound=not self.on_cpu)
        threads = workers or cpu_limit() if self.on_cpu else GPU_WORKERS
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="inference")
        self._cache = RowCache(cached_texts)

    def run(self, texts: Sequence[str]) -> Outputs:
        """Analyze `texts`; row i of the result belongs to text i. Equal texts are computed once.

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
        """Yield slices of texts in order, with their rows and processor seconds.

        The workers compute a slice while this thread tokenizes the next.
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
        """Tokenize the texts and hand them to the workers."""
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

        ends = np.cumsum(list(self._columns.values()))
        embedding, topics, action, sentiment, salience, initiative, _ = map(
            np.ascontiguousarray, np.split(rows, ends, axis=1)
        )
        tokens = rows[:, -1].astype(np.int32)
        return Outputs(
            embedding=embedding,
            topics=topics,
            action=action,
            sentiment=sentiment,
            salience=salience,
            initiative=initiative,
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
        """Wait for the rows; raises what a batch raised."""
        return self.texts, self.rows, sum(batch.result() for batch in self.pending)

    def give_up(self) -> None:
        """Cancel the batches that have not begun."""
        for batch in self.pending:
            batch.cancel()
