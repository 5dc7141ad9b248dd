"""The uploads bucket, read; and the event that starts a document's run again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared.extract.refusals import too_many
from shared.platform.clients import storage_client
from shared.platform.errors import Rejected, Superseded
from shared.platform.pubsub import publish
from shared.platform.records import UploadEvent
from shared.platform.retry import storage_limits
from shared.platform.settings import UPLOADS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from google.cloud.storage import Blob

    from shared.documents.store import Documents


def download(event: UploadEvent, path: Path, limit: int) -> None:
    """Fetch exactly the generation that the event names, if it has at most `limit` bytes.

    Raises:
        Rejected: the file is too large, or was deleted before it could be read.
        Superseded: it was overwritten; the newer generation has an event of its own.
    """
    from google.api_core.exceptions import NotFound

    if event.size > limit:
        raise too_many("bytes", f"{event.size:,} bytes", limit)
    bucket = storage_client().bucket(event.bucket)
    try:
        bucket.blob(event.name, generation=event.generation).download_to_filename(
            str(path), raw_download=True, **storage_limits()
        )
    except NotFound:
        current = bucket.get_blob(event.name, **storage_limits())
        if current is not None and current.generation > event.generation:
            raise Superseded("the file was overwritten before it was read") from None
        raise Rejected(
            "deleted", "The file was deleted before it could be read.", "Upload it again."
        ) from None


def upload_of(stored: Mapping[str, Any]) -> UploadEvent:
    """The event that a document's object was uploaded by, of the document as it is stored."""
    return UploadEvent(
        bucket=stored["bucket"],
        name=stored["name"],
        generation=int(stored["generation"]),
        event_type="OBJECT_FINALIZE",
        content_type=stored["content_type"],
        size=stored["size"],
        metadata=stored["metadata"],
    )


def event_of(blob: Blob) -> UploadEvent:
    """The event that an object was uploaded by, of the object as it is listed."""
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
    stored = documents.reference(document).get().to_dict()
    if stored is None:
        raise Superseded("the document is gone")
    notify(stored, restartRun=str(run))


def restart_all(found: Iterable[dict[str, Any]]) -> None:
    """The same for any number of documents as they are stored, their messages published many at a time."""
    publish(UPLOADS, (_notification(stored, restartRun=str(stored["run"])) for stored in found))


def notify(stored: dict[str, Any], **more: str) -> None:
    """Publish the notification of a document's object again."""
    publish(UPLOADS, [_notification(stored, **more)])


def notify_all(events: Iterable[UploadEvent]) -> None:
    """Publish the notifications of objects again, many at a time."""
    publish(UPLOADS, (_notification(event.model_dump()) for event in events))


def _notification(stored: dict[str, Any], **more: str) -> tuple[bytes, dict[str, str]]:
    attributes = {
        "bucketId": stored["bucket"],
        "objectId": stored["name"],
        "objectGeneration": str(stored["generation"]),
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
    }
    resource = {
        "size": str(stored["size"]),
        "contentType": stored["content_type"],
        "metadata": stored["metadata"],
    }
    return json.dumps(resource).encode(), attributes | more
