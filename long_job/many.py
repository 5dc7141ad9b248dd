"""Work on many documents: rounds over all that are left, divided among the tasks by their ids.

A task that is done with its own takes those of the others, who may have been killed. What is done is seen in
the documents, so a task that was killed begins at the beginning and skips what is there. A lease on the whole
run keeps two tasks from working on one document.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import structlog

from long_job.delegated import PROGRESS_SECONDS, WHOLE, DelegatedRun
from long_job.document import work_on
from long_job.models import engine
from shared.documents.completion import finish
from shared.documents.delegation import job_path
from shared.inference.manifest import read_manifest
from shared.jobs.record import update
from shared.platform.errors import LeaseHeld, SetupError, Superseded
from shared.platform.logs import get_logger
from shared.platform.records import ErrorInfo
from shared.platform.retry import is_transient
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from long_job.task import Task
    from shared.documents.model import Document
    from shared.documents.store import Documents

    class Item(Protocol):
        """A document that a job is to do."""

        @property
        def document(self) -> str:
            """Its id."""


ItemT = TypeVar("ItemT", bound="Item")
T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 4
"""Documents that a task works on: with small ones it waits for Firestore and the bucket most of the time."""
WAIT_SECONDS, LONGEST_WAIT = 1.0, 30.0
PATIENCE_SECONDS = 600.0
"""A round without any change for so long ends the task; several times as long as a lease lasts."""


def together(step: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R]]:
    """Apply `step` to several items at once; yield each with its result, in their order.

    Log lines keep what was bound for them. If a step raises, those under way are awaited, no more are begun,
    and the error is raised.
    """
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="document")
    try:
        futures = [(item, pool.submit(copy_context().run, step, item)) for item in items]
        for item, future in futures:
            yield item, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


class ManyDocuments(ABC, Generic[ItemT]):
    """One task's part of a job on many documents."""

    resume: str
    """What a person does once the job can have its model."""

    def __init__(self, documents: Documents, task: Task, job: str) -> None:
        """`job` is the id of its record."""
        self._documents, self._task, self._job = documents, task, job
        self._model = ""
        self._execution = f"{job_path()}/executions/{task.execution}"
        self._written = time.monotonic()

    @abstractmethod
    def _left(self, *, own: bool) -> Iterator[list[ItemT]]:
        """Yield what is left of this task's share, or of the others', some at a time."""

    @abstractmethod
    def _work_on(self, item: ItemT) -> bool:
        """Work on a document; return whether it has ended."""

    @abstractmethod
    def _moved_on(self, item: ItemT) -> bool:
        """Return whether nothing is left to do for a document that was superseded in the middle."""

    @abstractmethod
    def _failed(self, item: ItemT, error: Exception) -> bool:
        """Fail the document after an unexpected error; return whether it has ended."""

    @abstractmethod
    def _conclude(self) -> None:
        """Write the report. Any number of tasks may."""

    @abstractmethod
    def _progress(self) -> dict[str, Any]:
        """Return the fields that say how far the job is."""

    def run(self) -> bool:
        """Work; True once every document has ended and the report is written, or there is no model.

        Raises:
            Exception: a transient error that lasted too long.
        """
        try:
            self._model = self._load_model()
        except SetupError as missing:
            error = ErrorInfo(code="model_not_available", message=missing.message, hint=self.resume)
            self._update({"state": "failed", "error": error.model_dump()})
            return True
        changed, wait = time.monotonic(), WAIT_SECONDS
        while not self._task.stop.is_set():
            ended, left = self._round()
            if self._task.stop.is_set():
                break
            if ended:  # an archive's members may have come
                changed, wait = time.monotonic(), WAIT_SECONDS
            elif not left:
                self._conclude()
                return True
            elif time.monotonic() - changed > PATIENCE_SECONDS:
                break
            else:
                self._task.stop.wait(wait)
                wait = min(2 * wait, LONGEST_WAIT)
        return False

    def _load_model(self, asked: str | None = None) -> str:
        """Load the model and return its digest: a job without one touches no document."""
        model = asked or settings().job_model_digest or read_manifest(settings().model_dir).digest
        engine(model)
        return model

    def _round(self) -> tuple[int, int]:
        """Take each document that is left once, own ones first; return how many have ended and are left."""
        ended = left = 0
        for own in (True, False):
            for items in self._left(own=own):
                for _, has_ended in together(self._settle, items):
                    ended += has_ended
                    left += not has_ended
                    self._note()
        return ended, left

    def _is_own(self, document: str) -> bool:
        return int(document[:8], 16) % self._task.count == self._task.index

    def _settle(self, item: ItemT) -> bool:
        """Work on a document; return whether it has ended."""
        if self._task.stop.is_set():
            return False
        with structlog.contextvars.bound_contextvars(document=item.document):
            try:
                return self._work_on(item)
            except LeaseHeld:
                return False
            except Superseded:
                return self._moved_on(item)
            except Exception as error:
                if is_transient(error):
                    raise
                get_logger("long_job").warning("document failed", error=error)
                return self._failed(item, error)

    def _run_of(self, document: Document) -> DelegatedRun:
        return DelegatedRun(self._documents, self._task, document.id, document.run, document.generation)

    def _work_on_run(self, run: DelegatedRun) -> bool:
        """Work on a delegated run; False if another task holds it."""
        if not run.take(WHOLE):
            return False
        with structlog.contextvars.bound_contextvars(run=run.run):
            work_on(run)
        run.release(WHOLE)
        return True

    def _fail_run(self, document: Document, error: ErrorInfo) -> None:
        """Fail the document's run; what is published stays."""
        with suppress(Superseded):
            self._documents.fail(document.id, document.run, document.generation, error)
        finish(self._documents, document.id)

    def _update(self, fields: dict[str, Any]) -> None:
        update(self._documents.client, self._job, fields)

    def _current(self, item: ItemT) -> Document | None:
        return self._documents.get(item.document)

    def _note(self) -> None:
        """Write how far the job is, now and then."""
        if time.monotonic() - self._written > PROGRESS_SECONDS * self._task.count:
            self._written = time.monotonic()
            self._update(self._progress())
