"""Documents for the job, each of passages that no other has: equal contents are copied, not computed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.pipeline import UNCONNECTED
from local.services import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WAIT_SECONDS = 120.0


@dataclass
class Ended:
    """A task that has."""

    status: int
    cpu_seconds: float
    """Of the process, its start included."""
    wall_seconds: float
    tokens: int
    analyzed_seconds: float
    """From the first look at what is left to the last commit."""


class Task:
    """A task of the job, started as Cloud Run would."""

    def __init__(  # noqa: PLR0913, PLR0917 - what Cloud Run numbers
        self,
        environment: Mapping[str, str],
        document: Mapping[str, Any],
        index: int,
        count: int,
        attempt: int,
        workers: int,
        core: int | None = None,
    ) -> None:
        """Start it; on one core alone where that is named."""
        numbers = {"INDEX": index, "COUNT": count, "ATTEMPT": attempt}
        own = {f"CLOUD_RUN_TASK_{name}": str(number) for name, number in numbers.items()}
        own |= {
            "CLOUD_RUN_EXECUTION": f"bench-{document['id']}",
            "HEADRACE_ANALYZE_WORKERS": str(workers),
            "HEADRACE_MODEL_DIR": str(ROOT / "build" / "model"),
        }
        self._started = time.monotonic()
        arguments = ["document", document["id"], "--run", "1", "--generation", document["generation"]]
        pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
        self.process = subprocess.Popen(
            [*pinned, sys.executable, "-m", "long_job", *arguments],
            env=UNCONNECTED | dict(environment) | own,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> Ended:
        """Wait until it has ended."""
        assert self.process.stderr is not None
        lines = self.process.stderr.readlines()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - self._started
        said = [json.loads(line) for line in lines if line.startswith("{")]
        analyzed: dict[str, Any] = {"tokens": 0, "seconds": 0.0}
        analyzed |= next((line for line in said if line["message"] == "analyzed"), {})
        cpu = usage.ru_utime + usage.ru_stime
        return Ended(self.process.returncode, cpu, wall, analyzed["tokens"], analyzed["seconds"])


def idle_job() -> None:
    """Make the stack's job one that does nothing: the bench starts the tasks."""
    from google.cloud.run_v2 import Container, Job

    from shared.documents.delegation import job_path
    from shared.platform.clients import jobs

    job = Job(name=job_path())
    job.template.template.containers = [Container(image="none", command=["true"])]
    jobs().update_job(request={"job": job, "allow_missing": True})


def delegated(path: Path, texts: Sequence[str], number: int) -> dict[str, Any]:
    """A new document of these passages, one a row, once it waits for the job."""
    from cli.results import drop
    from shared.documents.store import find
    from shared.platform.errors import HeadraceError

    rows = (json.dumps({"text": f"({number}) {text}"}) for text in texts)
    path.write_text("\n".join(rows))
    dropped = drop(path, name=f"bench-{number}.jsonl", metadata={"text-column": "text"})
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            found = find(dropped.id).model_dump()
        except HeadraceError:
            found = {"state": None}
        if found["state"] in {"delegated", "completed"}:
            return found
        time.sleep(0.05)
    sys.exit(f"{path} is not delegated after {WAIT_SECONDS:.0f} s: {found}")
