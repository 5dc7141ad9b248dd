"""The local Cloud Run as a real process, its clients, and small programs as the commands of its jobs."""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.cloud import run_v2
from google.cloud.run_v2.services.executions.transports import ExecutionsGrpcTransport
from google.cloud.run_v2.services.jobs.transports import JobsGrpcTransport
from google.cloud.run_v2.services.tasks.transports import TasksGrpcTransport

from tests.integration.pubsub_server import CHANNEL_OPTIONS, LocalServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")
LOCATION = "projects/headrace-test/locations/local"
SECONDS = 30.0
"""For whatever a test waits for."""
TELL = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))"
"""Prints what reached it."""

_numbers = itertools.count(1)


class CloudRun:
    """A server and its clients."""

    def __init__(self, data: Path, **environment: str) -> None:
        """`environment` is added to the server's own."""
        self.server = LocalServer("run", data)
        self.data = data
        self.environment = environment
        self.start()

    def start(self) -> None:
        before = dict(os.environ)
        os.environ.update(self.environment)
        try:
            self.server.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        self.channel = grpc.insecure_channel(self.server.address, options=CHANNEL_OPTIONS)
        # The clients have types, but not their operations.
        self.jobs: Any = run_v2.JobsClient(transport=JobsGrpcTransport(channel=self.channel))
        self.executions: Any = run_v2.ExecutionsClient(
            transport=ExecutionsGrpcTransport(channel=self.channel)
        )
        self.tasks: Any = run_v2.TasksClient(transport=TasksGrpcTransport(channel=self.channel))

    def close(self) -> None:
        self.channel.close()
        if self.server.process is not None:
            self.server.stop()

    def job(self, code: str = "", *args: str, **template: Any) -> str:
        """A new job, which runs this Python program with `args` as its arguments; its name."""
        created = self.jobs.create_job(
            parent=LOCATION, job_id=unique(), job=described(code, *args, **template)
        )
        return str(created.result().name)

    def run(self, job: str, **overrides: Any) -> str:
        """Run it; the execution's name, which the operation tells at once."""
        operation = self.jobs.run_job(request={"name": job, "overrides": overrides})
        return str(operation.metadata.name)

    def finished(self, execution: str) -> run_v2.Execution:
        """The execution, once it is complete."""
        found: run_v2.Execution = wait_for(
            lambda: self.executions.get_execution(name=execution), lambda found: found.completion_time
        )
        return found

    def task(self, execution: str, number: int = 0) -> run_v2.Task:
        found: run_v2.Task = self.tasks.get_task(
            name=f"{execution}/tasks/{execution.rpartition('/')[2]}-task{number}"
        )
        return found

    def log(self, execution: str, number: int = 0) -> str:
        """What a task has printed, in all its attempts."""
        path = self.data / "logs" / f"{execution.rpartition('/')[2]}-task{number}.log"
        return path.read_text() if path.exists() else ""

    def printed(self, execution: str, number: int = 0) -> Any:
        """What a task has printed as JSON."""
        return json.loads(self.log(execution, number))

    def started(self, execution: str, number: int = 0, lines: int = 1) -> list[str]:
        """The whole lines of a task's output, once there are so many."""
        return wait_for(
            lambda: self.log(execution, number).split("\n")[:-1], lambda found: len(found) >= lines
        )


@contextmanager
def cloud_run(data: Path, **environment: str) -> Iterator[CloudRun]:
    """A server for the time of a test or a module."""
    running = CloudRun(data, **environment)
    try:
        yield running
    finally:
        running.close()


def unique() -> str:
    """The id of a job that no other test uses."""
    return f"job-{next(_numbers)}"


def described(code: str = "", *args: str, **template: Any) -> run_v2.Job:
    """A job that runs this Python program; what is not for the task is for the execution."""
    execution = {key: template.pop(key) for key in ("task_count", "parallelism") if key in template}
    env = [{"name": name, "value": value} for name, value in template.pop("env", {}).items()]
    container = {
        "image": "unused",
        "command": [sys.executable, "-u", "-c", code],
        "args": list(args),
        "env": env,
    }
    return run_v2.Job({"template": {**execution, "template": {"containers": [container], **template}}})


def completed(execution: run_v2.Execution | run_v2.Task) -> run_v2.Condition:
    """The condition that says how it ended."""
    return next(condition for condition in execution.conditions if condition.type_ == "Completed")


def counts(execution: run_v2.Execution) -> dict[str, int]:
    """Of its tasks, those that are not zero."""
    kinds = ("running", "succeeded", "failed", "cancelled", "retried")
    found = {kind: getattr(execution, f"{kind}_count") for kind in kinds}
    return {kind: number for kind, number in found.items() if number}


def wait_for(look: Callable[[], T], good: Callable[[T], bool], seconds: float = SECONDS) -> T:
    """What `look` answers, once it is good."""
    deadline = time.monotonic() + seconds
    while not good(found := look()):
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still {found}"
        time.sleep(0.03)
    return found


def alive(pid: int) -> bool:
    """Whether a process is there, and not just waiting to be reaped."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - it may end between two steps
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
