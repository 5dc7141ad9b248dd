"""The objects of an import with their documents, some at a time, and what became of them all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.documents.store import COLLECTION, document_id
from shared.documents.uploads import is_file
from shared.jobs.imports import Report
from shared.platform.clients import storage_client
from shared.platform.records import TERMINAL
from shared.platform.retry import storage_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.cloud import firestore
    from google.cloud.storage import Blob

    from shared.jobs.imports import Import

CHUNK = 200
"""Documents read at once."""
FIELDS = ("generation", "state", "error", "timings", "passages")


@dataclass(frozen=True)
class Found:
    """An object, and the document that it is."""

    blob: Blob
    document: str
    stored: dict[str, Any] | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to be done for this generation, or there is a newer one."""
        if self.stored is None:
            return False
        generation = int(self.stored["generation"])
        return generation > self.blob.generation or (
            generation == self.blob.generation and self.stored["state"] in TERMINAL
        )


def found(
    client: firestore.Client, wanted: Import, take: Callable[[str], bool] = lambda _: True
) -> Iterator[list[Found]]:
    """The objects under the prefix whose document's id `take` says yes to."""
    chunk: list[Blob] = []
    for blob in _objects(wanted):
        if take(document_id(wanted.bucket, blob.name)):
            chunk.append(blob)
        if len(chunk) == CHUNK:
            yield _with_documents(client, chunk)
            chunk = []
    if chunk:
        yield _with_documents(client, chunk)


def report(client: firestore.Client, wanted: Import) -> Report:
    """What became of every object, as it stands; made again it is the same."""
    counts: Counter[str] = Counter()
    codes: dict[str, Counter[str]] = {"rejected": Counter(), "failed": Counter()}
    for chunk in found(client, wanted):
        for one in chunk:
            stored = one.stored or {}
            counts["objects"] += 1
            state = stored.get("state")
            if state == "completed" and stored["timings"]["completed_at"] < wanted.created_at:
                counts["skipped"] += 1
            elif state == "completed":
                counts["completed"] += 1
                counts["passages"] += stored["passages"] or 0
            elif state in codes:
                codes[state][stored["error"]["code"]] += 1
    by_code: dict[str, Any] = {name: dict(sorted(counted.items())) for name, counted in codes.items()}
    return Report(**(dict(counts) | by_code))


def _objects(wanted: Import) -> Iterator[Blob]:
    listing = storage_client().list_blobs(wanted.bucket, prefix=wanted.prefix, **storage_limits())
    return filter(is_file, listing)


def _with_documents(client: firestore.Client, chunk: list[Blob]) -> list[Found]:
    documents = [document_id(blob.bucket.name, blob.name) for blob in chunk]
    references = [client.collection(COLLECTION).document(document) for document in documents]
    stored = {one.id: one.to_dict() for one in client.get_all(references, FIELDS) if one.exists}
    return [
        Found(blob, document, stored.get(document)) for blob, document in zip(chunk, documents, strict=True)
    ]
