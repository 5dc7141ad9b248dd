"""Child processes: started so that none outlives the stack, watched, restarted, and stopped in order."""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

PR_SET_PDEATHSIG = 1
READY_SECONDS = 120.0
"""How long a process may take to answer before the stack gives up; one that ends is told of at once."""
STOP_SECONDS = 5.0
"""How long processes may take to end after SIGTERM before SIGKILL."""
RESTARTS = 5
"""Deaths within `RESTART_WINDOW` seconds after which a process is not started again."""
RESTART_WINDOW = 60.0
LOW_BYTES = 64 * 1024 * 1024
"""Free disk space below which a process that dies is always started again: a full disk may have ended it."""
LOW_PAUSE = 2.0
"""Seconds between two starts of a process while space is low."""
LOG_TAIL_LINES = 5
OTHER_PORTS, MAX_PORT, PORT_STEP = 9700, 65_535, 100
"""Ports to suggest instead: from the first to the second, in these steps."""
IDLE_SECONDS = 120.0
"""After its last line in the log, a process on demand ends."""

# gRPC's handlers of a fork start threads in the child, and now and then these abort it at once.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")


@dataclass
class Service:
    """One process of the stack."""

    name: str
    title: str
    command: Sequence[str]
    port: int
    environment: Mapping[str, str]
    answers: Callable[[], bool]
    """Whether it is ready; cheap, false rather than an exception."""
    log: Path
    on_demand: bool = False
    """Whether there is no process until somebody calls, and none again when nobody does for a while."""
    listener: socket.socket | None = None
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)
    _last_modified: float = 0.0
    """When the log was last written. It is only compared with itself: the wall clock may be set."""
    _last_active: float = 0.0
    """Monotonic time at which the log was seen to have changed."""

    def start(self) -> None:
        """Start it in a process group of its own, its output in its log; or listen for the first caller."""
        if self.on_demand:
            self._listen()
        else:
            self._start_process()

    def attend(self) -> bool:
        """Start a process for the first caller, whose message will be delivered again; end an idle one.

        Returns:
            Whether it did either.
        """
        if self.listener is not None:
            if not select.select([self.listener], [], [], 0)[0]:
                return False
            self.listener.close()
            self.listener = None
            self._start_process()
            return True
        if (modified := self.log.stat().st_mtime) != self._last_modified:
            self._last_modified, self._last_active = modified, time.monotonic()
        if time.monotonic() - self._last_active <= IDLE_SECONDS:
            return False
        self.ask_to_stop()
        self.stop(time.monotonic() + STOP_SECONDS)
        self.process = None
        self._listen()
        return True

    def _listen(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port))

    def _start_process(self) -> None:
        self.log.touch()  # a process on demand that has said nothing yet is starting, not idle
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command lines
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # No thread of this process holds a lock that the call could need.
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509
            )

    def wait_ready(self, deadline: float) -> None:
        """Return once it answers.

        Raises:
            SetupError: it ended or stayed silent; the message has the last lines of its log.
        """
        if self.process is None:
            return
        while not self.answers():
            if self.process.poll() is not None:
                raise SetupError(
                    f"{self.title} ended with status {self.process.returncode} while starting. "
                    f"{self._last_words()}"
                )
            if time.monotonic() > deadline:
                raise SetupError(
                    f"{self.title} did not answer within {READY_SECONDS:.0f} s. {self._last_words()}"
                )
            time.sleep(0.02)

    def revive(self) -> str | None:
        """Start it again if it died; a line that says so, or None where it lives.

        Raises:
            SetupError: it died too often to be started again.
        """
        status = None if self.process is None else self.process.poll()
        if self.process is None or status is None:
            return None
        now, low = time.monotonic(), space_is_low(self.log.parent)
        if low and self.deaths and now - self.deaths[-1] < LOW_PAUSE:
            return None
        self.deaths = [death for death in self.deaths if now - death < RESTART_WINDOW and not low] + [now]
        if len(self.deaths) > RESTARTS:
            raise SetupError(
                f"{self.title} died {len(self.deaths)} times within {RESTART_WINDOW:.0f} s. "
                f"{self._last_words()}"
            )
        kill_group(self.process.pid, signal.SIGKILL)
        self._start_process()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        why = "; the disk is full or nearly so" if low else ""
        return f"{self.title} {how} and was started again (log: {self.log}){why}"

    def ask_to_stop(self) -> None:
        """Send SIGTERM to it and everything it started."""
        if self.process is not None:
            kill_group(self.process.pid, signal.SIGTERM)

    def stop(self, deadline: float) -> None:
        """Wait until it has ended; insist once the deadline is past."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(deadline - time.monotonic(), 0))
        kill_group(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()[-LOG_TAIL_LINES:]
        return "\n  ".join([f"Its log, {self.log}, ends:", *lines]) if lines else f"Its log: {self.log}"


def space_is_low(folder: Path) -> bool:
    """Whether the disk that a folder lies on has less than `LOW_BYTES` left."""
    return shutil.disk_usage(folder).free < LOW_BYTES


def port_taken(port: int) -> bool:
    """Whether something on this machine listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def free_ports(count: int) -> int:
    """Return the first of `count` consecutive ports on which nothing listens at this moment.

    Raises:
        SetupError: there are no such ports.
    """
    for first in range(OTHER_PORTS, MAX_PORT - count, PORT_STEP):
        if not any(map(port_taken, range(first, first + count))):
            return first
    raise SetupError(f"No {count} consecutive ports are free. Stop some program that listens, or name --port")


def accepts(host: str, port: int) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def group_lives(leader: int) -> bool:
    """Whether any process of a process group is left."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def kill_group(leader: int, sign: signal.Signals) -> None:
    """Send a signal to a process group, gone or not."""
    try:
        os.killpg(leader, sign)
    except ProcessLookupError:
        return


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which has just forked it, ends in whatever way."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before this process could ask
            os.kill(os.getpid(), signal.SIGKILL)
