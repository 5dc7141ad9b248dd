"""Analyze a batch of passages and store the results; the last batch of a run completes its document."""

from __future__ import annotations

import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING

import functions_framework
from structlog.contextvars import bind_contextvars

from shared.documents import artefacts, batches
from shared.documents.analysis import analyze_passages
from shared.documents.completion import commit, finish_as_read
from shared.documents.model import Seconds
from shared.documents.planning import copied
from shared.documents.store import Documents
from shared.documents.uploads import restart
from shared.inference.engine import CACHED_TEXTS, Engine
from shared.platform.clients import firestore_client
from shared.platform.errors import Permanent, Retryable, Superseded
from shared.platform.pubsub import Push, answer, batch_message, dead_letter, publish_record
from shared.platform.retry import is_transient
from shared.platform.settings import BATCHES, settings
from shared.text.summary import partial

if TYPE_CHECKING:
    from flask import Request

    from shared.documents.model import Document
    from shared.platform.records import BatchMessage, PassageResult
    from shared.text.summary import Candidate

FIRST_SLICE, SLICE = 8, 32
"""Most passages between two looks at the clock: a quarter of a second of one core."""
_LOADING = threading.Lock()
USABLE = 0.7
"""Share of the time limit after which a batch stops, commits what it has, and is published again. The slice
that is under way then gets half of the rest, the commit the other half."""


@functions_framework.http
def analyze(request: Request) -> tuple[str, int]:
    """The entry point: a push from the `batches` topic."""
    return answer("analyze", request, on_batch)


def on_batch(push: Push) -> None:
    """Compute what is left of the batch, then see whether it was the last of its run."""
    deadline = time.monotonic() + settings().analyze_timeout * USABLE
    message = batch_message(push)
    bind_contextvars(document=message.document, run=message.run, batch=message.batch)
    documents = Documents(firestore_client())
    upto, met_before, document = batches.progress(documents, message)
    if upto < message.end:
        artefacts.check_planned(message)
        if message.model != engine().digest:
            other_model(documents, message)
            return
        if not met_before:
            hand_on(message)
        try:
            upto, document = compute(documents, message, upto, deadline)
        except Exception as error:
            if isinstance(error, Superseded) or is_transient(error):
                raise
            give_up_or_retry(documents, message, push, error)
            return
        if upto < message.end:
            publish_record(BATCHES, [message], document=message.document)
            return
    finish_as_read(documents, document)  # without a plan there is nothing to see: ingest looks after it


def other_model(documents: Documents, message: BatchMessage) -> None:
    """Restart the run rather than mix two models in one result; once, then wait for the right instance.

    Raises:
        Retryable: the run is itself such a restart, so the two models stand side by side.
    """
    if message.source is not None and message.source.document == message.document:
        raise Retryable("this instance carries another model than the run's")
    restart(documents, message.document, message.run)


def hand_on(message: BatchMessage) -> None:
    """Publish the next batch of this one's lane, before anything of this one is recorded."""
    if following := artefacts.successor(message):
        publish_record(BATCHES, [following], document=message.document)


def compute(documents: Documents, message: BatchMessage, upto: int, deadline: float) -> tuple[int, Document]:
    """Analyze the passages from `upto` and commit them.

    Returns:
        How far it came before the deadline, and the document as the commit read it.
    """
    passages = artefacts.read_slice(message)
    # What was begun here is finished here: a commit must continue where the record stands.
    if upto == message.start and (earlier := copied(documents.client, message, passages)):
        return message.end, commit(documents, message, passages, *earlier, Seconds(0.0, 0.0))
    passages = passages[upto - message.start :]
    started, cpu_started = time.monotonic(), time.thread_time()
    results: list[PassageResult] = []
    candidates: list[Candidate] = []
    worker_seconds, size = 0.0, FIRST_SLICE
    while True:
        begun = time.monotonic()
        part = analyze_passages(engine(), passages[len(results) : len(results) + size])
        results += part.results
        candidates += part.candidates
        worker_seconds += part.worker_seconds
        ended = time.monotonic()
        if len(results) == len(passages) or ended > deadline:
            break
        size = next_slice(len(part.results), ended - begun)
    seconds = Seconds(time.monotonic() - started, time.thread_time() - cpu_started + worker_seconds)
    document = commit(documents, message, passages, results, [partial(results, candidates)], seconds)
    return upto + len(results), document


def next_slice(passages: int, seconds: float) -> int:
    """Return how many passages fit between two looks at the clock, at the pace of the last ones."""
    may_take = settings().analyze_timeout * (1 - USABLE) / 2
    return max(1, min(SLICE, int(passages * may_take / seconds)))


def give_up_or_retry(documents: Documents, message: BatchMessage, push: Push, error: Exception) -> None:
    """Count a real failure of the batch; after `MAX_FAILURES` of them it is dead-lettered and acknowledged.

    Raises:
        Exception: the error again, so that the batch is delivered again.
    """
    failures = batches.count_failure(documents, message, type(error).__name__)
    if failures < batches.MAX_FAILURES:
        raise error
    reason = Permanent(
        "batch_failed",
        f"Batch {message.batch} failed {failures} times ({type(error).__name__}).",
        f"See the log of analyze; when the cause is gone: headrace replay {message.document}",
    )
    dead_letter("analyze", push, reason)


def engine() -> Engine:
    """Return the model, loaded on the first batch: an ONNX session does not survive a fork.

    Loaded once an instance: where two batches arrive first, the second waits rather than load it again.
    """
    with _LOADING:
        return _load()


@lru_cache(maxsize=1)
def _load() -> Engine:
    return Engine(
        settings().model_dir,
        workers=settings().analyze_workers,
        digest=settings().model_digest,
        cached_texts=CACHED_TEXTS,
    )
