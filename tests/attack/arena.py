"""A fresh stack under attack: uploads to it, its processes, and how much memory they came to take."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests
from google.api_core.exceptions import GoogleAPICallError, RetryError

from shared.platform.records import TERMINAL
from tests.attack.invariants import judge, look, read
from tests.caches import forget
from tests.e2e.running import HOWEVER_OFTEN, RunningStack, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SENTENCE = "Plant {0} in the north of region {1} cut its use of river water by {2}% in a single year."
MIB = 1024 * 1024
TASK = "a task of the job"
LOOK_SECONDS = 0.1
TICK_SECONDS = 3.0
UPLOAD_SECONDS = 30.0
"""For an upload while Cloud Storage is killed."""
SETTLE_SECONDS = 90.0
"""After an attack, in which everything must have come right."""


@dataclass(frozen=True)
class Outcome:
    """A row of the table."""

    what: str
    tries: int
    wrong: list[str]
    note: str = ""


@dataclass
class Arena:
    """A running stack that this process's clients point at."""

    stack: RunningStack
    peaks: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Most bytes resident of a process of each service."""

    def upload(self, name: str, content: bytes, **metadata: str) -> int | None:
        """Upload until it is acknowledged; the generation, or None where Cloud Storage refuses the name."""
        from shared.platform.clients import storage_client
        from shared.platform.settings import settings

        blob = storage_client().bucket(settings().uploads_bucket).blob(name)
        blob.metadata = metadata or None
        deadline = time.monotonic() + UPLOAD_SECONDS
        while time.monotonic() < deadline:
            try:
                blob.upload_from_string(content, content_type="application/octet-stream", retry=None)
            except requests.RequestException:  # it was killed, and is started again
                time.sleep(0.2)
            except GoogleAPICallError:
                return None
            else:
                return int(blob.generation)
        return None

    def records(self) -> dict[str, dict[str, Any]]:
        """Every document's record by name."""
        from shared.platform.clients import firestore_client

        return {one["name"]: one for one in read(firestore_client().collection("documents"))}

    def wait(self, names: dict[str, int], seconds: float) -> list[str]:
        """Wait until the documents of these generations have ended; the names of those that have not."""
        deadline = time.monotonic() + seconds
        while open_ := [name for name, at in names.items() if not _ended(self.records().get(name), at)]:
            if time.monotonic() > deadline:
                break
            time.sleep(0.5)
        return open_

    def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Let everything come right: tick the sweep until all has ended, for so long at most."""
        from shared.platform.clients import storage_client
        from shared.platform.pubsub import publish
        from shared.platform.settings import TICKS, settings

        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            blobs = storage_client().list_blobs(settings().uploads_bucket)
            records = self.records()
            if all(_ended(records.get(blob.name), blob.generation) for blob in blobs):
                return
            with suppress(GoogleAPICallError, RetryError):
                publish(TICKS, [(b"{}", {"kind": "sweep"})], seconds=2.0)
            time.sleep(TICK_SECONDS)

    def check(self, secrets: list[str]) -> list[str]:
        """What is wrong after an attack, once everything had time to come right."""
        self.settle()
        key = (self.stack.data / "api-key").read_text().strip()
        return judge(look(self.stack), [*secrets, key])

    @contextmanager
    def stopped(self, *services: str) -> Iterator[None]:
        """Processes that answer nothing for a while."""
        groups = [self.stack.pid(name) for name in services]
        for group in groups:
            os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            for group in groups:
                os.killpg(group, signal.SIGCONT)

    def port(self, service: str) -> int:
        """Where a service listens."""
        return next(int(item["port"]) for item in self.stack.stack()["processes"] if item["name"] == service)

    def processes(self) -> list[psutil.Process]:
        """All below the supervisor."""
        return psutil.Process(self.stack.stack()["supervisor"]).children(recursive=True)

    def measure(self, over: threading.Event) -> None:
        """Note the peak of every service's processes until it is over."""
        while not over.wait(LOOK_SECONDS):
            with suppress(OSError, psutil.Error, json.JSONDecodeError):
                names = {item["pid"]: item["name"] for item in self.stack.stack()["processes"]}
                for process in self.processes():
                    with suppress(OSError, psutil.Error):
                        name = names.get(os.getpgid(process.pid), TASK)
                        self.peaks[name] = max(self.peaks[name], process.memory_info().rss)


def _ended(record: dict[str, Any] | None, generation: int) -> bool:
    return (
        record is not None
        and record["generation"] == str(generation)
        and record["state"] in TERMINAL
        and not record["results_pending"]
        and not record.get("purge_pending")
    )


@contextmanager
def arena(folder: Path, settings: dict[str, str]) -> Iterator[Arena]:
    """A fresh stack, ended afterwards."""
    running = RunningStack(folder / "data", free_ports(), settings, patch=HOWEVER_OFTEN)
    running.up()
    over = threading.Event()
    made = Arena(running)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in running.stack()["environment"].items():
            patch.setenv(name, value)
        forget()
        measuring = threading.Thread(target=made.measure, args=(over,))
        measuring.start()
        try:
            yield made
        finally:
            over.set()
            measuring.join()
            running.down(signal.SIGTERM)
            forget()


def plain(number: int, paragraphs: int = 5) -> bytes:
    """A text of so many passages that no other number has."""
    return "\n\n".join(SENTENCE.format(number, at, 1 + at % 60) for at in range(paragraphs)).encode()
