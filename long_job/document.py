"""Work on one delegated run: read its file, analyze its passages, complete the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from long_job.analysis import Analysis
from long_job.models import engine
from long_job.reader import Reader
from shared.documents import artefacts
from shared.documents.batches import CLOSED
from shared.documents.completion import finish
from shared.documents.model import Facts, Seconds
from shared.documents.planning import make_plan
from shared.platform.errors import Permanent, Rejected, SetupError, Superseded
from shared.platform.records import ErrorInfo

if TYPE_CHECKING:
    from long_job.delegated import DelegatedRun
    from shared.documents.model import Document


def work_on(run: DelegatedRun) -> bool:
    """Do the work of a run that no other task holds; False if this task was asked to stop before its end.

    Raises:
        Superseded: the run is no longer the document's, or has ended.
        Retryable: a transient error outlasted every attempt.
    """
    document = run.current()
    if document.state in CLOSED:
        finish(run.documents, run.document, run.run)
        return True
    try:
        if document.batches is None:
            if document.backfill:
                plan_backfill(run, document)
            elif not Reader(run, document).read():
                return not run.task.stop.is_set()
            document = run.current()
        assert document.batches is not None
        model = engine(document.batches.model)
    except Rejected as rejected:
        error = ErrorInfo(code=rejected.code, message=rejected.message, hint=rejected.hint)
        run.documents.reject_delegated(run.document, run.run, run.generation, error)
    except Permanent as lost:
        fail(run, ErrorInfo(code=lost.code, message=lost.message, hint=lost.hint))
    except SetupError as missing:
        hint = f"Push the model (python -m model_export push), then: headrace replay {run.document}"
        fail(run, ErrorInfo(code="model_not_available", message=missing.message, hint=hint))
    else:
        Analysis(run, document, model).run()
    finish(run.documents, run.document, run.run)
    return not run.task.stop.is_set()


def fail(run: DelegatedRun, error: ErrorInfo) -> None:
    """Fail the run: another attempt would find the same thing missing."""
    try:
        run.documents.fail(run.document, run.run, run.generation, error)
    except Superseded:  # by another task, which found the same
        return


def plan_backfill(run: DelegatedRun, document: Document) -> None:
    """Plan a backfill's run with the passages, text and batches of the run that it repeats.

    Raises:
        Permanent: these are gone from the work bucket.
        Superseded: the run is no longer the document's, or another task has planned it.
    """
    from google.api_core.exceptions import NotFound

    documents, job = run.documents, document.job
    assert job is not None
    assert job.from_run is not None
    try:
        copied = artefacts.copy(run.reference, job.from_run, run.run)
    except NotFound:
        raise Permanent(
            "passages_gone",
            "The passages of the published run are gone from the work bucket.",
            f"Read the file again: headrace replay {run.document}",
        ) from None
    record = documents.read_run(run.document, run.run)
    with artefacts.taken_back(run.reference, run.run, run.generation, copied):
        plan = make_plan(
            documents.client,
            document,
            restarts=record.restarts if record else None,
            facts=Facts.model_validate(dict(document)),
            written=copied,
            model=job.model,
            seconds=Seconds(0.0, 0.0),
            job=job,
        )
        documents.plan_delegated(run.document, run.run, run.generation, plan)
