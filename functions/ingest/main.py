"""A file was uploaded: read it, cut it into passages, and hand them to `analyze` in batches."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import functions_framework
from structlog.contextvars import bind_contextvars

from shared.documents import artefacts
from shared.documents.batches import drop_others
from shared.documents.completion import finish
from shared.documents.delegation import (
    OCR_SECONDS,
    carry_on,
    carry_on_as_read,
    delegate,
    job_fields,
    seconds_of,
    takes_over,
)
from shared.documents.sources import content_key, find_source
from shared.documents.store import Documents, document_id
from shared.documents.transitions import Plan, check_held
from shared.inference.manifest import TOKENIZER_FILE, read_manifest
from shared.intake.receive import fetched, receive, turn, turns
from shared.platform.clients import firestore_client
from shared.platform.errors import Rejected, Superseded
from shared.platform.pubsub import Push, answer, publish_record, upload_event
from shared.platform.records import ErrorInfo, UploadEvent
from shared.platform.settings import BATCHES, settings

if TYPE_CHECKING:
    from flask import Request

    from shared.documents.artefacts import Written
    from shared.documents.transitions import Claim
    from shared.inference.manifest import Manifest
    from shared.intake.receive import Received


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
        carry_on(documents, document)
        return
    bind_contextvars(run=claim.run)
    try:
        with turn(turns(), settings().extract_seconds):
            planned = conclude(documents, claim, event)
    except Superseded:  # perhaps by this delivery itself: of a transition whose answer was lost
        finish(documents, claim.document)
        raise
    except Exception:
        with suppress(Superseded):
            documents.release(claim)
        raise
    if planned:
        carry_on_as_read(documents, planned)
    else:
        carry_on(documents, claim.document, claim.run)


def conclude(documents: Documents, claim: Claim, event: UploadEvent) -> dict[str, Any] | None:
    """From extracting to analyzing, delegated or rejected; the document with its plan, if it has one."""
    started = time.monotonic()
    try:
        received = read(claim, event)
    except Rejected as rejected:
        if takes_over(rejected, event.size):
            spent = time.monotonic() - started
            job = job_fields(rejected.code, settings().extract_seconds, ingest_seconds=spent)
            delegate(documents, claim, job_model(), {"size": event.size}, job)
            return None
        error = ErrorInfo(code=rejected.code, message=rejected.message, hint=rejected.hint)
        documents.reject(claim, error)
        return None
    pages = received.reading.facts["ocr_pages"]
    if pages and settings().job_name:
        work = OCR_SECONDS * len(pages) + seconds_of(received.reading.facts["tokens"], manifest())
        job = job_fields("ocr", work, ingest_seconds=time.monotonic() - started)
        delegate(documents, claim, job_model(), received.facts, job)
        return None
    return analyse(documents, claim, event, received)


def read(claim: Claim, event: UploadEvent) -> Received:
    """Fetch and read the file within a function's limits."""
    tokenizer = settings().model_dir / TOKENIZER_FILE
    with fetched(event, settings(), tokenizer) as path:
        return receive(
            path, event, claim.document, tokenizer, settings(), defer_ocr=bool(settings().job_name)
        )


def analyse(documents: Documents, claim: Claim, event: UploadEvent, received: Received) -> dict[str, Any]:
    """Store the passages, then publish their batches; the state follows only when both are safe."""
    reference, reading = documents.reference(claim.document), received.reading
    with artefacts.written(reference, claim.run, event.generation, reading.text, reading.passages) as stored:
        return documents.plan(claim, plan(documents, claim, event, received, stored))


def plan(documents: Documents, claim: Claim, event: UploadEvent, received: Received, stored: Written) -> Plan:
    """What is to be done with passages that are stored; the first batches are published.

    Those of a long document are the job's, and not published.
    """
    reading = received.reading
    seconds = seconds_of(reading.facts["tokens"], manifest())
    long = bool(settings().job_name) and seconds > settings().function_seconds
    model = job_model() if long else manifest().digest
    if claim.token > 1:
        reference, kind = documents.reference(claim.document), (model, stored.artefact)
        drop_others(documents, reference, claim.run, kind, lambda found: check_held(found, claim))
    key = content_key(event, received.sha256, model)
    source = find_source(firestore_client(), key, claim, event)
    if not long:
        first = artefacts.first_batches(claim, event.generation, model, stored, source)
        publish_record(BATCHES, first, document=claim.document)
    return Plan(
        facts=received.facts,
        batches=len(stored.ranges),
        model=model,
        artefact=stored.artefact,
        content_key=key,
        duplicate_of=source.document if source and source.document != claim.document else None,
        seconds=received.seconds,
        job=job_fields("tokens", seconds, source) if long else None,
    )


def job_model() -> str:
    """The model that the job is to run."""
    return settings().job_model_digest or manifest().digest


@lru_cache(maxsize=1)
def manifest() -> Manifest:
    """Of the model this instance plans for, read once: a directory that is rebuilt needs new instances."""
    return read_manifest(settings().model_dir, settings().model_digest)
