"""A batch of passages: through the model, into Firestore; the last batch of a run completes its document."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

import functions_framework
from structlog.contextvars import bind_contextvars

from shared import artefacts, batches
from shared.analysis import analyse
from shared.clients import firestore_client
from shared.completion import finish
from shared.documents import Documents, Seconds
from shared.events import Push, answer, batch_message, publish_record
from shared.inference import Engine
from shared.settings import BATCHES, settings
from shared.summary import partial
from shared.uploads import restart

if TYPE_CHECKING:
    from flask import Request

    from shared.records import BatchMessage


@functions_framework.http
def analyze(request: Request) -> tuple[str, int]:
    """The entry point: a push from the `batches` topic."""
    return answer("analyze", request, on_batch)


def on_batch(push: Push) -> None:
    """Compute the batch unless that was done, then see whether it was the last."""
    message = batch_message(push)
    bind_contextvars(document=message.document, run=message.run, batch=message.batch)
    documents = Documents(firestore_client())
    if batches.is_open(documents, message):
        if message.model != engine().digest:
            restart(documents, message.document, message.run)
            return
        if following := artefacts.successor(message):
            publish_record(BATCHES, [following], document=message.document)
        compute(documents, message)
    finish(documents, message.document, message.run)


def compute(documents: Documents, message: BatchMessage) -> None:
    """Analyse the batch's passages and commit them with its record."""
    passages = artefacts.read_slice(message)
    started, cpu_started = time.monotonic(), time.thread_time()
    results = analyse(engine(), passages)
    seconds = Seconds(time.monotonic() - started, time.thread_time() - cpu_started)
    batches.commit(documents, message, results, partial(results), seconds)


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The model, loaded once an instance, on its first batch: an ONNX session does not survive a fork."""
    return Engine(settings().model_dir, workers=settings().analyze_workers)
