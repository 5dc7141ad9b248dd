"""Commands, tasks of the long job and a stack's services in processes forked from one that has their modules.

Of a second that a command takes most goes into imports, and the tests call hundreds; of the five seconds of a
processor that a stack takes to start, four.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
        *("local.firestore.service", "local.pubsub.server", "local.run.server", "local.secretmanager.server"),
        *("local.function", "functions_framework", "gunicorn.app.base", "gunicorn.workers.gthread"),
        *("functions.ingest.main", "functions.analyze.main", "functions.api.main", "functions.digest.main"),
        "functions.console.main",
        "tests.e2e.frozen",
    ]
)
FORKED_SERVICES = "from tests.e2e.commands import fork_services; fork_services()"
"""A patch of the supervisor that forks its services; tests/e2e/test_stack.py starts them as users do."""
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
    if arguments[0].startswith("local."):
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    if arguments[0] == LONG_JOB:
        from long_job.main import main as work

        sys.exit(work(arguments[1:]))
    from cli.main import main

    main()


def fork_services() -> None:
    """Have this process, a supervisor, fork the services that it starts before it has any thread."""
    from local import processes

    used = {"DEVNULL": subprocess.DEVNULL, "TimeoutExpired": subprocess.TimeoutExpired}
    vars(processes)["subprocess"] = SimpleNamespace(Popen=_start, **used)


def _start(command: list[str], **options: Any) -> _Service | subprocess.Popen[bytes]:
    """What `subprocess.Popen` does for a service: clients of gRPC have threads, which no fork survives."""
    alone = len([*Path("/proc/self/task").iterdir()]) == 1
    if command[:2] == [sys.executable, "-m"] and alone:
        return _Service(command[2:], options["env"], options["stdout"], options["preexec_fn"])
    return subprocess.Popen(command, **options)


class _Service:
    """A module that runs in a fork of this process; what the supervisor uses of `subprocess.Popen`."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], log: IO[bytes], first: Callable[[], None]
    ) -> None:
        self.args = command
        self.returncode: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            _run_module(command, environment, log, first)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(0.01)
        return status


def _run_module(
    command: list[str], environment: Mapping[str, str], log: IO[bytes], first: Callable[[], None]
) -> None:
    """In the new process: as `python -m` would, in a session of its own; never returns."""
    status: object = 1
    try:
        os.setsid()
        first()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = list(command)
        try:
            runpy.run_module(command[0], run_name="__main__", alter_sys=True)
            status = 0
        except SystemExit as end:
            status = end.code or 0
        except BaseException:  # noqa: BLE001 - as the interpreter does
            sys.excepthook(*sys.exc_info())
        with suppress(Exception):
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            sys.stdout.flush()
    finally:
        os._exit(status if isinstance(status, int) else 1)
