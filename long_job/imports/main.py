"""Every object under a prefix: a first import of many files, in which an archive's members follow it.

The objects are divided among the tasks by their documents' ids. What is done is seen in the documents, so a
task that was killed begins at the beginning and passes over what is there.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from long_job.document import Subject, work_on
from long_job.imports.listing import Found, found, report
from long_job.models import engine
from long_job.together import together
from shared.documents.completion import settle
from shared.documents.delegation import delegate, has_not_ended, job_fields, job_path
from shared.documents.store import now
from shared.documents.uploads import event_of
from shared.inference.manifest import read_manifest
from shared.jobs import imports
from shared.platform.errors import LeaseHeld, SetupError, Superseded
from shared.platform.logs import get_logger
from shared.platform.records import TERMINAL, ErrorInfo
from shared.platform.retry import is_transient
from shared.platform.settings import settings

if TYPE_CHECKING:
    from long_job.task import Task
    from shared.documents.store import Documents
    from shared.jobs.imports import Import

WHOLE = "whole"
"""The lease on a document."""
CLAIM_SECONDS = 60.0
"""Between claim and delegation there is nothing to be done: this long a crash in between is not made good."""
MAX_FAILURES = 3
"""Of one object, in ways that nobody foresaw, before its document fails."""
WAIT_SECONDS, LONGEST_WAIT = 1.0, 30.0
PATIENCE_SECONDS = 600.0
"""Without any change, while functions or other tasks have what is left."""
PROGRESS_SECONDS = 5.0
LARGE_BYTES = 4 << 20
"""Files from this size on are read one at a time: what is read of one is held in memory."""


class Work:
    """One task's part of an import."""

    def __init__(self, documents: Documents, task: Task, wanted: Import) -> None:
        """Nothing is read yet."""
        self._documents, self._task, self._import = documents, task, wanted
        self._client = documents.client
        self._model = ""
        self._execution = f"{job_path()}/executions/{task.execution}"
        self._ended: set[str] = set()
        """Documents that need not be looked at again."""
        self._own: set[str] = set()
        self._large = threading.Lock()
        self._written = time.monotonic()

    def run(self) -> bool:
        """True once every object has ended and the report is written, or the model cannot be had.

        Raises:
            Exception: something that passes did not pass in time.
        """
        try:
            self._model = settings().job_model_digest or read_manifest(settings().model_dir).digest
            engine(self._model)
        except SetupError as missing:
            hint = "Push the model (python -m model_export push), then begin the import again."
            error = ErrorInfo(code="model_not_available", message=missing.message, hint=hint)
            self._update({"state": "failed", "error": error.model_dump()})
            return True
        changed, wait = time.monotonic(), WAIT_SECONDS
        while not self._task.stop.is_set():
            before = len(self._ended)
            left = self._round()
            if self._task.stop.is_set():
                break
            if len(self._ended) > before:  # an archive's members may have come
                changed, wait = time.monotonic(), WAIT_SECONDS
            elif not left:
                self._conclude()
                return True
            elif time.monotonic() - changed > PATIENCE_SECONDS:
                return False
            else:
                self._task.stop.wait(wait)
                wait = min(2 * wait, LONGEST_WAIT)
        return False

    def _round(self) -> int:
        """Every object that has not ended, once, this task's own first; how many are left."""
        left = 0
        for own in (True, False):
            for chunk in found(self._client, self._import, self._owned if own else self._others):
                for one, has_ended in together(self._look_at, chunk):
                    if has_ended:
                        self._ended.add(one.document)
                    else:
                        left += 1
                    self._note()
        return left

    def _look_at(self, one: Found) -> bool:
        """Whether the object's document has ended; work on it, if that is not so."""
        if one.has_ended:
            return True
        if self._task.stop.is_set():
            return False
        if one.blob.size < LARGE_BYTES:
            return self._settle(one)
        with self._large:
            return self._settle(one)

    def _owned(self, document: str) -> bool:
        if self._is_own(document):
            self._own.add(document)
            return document not in self._ended
        return False

    def _others(self, document: str) -> bool:
        return not self._is_own(document) and document not in self._ended

    def _is_own(self, document: str) -> bool:
        return int(document[:8], 16) % self._task.count == self._task.index

    def _settle(self, one: Found) -> bool:
        """Whether the object's document has ended now."""
        with structlog.contextvars.bound_contextvars(document=one.document):
            try:
                return self._work_on(one)
            except LeaseHeld:  # somebody else is at it
                return False
            except Superseded:  # it moved on, or was erased after the import had been asked for
                return not self._stored(one)
            except Exception as error:
                if is_transient(error):
                    raise
                get_logger("long_job").warning("object failed", error=error)
                return self._failed(one, error)

    def _work_on(self, one: Found) -> bool:
        event = event_of(one.blob)
        claim = self._documents.claim(
            event, published=now(), lease_seconds=CLAIM_SECONDS, asked=self._import.created_at
        )
        if claim is not None:
            job = job_fields("archive", 0.0) | {
                "execution": self._execution,
                "starts": 1,
                "started_at": now(),
            }
            delegate(self._documents, claim, self._model, {"size": event.size}, job)
        stored = self._stored(one)
        if stored.get("state") != "delegated":
            return stored.get("state") in TERMINAL
        execution = stored["job"]["execution"]
        if execution != self._execution and has_not_ended(execution):
            return False
        subject = Subject(self._documents, self._task, one.document, stored["run"], int(stored["generation"]))
        if not subject.leases().take(WHOLE):
            return False
        with structlog.contextvars.bound_contextvars(run=subject.run):
            work_on(subject)
        subject.leases().release(WHOLE)
        return self._stored(one).get("state") in TERMINAL

    def _failed(self, one: Found, error: Exception) -> bool:
        """Count it; after `MAX_FAILURES` the document fails, and the others go on."""
        kind = type(error).__name__
        if imports.count_problem(self._documents, self._import.id, one.document, kind) < MAX_FAILURES:
            return False
        told = ErrorInfo(
            code="import_failed",
            message=f"The file could not be imported ({kind}), {MAX_FAILURES} times.",
            hint=f"See the log of the long job; when the cause is gone: headrace replay {one.document}",
        )
        stored = self._stored(one)
        if stored.get("state") == "delegated":
            with suppress(Superseded):
                self._documents.fail(one.document, stored["run"], int(stored["generation"]), told)
            settle(self._documents, one.document)
        return True

    def _stored(self, one: Found) -> dict[str, Any]:
        return self._documents.reference(one.document).get().to_dict() or {}

    def _conclude(self) -> None:
        made = report(self._client, self._import)
        self._update({"state": "completed", "report": made.model_dump()})

    def _note(self) -> None:
        """Write how far this task is, now and then."""
        if time.monotonic() - self._written > PROGRESS_SECONDS * self._task.count:
            self._written = time.monotonic()
            share = {"done": len(self._own & self._ended), "total": len(self._own)}
            self._update({f"progress.task{self._task.index}": share})

    def _update(self, fields: dict[str, Any]) -> None:
        imports.update(self._client, self._import.id, fields)
