"""Hand a run to the long job, and start the job.

The document becomes `delegated` first, and the job is started then: a start that fails, or is lost in a
crash, is repeated by the next delivery or by sweep. Starting has no idempotency key, so there may be two
executions; the second finds every shard leased or done.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from shared.documents.completion import finish_as_read
from shared.documents.model import Delegation
from shared.documents.store import now
from shared.platform.clients import executions, jobs
from shared.platform.lease import is_held
from shared.platform.logs import get_logger
from shared.platform.records import TERMINAL
from shared.platform.retry import CALL_SECONDS, RETRY_SECONDS, is_transient, retrying
from shared.platform.settings import settings

if TYPE_CHECKING:
    from shared.documents.model import Document
    from shared.documents.store import Documents
    from shared.inference.manifest import Manifest
    from shared.platform.errors import Rejected

SOFT = frozenset({"too_many_bytes", "too_many_pages", "too_slow", "too_much_memory"})
"""Codes of limits that the job has wider."""
MARGIN = 1.5
"""A function's processor is shared, and slower than the one that the rate was measured on."""
UNKNOWN_RATE = 2_000.0
"""Tokens a second of one processor, for a model whose build did not measure it."""
OCR_SECONDS = 3.0
"""Processor seconds to recognise a page."""


def seconds_of(tokens: int, manifest: Manifest) -> float:
    """Return an estimate, on the safe side, of the processor seconds that so many word pieces take."""
    return tokens / manifest.metrics.get("tokens_per_second", UNKNOWN_RATE) * MARGIN


def takes_over(rejected: Rejected, size: int) -> bool:
    """Whether the job may still read what a function could not."""
    return bool(settings().job_name) and rejected.code in SOFT and size <= settings().job_max_bytes


def delegation(why: str, seconds: float, model: str, *, ingest_seconds: float = 0.0) -> Delegation:
    """Return the job's part in a run, by as many tasks as take so many processor `seconds`.

    `why` is `ocr`, `tokens`, or the code of the limit that ingest met after `ingest_seconds`.
    """
    tasks = min(settings().job_tasks, max(1, math.ceil(seconds / settings().job_task_seconds)))
    return Delegation(why=why, tasks=tasks, model=model, ingest_seconds=round(ingest_seconds, 3))


def carry_on(documents: Documents, document: str, run: int | None = None, *, restart: bool = False) -> None:
    """Start the job of a run that is past its extraction, if none was started; otherwise finish the run.

    With `run`, only where that is the document's; with `restart`, also where a job was started and has ended.

    Where Cloud Run refuses to start it, the delivery is done nevertheless: asking again at once would not
    help, and hold up other uploads. The document says why, and sweep tries again.

    Raises:
        GoogleAPIError: Cloud Run could not be asked.
    """
    current = documents.get(document)
    if current is not None and run in {None, current.run}:
        carry_on_as_read(documents, current, restart=restart)


def carry_on_as_read(documents: Documents, document: Document, *, restart: bool = False) -> None:
    """Do the same for a document that the caller has read after the last step it took itself.

    Raises:
        GoogleAPIError: Cloud Run could not be asked.
    """
    from google.api_core.exceptions import GoogleAPICallError

    job = document.job
    if document.state != "delegated" or job is None or (job.execution and not restart):
        finish_as_read(documents, document)
        return
    try:
        start(documents, document)
    except GoogleAPICallError as error:
        if is_transient(error):
            raise
        get_logger("delegation").warning("the job did not start", job=job_path(), error=error)
        _note(documents, document, problem=f"{type(error).__name__} for {job_path()}")


def start(documents: Documents, document: Document) -> None:
    """Start an execution of the job for a document, and note which. Doing it twice costs, and harms nothing.

    Raises:
        GoogleAPIError: Cloud Run has not accepted it.
    """
    job = document.job
    assert job is not None
    which = ["--run", str(document.run), "--generation", str(document.generation)]
    execution = run_job(["document", document.id, *which], job.tasks)
    _note(documents, document, execution=execution, starts=job.starts + 1, started_at=now(), problem=None)


def run_job(arguments: list[str], tasks: int) -> str:
    """Start an execution of the job; return its full name.

    Raises:
        GoogleAPIError: Cloud Run has not accepted it.
    """
    from google.cloud.run_v2 import RunJobRequest

    overrides = RunJobRequest.Overrides(
        container_overrides=[RunJobRequest.Overrides.ContainerOverride(args=arguments)], task_count=tasks
    )
    request = RunJobRequest(name=job_path(), overrides=overrides)
    operation = jobs().run_job(request, retry=retrying(RETRY_SECONDS), timeout=CALL_SECONDS)
    name: str = operation.metadata.name
    return name


def _note(documents: Documents, document: Document, **changes: Any) -> None:  # noqa: ANN401 - of a Delegation
    """Write what is known of the job to a document that is unfinished, and at the run that was read."""

    def noted(current: Document) -> Document:
        if current.job is None or current.state in TERMINAL:
            return current
        return current.altered(job=current.job.altered(**changes), updated_at=now())

    documents.note(document, noted)


def is_running(document: Document) -> bool:
    """Return whether the execution that was started for a document runs, or waits for capacity."""
    return has_not_ended(document.job.execution if document.job else None)


def is_being_read(document: Document) -> bool:
    """Return whether somebody has a document's file in hand, and would store what it finds there."""
    if document.state == "extracting":
        return is_held(document.lease, now())
    return document.state == "delegated" and is_running(document)


def has_not_ended(name: str | None) -> bool:
    """Whether there is an execution of this full name that is running or waits."""
    from google.api_core.exceptions import NotFound

    if not name:
        return False
    try:
        execution = executions().get_execution(name=name, retry=retrying(RETRY_SECONDS), timeout=CALL_SECONDS)
    except NotFound:
        return False
    return not execution.completion_time


def job_path() -> str:
    """Return the job's full name."""
    return f"projects/{settings().project}/locations/{settings().job_location}/jobs/{settings().job_name}"
