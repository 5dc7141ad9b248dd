"""Tasks of the long job started by hand, as Cloud Run would start them, beside a stack that starts none."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from cli.options import MODEL
from tests.e2e.commands import LONG_JOB, Forked
from tests.e2e.running import RunningStack, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BY_HAND = {
    "HEADRACE_FUNCTION_SECONDS": "0.0001",
    "HEADRACE_SWEEP_PATIENCE": "3600",
    "HEADRACE_BATCH_PASSAGES": "8",
}
"""Every document is the job's; its batches are small, so that there are many."""
EXECUTION = "by-hand"


def idle_job() -> None:
    """Make the stack's job one that does nothing, so that a test starts what it wants."""
    from google.cloud.run_v2 import Container, Job

    from shared.documents.delegation import job_path
    from shared.platform.clients import jobs

    job = Job(name=job_path())
    job.template.template.containers = [Container(image="none", command=["true"])]
    jobs().update_job(request={"job": job, "allow_missing": True})


def start(
    stack: RunningStack,
    arguments: Sequence[str],
    index: int = 0,
    count: int = 1,
    *,
    attempt: int = 0,
    execution: str = EXECUTION,
) -> Forked:
    """Start a task with these arguments of the job's command."""
    numbers = {"INDEX": index, "COUNT": count, "ATTEMPT": attempt}
    cloud_run = {f"CLOUD_RUN_TASK_{name}": str(number) for name, number in numbers.items()}
    model = {"HEADRACE_MODEL_DIR": str(MODEL), "CLOUD_RUN_EXECUTION": execution}
    environment = clean_environment() | stack.stack()["environment"] | stack.extra | model | cloud_run
    return Forked(LONG_JOB, arguments, environment)


def task(
    stack: RunningStack,
    document: Mapping[str, Any],
    index: int = 0,
    count: int = 1,
    *,
    attempt: int = 0,
    execution: str = EXECUTION,
) -> Forked:
    """Start a task for a document as it is stored."""
    run = ("--run", str(document["run"]), "--generation", str(document["generation"]))
    arguments = ["document", document["id"], *run]
    return start(stack, arguments, index, count, attempt=attempt, execution=execution)


def ended(process: Forked, seconds: float = 120) -> int:
    """The exit status; what it said is told where the test fails."""
    _, said = process.communicate(timeout=seconds)
    sys.stderr.write(said)
    return process.wait()


def while_running(process: Forked, step: float = 0.02) -> Iterator[None]:
    """A turn every `step` seconds until the process has ended."""
    while process.poll() is None:
        yield
        time.sleep(step)
