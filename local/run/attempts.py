"""One attempt of a task: a process in a group of its own, with a time limit, its output in a file."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.run import launch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
ENTRYPOINT = (sys.executable, "-m", "long_job")
"""What the job's image runs where its template names no command."""
GRACE_SECONDS = 10.0
"""Between SIGTERM and SIGKILL, as on Cloud Run."""
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended; at most one of status and signal is not zero."""

    exit_code: int = 0
    term_signal: int = 0
    timed_out: bool = False
    cancelled: bool = False
    problem: str = ""
    """Why there was no process at all."""

    @property
    def succeeded(self) -> bool:
        """Whether it exited with 0 before anybody told it to stop."""
        return self == Outcome()

    @property
    def message(self) -> str:
        """What went wrong, in Cloud Run's words where it has some."""
        if self.timed_out:
            return "The configured timeout was reached."
        return self.problem or "The container exited with an error."


class Attempt:
    """A process, from its start to its end."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], log: Path, limit: float) -> None:
        """`variables` come on top of the server's own; `limit` is in seconds."""
        self._command = command
        self._variables = variables
        self._log = log
        self._limit = limit
        self._process: subprocess.Popen[bytes] | None = None
        self._kill_at: float | None = None
        self._cancelled = False

    def start(self) -> None:
        """Start it.

        Raises:
            OSError: the machine has no room for it.
        """
        wrapper = (sys.executable, "-I", "-S", launch.__file__, str(os.getpid()))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is what the job's owner asked for
                [*wrapper, *self._command],
                cwd=ROOT,
                env={**os.environ, **self._variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if self._cancelled:  # before it was there
            self._signal(signal.SIGTERM)

    async def outcome(self) -> Outcome:
        """Wait for its end, and see to it that the time limit is kept and nothing stays behind."""
        assert self._process is not None
        deadline = time.monotonic() + self._limit
        timed_out = False
        while (status := self._process.poll()) is None:
            now = time.monotonic()
            if self._kill_at is None and now > deadline:
                timed_out = True
                self._terminate()
            elif self._kill_at is not None and now > self._kill_at:
                self._signal(signal.SIGKILL)
            await asyncio.sleep(LOOK_SECONDS)
        self._signal(signal.SIGKILL)  # what it has started ends with it, as in a container
        return Outcome(max(status, 0), max(-status, 0), timed_out, self._cancelled and not timed_out)

    def cancel(self) -> None:
        """Ask it to stop; insist when the grace is over."""
        if self._kill_at is None and (self._process is None or self._process.poll() is None):
            self._cancelled = True
            self._terminate()

    def kill(self, deadline: float) -> None:
        """Wait for its end until then (monotonic seconds), and end it."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(max(deadline - time.monotonic(), 0))
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _terminate(self) -> None:
        self._kill_at = time.monotonic() + GRACE_SECONDS
        self._signal(signal.SIGTERM)

    def _signal(self, sign: signal.Signals) -> None:
        """Send it to the whole group, gone or not."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, sign)
            except ProcessLookupError:
                return
