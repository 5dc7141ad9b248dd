"""Try a function at an address: push it an envelope of each kind that it takes, and look at what it did.

A candidate's address is its tag's, which gets no traffic. What it publishes for a sample goes to the ordinary
topics, so the batches of ingest's candidate are analyzed by what serves. Files of samples lie in the work
bucket, which notifies nobody, and their text is new each time, since what has been analyzed before is copied.
`clear` erases all samples; what a killed deployment leaves is erased by the next, or by the retention of
their prefix (infra/locals.tf).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import requests

from shared.digests.store import erase
from shared.documents import artefacts
from shared.documents.model import Batches, Facts, Plan, Seconds
from shared.documents.store import COLLECTION, Documents, document_id
from shared.inference.manifest import read_manifest
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import Retryable
from shared.platform.records import TERMINAL, Passage, UploadEvent
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.documents.model import Document
    from shared.inference.manifest import Manifest

T = TypeVar("T")
SAMPLES = ".headrace-sample/"
"""Begins the names of samples."""
DEAD_LETTERS = "dead_letters"
MARK = "sample"
"""Begins the ids of their messages, which metrics leave out (infra/metrics.tf)."""
SECONDS = 180.0
"""Seconds of one trial: a function starts cold, and answers 503 until it is ready."""
REQUEST_SECONDS, POLL_SECONDS = 120.0, 0.5
ACKNOWLEDGED, AGAIN = 204, (429, 503)
"""Statuses; Cloud Run itself answers 429 while all instances are busy."""
PAGES = {"api": "/openapi.json", "console": "/sign-in"}
"""Asked for of those that take no messages; by Cloud Run where they cannot be called (infra/locals.tf)."""
TOPIC = "E1"
"""The text's topic, where the model knows it: another taxonomy may have others, or none."""
PASSAGES = (
    "In 2025 we replaced the gas boilers of four factories by heat pumps and cut carbon emissions by 31 %.",
    "By 2030 we will buy electricity from renewable sources alone.",
    "Two workers were injured at the plant in Ostrel last year, which we regret.",
)


@dataclass(frozen=True)
class Target:
    """A function at an address."""

    name: str
    address: str
    token: str
    """The identity token that lets this account call it."""
    model: Path | None = None
    """Folder with the manifest of its model."""
    whole: bool = False
    """Whether a file must come through to the end, and not merely through this function."""


def attempt(target: Target) -> str:
    """Try a function; return what it did.

    Raises:
        Retryable: it did not do what it should.
    """
    return TRIALS[target.name](target)


def clear() -> None:
    """Erase all samples. Only the deployment that holds the record has any, so all others are left over."""
    from google.api_core.exceptions import NotFound
    from google.cloud.firestore_v1.base_query import FieldFilter

    for blob in storage_client().list_blobs(settings().work_bucket, prefix=SAMPLES):
        with suppress(NotFound):
            blob.delete()
    client = firestore_client()
    named = client.collection(COLLECTION).where(filter=FieldFilter("name", ">=", SAMPLES))
    for document in named.where(filter=FieldFilter("name", "<", f"{SAMPLES}~")).stream():
        erase(client, document.id)
    letters = client.collection(DEAD_LETTERS).where(filter=FieldFilter("function", "==", MARK))
    for letter in letters.stream():
        letter.reference.delete()


def _push(target: Target, data: bytes, attributes: dict[str, str]) -> None:
    """Deliver a message as Pub/Sub does, again while the function asks for that."""
    message = {
        "messageId": f"{MARK}-{secrets.token_hex(8)}",
        "publishTime": datetime.now(UTC).isoformat(),
        "data": base64.b64encode(data).decode(),
        "attributes": attributes,
    }
    subscription = f"projects/{settings().project}/subscriptions/{target.name}"
    body = json.dumps({"message": message, "subscription": subscription}).encode()

    def acknowledged() -> bool | None:
        status, _ = _request(target, "/", body)
        if status not in {ACKNOWLEDGED, *AGAIN}:
            raise Retryable(f"{target.name} answers {status} to a push.")
        return status == ACKNOWLEDGED or None

    _until(acknowledged, f"{target.name} has not acknowledged a push")


def _request(target: Target, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {target.token}", "Content-Type": "application/json"}
    method, address = "POST" if body else "GET", target.address.rstrip("/") + path
    try:
        response = requests.request(method, address, data=body, headers=headers, timeout=REQUEST_SECONDS)
    except requests.RequestException as error:
        raise Retryable(f"{target.name} cannot be reached at {target.address}: {error}") from error
    return response.status_code, response.content


def _until(look: Callable[[], T | None], failure: str) -> T:
    deadline = time.monotonic() + SECONDS
    while (seen := look()) is None:
        if time.monotonic() > deadline:
            raise Retryable(f"{failure} within {SECONDS:.0f} s. See its log.")
        time.sleep(POLL_SECONDS)
    return seen


def _describe(target: Target) -> str:
    """Ask the API for its description."""
    status, body = _request(target, PAGES["api"])
    try:
        return str(json.loads(body)["info"]["title"])
    except (ValueError, KeyError, TypeError):
        raise Retryable(f"The API gives no description of itself, but answers {status}.") from None


def _greet(target: Target) -> str:
    """Ask the console for its first page, which nobody needs to sign in for."""
    status, body = _request(target, PAGES["console"])
    if status != HTTPStatus.OK or b"Headrace" not in body:
        raise Retryable(f"The console does not let anybody sign in, but answers {status}.")
    return "a page to sign in"


def _tick(target: Target) -> str:
    """Push a tick: an ordinary round, as one comes every few minutes."""
    _push(target, b"{}", {"kind": target.name})
    return "a round"


def _die(target: Target) -> str:
    """Push a dead letter, and look for its record."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    reason = {"code": MARK, "message": "A deployment was tried.", "hint": "Nothing is to be done."}
    data = json.dumps({"sample": secrets.token_hex(8)}).encode()
    _push(target, data, {"headraceFunction": MARK, "headraceReason": json.dumps(reason)})
    sent = FieldFilter("data.sha256", "==", hashlib.sha256(data).hexdigest())
    if not list(firestore_client().collection(DEAD_LETTERS).where(filter=sent).stream()):
        raise Retryable("deadletter made no record of a dead letter.")
    return "a dead letter"


def _analyze(target: Target) -> str:
    """Make a document that is planned as ingest plans it, and push its only batch."""
    assert target.model is not None
    manifest, event = read_manifest(target.model), _event()
    texts = (*PASSAGES, f"This is the sample {event.name}.")
    text, passages = "\n\n".join(texts), []
    for index, part in enumerate(texts):
        span = (text.index(part), text.index(part) + len(part))
        passages.append(Passage(index=index, span=span, text=part, tokens=len(part) // 3))
    documents = Documents(firestore_client())
    claimed = documents.claim(event, published=datetime.now(UTC), lease_seconds=SECONDS)
    assert claimed is not None
    written = artefacts.write(claimed.id, claimed.run, event.generation, text, passages)
    plan = Plan(
        Facts(media_type="text/plain", passages=len(passages)),
        Batches(total=1, passages=len(passages), model=manifest.digest, artefact=written.artefact),
        content_key=claimed.id,
        source=None,
        duplicate_of=None,
        seconds=Seconds(0, 0),
    )
    documents.plan(claimed, plan)
    [batch] = artefacts.first_batches(claimed, manifest.digest, written, None)
    _push(target, batch.model_dump_json().encode(), {"document": claimed.id})
    return _completed(claimed.id, manifest)


def _ingest(target: Target) -> str:
    """Store a file, and push the notification that Cloud Storage would send."""
    assert target.model is not None
    manifest, event = read_manifest(target.model), _event()
    text = "\n\n".join(("Sample", *PASSAGES, event.name))
    blob = storage_client().bucket(event.bucket).blob(event.name)
    blob.upload_from_string(text, content_type="text/plain")
    attributes = {
        "bucketId": event.bucket,
        "objectId": event.name,
        "objectGeneration": str(blob.generation),
        "eventType": event.event_type,
        "payloadFormat": "JSON_API_V1",
    }
    resource = {"contentType": "text/plain", "size": str(len(text.encode()))}
    _push(target, json.dumps(resource).encode(), attributes)
    identifier = document_id(event.bucket, event.name)
    if target.whole:
        return _completed(identifier, manifest)
    document = Documents(firestore_client()).get(identifier)
    # Its batches may be analyzed by now, or refused by a revision that has another model.
    if document is None or not document.passages or document.state in {"rejected", "failed"}:
        raise Retryable(f"ingest made nothing of a sample: {document and (document.state, document.error)}")
    return f"{document.passages} passages"


def _event() -> UploadEvent:
    name = f"{SAMPLES}{secrets.token_hex(8)}.txt"
    return UploadEvent(
        bucket=settings().work_bucket, name=name, generation=1, event_type="OBJECT_FINALIZE", size=1
    )


def _completed(identifier: str, manifest: Manifest) -> str:
    documents = Documents(firestore_client())

    def ended() -> Document | None:
        document = documents.get(identifier)
        return document if document and document.state in TERMINAL and not document.results_pending else None

    document = _until(ended, "The sample has not come through")
    check(document, manifest)
    stored = len(list(documents.reference(identifier).collection("passages").select([]).stream()))
    if stored != document.passages:
        raise Retryable(f"The sample has {stored} passages stored, and {document.passages} counted.")
    return f"{stored} passages analyzed"


def check(document: Document, manifest: Manifest) -> None:
    """Check that a sample's document is what it must become.

    Only a model that knows the text's topic must find it.

    Raises:
        Retryable: it is not.
    """
    if document.state != "completed":
        raise Retryable(f"The sample ended as {document.state}: {document.error}")
    if manifest.digest != document.model:
        raise Retryable(f"The sample was analyzed with model {document.model}, not {manifest.digest}.")
    if not document.passages or not document.summary:
        raise Retryable(f"The sample has {document.passages} passages and the summary {document.summary}.")
    if TOPIC in manifest.topics and not (document.topics[TOPIC] and document.initiatives):
        found = f"topics {document.topics}, initiatives {document.initiatives}"
        raise Retryable(f"The model did not find the sample's initiatives: {found}.")


TRIALS: dict[str, Callable[[Target], str]] = {
    "deadletter": _die,
    "digest": _tick,
    "api": _describe,
    "console": _greet,
    "analyze": _analyze,
    "sweep": _tick,
    "ingest": _ingest,
}
"""The trial of each function, which pushes it what it takes."""
