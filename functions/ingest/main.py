"""A file was uploaded: read it, cut it into passages, and hand them to `analyze` in batches."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

import functions_framework
from structlog.contextvars import bind_contextvars

from shared.documents import artefacts
from shared.documents.batches import drop_others
from shared.documents.completion import claim, finish
from shared.documents.delegation import (
    OCR_SECONDS,
    carry_on,
    carry_on_as_read,
    delegation,
    seconds_of,
    takes_over,
)
from shared.documents.planning import make_plan
from shared.documents.store import Documents, document_id
from shared.documents.transitions import check_held
from shared.inference.manifest import TOKENIZER_FILE, read_manifest
from shared.intake.fetch import turn, turns
from shared.intake.read import fetched, receive
from shared.platform.clients import firestore_client
from shared.platform.errors import Rejected, Superseded
from shared.platform.pubsub import Push, answer, publish_record, upload_event
from shared.platform.records import ErrorInfo, UploadEvent
from shared.platform.settings import BATCHES, settings

if TYPE_CHECKING:
    from flask import Request

    from shared.documents.artefacts import Written
    from shared.documents.model import Document, Plan
    from shared.inference.manifest import Manifest
    from shared.intake.read import Reading


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
    claimed = claim(documents, event, published=push.published, lease_seconds=settings().ingest_timeout)
    if claimed is None:
        carry_on(documents, document)
        return
    bind_contextvars(run=claimed.run)
    try:
        with turn(turns(), settings().extract_seconds):
            extracted = extract(documents, claimed, event)
    except Superseded:  # perhaps by this delivery itself: of a transition whose answer was lost
        finish(documents, document)
        raise
    except Exception:
        with suppress(Superseded):
            documents.release(claimed)
        raise
    if extracted:
        carry_on_as_read(documents, extracted)
    else:
        carry_on(documents, document, claimed.run)


def extract(documents: Documents, claimed: Document, event: UploadEvent) -> Document | None:
    """Move the document from extracting to analyzing, delegated or rejected.

    Returns:
        The document as it is then; None where it was rejected.
    """
    started = time.monotonic()
    try:
        received = read(claimed, event)
    except Rejected as rejected:
        spent = time.monotonic() - started
        if takes_over(rejected, event.size):
            wanted = settings().extract_seconds
            return documents.delegate(
                claimed, delegation(rejected.code, wanted, job_model(), ingest_seconds=spent)
            )
        error = ErrorInfo(code=rejected.code, message=rejected.message, hint=rejected.hint)
        documents.reject(claimed, error)
        return None
    facts = received.facts
    if facts.ocr_pages and settings().job_name:
        wanted = OCR_SECONDS * len(facts.ocr_pages) + seconds_of(facts.tokens or 0, manifest())
        job = delegation("ocr", wanted, job_model(), ingest_seconds=time.monotonic() - started)
        return documents.delegate(claimed, job, facts)
    reference = documents.reference(claimed.id)
    # The passages are stored first, then the batches published: the state follows when both are safe.
    with artefacts.written(
        reference, claimed.run, event.generation, received.text, received.passages
    ) as written:
        return documents.plan(claimed, plan(documents, claimed, event, received, written))


def read(claimed: Document, event: UploadEvent) -> Reading:
    """Fetch and read the file within a function's limits."""
    tokenizer = settings().model_dir / TOKENIZER_FILE
    with fetched(event, settings(), tokenizer) as path:
        return receive(path, event, claimed.id, tokenizer, settings(), defer_ocr=bool(settings().job_name))


def plan(
    documents: Documents, claimed: Document, event: UploadEvent, received: Reading, written: Written
) -> Plan:
    """Return the plan of passages that are stored, after publishing their first batches.

    Those of a long document are the job's, and not published.
    """
    seconds = seconds_of(received.facts.tokens or 0, manifest())
    is_long = bool(settings().job_name) and seconds > settings().function_seconds
    model = job_model() if is_long else manifest().digest
    if claimed.lease and claimed.lease.token > 1:
        reference, kind = documents.reference(claimed.id), (model, written.artefact)
        drop_others(documents, reference, claimed.run, kind, lambda current: check_held(current, claimed))
    made = make_plan(
        documents.client,
        claimed,
        restarts=event.restart_run,
        facts=received.facts,
        written=written,
        model=model,
        seconds=received.seconds,
        job=delegation("tokens", seconds, model) if is_long else None,
    )
    if not is_long:
        first = artefacts.first_batches(claimed, model, written, made.source)
        publish_record(BATCHES, first, document=claimed.id)
    return made


def job_model() -> str:
    """Return the digest of the model that the job is to run."""
    return settings().job_model_digest or manifest().digest


@lru_cache(maxsize=1)
def manifest() -> Manifest:
    """Return the manifest of the model, read once: a directory that is rebuilt needs new instances."""
    return read_manifest(settings().model_dir, settings().model_digest)
