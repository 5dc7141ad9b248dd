"""Runs what waits: as many tasks at once as this machine has places and each parallelism allows."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from local.run.attempts import ENTRYPOINT, Attempt, Outcome
from local.run.launch import NOT_FOUND
from local.run.names import short

if TYPE_CHECKING:
    from local.run.lifecycle import Begun, Lifecycle

STOP_SECONDS = 2.0
"""How long running tasks have to stop when the server does; the stack gives the server five."""


class Runner:
    """The processes of a server."""

    def __init__(self, lifecycle: Lifecycle, places: int) -> None:
        """`places` is how many tasks may run at once, of all executions together."""
        self._lifecycle = lifecycle
        self._places = places
        self._running: dict[tuple[str, int], Attempt] = {}
        self._waiters: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.broken: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Done, with the reason, when what happened could not be stored."""

    def wake(self) -> None:
        """Begin what may run now."""
        while not self._stopping and len(self._running) < self._places:
            begun = self._lifecycle.begin_next()
            if begun is None:
                return
            self._begin(begun)

    def cancel(self, execution: str) -> None:
        """Ask the running tasks of an execution to stop."""
        for (name, _), attempt in self._running.items():
            if name == execution:
                attempt.cancel()

    def release(self) -> None:
        """Begin nothing more, and ask what runs to stop; it will go on when the server is started again."""
        self._stopping = True
        for attempt in self._running.values():
            attempt.cancel()

    def close(self) -> None:
        """End whatever has not stopped."""
        deadline = time.monotonic() + STOP_SECONDS
        for attempt in self._running.values():
            attempt.kill(deadline)

    def _begin(self, begun: Begun) -> None:
        container = begun.task.containers[0]
        attempt = Attempt(
            [*(container.command or ENTRYPOINT), *container.args],
            {variable.name: variable.value for variable in container.env} | _variables(begun),
            self._lifecycle.log(begun.execution, begun.number),
            begun.task.timeout.seconds + begun.task.timeout.nanos / 1e9,
        )
        self._running[begun.execution, begun.number] = attempt
        waiter = asyncio.ensure_future(self._attend(begun, attempt))
        self._waiters.add(waiter)
        waiter.add_done_callback(self._waiters.discard)

    async def _attend(self, begun: Begun, attempt: Attempt) -> None:
        try:
            try:
                attempt.start()
                outcome = await attempt.outcome()
            except OSError as error:
                problem = f"The task could not be started: {error.strerror}."
                outcome = Outcome(exit_code=NOT_FOUND, problem=problem)
            del self._running[begun.execution, begun.number]
            if self._stopping:
                return
            self._lifecycle.ended(begun, outcome)
            self.wake()
        except Exception as error:  # noqa: BLE001 - whatever it is, the task would stay running for ever
            if not self.broken.done():
                self.broken.set_result(f"a task's end could not be stored: {error}")


def _variables(begun: Begun) -> dict[str, str]:
    """What Cloud Run tells a task, but for `CLOUD_RUN_JOB`: it marks a process as deployed.

    `shared.platform.clients` refuses emulators in such a process, and should: the mark must not be seen where
    data may go to an emulator. A local task is told everything else.
    """
    return {
        "CLOUD_RUN_EXECUTION": short(begun.execution),
        "CLOUD_RUN_TASK_INDEX": str(begun.number),
        "CLOUD_RUN_TASK_COUNT": str(begun.task_count),
        "CLOUD_RUN_TASK_ATTEMPT": str(begun.attempt),
    }
