"""Cloud Run's Admin API for jobs, executions and tasks, as Headrace uses it, over gRPC.

A job's container image is not run: a task is a process of this machine, in the repository's root, with the
template's command or, where it names none, the one that the image of the long job would run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from local.run import protos
from local.run.executions import Executions
from local.run.jobs import Jobs
from local.run.lifecycle import Lifecycle
from local.run.operations import Operations
from local.run.runner import Runner
from local.run.store import Store
from local.serving import unary
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import grpc

PLACES = "CLOUD_RUN_EMULATOR_TASKS"
"""The variable that says how many tasks may run at once on this machine; without it, one a core."""


class CloudRun:
    """One server over one data directory."""

    def __init__(self, data: Path) -> None:
        """Open or create the data, and go on with the executions that are not complete."""
        logs = data.resolve() / "logs"
        logs.mkdir(exist_ok=True)
        self._store = Store(data / "run.sqlite3")
        lifecycle = Lifecycle(self._store, logs)
        self._runner = Runner(lifecycle, _places())
        operations = Operations(self._store, lifecycle)
        parts = (self._store, lifecycle, self._runner, operations)
        self.methods: Mapping[str, grpc.RpcMethodHandler] = {
            **Jobs(*parts).methods,
            **Executions(*parts).methods,
            "/google.longrunning.Operations/GetOperation": unary(operations.get, protos.GetOperationRequest),
        }
        lifecycle.take_up()
        self._runner.wake()

    async def broken(self) -> str:
        """A task's end could not be stored."""
        return await self._runner.broken

    def release(self) -> None:
        """Ask the running tasks to stop."""
        self._runner.release()

    def close(self) -> None:
        """End them, and close the database."""
        self._runner.close()
        self._store.close()


def _places() -> int:
    given = os.environ.get(PLACES) or str(os.cpu_count() or 1)
    if not given.isdecimal() or int(given) < 1:
        raise SetupError(f"{PLACES}={given} is not a number of tasks: 1 or more.")
    return int(given)
