"""Commands and tasks of the long job in processes of their own, forked from one that has their modules.

Of a second that a command takes most goes into imports, and the tests call hundreds.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        *("cli.main", "cli.connect", "cli.render", "cli.results", "cli.doctor", "cli.digest", "cli.erase"),
        *(
            "cli.inprocess",
            "cli.jobs",
            "local.provision",
            "functions.deadletter.main",
            "functions.sweep.main",
        ),
        *("long_job.main", "long_job.document", "long_job.backfill", "long_job.imports"),
        *("shared.platform.clients", "shared.platform.logs", "shared.documents.store"),
        *("shared.inference.engine", "shared.digests.issue", "shared.digests.render"),
        *("google.cloud.storage", "google.cloud.firestore", "google.cloud.secretmanager_v1"),
        *("google.pubsub_v1", "google.cloud.run_v2", "google_crc32c"),
    ]
)
HEADRACE, LONG_JOB = "headrace", "long_job"


class Forked:
    """A process that runs a program's command; what `subprocess.Popen` would be for it."""

    def __init__(
        self, program: str, arguments: Sequence[str], environment: Mapping[str, str], patch: str = ""
    ) -> None:
        """Start it; `patch` is Python that runs before the program does."""
        self.arguments = [program, *arguments]
        self._folder = tempfile.TemporaryDirectory()
        self._output = Path(self._folder.name) / "out", Path(self._folder.name) / "err"
        call = (self.arguments, dict(environment), Path.cwd(), self._output, patch)
        self._process = _FORKS.Process(target=_call, args=call, daemon=True)  # ends with the tests
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, or the signal that ended it, negative; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, sign: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, sign)

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it took longer than `timeout` seconds, and goes on.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.arguments, timeout or 0)
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it wrote to its standard output and error, once it has ended. Raises as `wait` does."""
        self.wait(timeout)
        return self.written()

    def written(self) -> tuple[str, str]:
        """What it has written to its standard output and error so far."""
        out, err = (path.read_text("utf-8") if path.exists() else "" for path in self._output)
        return out, err


def run(
    arguments: Sequence[str], environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run the `headrace` command; what it wrote and its exit status.

    Raises:
        subprocess.TimeoutExpired: it took longer than `timeout` seconds, and was killed.
    """
    process = Forked(HEADRACE, arguments, environment)
    try:
        out, err = process.communicate(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return subprocess.CompletedProcess(list(arguments), process.wait(), out, err)


def _call(
    arguments: list[str], environment: dict[str, str], folder: Path, output: tuple[Path, Path], patch: str
) -> None:
    """In the new process: as a shell would."""
    for descriptor, path in enumerate(output, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    exec(patch)
    if arguments[0] == LONG_JOB:
        from long_job.main import main as work

        sys.exit(work(arguments[1:]))
    from cli.main import main

    main()
