"""What the long job does in place of the functions, and how it is started.

The document is set to `delegated` first and the job started then: a start that fails, or is lost in a crash,
is made good by the next delivery or by sweep. A start has no idempotency key, so there may be two executions;
the second finds every shard leased or done.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from shared.documents.completion import finish_as_read
from shared.documents.store import Documents, now, run_record
from shared.documents.transitions import check_delegated, check_held
from shared.documents.views import kept
from shared.platform.clients import executions, jobs
from shared.platform.logs import get_logger
from shared.platform.records import TERMINAL, ErrorInfo
from shared.platform.retry import CALL_SECONDS, RETRY_SECONDS, is_transient, retrying
from shared.platform.settings import settings

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.documents.transitions import Claim, Plan
    from shared.inference.manifest import Manifest
    from shared.platform.errors import Rejected
    from shared.platform.records import Source

SOFT = frozenset({"too_many_bytes", "too_many_pages", "too_slow", "too_much_memory"})
"""Codes of limits that the job has wider."""
MARGIN = 1.5
"""A function's processor is shared, and slower than the one that the rate was measured on."""
UNKNOWN_RATE = 2_000.0
"""Tokens a second of one processor, for a model whose build did not measure it."""
OCR_SECONDS = 3.0
"""Processor seconds to recognise a page."""


def seconds_of(tokens: int, manifest: Manifest) -> float:
    """Processor seconds that the analysis of so many word pieces takes, estimated on the safe side."""
    return tokens / manifest.metrics.get("tokens_per_second", UNKNOWN_RATE) * MARGIN


def takes_over(rejected: Rejected, size: int) -> bool:
    """Whether the job may still read what a function could not."""
    return bool(settings().job_name) and rejected.code in SOFT and size <= settings().job_max_bytes


def job_fields(
    why: str, seconds: float, source: Source | None = None, *, ingest_seconds: float = 0.0
) -> dict[str, Any]:
    """The `job` of a document: why it is the job's, and how many tasks so many processor seconds are for.

    `ingest_seconds` is how long ingest was at a file that the job reads again, which is billed too.
    """
    tasks = min(settings().job_tasks, max(1, math.ceil(seconds / settings().job_task_seconds)))
    return {
        "why": why,
        "tasks": tasks,
        "source": source.model_dump() if source else None,
        "ingest_seconds": round(ingest_seconds, 3),
        "execution": None,
        "starts": 0,
        "problem": None,
    }


def delegate(
    documents: Documents, claim: Claim, model: str, facts: dict[str, Any], job: dict[str, Any]
) -> None:
    """From extracting to delegated, with the file still to be read. Raises Superseded as `plan` does."""
    reference = documents.reference(claim.document)

    def step(transaction: firestore.Transaction) -> None:
        stored = reference.get(transaction=transaction).to_dict()
        check_held(stored, claim)
        assert stored is not None
        moved = {"state": "delegated", "lease": None, "route": "job", "model": model, "job": job}
        transaction.update(reference, facts | moved | kept(stored) | {"updated_at": now()})
        transaction.update(run_record(reference, claim.run), {"state": "delegated", "model": model})

    documents.run(step)


def plan_delegated(documents: Documents, document: str, run: int, generation: int, plan: Plan) -> None:
    """Write the plan of a run whose file the job has read.

    Raises:
        Superseded: the run is not the document's, or planned already.
    """
    reference = documents.reference(document)

    def step(transaction: firestore.Transaction) -> None:
        stored = reference.get(transaction=transaction).to_dict()
        check_delegated(stored, run, generation)
        assert stored is not None
        documents.write_plan(transaction, stored, plan)
        if plan.job:  # the rest of it may have been written meanwhile
            transaction.update(reference, {"job.source": plan.job["source"]})

    documents.run(step)


def reject_delegated(
    documents: Documents, document: str, run: int, generation: int, error: ErrorInfo
) -> None:
    """From delegated to rejected. Raises Superseded as `plan_delegated` does."""
    reference = documents.reference(document)

    def step(transaction: firestore.Transaction) -> None:
        stored = reference.get(transaction=transaction).to_dict()
        check_delegated(stored, run, generation)
        assert stored is not None
        documents.write_rejection(transaction, stored, error)

    documents.run(step)


def carry_on(documents: Documents, document: str, run: int | None = None, *, restart: bool = False) -> None:
    """What any delivery does for a run that is past its extraction: start the job if none was, or finish.

    With `run`, only where that is the document's; with `restart`, also where a job was started and has ended.

    Where Cloud Run refuses to start it, the delivery is done nevertheless: asking again at once would not
    help, and hold up other uploads. The document says why, and sweep tries again.

    Raises:
        GoogleAPIError: Cloud Run could not be asked.
    """
    stored = documents.reference(document).get().to_dict()
    if stored is not None and run in {None, stored["run"]}:
        carry_on_as_read(documents, stored, restart=restart)


def carry_on_as_read(documents: Documents, stored: dict[str, Any], *, restart: bool = False) -> None:
    """The same for a document that the caller has read after the last step it took itself.

    Raises:
        GoogleAPIError: Cloud Run could not be asked.
    """
    from google.api_core.exceptions import GoogleAPICallError

    if stored["state"] != "delegated" or (stored["job"]["execution"] and not restart):
        finish_as_read(documents, stored)
        return
    try:
        start(documents, stored)
    except GoogleAPICallError as error:
        if is_transient(error):
            raise
        get_logger("delegation").warning("the job did not start", job=job_path(), error=error)
        _note(documents, stored, {"job.problem": f"{type(error).__name__} for {job_path()}"})


def start(documents: Documents, stored: dict[str, Any]) -> None:
    """Start an execution of the job for a document, and note which. Doing it twice costs, and harms nothing.

    Raises:
        GoogleAPIError: Cloud Run has not accepted it.
    """
    arguments = ["document", stored["id"], "--run", str(stored["run"]), "--generation", stored["generation"]]
    execution = run_job(arguments, stored["job"]["tasks"])
    starts = stored["job"]["starts"] + 1
    noted = {"job.execution": execution, "job.starts": starts, "job.started_at": now(), "job.problem": None}
    _note(documents, stored, noted)


def run_job(arguments: list[str], tasks: int) -> str:
    """Start an execution of the job; its full name.

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


def _note(documents: Documents, stored: dict[str, Any], fields: dict[str, Any]) -> None:
    """Write to a document if it is still at the run that was read, and unfinished."""
    reference = documents.reference(stored["id"])

    def step(transaction: firestore.Transaction) -> None:
        current = reference.get(transaction=transaction).to_dict()
        if current is None or any(current[part] != stored[part] for part in ("run", "generation")):
            return
        if current["state"] not in TERMINAL:
            transaction.update(reference, fields | {"updated_at": now()})

    documents.run(step)


def is_running(stored: dict[str, Any]) -> bool:
    """Whether the execution that was started for a document has not ended: it may wait for capacity."""
    return has_not_ended(stored["job"]["execution"])


def is_being_read(stored: dict[str, Any]) -> bool:
    """Whether somebody has a document's file in hand, and would store what it finds there."""
    state = stored.get("state")  # of what an erasure left, or somebody else, there may be none
    if state == "extracting":
        return bool(stored["lease"]["expires_at"] > now())
    return state == "delegated" and is_running(stored)


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
    """The job's full name."""
    return f"projects/{settings().project}/locations/{settings().job_location}/jobs/{settings().job_name}"
