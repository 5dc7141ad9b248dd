"""A local stack in which everything is counted that Google would bill."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import grpc
import psutil
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct

from benchmarks.cost.billing import billed_bytes
from benchmarks.cost.counted import TALLY
from benchmarks.cost.storage import Proxy
from local.services import HOST, ROOT, Layout
from local.stack import DATA_FOLDERS, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from local.processes import Service

COUNTED = ("firestore", "pubsub")
WORKERS = ("ingest", "analyze", "sweep", "run")
"""Whose processor time is measured; `run` starts the tasks of the job."""
DELIVERED = {"uploads": "ingest", "batches": "analyze"}
MIB = 1 << 20


@dataclass
class Stack:
    """While it runs."""

    watch: Watch
    proxy: Proxy
    _stopped: threading.Event = field(default_factory=threading.Event)

    def snapshot(self) -> Counter[str]:
        """Everything counted so far, but for what this process asked."""
        found: Counter[str] = Counter({f"storage.{name}": n for name, n in self.proxy.tally.items()})
        for server in COUNTED:
            mine = self._own_addresses(server)
            for peer, counted in self._tally(server).items():
                if peer.rpartition(":")[2] not in mine:
                    found.update({f"{server}.{name}": int(n) for name, n in counted.items()})
        for name in WORKERS:
            cpu, peak = self._processes(name)
            found[f"cpu_ms.{name}"], found[f"peak_mib.{name}"] = round(cpu * 1000), peak
        for function in DELIVERED.values():
            lines = self.handled(function)
            found[f"deliveries.{function}"] = len(lines)
            found[f"handled_ms.{function}"] = round(sum(line["elapsed_ms"] for line in lines))
        logs = self.watch.layout.data / "logs"
        found["log_bytes"] = sum(path.stat().st_size for path in logs.iterdir())
        return found

    def handled(self, function: str) -> list[dict[str, Any]]:
        """What a function said of each delivery."""
        path = self.watch.layout.data / "logs" / f"{function}.log"
        if not path.exists():  # of a function that nobody has called
            return []
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["message"] == "event handled"]

    def at_rest(self) -> bool:
        """Whether every message has been handled."""
        published = self._tally("pubsub").values()
        return all(
            sum(counted.get(f"{topic}.messages", 0) for counted in published)
            <= sum(line["status"] < 300 for line in self.handled(function))
            for topic, function in DELIVERED.items()
        )

    def look(self) -> None:
        """Keep looking after the processes until `stop`."""
        while not self._stopped.wait(0.25):
            self.watch.look()

    def stop(self) -> None:
        """End looking."""
        self._stopped.set()

    def _tally(self, server: str) -> dict[str, dict[str, float]]:
        with grpc.insecure_channel(f"{HOST}:{self.watch.layout.ports[server]}") as channel:
            ask = channel.unary_unary(TALLY, Empty.SerializeToString, Struct.FromString)
            answer: Struct = ask(Empty(), timeout=10)
        return {peer: dict(counted.items()) for peer, counted in answer.items()}

    def _own_addresses(self, server: str) -> set[str]:
        port = self.watch.layout.ports[server]
        connections = psutil.Process().net_connections("tcp")
        return {str(each.laddr.port) for each in connections if each.raddr and each.raddr.port == port}

    def _processes(self, name: str) -> tuple[float, int]:
        """Processor seconds so far, and MiB at the peak, of a service with all its processes."""
        [service] = [each for each in self.watch.services if each.name == name]
        if service.process is None:
            return 0.0, 0
        cpu, peak = 0.0, 0
        root = psutil.Process(service.process.pid)
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess, FileNotFoundError):
                times = process.cpu_times()
                # Of children only those that have ended and were waited for: the others stand in the list.
                cpu += times.user + times.system + times.children_user + times.children_system
                status = (psutil_path(process.pid)).read_text()
                peak += int(status.partition("VmHWM:")[2].split()[0]) // 1024 if "VmHWM:" in status else 0
        return cpu, peak


def psutil_path(pid: int) -> Path:
    """What the kernel says of a process."""
    from pathlib import Path

    return Path(f"/proc/{pid}/status")


def pushed_bytes(counted: Mapping[str, int], topic: str) -> int:
    """Billed for the deliveries of a topic: as many pushes as there were, each of a message of mean size."""
    messages = counted.get(f"pubsub.{topic}.messages", 0)
    if not messages:
        return 0
    mean = round(counted[f"pubsub.{topic}.bytes"] / messages)
    return billed_bytes([mean]) * counted.get(f"deliveries.{DELIVERED[topic]}", 0)


@contextmanager
def counted_stack(data: Path, port: int, settings: Mapping[str, str]) -> Iterator[Stack]:
    """A stack of its own on `data`; this process is connected to it inside the block."""
    for folder in DATA_FOLDERS:
        (data / folder).mkdir(parents=True, exist_ok=True)
    proxy = Proxy()
    layout = Layout(data, port, {})
    proxy.upstream = layout.ports["storage"]
    address = f"{HOST}:{proxy.port}"
    ours = {"STORAGE_EMULATOR_HOST": f"http://{address}"} | dict(settings)
    before = dict(os.environ)
    os.environ.update(layout.environment() | ours)
    model = ROOT / "build" / "model"
    services = [_counted(service, address, ours) for service in layout.services(model)]
    stack = Stack(Watch(layout, services, print, model), proxy)
    looking = threading.Thread(target=stack.look, daemon=True)
    with proxy.running():
        try:
            stack.watch.start()
            looking.start()
            yield stack
        finally:
            stack.stop()
            if looking.is_alive():
                looking.join()
            stack.watch.stop()
            os.environ.clear()
            os.environ.update(before)


def _counted(service: Service, address: str, ours: Mapping[str, str]) -> Service:
    command = list(service.command)
    if service.name in COUNTED:
        at = command.index(f"local.{service.name}")
        command[at : at + 1] = ["benchmarks.cost.counted", service.name]
    if service.name == "storage":  # links in its answers must lead through the proxy
        command[command.index("-external-url") + 1] = f"http://{address}"
        command[command.index("-public-host") + 1] = address
        return replace(service, command=command)
    return replace(service, command=command, environment={**service.environment, **ours})


def until(condition: Any, seconds: float = 60.0) -> None:  # noqa: ANN401 - any callable that is true in the end
    """Wait for it; raises TimeoutError where it takes longer."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)
