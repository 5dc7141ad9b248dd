"""Import: every object under a prefix, archives with their members, as if each had been uploaded."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from long_job.many import ManyDocuments
from shared.documents.completion import claim
from shared.documents.delegation import delegation, has_not_ended
from shared.documents.store import COLLECTION, document_id, now
from shared.documents.uploads import event_of, is_file
from shared.platform.clients import storage_client
from shared.platform.records import TERMINAL, ErrorInfo
from shared.platform.retry import storage_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.cloud import firestore
    from google.cloud.storage import Blob

    from long_job.task import Task
    from shared.documents.store import Documents
    from shared.jobs.record import Import

CLAIM_SECONDS = 60.0
"""Lease of the claim that is followed by the delegation: after a crash in between, wait this long."""
LARGE_BYTES = 4 << 20
"""Files from this size on are read one at a time: the contents of each are held in memory."""
CHUNK = 200
"""Documents read at once."""
FIELDS = ("generation", "state", "error", "timings", "passages")


@dataclass(frozen=True)
class Upload:
    """An object, and its document."""

    blob: Blob
    document: str
    stored: dict[str, Any] | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to do for this generation, or there is a newer one."""
        if self.stored is None:
            return False
        generation = int(self.stored["generation"])
        return generation > self.blob.generation or (
            generation == self.blob.generation and self.stored["state"] in TERMINAL
        )


def uploads(
    client: firestore.Client, wanted: Import, take: Callable[[str], bool] = lambda _: True
) -> Iterator[list[Upload]]:
    """Yield the objects under the prefix for whose document's id `take` returns true, some at a time."""
    listing = storage_client().list_blobs(wanted.bucket, prefix=wanted.prefix, **storage_limits())
    blobs = (blob for blob in listing if is_file(blob) and take(document_id(wanted.bucket, blob.name)))
    while chunk := list(islice(blobs, CHUNK)):
        documents = [document_id(blob.bucket.name, blob.name) for blob in chunk]
        references = [client.collection(COLLECTION).document(document) for document in documents]
        snapshots = client.get_all(references, FIELDS)
        stored = {snapshot.id: snapshot.to_dict() for snapshot in snapshots if snapshot.exists}
        yield [
            Upload(blob, document, stored.get(document))
            for blob, document in zip(chunk, documents, strict=True)
        ]


def report_of(client: firestore.Client, wanted: Import) -> dict[str, Any]:
    """Return what became of every object; made again, the report is the same."""
    counts = dict.fromkeys(("objects", "completed", "skipped", "passages"), 0)
    codes: dict[str, Counter[str]] = {"rejected": Counter(), "failed": Counter()}
    for upload in chain.from_iterable(uploads(client, wanted)):
        stored = upload.stored or {}
        counts["objects"] += 1
        state = stored.get("state")
        if state == "completed" and stored["timings"]["completed_at"] < wanted.created_at:
            counts["skipped"] += 1
        elif state == "completed":
            counts["completed"] += 1
            counts["passages"] += stored["passages"] or 0
        elif state in codes:
            codes[state][stored["error"]["code"]] += 1
    return counts | {state: dict(sorted(counted.items())) for state, counted in codes.items()}


class ImportWork(ManyDocuments[Upload]):
    """One task's part of an import."""

    resume = "Push the model (python -m model_export push), then begin the import again."

    def __init__(self, documents: Documents, task: Task, wanted: Import) -> None:
        """Read nothing yet."""
        super().__init__(documents, task, wanted.id)
        self._import = wanted
        self._ended: set[str] = set()
        """Documents that need not be looked at again."""
        self._own: set[str] = set()
        self._large = threading.Lock()

    def _left(self, *, own: bool) -> Iterator[list[Upload]]:
        def take(document: str) -> bool:
            if own and self._is_own(document):
                self._own.add(document)
            return self._is_own(document) is own and document not in self._ended

        yield from uploads(self._documents.client, self._import, take)

    def _settle(self, item: Upload) -> bool:
        is_large = item.blob.size >= LARGE_BYTES and not item.has_ended
        with self._large if is_large else nullcontext():
            has_ended = item.has_ended or super()._settle(item)
        if has_ended:
            self._ended.add(item.document)
        return has_ended

    def _work_on(self, item: Upload) -> bool:
        event = event_of(item.blob)
        claimed = claim(
            self._documents,
            event,
            published=now(),
            lease_seconds=CLAIM_SECONDS,
            asked=self._import.created_at,
        )
        if claimed is not None:
            job = delegation("import", 0.0, self._model)
            started = job.altered(execution=self._execution, starts=1, started_at=now())
            self._documents.delegate(claimed, started)
        document = self._current(item)
        if document is None or document.state != "delegated" or document.job is None:
            return document is not None and document.state in TERMINAL
        if document.job.execution != self._execution and has_not_ended(document.job.execution):
            return False
        if not self._work_on_run(self._run_of(document)):
            return False
        document = self._current(item)
        return document is not None and document.state in TERMINAL

    def _moved_on(self, item: Upload) -> bool:
        """Return whether the document was erased after the import had been asked for."""
        return self._current(item) is None

    def _failed(self, item: Upload, error: Exception) -> bool:
        """Fail the document: the same error would come again."""
        info = ErrorInfo(
            code="import_failed",
            message=f"The file could not be imported ({type(error).__name__}).",
            hint=f"See the log of the long job; when the cause is gone: headrace replay {item.document}",
        )
        document = self._current(item)
        if document and document.state == "delegated":
            self._fail_run(document, info)
        return True

    def _conclude(self) -> None:
        report = report_of(self._documents.client, self._import)
        self._update({"state": "completed", "report": report})

    def _progress(self) -> dict[str, Any]:
        share = {"done": len(self._own & self._ended), "total": len(self._own)}
        return {f"progress.task{self._task.index}": share}
