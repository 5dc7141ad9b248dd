"""The local servers as real processes, the clients, and an HTTP endpoint that behaves as a test asks."""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.api_core import exceptions
from google.cloud.pubsub_v1 import PublisherClient as BatchingPublisher
from google.cloud.pubsub_v1 import SubscriberClient as StreamingSubscriber
from google.pubsub_v1 import PublisherClient, PubsubMessage, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from tests.e2e.commands import Forked
from tests.e2e.running import PORTS, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "projects/headrace-test"
CHANNEL_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_reconnect_backoff_ms", 200)]

_numbers = itertools.count(1)


def unique(kind: str) -> str:
    """A name of a topic or subscription that no other test uses."""
    return f"{PROJECT}/{kind}/test-{next(_numbers)}"


def _free() -> Iterator[int]:
    while True:
        first = free_ports()
        yield from range(first, first + PORTS)


_ports = _free()


def free_port() -> int:
    """One that is given to nobody else, neither by this function nor by the kernel."""
    return next(_ports)


@dataclass
class LocalServer:
    """`python -m local.{name}` over one data directory and one port, however often it is started."""

    name: str
    data: Path
    port: int = field(default_factory=free_port)
    forked: bool = False
    """Whether it starts without imports of its own, a fifth of a second; what it writes is not seen."""
    process: Forked | subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return once it says `ready`."""
        if self.forked:
            self.process = Forked(f"local.{self.name}", self.arguments, os.environ)
            while "ready\n" not in self.process.written():
                assert self.process.poll() is None, self.process.written()
                time.sleep(0.005)
            return
        self.process = subprocess.Popen(self.command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == "ready\n", f"local.{self.name} said {line!r}"

    @property
    def arguments(self) -> list[str]:
        return ["--host", "127.0.0.1", "--port", str(self.port), "--data", str(self.data)]

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", f"local.{self.name}", *self.arguments]

    def kill(self) -> None:
        """As `kill -9` does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """As Ctrl-C does; the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, signum: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(signum)
        status = self.process.wait(timeout=20)
        if isinstance(self.process, subprocess.Popen) and self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return status

    def cpu_seconds(self) -> float:
        """Seconds of a processor that it has taken since its start."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        assert self.process is not None
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def running(name: str, data: Path, port: int | None = None, *, forked: bool = True) -> Iterator[LocalServer]:
    """A server for the time of a test or a module, on a free port unless one is named."""
    server = LocalServer(name, data, port or free_port(), forked)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None:
            server.stop()


class Clients:
    """The generated clients, for which a call is a call, and the high-level ones, which batch and stream."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        self.publisher = PublisherClient(transport=PublisherGrpcTransport(channel=self.channel))
        self.subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=self.channel))
        before = os.environ.get("PUBSUB_EMULATOR_HOST")
        os.environ["PUBSUB_EMULATOR_HOST"] = address
        try:
            self.batching = BatchingPublisher()
            self.streaming = StreamingSubscriber()
        finally:
            del os.environ["PUBSUB_EMULATOR_HOST"]
            if before is not None:
                os.environ["PUBSUB_EMULATOR_HOST"] = before

    def close(self) -> None:
        self.batching.stop()
        self.streaming.close()
        self.channel.close()

    def topic(self) -> str:
        """A new topic."""
        return self.publisher.create_topic(name=unique("topics")).name

    def subscription(self, topic: str, **settings: Any) -> str:
        """A new subscription."""
        request = {"name": unique("subscriptions"), "topic": topic, **settings}
        return self.subscriber.create_subscription(request=request).name

    def publish(self, topic: str, *data: bytes, **attributes: str) -> list[str]:
        """In one call; the message ids."""
        messages = [PubsubMessage(data=item, attributes=attributes) for item in data]
        return list(self.publisher.publish(topic=topic, messages=messages).message_ids)

    def pull(self, subscription: str, count: int = 100, wait: float = 2.0) -> list[Any]:
        """What one call answers; empty after `wait` seconds."""
        try:
            pulled = self.subscriber.pull(
                subscription=subscription, max_messages=count, timeout=wait, retry=None
            )
        except exceptions.DeadlineExceeded:  # the empty answer came too late, on a busy machine
            return []
        return list(pulled.received_messages)

    def pull_all(self, subscription: str, count: int, wait: float = 10.0) -> list[Any]:
        """Pull and acknowledge until there were so many."""
        got: list[Any] = []
        deadline = time.monotonic() + wait
        while len(got) < count and time.monotonic() < deadline:
            try:
                received = self.pull(subscription, count)
            except exceptions.ServiceUnavailable:  # a server that was killed is not found again at once
                continue
            if received:
                self.acknowledge(subscription, received)
            got.extend(received)
        return got

    def acknowledge(self, subscription: str, received: list[Any]) -> None:
        self.subscriber.acknowledge(
            subscription=subscription, ack_ids=[message.ack_id for message in received]
        )

    def nack(self, subscription: str, received: list[Any]) -> None:
        """Give back, as a deadline of 0 does."""
        self.deadline(subscription, received, 0)

    def deadline(self, subscription: str, received: list[Any], seconds: int) -> None:
        self.subscriber.modify_ack_deadline(
            subscription=subscription,
            ack_ids=[message.ack_id for message in received],
            ack_deadline_seconds=seconds,
        )


@contextmanager
def connected(data: Path) -> Iterator[Clients]:
    """To a server of its own, for the time of a test or a module."""
    with running("pubsub", data) as server, closing(Clients(server.address)) as clients:
        yield clients


@dataclass
class Push:
    """One request that an endpoint got."""

    envelope: dict[str, Any]
    headers: dict[str, str]
    client: tuple[str, int]
    at: float
    """Monotonic seconds."""

    @property
    def data(self) -> bytes:
        return base64.b64decode(self.envelope["message"].get("data", ""))

    @property
    def attempt(self) -> int | None:
        return self.envelope.get("deliveryAttempt")


Behaviour = int | str
"""A status to answer, or `close` (no answer at all) or `hang` (none until the endpoint ends)."""


class Endpoint:
    """A push endpoint on a free port; `behave` decides about each push, in threads."""

    def __init__(self, behave: Callable[[Push], Behaviour] | Behaviour = 204, port: int = 0) -> None:
        self.pushes: list[Push] = []
        self.behave = behave
        self.at_work = self.most_at_work = 0
        self.close_after = False
        """Hang up after each answer, without having said so."""
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/push?token=t"

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def wait(self, count: int, seconds: float = 10.0) -> list[Push]:
        """Return once there were so many pushes; fail after `seconds`."""
        deadline = time.monotonic() + seconds
        while len(self.pushes) < count:
            assert time.monotonic() < deadline, f"{len(self.pushes)} pushes, not {count}, in {seconds} s"
            time.sleep(0.005)
        return list(self.pushes)

    def receive(self, push: Push) -> Behaviour:
        with self._lock:
            self.pushes.append(push)
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            return self.behave(push) if callable(self.behave) else self.behave
        finally:
            with self._lock:
                self.at_work -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is part of these tests."""


def _handler(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # http.server's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            push = Push(json.loads(body), dict(self.headers), self.client_address, time.monotonic())
            behaviour = endpoint.receive(push)
            if behaviour == "hang":
                endpoint.ended.wait()
                behaviour = "close"
            if behaviour == "close":
                self.close_connection = True
                return
            assert isinstance(behaviour, int)
            self.send_response(behaviour)
            if behaviour >= 200 and behaviour != 204:
                self.send_header("Content-Length", "2")
            self.end_headers()
            if behaviour >= 200 and behaviour != 204:
                self.wfile.write(b"ok")

            self.close_connection = self.close_connection or endpoint.close_after

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    return Handler
