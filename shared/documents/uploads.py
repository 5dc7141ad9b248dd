"""The events of uploaded files: made from documents and objects, and published again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from shared.platform.errors import Superseded
from shared.platform.pubsub import publish
from shared.platform.records import UploadEvent
from shared.platform.settings import UPLOADS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.cloud.storage import Blob

    from shared.documents.model import Document
    from shared.documents.store import Documents


def upload_of(document: Document, restart_run: int | None = None) -> UploadEvent:
    """Return the event that a document's object was uploaded by, perhaps asking to replace a run."""
    return UploadEvent(
        bucket=document.bucket,
        name=document.name,
        generation=document.generation,
        event_type="OBJECT_FINALIZE",
        content_type=document.content_type,
        size=document.size,
        metadata=document.metadata,
        restart_run=restart_run,
    )


def event_of(blob: Blob) -> UploadEvent:
    """Return the event that a listed object was uploaded by."""
    return UploadEvent(
        bucket=blob.bucket.name,
        name=blob.name,
        generation=blob.generation,
        event_type="OBJECT_FINALIZE",
        content_type=blob.content_type,
        size=blob.size,
        metadata=blob.metadata or {},
    )


def is_file(blob: Blob) -> bool:
    """Whether an object is more than what consoles make to show a folder."""
    return not (blob.name.endswith("/") and not blob.size)


def restart(documents: Documents, document: str, run: int) -> None:
    """Ask ingest for a new run in place of `run`; asking twice starts one."""
    current = documents.get(document)
    if current is None:
        raise Superseded("the document is gone")
    notify_all([upload_of(current, restart_run=run)])


def notify_all(events: Iterable[UploadEvent]) -> None:
    """Publish the notifications of objects again, many at a time."""
    publish(UPLOADS, (_notification(event) for event in events))


def _notification(event: UploadEvent) -> tuple[bytes, dict[str, str]]:
    attributes = {
        "bucketId": event.bucket,
        "objectId": event.name,
        "objectGeneration": str(event.generation),
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
    }
    if event.restart_run is not None:
        attributes["restartRun"] = str(event.restart_run)
    resource = {"size": str(event.size), "contentType": event.content_type, "metadata": event.metadata}
    return json.dumps(resource).encode(), attributes
