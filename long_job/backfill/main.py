"""Every listed document through another model, and what that changed.

The documents are divided among the tasks by their ids. A task that is done with its own looks after those of
the others: they may have been killed. A lease on the whole document keeps two from working on one.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from long_job.backfill import report
from long_job.backfill.plan import begin
from long_job.backfill.settle import conclude
from long_job.document import Subject, work_on
from long_job.models import engine
from long_job.together import together
from shared.documents import artefacts
from shared.documents.completion import settle
from shared.documents.delegation import job_path
from shared.documents.uploads import restart_all
from shared.inference.manifest import read_manifest
from shared.jobs import backfills
from shared.platform.errors import SetupError, Superseded
from shared.platform.logs import get_logger
from shared.platform.records import TERMINAL, ErrorInfo
from shared.platform.retry import is_transient
from shared.platform.settings import settings

if TYPE_CHECKING:
    from google.cloud import firestore

    from long_job.task import Task
    from shared.documents.store import Documents
    from shared.jobs.backfills import Backfill, Entry, Outcome

WHOLE = "whole"
"""The lease on a document."""
WAIT_SECONDS = 2.0
PATIENCE_SECONDS = 300.0
"""Without any change, while others hold what is left: more than twice as long as a lease is valid."""
PROGRESS_SECONDS = 5.0


class Work:
    """One task's part of a backfill."""

    def __init__(self, documents: Documents, task: Task, backfill: Backfill) -> None:
        """The backfill's documents are listed."""
        self._documents, self._task, self._backfill = documents, task, backfill
        self._client: firestore.Client = documents.client
        self._model = ""
        self._execution = f"{job_path()}/executions/{task.execution}"
        self._written = time.monotonic()

    def run(self) -> bool:
        """True once every document is settled and the report is written, or the model cannot be had.

        Raises:
            Exception: something that passes did not pass in time.
        """
        try:
            self._model = self._checked_model()
        except SetupError as missing:
            hint = f"Once the job can have it: headrace backfill resume {self._backfill.id}"
            error = ErrorInfo(code="model_not_available", message=missing.message, hint=hint)
            self._update(state="failed", error=error.model_dump())
            return True
        changed = time.monotonic()
        while not self._task.stop.is_set():
            settled, left = self._round()
            if not left and not self._task.stop.is_set():
                report.conclude(self._client, self._backfill.id)
                return True
            if settled:
                changed = time.monotonic()
            elif time.monotonic() - changed > PATIENCE_SECONDS:
                return False
            self._task.stop.wait(WAIT_SECONDS)
        return False

    def _checked_model(self) -> str:
        """The digest of the model, loaded: a backfill without one touches no document."""
        asked = self._backfill.model or settings().job_model_digest
        model = asked or read_manifest(settings().model_dir).digest
        if not engine(model).manifest.sentiments:
            raise SetupError(f"The model {model} only embeds: it has no heads, and so no labels.")
        if self._backfill.model is None:
            self._update(model=model)
        return model

    def _round(self) -> tuple[int, int]:
        """Each unsettled document once, this task's own first: how many were settled, how many are left."""
        settled = left = 0
        for own in (True, False):
            for page in backfills.pages(self._client, self._backfill.id, unsettled=True):
                mine = [entry for entry in page if self._is_own(entry) is own]
                for _, is_settled in together(self._settle, mine):
                    settled += is_settled
                    left += not is_settled
                    self._note()
        return settled, left

    def _is_own(self, entry: Entry) -> bool:
        return int(entry.document[:8], 16) % self._task.count == self._task.index

    def _settle(self, entry: Entry) -> bool:
        """False where the document is to be looked at again."""
        if self._task.stop.is_set():
            return False
        with structlog.contextvars.bound_contextvars(document=entry.document):
            try:
                outcome = self._work_on(entry)
            except Superseded:
                return False  # seen for what it is the next time
            except Exception as error:
                if is_transient(error):
                    raise
                get_logger("long_job").warning("document failed", error=error)
                self._unforeseen(entry, error)
                return True
        if outcome is None:
            return False
        if outcome != "completed":  # which was written with its comparison
            why = self._stored(entry).get("error") if outcome == "failed" else None
            backfills.settle(self._documents, self._backfill.id, entry.document, outcome, error=why)
        return True

    def _work_on(self, entry: Entry) -> Outcome | None:
        if entry.model == self._model:
            return "already"
        reference = self._documents.reference(entry.document)
        if entry.published_run is None or not artefacts.exist(reference, entry.published_run):
            return self._restart(entry)
        found = begin(self._documents, entry, self._backfill.id, self._model, self._execution)
        if found != "begun":
            return found
        stored = self._stored(entry)
        if not stored:
            return "erased"
        run, generation = stored["run"], int(stored["generation"])
        subject = Subject(self._documents, self._task, entry.document, run, generation)
        if stored["state"] == "delegated":
            if not subject.leases().take(WHOLE):
                return None
            with structlog.contextvars.bound_contextvars(run=run):
                work_on(subject)
            subject.leases().release(WHOLE)
        return conclude(subject)

    def _restart(self, entry: Entry) -> Outcome:
        """Hand a document to ingest; asking twice starts one run."""
        stored = self._stored(entry)
        if not stored or stored["state"] == "superseded":
            return "erased"
        if stored["generation"] != entry.generation:
            return "moved_on"
        if stored["state"] in TERMINAL and stored["published_run"] == entry.published_run:
            restart_all([stored])
        return "restarted"

    def _unforeseen(self, entry: Entry, error: Exception) -> None:
        """End what cannot be computed; what is published stays."""
        told = ErrorInfo(
            code="unforeseen",
            message=f"The document could not be analysed again ({type(error).__name__}).",
            hint=f"See the log of the long job; then: headrace backfill resume {self._backfill.id}",
        )
        stored = self._stored(entry)
        if stored and (stored.get("job") or {}).get("backfill") == self._backfill.id:
            with suppress(Superseded):
                self._documents.fail(entry.document, stored["run"], int(stored["generation"]), told)
            settle(self._documents, entry.document)
        error_fields = told.model_dump()
        backfills.settle(self._documents, self._backfill.id, entry.document, "failed", error=error_fields)

    def _stored(self, entry: Entry) -> dict[str, Any]:
        return self._documents.reference(entry.document).get().to_dict() or {}

    def _note(self) -> None:
        """Write how far all tasks together are, now and then."""
        if time.monotonic() - self._written > PROGRESS_SECONDS * self._task.count:
            self._written = time.monotonic()
            self._update(counts=backfills.counts(self._client, self._backfill.id))

    def _update(self, **fields: Any) -> None:  # noqa: ANN401 - of any type
        backfills.update(self._client, self._backfill.id, **fields)
