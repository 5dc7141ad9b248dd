"""The bench's side of a reader: start its process, give it files, hold it to limits."""

from __future__ import annotations

import json
import math
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
OURS = "Headrace"


@dataclass(frozen=True)
class Answer:
    """What a reader said of a file; `error` names why it could not read it."""

    seconds: float
    """Of processor time."""
    peak: int
    """Bytes."""
    pages: int = 0
    characters: int = 0
    text: str = ""
    error: str = ""


class Ended(Exception):
    """A reader's process ended; the message says how."""


class Reader:
    """A reader in its process; all that is not Headrace runs with `peers`, their environment's Python."""

    def __init__(
        self, peers: Path, kind: str, name: str, *, seconds: int | None = None, memory: int | None = None
    ) -> None:
        """`seconds` are of processor time for each file, `memory` is bytes of address space. Raises Ended."""
        self._seconds = seconds
        python = sys.executable if name == OURS else str(peers.absolute())
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.ingest.reader", kind, name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        resource.prlimit(self._process.pid, resource.RLIMIT_CORE, (0, 0))
        if memory is not None:
            resource.prlimit(self._process.pid, resource.RLIMIT_AS, (memory, memory))
        ready = self._hear()
        self.bare: int = ready["bare"]
        """Bytes that the process had before it imported anything of the reader."""
        self.loading: float = ready["loading"]
        """Seconds of processor time until it could read."""
        self._used = self.loading

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def read(self, path: Path) -> Answer:
        """Raises Ended."""
        if self._seconds is not None:
            _, most = resource.prlimit(self._process.pid, resource.RLIMIT_CPU)
            soon = math.ceil(self._used) + self._seconds
            resource.prlimit(self._process.pid, resource.RLIMIT_CPU, (soon, most))
        assert self._process.stdin
        self._process.stdin.write(f"{path.absolute()}\n")
        self._process.stdin.flush()
        answer = Answer(**self._hear())
        self._used += answer.seconds
        return answer

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise Ended(ending(self._process.wait(), self._seconds))
        heard: dict[str, Any] = json.loads(line)
        return heard


def ending(status: int, seconds: int | None) -> str:
    """How a process ended, by its exit status as `subprocess` has it."""
    if status == -signal.SIGXCPU:
        return f"more than {seconds} s"
    return f"crashed ({signal.Signals(-status).name})" if status < 0 else f"ended with {status}"
