"""A stack in a process of its own, and the commands of a second terminal."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest
from google.cloud import firestore

from local.services import EMULATORS, TITLES
from tests.e2e import commands
from tests.e2e.commands import Forked

if TYPE_CHECKING:
    import subprocess

ROOT = Path(__file__).resolve().parents[2]
HEADRACE = [sys.executable, "-c", "from cli.main import main; main()"]
PORTS = len(TITLES)
READY_SECONDS = 170.0
"""For a start on a machine that is busy with others."""
LOG_LINES = 12
"""Of each process, told of a stack whose test failed."""
HOWEVER_OFTEN = "from local import processes; processes.RESTARTS = 10**6"
"""A patch of the supervisor that does not give up on a process that is killed again and again."""
NO_TICKS = "from local.heartbeat import Heartbeat; Heartbeat.beat = lambda _: None"
"""A patch of the supervisor that publishes no tick but a test's own."""


def clean_environment() -> dict[str, str]:
    """The environment without anything that would point a command at another stack."""
    hidden = {*EMULATORS, "GOOGLE_CLOUD_PROJECT", "HEADRACE_DATA"}
    return {name: value for name, value in os.environ.items() if name not in hidden} | {
        "PYTHONPATH": str(ROOT)
    }


FIRST_PORT, LAST_PORT = 20_000, 32_000
"""Outside the range that the kernel gives to clients."""
_held: list[IO[bytes]] = []


def free_ports(count: int = PORTS) -> int:
    """The first of `count` (at most `PORTS`) consecutive free ports, no other test process's.

    Each process holds a lock on every range it was ever given: a range is given out once, and two processes
    that ask in the same moment, before either has started what will listen, are given two.
    """
    assert count <= PORTS
    folder = Path(tempfile.gettempdir()) / "headrace-test-ports"
    folder.mkdir(exist_ok=True)
    for first in range(FIRST_PORT, LAST_PORT, PORTS):
        lock = (folder / str(first)).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        return first
    raise AssertionError("no free ports")


@dataclass
class RunningStack:
    """`headrace up` in a process of its own, and the commands of a second terminal."""

    data: Path
    port: int
    extra: dict[str, str] = field(default_factory=dict)
    process: Forked | subprocess.Popen[str] | None = None
    patch: str = ""
    """Python that runs in the supervisor before anything of its own."""
    forked: bool = True
    """Whether its services are forked, which is quick; not as users have them started."""
    _database: firestore.Client | None = None

    def up(self, *options: str) -> float:
        """Start it; seconds until it said `ready`."""
        started = time.monotonic()
        arguments = ["up", "--data", str(self.data), "--port", str(self.port), *options]
        patch = f"{commands.FORKED_SERVICES}; {self.patch}" if self.forked else self.patch
        self.process = Forked(commands.HEADRACE, arguments, clean_environment() | self.extra, patch)
        while not self.process.written()[0].startswith("ready\n"):
            waited = time.monotonic() - started
            ended = self.process.poll() is not None or waited > READY_SECONDS
            assert not ended, f"the stack did not start: {self.process.written()}"
            time.sleep(0.02)
        return time.monotonic() - started

    def end(self) -> None:
        """End it at once, as nobody looks at it any more."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def down(self, sign: signal.Signals = signal.SIGINT) -> str:
        """End it; what it still had to say."""
        assert self.process is not None
        self.process.send_signal(sign)
        output, errors = self.process.communicate(timeout=90)
        return output + errors

    def kill(self, name: str) -> None:
        """As `kill -9` of everything a service has started."""
        with suppress(ProcessLookupError):  # killed before, and not started again yet
            os.killpg(self.pid(name), signal.SIGKILL)

    def command(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a headrace command against this stack."""
        return commands.run(arguments, clean_environment() | {"HEADRACE_DATA": str(self.data)}, timeout)

    def json(self, *arguments: str, status: int = 0) -> Any:
        """The JSON a command prints."""
        done = self.command(*arguments, "--json")
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout)

    def record(self, document: str) -> dict[str, Any]:
        """What is stored of the document, nothing where it is unknown: a command takes far longer."""
        if self._database is None:
            stack = self.stack()
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("FIRESTORE_EMULATOR_HOST", stack["environment"]["FIRESTORE_EMULATOR_HOST"])
                self._database = firestore.Client(project=stack["project"])
        return self._database.collection("documents").document(document).get().to_dict() or {}

    def stack(self) -> dict[str, Any]:
        """`stack.json`."""
        content: dict[str, Any] = json.loads((self.data / "stack.json").read_text())
        return content

    def last_words(self) -> str:
        """The last lines of each process's log."""
        told = []
        for log in sorted(self.data.glob("logs/*.log")):
            lines = log.read_text(errors="replace").splitlines()
            told += [f"--- {log.name}", *lines[-LOG_LINES:]]
        return "\n".join(told)

    def pid(self, name: str) -> int:
        """The process of a service."""
        return next(int(item["pid"]) for item in self.stack()["processes"] if item["name"] == name)
