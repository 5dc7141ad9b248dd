"""The whole stack: started together, provisioned, watched, and ended without a trace but its data."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from local.heartbeat import Heartbeat
from local.processes import READY_SECONDS, STOP_SECONDS, Service, free_ports, port_taken
from local.services import SIZES, TITLES, Layout
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STACK_FILE = "stack.json"
LOCK_FILE = "stack.lock"
DATA_FOLDERS = ("storage", "pubsub", "firestore", "secretmanager", "run", "logs")
"""All that a stack keeps in its data directory; `--reset` deletes these and nothing else."""
WATCH_SECONDS = 0.25


@contextmanager
def running(
    data: Path, *, model: Path, port: int, reset: bool, say: Callable[[str], None]
) -> Iterator[Watch]:
    """Start the stack on `data`; inside the block it is ready, afterwards every process of it has ended.

    Raises:
        SetupError: something is in the way; the message says what to do.
    """
    if not (model / "manifest.json").is_file():
        raise SetupError(f"There is no model in {model}. Build it: make model")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)  # documents are nobody else's business
    with _locked(data):
        if reset:
            for folder in DATA_FOLDERS:
                shutil.rmtree(data / folder, ignore_errors=True)
        for folder in DATA_FOLDERS:
            (data / folder).mkdir(exist_ok=True)
        layout = Layout(data.resolve(), port, os.environ)
        layout.check_foreign()
        os.environ.update(layout.environment())
        watch = Watch(layout, layout.services(model.resolve()), say, model.resolve())
        try:
            watch.start()
            yield watch
        finally:
            watch.stop()


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

    def start(self) -> None:
        """Start every process at once, make what the functions need, and write `stack.json`.

        Raises:
            SetupError: a port is taken, or a process does not start.
        """
        self._check_ports()
        for service in self.services:
            service.start()
        from local.provision import provision  # its clients take a second to import: while the others start

        deadline = time.monotonic() + READY_SECONDS
        for service in self.services:
            service.wait_ready(deadline)
        provision(self.layout)
        self._write()

    def look(self) -> None:
        """Start again what has died, and say so.

        Raises:
            SetupError: a process dies again and again.
        """
        self.heartbeat.beat()
        attended = [service.name for service in self.services if service.on_demand and service.attend()]
        lines = [line for service in self.services if (line := service.revive())]
        for line in lines:
            self.say(line)
        if lines or attended:
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
                where = f"--data {shlex.quote(str(self.layout.data))} --port {free_ports(len(TITLES))}"
                raise SetupError(
                    f"Port {service.port} (for {service.title}) is in use by another program. Stop that "
                    f"program, or choose other ports: headrace up {where}"
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
        stack = {
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
                f"headrace up --data OTHER --port {free_ports(len(TITLES))}"
            ) from None
        yield lock
