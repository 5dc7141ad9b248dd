"""A client so lean that, on the same cores as the server, it is the server that is measured."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_SECONDS = 120.0
CHUNK = 1 << 16


@dataclass(frozen=True)
class Target:
    """Where a service listens on 127.0.0.1, and what it is sent for one text."""

    port: int
    path: str
    body: Callable[[str], dict[str, Any]]
    key: str


class Client:
    """One connection, kept open for as long as the server keeps it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._socket: socket.socket | None = None

    def __call__(self, text: str) -> bytes:
        """The body of the answer for one text.

        Raises:
            ValueError: the answer is not 200.
            OSError: there is none.
        """
        body = json.dumps(self._target.body(text)).encode()
        head = (
            f"POST {self._target.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"X-API-Key: {self._target.key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        kept = self._socket is not None
        try:
            return self._exchange(head.encode() + body)
        except ConnectionError:
            self._close()
            if not kept:
                raise
            return self._exchange(head.encode() + body)  # the server had closed an idle connection

    def _exchange(self, request: bytes) -> bytes:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._target.port), TIMEOUT_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, body = received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines)
        length = int(fields["content-length"])
        while len(body) < length:
            body += self._receive()
        if fields.get("connection") == "close":
            self._close()
        if status.split()[1] != "200":
            raise ValueError(f"{self._target.path}: {status}")
        return body

    def _receive(self) -> bytes:
        assert self._socket is not None
        chunk = self._socket.recv(CHUNK)
        if not chunk:
            raise ConnectionResetError("the server closed the connection")
        return chunk

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
