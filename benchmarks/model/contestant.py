"""The bench's side of a contestant: start its process, have it run a slice of the texts, take the time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Paths:
    """Where things lie."""

    peers_python: Path
    materials: Path
    """The peers' models, and ours in other forms."""
    texts: Path
    """A JSON list of the texts, read by every contestant."""


@dataclass(frozen=True)
class Spec:
    """How to start a contestant and with what options it runs."""

    name: str
    command: tuple[str, ...]
    """Of each process."""
    options: Mapping[str, Any] = field(default_factory=dict)
    processes: int = 1
    """Independent ones that share the texts between them, as a user may do by hand."""

    def with_options(self, **options: Any) -> Spec:  # noqa: ANN401 - whatever JSON can hold
        """The same with other options."""
        return Spec(self.name, self.command, options, self.processes)


def ours(name: str, directory: Path) -> Spec:
    """Headrace's engine on a model directory."""
    return Spec(name, (sys.executable, "-m", "benchmarks.model.ours", str(directory)))


def peer(paths: Paths, kind: str, *, threads: int | None = None, processes: int = 1, **options: Any) -> Spec:  # noqa: ANN401 - whatever the peer takes
    """One of `peers.KINDS`."""
    command = [str(paths.peers_python), "-m", "benchmarks.model.peers", kind, str(paths.materials)]
    return Spec(kind, (*command, *([str(threads)] if threads else [])), options, processes)


class Contestant:
    """Running processes of a contestant, with the model loaded and the texts read."""

    def __init__(self, spec: Spec, texts: Path) -> None:
        """Return once every process is ready; afterwards it is a context manager."""
        self.spec = spec
        self._exits = ExitStack()
        environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        self._log = self._exits.enter_context((texts.parent / "contestants.log").open("ab"))
        self.processes = [
            subprocess.Popen(
                spec.command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
            )
            for _ in range(spec.processes)
        ]
        self._hear()
        self._tell([{"do": "texts", "path": str(texts)}] * spec.processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._exits.close()

    def seconds(self, start: int, end: int, options: Mapping[str, Any] | None = None) -> float:
        """Wall-clock seconds that texts [start, end) take."""
        count = self.spec.processes
        commands = [
            {
                "do": "run",
                "start": start + offset,
                "end": end,
                "step": count,
                "options": self.spec.options if options is None else options,
            }
            for offset in range(count)
        ]
        began = time.perf_counter()
        self._tell(commands)
        return time.perf_counter() - began

    def save(self, path: Path, count: int) -> None:
        """Write the embeddings of the first `count` texts to `path` (npy); of one process only."""
        command = {"do": "save", "path": str(path), "end": count, "options": self.spec.options}
        self._tell([command] * len(self.processes))

    def peak_mib(self) -> float:
        """The most that its processes had resident, MiB, summed."""
        return float(sum(answer["mib"] for answer in self._tell([{"do": "peak"}] * len(self.processes))))

    def _tell(self, commands: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        for process, command in zip(self.processes, commands, strict=True):
            assert process.stdin is not None
            print(json.dumps(command), file=process.stdin, flush=True)
        return self._hear()

    def _hear(self) -> list[dict[str, Any]]:
        answers = []
        for process in self.processes:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"{self.spec.name} ended: its last words are in {self._log.name}")
            answers.append(json.loads(line))
        return answers
