"""Analyze the batches of one run in leased shards, by the same code as the function `analyze`.

A shard is some consecutive batches. Two threads work on a shard each, so that the model computes while the
other thread reads or commits. What is committed stays: a task that is killed loses only what its threads were
working on.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from long_job.delegated import Meter
from shared.documents import artefacts, batches
from shared.documents.analysis import analyze_passages
from shared.documents.completion import commit
from shared.documents.model import Seconds
from shared.documents.planning import copied
from shared.platform.errors import Permanent, Superseded
from shared.platform.logs import get_logger
from shared.platform.pubsub import dead_letter_batch
from shared.platform.retry import is_transient
from shared.text.summary import partial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from long_job.delegated import DelegatedRun
    from shared.documents.model import Document
    from shared.inference.engine import Engine
    from shared.platform.records import BatchMessage

SHARD_BATCHES = 16
CALL_BATCHES = 4
"""Batches of one call of the model: enough to sort by length, few enough to end soon after SIGTERM."""
GPU_CALL_BATCHES = 16
THREADS = 2


class Analysis:
    """Analyzes what is left of one planned run."""

    def __init__(self, run: DelegatedRun, document: Document, engine: Engine) -> None:
        """`document` is planned."""
        assert document.job is not None
        assert document.batches is not None
        self._run = run
        self._engine = engine
        messages = artefacts.all_batches(document, document.job.source)
        self._shards = [messages[at : at + SHARD_BATCHES] for at in range(0, len(messages), SHARD_BATCHES)]
        self._total = document.batches.total
        self._given_up: set[int] = set()
        self._tokens = 0
        """Tokens of the passages that this task has computed and committed."""
        self._lock = threading.Lock()
        passages = document.batches.passages
        self._meter = Meter(
            run,
            unit="passages",
            total=passages,
            count=lambda: passages * batches.count_done(run.reference, run.run) // self._total,
        )

    def run(self) -> None:
        """Work until every shard is done, given up or another task's, or this task must stop.

        Raises:
            Superseded: the run is no longer the document's, or has ended.
            Exception: a transient error that lasted too long.
        """
        started = time.monotonic()
        try:
            self._rounds()
        finally:
            seconds = round(time.monotonic() - started, 3)
            get_logger("long_job").info("analyzed", tokens=self._tokens, seconds=seconds)

    def _rounds(self) -> None:
        while True:
            left = self._unfinished()
            order = [number for number in self._run.task.mine_first(len(self._shards)) if left.get(number)]
            if not order or self._run.task.stop.is_set():
                return
            turns = iter(order)
            with ThreadPoolExecutor(THREADS, thread_name_prefix="analysis") as pool:
                threads = [pool.submit(self._take_turns, turns, left) for _ in range(THREADS)]
            if not sum(thread.result() for thread in threads):
                return

    def _unfinished(self) -> dict[int, list[BatchMessage]]:
        """Return by shard the batches that are neither done nor given up."""
        done = batches.done(self._run.reference, self._run.run) | self._given_up
        left = ([message for message in shard if message.batch not in done] for shard in self._shards)
        return {number: messages for number, messages in enumerate(left) if messages}

    def _take_turns(self, turns: Iterator[int], left: dict[int, list[BatchMessage]]) -> int:
        """Work on one shard after the other; return how many this task could take."""
        taken = 0
        while not self._run.task.stop.is_set():
            with self._lock:
                number = next(turns, None)
            if number is None:
                break
            shard = f"batches-{number}"
            if not self._run.take(shard):
                continue
            taken += 1
            self._work_on(left[number], shard)
            self._run.release(shard)
        return taken

    def _work_on(self, messages: Sequence[BatchMessage], shard: str) -> None:
        step = CALL_BATCHES if self._engine.on_cpu else GPU_CALL_BATCHES
        for at in range(0, len(messages), step):
            if at:
                self._run.take(shard)
            call = messages[at : at + step]
            try:
                self._compute(call)
            except Exception as error:
                if isinstance(error, Superseded) or is_transient(error):
                    raise
                self._one_by_one(call)
            self._meter.note()
            if self._run.task.stop.is_set():
                return

    def _one_by_one(self, messages: Sequence[BatchMessage]) -> None:
        """Compute each batch alone: if one of them fails, the others need not fail with it."""
        for message in messages:
            try:
                self._compute([message])
            except Exception as error:
                if isinstance(error, Superseded) or is_transient(error):
                    raise
                self._failed(message, error)

    def _failed(self, message: BatchMessage, error: Exception) -> None:
        """Count a failure; after `MAX_FAILURES` the batch is dead-lettered and left alone."""
        kind = type(error).__name__
        failures = batches.count_failure(self._run.documents, message, kind)
        if failures < batches.MAX_FAILURES:
            return
        reason = Permanent(
            "batch_failed",
            f"Batch {message.batch} failed {failures} times ({kind}).",
            f"See the log of the long job; when the cause is gone: headrace replay {message.document}",
        )
        dead_letter_batch("long_job", message, reason)
        self._given_up.add(message.batch)

    def _compute(self, messages: Sequence[BatchMessage]) -> None:
        """Analyze what is left of these batches in one call of the model, and commit each."""
        started, cpu_started = time.monotonic(), time.thread_time()
        documents = self._run.documents
        todo = []
        for message, passages in zip(messages, artefacts.read_slices(messages), strict=True):
            upto = batches.progress(documents, message).upto
            if upto >= message.end:
                continue
            if upto == message.start and (earlier := copied(documents.client, message, passages)):
                commit(documents, message, passages, *earlier, Seconds(0.0, 0.0))
                continue
            todo.append((message, passages[upto - message.start :]))
        if not todo:
            return
        analyzed = analyze_passages(self._engine, [passage for _, passages in todo for passage in passages])
        wall = time.monotonic() - started
        cpu = time.thread_time() - cpu_started + analyzed.worker_seconds
        at = 0
        for message, passages in todo:
            results = analyzed.results[at : at + len(passages)]
            share = len(results) / len(analyzed.results)
            at += len(passages)
            seconds = Seconds(wall * share, cpu * share)
            own = range(results[0].index, results[-1].index + 1)
            found = partial(results, [one for one in analyzed.candidates if one.index in own])
            commit(documents, message, passages, results, [found], seconds)
            with self._lock:
                self._tokens += sum(passage.tokens for passage in passages)
