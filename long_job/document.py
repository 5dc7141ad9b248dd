"""Work on one delegated run: read its file, analyze its passages, complete the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from long_job.analysis import Analysis
from long_job.delegated import ENDED
from long_job.models import engine
from long_job.reading import Reader
from shared.documents import artefacts
from shared.documents.completion import finish
from shared.documents.delegation import plan_delegated, reject_delegated
from shared.documents.sources import content_key, find_source
from shared.documents.store import run_record
from shared.documents.transitions import Claim, Plan, Seconds
from shared.documents.uploads import upload_of
from shared.platform.errors import Permanent, Rejected, SetupError, Superseded
from shared.platform.records import ErrorInfo

if TYPE_CHECKING:
    from long_job.delegated import DelegatedRun
    from shared.platform.records import Source


def work_on(run: DelegatedRun) -> bool:
    """Do the work of a run that no other task holds; False if this task was asked to stop before its end.

    Raises:
        Superseded: the run is no longer the document's, or has ended.
        Retryable: a transient error outlasted every attempt.
    """
    stored = run.stored()
    if stored["state"] in ENDED:
        finish(run.documents, run.document, run.run)
        return True
    try:
        if stored["batches"] is None:
            if stored["job"].get("backfill"):
                plan_backfill(run, stored)
            elif not Reader(run, stored).read():
                return not run.task.stop.is_set()
            stored = run.stored()
        model = engine(stored["model"])
    except Rejected as rejected:
        error = ErrorInfo(code=rejected.code, message=rejected.message, hint=rejected.hint)
        reject_delegated(run.documents, run.document, run.run, run.generation, error)
    except Permanent as lost:
        fail(run, ErrorInfo(code=lost.code, message=lost.message, hint=lost.hint))
    except SetupError as missing:
        hint = f"Push the model (python -m model_export push), then: headrace replay {run.document}"
        fail(run, ErrorInfo(code="model_not_available", message=missing.message, hint=hint))
    else:
        Analysis(run, stored, model).run()
    finish(run.documents, run.document, run.run)
    return not run.task.stop.is_set()


def fail(run: DelegatedRun, error: ErrorInfo) -> None:
    """Fail the run: another attempt would find the same thing missing."""
    try:
        run.documents.fail(run.document, run.run, run.generation, error)
    except Superseded:  # by another task, which found the same
        return


def plan_backfill(run: DelegatedRun, stored: dict[str, Any]) -> None:
    """Plan a backfill's run with the passages, text and batches of the run that it repeats.

    Raises:
        Permanent: these are gone from the work bucket.
        Superseded: the run is no longer the document's, or another task has planned it.
    """
    from google.api_core.exceptions import NotFound

    try:
        copied = artefacts.copy(run.reference, stored["job"]["from_run"], run.run)
    except NotFound:
        raise Permanent(
            "passages_gone",
            "The passages of the published run are gone from the work bucket.",
            f"Read the file again: headrace replay {run.document}",
        ) from None
    event = upload_of(stored)
    key = content_key(event, stored["sha256"], stored["model"])
    record = run_record(run.reference, run.run).get().to_dict() or {}
    event = event.model_copy(update={"restart_run": record.get("restarts")})
    claim = Claim(run.document, run.run, 0)
    source: Source | None = find_source(run.documents.client, key, claim, event)
    plan = Plan(
        facts={},
        batches=len(copied.ranges),
        model=stored["model"],
        artefact=copied.artefact,
        content_key=key,
        duplicate_of=source.document if source and source.document != run.document else None,
        seconds=Seconds(0.0, 0.0),
        job=stored["job"] | {"source": source.model_dump() if source else None},
    )
    with artefacts.taken_back(run.reference, run.run, run.generation, copied):
        plan_delegated(run.documents, run.document, run.run, run.generation, plan)
