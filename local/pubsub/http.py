"""Post pushes over HTTP/1.1 with connections that are kept alive; h11 implements the protocol."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

MAX_IDLE = 100
"""Connections kept open to one host; the window allows no more pushes at once."""
MAX_IDLE_SECONDS = 1.5
"""After that a connection is not used again: servers close idle ones (gunicorn after 2 s), and a request that
meets the closing would count as refused."""
REFUSALS = 400
"""Statuses from here on end a connection: it leads to one process of several, and another may have room."""
_CHUNK = 64 * 1024


class PushFailed(Exception):
    """The endpoint gave no HTTP answer; the message says what happened instead."""


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: h11.Connection
    idle_since: float = 0.0
    """Seconds on the event loop's clock."""

    def usable(self, now: float) -> bool:
        """Whether the next request may go over it."""
        return now - self.idle_since < MAX_IDLE_SECONDS and not self.reader.at_eof()


class Endpoints:
    """Posts to any number of hosts, keeping connections that can be used again."""

    def __init__(self) -> None:
        """No connection is opened before it is needed."""
        self._idle: dict[tuple[str, int], list[_Connection]] = {}

    def close(self) -> None:
        """Close what is idle."""
        for connections in self._idle.values():
            for connection in connections:
                connection.writer.close()
        self._idle.clear()

    def sweep(self) -> None:
        """Close what will not be used again."""
        now = asyncio.get_running_loop().time()
        for host, connections in tuple(self._idle.items()):
            for connection in connections:
                if not connection.usable(now):
                    connection.writer.close()
            self._idle[host] = [connection for connection in connections if connection.usable(now)]
            if not self._idle[host]:
                del self._idle[host]

    async def post(self, url: str, body: bytes) -> int:
        """Send JSON; the status, 102 included. Cancelling it closes the connection.

        Raises:
            PushFailed: no connection, or no HTTP answer on it.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = h11.Request(
            method="POST",
            target=target,
            headers=[
                ("Host", parts.netloc.rpartition("@")[2]),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("User-Agent", "CloudPubSub-Google"),
            ],
        )
        connection = self._reuse(host, port) or await _connect(host, port)
        try:
            return await self._exchange(connection, request, body, (host, port))
        except (OSError, h11.ProtocolError) as error:
            raise PushFailed(f"no HTTP answer: {error}") from error

    def _reuse(self, host: str, port: int) -> _Connection | None:
        idle = self._idle.get((host, port), [])
        while idle:
            connection = idle.pop()
            if connection.usable(asyncio.get_running_loop().time()):
                return connection
            connection.writer.close()
        return None

    async def _exchange(
        self, connection: _Connection, request: h11.Request, body: bytes, host: tuple[str, int]
    ) -> int:
        keep = False
        try:
            http, writer = connection.http, connection.writer
            events = (request, h11.Data(data=body), h11.EndOfMessage())
            writer.write(b"".join(http.send(event) or b"" for event in events))
            await writer.drain()
            status = await _read_answer(connection)
            if http.our_state is h11.DONE and http.their_state is h11.DONE and status < REFUSALS:
                http.start_next_cycle()
                keep = True
            return status
        finally:
            idle = self._idle.setdefault(host, [])
            if keep and len(idle) < MAX_IDLE:
                connection.idle_since = asyncio.get_running_loop().time()
                idle.append(connection)
            else:
                connection.writer.close()


async def _connect(host: str, port: int) -> _Connection:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except (OSError, UnicodeError) as error:  # UnicodeError: a host name that no name can be
        raise PushFailed(f"no connection: {error}") from error
    return _Connection(reader, writer, h11.Connection(h11.CLIENT))


async def _read_answer(connection: _Connection) -> int:
    status = 0
    while True:
        event = connection.http.next_event()
        if event is h11.NEED_DATA:
            data = await connection.reader.read(_CHUNK)
            connection.http.receive_data(data)
        elif isinstance(event, h11.InformationalResponse):
            if event.status_code == 102:  # noqa: PLR2004  # "processing" is an acknowledgement of its own
                return event.status_code
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.EndOfMessage):
            return status
