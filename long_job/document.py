"""One document: read it if that is still to be done, analyse its passages, and complete it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from long_job.analysis import Analysis
from long_job.backfill.plan import take_over
from long_job.leases import ENDED, Leases
from long_job.models import engine
from long_job.reading import Reader
from shared.documents.completion import finish
from shared.documents.delegation import reject_delegated
from shared.documents.transitions import check_run
from shared.platform.errors import Permanent, Rejected, SetupError, Superseded
from shared.platform.records import ErrorInfo

if TYPE_CHECKING:
    from long_job.task import Task
    from shared.documents.store import Documents


@dataclass(frozen=True)
class Subject:
    """The run that an execution is for."""

    documents: Documents
    task: Task
    document: str
    run: int
    generation: int

    def stored(self) -> dict[str, Any]:
        """The document. Raises Superseded where it is at another run."""
        stored = self.documents.reference(self.document).get().to_dict()
        check_run(stored, self.run, self.generation)
        assert stored is not None
        return stored

    def leases(self) -> Leases:
        """Of this run, for this task."""
        return Leases(self.documents, self.document, self.run, self.generation, self.task)


def work_on(subject: Subject) -> bool:
    """Do what is left of a run and is nobody else's; False where this task was asked to stop before that.

    Raises:
        Superseded: the run is not the document's any more, or has ended.
        Retryable: something that passes outlasted every attempt.
    """
    stored = subject.stored()
    if stored["state"] in ENDED:
        finish(subject.documents, subject.document, subject.run)
        return True
    try:
        if stored["batches"] is None:
            if stored["job"].get("backfill"):
                take_over(subject, stored)
            elif not Reader(subject, stored).read():
                return not subject.task.stop.is_set()
            stored = subject.stored()
        model = engine(stored["model"])
    except Rejected as rejected:
        error = ErrorInfo(code=rejected.code, message=rejected.message, hint=rejected.hint)
        reject_delegated(subject.documents, subject.document, subject.run, subject.generation, error)
    except Permanent as lost:
        fail(subject, ErrorInfo(code=lost.code, message=lost.message, hint=lost.hint))
    except SetupError as missing:
        hint = f"Push the model (python -m model_export push), then: headrace replay {subject.document}"
        fail(subject, ErrorInfo(code="model_not_available", message=missing.message, hint=hint))
    else:
        Analysis(subject, stored, model).run()
    finish(subject.documents, subject.document, subject.run)
    return not subject.task.stop.is_set()


def fail(subject: Subject, error: ErrorInfo) -> None:
    """End the run: no other attempt will change what is missing."""
    try:
        subject.documents.fail(subject.document, subject.run, subject.generation, error)
    except Superseded:  # by another task, which found the same
        return
