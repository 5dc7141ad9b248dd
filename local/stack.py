"""The whole stack: started together, provisioned, watched, and ended without a trace but its data."""

from __future__ import annotations

import fcntl
import json
import os
import secrets as random
import shlex
import shutil
import tempfile
import time
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from local.heartbeat import Heartbeat
from local.processes import READY_SECONDS, STOP_SECONDS, Service, free_ports, group_lives, port_taken
from local.services import CONSOLE_TOKEN_FILE, DEFAULT_PORT, HOST, SIZES, TITLES, Layout
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STACK_FILE = "stack.json"
LOCK_FILE = "stack.lock"
DATA_FOLDERS = ("storage", "pubsub", "firestore", "secretmanager", "run", "logs")
"""All that a stack keeps in its data directory; `--reset` deletes these and nothing else."""
WATCH_SECONDS = 0.25
NOTIFIERS = {"storage", "pubsub"}
"""Between them an upload's notification is not durable: Cloud Storage publishes it after its answer."""
DYING_SECONDS = 40.0
"""How long the processes of a killed stack have to end: more than the 30 s that gunicorn gives a worker."""


@contextmanager
def running(
    data: Path, *, model: Path, port: int | None, reset: bool, say: Callable[[str], None]
) -> Iterator[Watch]:
    """Start the stack on `data`; inside the block it is ready, afterwards every process of it has ended.

    `port` is the first of its ports; None is `DEFAULT_PORT`, or other ports where one of those is taken.

    Raises:
        SetupError: something is in the way; the message says what to do.
    """
    if not (model / "manifest.json").is_file():
        raise SetupError(f"There is no model in {model}. Build it: make model")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)  # documents are nobody else's business
    with _locked(data), ExitStack() as stack:
        _await_killed(data, say)
        if reset:
            for folder in DATA_FOLDERS:
                shutil.rmtree(data / folder, ignore_errors=True)
        for folder in DATA_FOLDERS:
            (data / folder).mkdir(exist_ok=True)
        with _chosen_port(say) if port is None else nullcontext(port) as first:
            layout = Layout(data.resolve(), first, os.environ)
            layout.check_foreign()
            os.environ.update(layout.environment())
            watch = Watch(layout, layout.services(model.resolve()), say, model.resolve())
            stack.callback(watch.stop)
            watch.start()
        yield watch


class Watch:
    """Holds the processes of a running stack."""

    def __init__(
        self, layout: Layout, services: list[Service], say: Callable[[str], None], model: Path
    ) -> None:
        """`say` is given a line for a person whenever a process had to be started again."""
        self.layout = layout
        self.services = services
        self.say = say
        self.model = model
        self.heartbeat = Heartbeat()
        self._changed = False
        """Whether `stack.json` has to be written again."""
        self._console = ""
        """The console's address as `stack.json` has it, which changes when it was used."""

    def start(self) -> None:
        """Start every process at once, make what the functions need, and write `stack.json`.

        Raises:
            SetupError: a port is taken, or a process does not start.
        """
        self._check_ports()
        token = self.layout.data / CONSOLE_TOKEN_FILE
        token.touch(mode=0o600)
        token.write_text(random.token_urlsafe(24))
        for service in self.services:
            service.start()
        # Its clients take a second to import: while the others start.
        from local.provision import has_uploads, provision

        deadline = time.monotonic() + READY_SECONDS
        for service in self.services:
            service.wait_ready(deadline)
        provision(self.layout)
        if has_uploads():  # some of them perhaps unpublished when the last stack was killed
            self.heartbeat.reconcile()
        self._write()

    def look(self) -> None:
        """Start again what has died, and say so.

        Raises:
            SetupError: a process dies again and again.
        """
        self.heartbeat.beat()
        attended = [service.name for service in self.services if service.on_demand and service.attend()]
        revived = {service.name: line for service in self.services if (line := service.revive())}
        for line in revived.values():
            self.say(line)
        if not revived.keys().isdisjoint(NOTIFIERS):
            self.heartbeat.reconcile()
        with suppress(OSError):
            self._changed = self._changed or self._console != self.layout.console()
        self._changed = self._changed or bool(revived or attended)
        if self._changed:
            with suppress(OSError):  # of a full disk: next time
                self._write()

    def forever(self) -> None:
        """Watch until the process is interrupted."""
        while True:
            self.look()
            time.sleep(WATCH_SECONDS)

    def stop(self) -> None:
        """End every process, functions and jobs before the servers they call, and remove `stack.json`."""
        (self.layout.data / STACK_FILE).unlink(missing_ok=True)
        callers = [service for service in self.services if service.name in {*SIZES, "run"}]
        servers = [service for service in self.services if service not in callers]
        for group in (callers, servers):
            deadline = time.monotonic() + STOP_SECONDS
            for service in group:
                service.ask_to_stop()
            for service in group:
                service.stop(deadline)

    def _check_ports(self) -> None:
        for service in self.services:
            if port_taken(service.port):
                raise SetupError(
                    f"Port {service.port} (for {service.title}) is in use by another program. Stop that "
                    f"program, or leave out --port, and free ports are chosen"
                )

    def _write(self) -> None:
        processes = [
            {
                "name": service.name,
                "pid": service.process.pid if service.process else None,
                "port": service.port,
                "log": str(service.log),
            }
            for service in self.services
        ]
        self._console = self.layout.console()
        stack = {
            "console": self._console,
            "project": self.layout.project,
            "supervisor": os.getpid(),
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": self.layout.environment(),
            "model": str(self.model),
            "processes": processes,
        }
        path = self.layout.data / STACK_FILE
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(stack, indent=2) + "\n")
        temporary.replace(path)
        self._changed = False


def read_stack(data: Path) -> dict[str, Any]:
    """`stack.json` of the stack that runs on `data`.

    Raises:
        SetupError: none does.
    """
    try:
        stack: dict[str, Any] = json.loads((data / STACK_FILE).read_text())
        os.kill(stack["supervisor"], 0)
    except (FileNotFoundError, ProcessLookupError):
        raise SetupError(
            f"No stack is running on {data}. Start one in another terminal: "
            f"headrace up --data {shlex.quote(str(data))}"
        ) from None
    return stack


@contextmanager
def _locked(data: Path) -> Iterator[IO[str]]:
    with (data / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(
                f"A stack is already running on {data}. Use it, or give this one a directory of its own: "
                f"headrace up --data OTHER"
            ) from None
        yield lock


def _await_killed(data: Path, say: Callable[[str], None]) -> None:
    """Wait for processes that outlived a killed supervisor of this directory and still hold their ports."""
    try:
        processes = json.loads((data / STACK_FILE).read_text())["processes"]
    except FileNotFoundError:
        return  # the last stack ended in order

    def left() -> list[str]:
        return [
            process["name"]
            for process in processes
            if process["pid"] and port_taken(process["port"]) and group_lives(process["pid"])
        ]

    if names := left():
        say(f"The last stack on {data} was killed; waiting for the end of {', '.join(names)} …")
    deadline = time.monotonic() + DYING_SECONDS
    while left() and time.monotonic() < deadline:
        time.sleep(WATCH_SECONDS)


@contextmanager
def _chosen_port(say: Callable[[str], None]) -> Iterator[int]:
    """Yield the first port for a stack, and let no other stack choose meanwhile.

    Inside the block the stack begins to listen, by which the next one knows that its ports are taken.
    """
    with (Path(tempfile.gettempdir()) / f"headrace-ports-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        usual = range(DEFAULT_PORT, DEFAULT_PORT + len(TITLES))
        taken = next(filter(port_taken, usual), None)
        if taken is None:
            yield DEFAULT_PORT
            return
        first = free_ports(len(TITLES))
        api = first + list(TITLES).index("api")
        say(
            f"Port {taken} is in use, so this stack has the ports {first} to {first + len(TITLES) - 1}; "
            f"its API is at http://{HOST}:{api}"
        )
        yield first
