"""The HTTP service under one client and under many, beside the book's under gunicorn; all on 127.0.0.1."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)

from benchmarks.model.contestant import ROOT
from benchmarks.model.http import Client, Target
from benchmarks.model.memory import proportional_mib
from benchmarks.model.stats import Samples, interleave, percentile
from local.services import API_THREADS, HOST
from shared.api.keys import key_hash
from shared.platform.settings import LOCAL_PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.model.contestant import Paths

CLIENTS = 32
LOAD_SECONDS = 3.0
ROUNDS = 5
LATENCY_REQUESTS = 200
BOOK_LATENCY_REQUESTS = 20
SECRETS_PORT = 9880
API_PORT = 9881
BOOK_PORT = 9899
BOOK_WORKERS = 4
START_SECONDS = 90.0
STOP_SECONDS = 30.0
SENTENCE = (60, 160)
"""Characters of a text that counts as one sentence."""
_numbers = itertools.count()


@dataclass(frozen=True)
class Service:
    """What was seen of both services."""

    p50: Samples
    """Milliseconds, one client; each value is a round's."""
    p99: Samples
    book_p50: Samples
    rates: dict[str, Samples]
    """Requests a second under `CLIENTS` clients: `ours`, `book`, `book, 1 thread` (its torch so limited)."""
    memory: dict[str, float]
    """MiB after the load, shared pages counted once."""


def measure(paths: Paths, shipped: Path) -> Service:
    """Start both, warm both, and let them take turns."""
    texts: list[str] = json.loads(paths.texts.read_text("utf-8"))
    sentences = [text for text in texts if SENTENCE[0] <= len(text) <= SENTENCE[1]]
    with _ours(shipped) as (target, pid), _book(paths, BOOK_PORT) as (book, book_pid):
        tight = _book(paths, BOOK_PORT + 1, OMP_NUM_THREADS="1")
        with tight as (book_tight, _):
            latencies: list[list[float]] = []
            book_latencies: list[list[float]] = []
            ask, ask_book = Client(target), Client(book)
            for _ in range(ROUNDS):
                latencies.append(_latency(ask, sentences, LATENCY_REQUESTS))
                book_latencies.append(_latency(ask_book, sentences, BOOK_LATENCY_REQUESTS))
            targets = {"ours": target, "book": book, "book, 1 thread": book_tight}
            for one in targets.values():
                load(one, sentences, 1.0)
            rates = interleave(
                {name: partial(_load_round, one, sentences) for name, one in targets.items()},
                ROUNDS,
            )
            memory = {"ours": proportional_mib(pid), "book": proportional_mib(book_pid)}
    return Service(
        p50=Samples([percentile(values, 0.5) * 1000 for values in latencies]),
        p99=Samples([percentile(values, 0.99) * 1000 for values in latencies]),
        book_p50=Samples([percentile(values, 0.5) * 1000 for values in book_latencies]),
        rates=rates,
        memory=memory,
    )


def load(target: Target, sentences: list[str], seconds: float) -> float:
    """Requests a second that `CLIENTS` clients get answered, each sending its next when the last is done."""
    done = [0] * CLIENTS
    began = time.perf_counter()
    errors: list[Exception] = []

    def client(number: int) -> None:
        ask = Client(target)
        try:
            while time.perf_counter() - began < seconds:
                ask(_fresh(sentences))
                done[number] += 1
        except (OSError, ValueError) as error:
            errors.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sum(done) / (time.perf_counter() - began)


def _load_round(target: Target, sentences: list[str], _: int) -> float:
    return load(target, sentences, LOAD_SECONDS)


def _fresh(sentences: list[str]) -> str:
    """A sentence with a number of its own: no service may remember its answer."""
    number = next(_numbers)
    return f"{sentences[number % len(sentences)]} ({number})"


def _latency(ask: Client, sentences: list[str], count: int) -> list[float]:
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        ask(_fresh(sentences))
        seconds.append(time.perf_counter() - began)
    return seconds[1:]  # the first opens the connection


@contextmanager
def _ours(shipped: Path) -> Iterator[tuple[Target, int]]:
    """The API as the local stack serves it, over the stack's Secret Manager, and its process."""
    key = secrets.token_urlsafe(32)
    with tempfile.TemporaryDirectory() as folder:
        address = f"{HOST}:{SECRETS_PORT}"
        manager = [
            *("-m", "local.secretmanager", "--host", HOST),
            *("--port", str(SECRETS_PORT), "--data", folder),
        ]
        with _running([sys.executable, *manager], SECRETS_PORT, Path(folder) / "secrets.log"):
            _store(address, key_hash(key).encode())
            command = [
                *(sys.executable, "-m", "functions_framework", "--target", "api", "--host", HOST),
                *("--source", str(ROOT / "functions" / "api" / "main.py"), "--port", str(API_PORT)),
            ]
            environment = {
                "GOOGLE_CLOUD_PROJECT": LOCAL_PROJECT,
                "SECRET_MANAGER_EMULATOR_HOST": address,
                "HEADRACE_MODEL_DIR": str(shipped),
                "WORKERS": "1",
                "THREADS": str(API_THREADS),
            }
            with _running(command, API_PORT, Path(folder) / "api.log", environment) as pid:
                yield Target(API_PORT, "/v1/analyze", lambda text: {"texts": [text]}, key), pid


def _store(address: str, payload: bytes) -> None:
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(START_SECONDS)
        client = SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
        parent, name = f"projects/{LOCAL_PROJECT}", "api-key-hash"
        secret: dict[str, Any] = {"replication": {"automatic": {}}}
        client.create_secret(request={"parent": parent, "secret_id": name, "secret": secret})
        version = {"parent": f"{parent}/secrets/{name}", "payload": {"data": payload}}
        client.add_secret_version(request=version)


@contextmanager
def _book(paths: Paths, port: int, **environment: str) -> Iterator[tuple[Target, int]]:
    """The book's app under gunicorn, and its process."""
    command = [
        *(str(paths.peers_python), "-m", "gunicorn", "-w", str(BOOK_WORKERS)),
        *("-b", f"{HOST}:{port}", "benchmarks.model.book_app:app"),
    ]
    environment |= {"HF_HUB_OFFLINE": "1", "BOOK_MODEL": str(paths.materials / "distilbert")}
    with _running(command, port, paths.texts.parent / "contestants.log", environment) as pid:
        yield Target(port, "/predict", lambda text: {"text": text}, ""), pid


@contextmanager
def _running(
    command: list[str], port: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """A server until the end of the block; inside, its port accepts connections.

    Raises:
        RuntimeError: the port is taken, or the server does not start.
    """
    if _accepts(port):
        raise RuntimeError(f"port {port} is in use")
    settings = os.environ | {"PYTHONPATH": str(ROOT), **(environment or {})}
    with log.open("ab") as output:
        server = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _accepts(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[2]} did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield server.pid
    finally:
        server.terminate()
        server.wait(STOP_SECONDS)


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=0.5):
            return True
    except OSError:
        return False
