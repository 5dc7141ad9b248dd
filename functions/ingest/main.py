"""A file was uploaded: read it, cut it into passages, and hand them to `analyze` in batches."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

import functions_framework
from structlog.contextvars import bind_contextvars

from shared import artefacts
from shared.clients import firestore_client
from shared.completion import finish
from shared.documents import Documents, Plan, Seconds, document_id
from shared.errors import Rejected, Superseded
from shared.events import Push, answer, publish_record, upload_event
from shared.inference import TokenCounter, read_manifest
from shared.received import receive
from shared.records import ErrorInfo, UploadEvent
from shared.settings import BATCHES, settings
from shared.sources import content_key, find_source

if TYPE_CHECKING:
    from flask import Request

    from shared.transitions import Claim


@functions_framework.http
def ingest(request: Request) -> tuple[str, int]:
    """The entry point: a push from the `uploads` topic."""
    return answer("ingest", request, on_upload)


def on_upload(push: Push) -> None:
    """Claim the document, extract it, and start its run; a file that cannot be read ends as rejected."""
    event = upload_event(push)
    if event.event_type != "OBJECT_FINALIZE":
        return
    document = document_id(event.bucket, event.name)
    bind_contextvars(document=document)  # before the claim, which may be refused
    documents = Documents(firestore_client())
    claim = documents.claim(event, published=push.published, lease_seconds=settings().ingest_timeout)
    if claim is None:
        finish(documents, document)
        return
    bind_contextvars(run=claim.run)
    try:
        conclude(documents, claim, event)
    except Superseded:  # perhaps by this delivery itself: of a transition whose answer was lost
        finish(documents, claim.document)
        raise
    except Exception:
        with suppress(Superseded):
            documents.release(claim)
        raise
    finish(documents, claim.document, claim.run)


def conclude(documents: Documents, claim: Claim, event: UploadEvent) -> None:
    """From extracting to analyzing or rejected."""
    try:
        plan = extract(claim, event)
    except Rejected as rejected:
        error = ErrorInfo(code=rejected.code, message=rejected.message, hint=rejected.hint)
        documents.reject(claim, error)
    else:
        documents.plan(claim, plan)


def extract(claim: Claim, event: UploadEvent) -> Plan:
    """Store the passages, then publish their batches; the state follows only when both are safe."""
    started, cpu_started = time.monotonic(), time.thread_time()
    received = receive(event, claim.document, counter().count_batch)
    reading = received.reading
    model = model_digest()
    ranges = artefacts.write(claim.document, claim.run, reading.text, reading.passages)
    key = content_key(event, received.sha256, model)
    source = find_source(firestore_client(), key, claim, event)
    first = artefacts.first_batches(claim, event.generation, model, ranges, source)
    publish_record(BATCHES, first, document=claim.document)
    return Plan(
        facts={"sha256": received.sha256, "size": received.size} | reading.facts,
        batches=len(ranges),
        model=model,
        artefact=artefacts.prefix(claim.document, claim.run),
        content_key=key,
        duplicate_of=source.document if source and source.document != claim.document else None,
        seconds=Seconds(time.monotonic() - started, time.thread_time() - cpu_started),
    )


@lru_cache(maxsize=1)
def model_digest() -> str:
    """The model this instance plans for, read once: a directory that is rebuilt needs new instances."""
    return read_manifest(settings().model_dir, settings().model_digest).digest


@lru_cache(maxsize=1)
def counter() -> TokenCounter:
    """The tokenizer, loaded once an instance."""
    return TokenCounter(settings().model_dir / "tokenizer.json")
