"""How does a push reach its endpoint? HTTP/1.1 over kept-alive connections, the protocol itself by h11."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

MAX_IDLE = 100
"""Connections kept open to one host; the window allows no more pushes at once."""
_CHUNK = 64 * 1024


class PushFailed(Exception):
    """The endpoint gave no HTTP answer; the message says what happened instead."""


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: h11.Connection
    fresh: bool = True
    answered: bool = False
    """Anything came back for the request that is under way."""


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
        """Close what the other side has closed."""
        for host, connections in tuple(self._idle.items()):
            open_still = [connection for connection in connections if not connection.reader.at_eof()]
            for connection in connections:
                if connection.reader.at_eof():
                    connection.writer.close()
            if open_still:
                self._idle[host] = open_still
            else:
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
        while True:
            connection = self._reuse(host, port) or await _connect(host, port)
            try:
                return await self._exchange(connection, request, body, (host, port))
            except (OSError, h11.ProtocolError) as error:
                # An endpoint may close an idle connection just as it is used again; that is no answer of its.
                if connection.fresh or connection.answered:
                    raise PushFailed(f"no HTTP answer: {error}") from error

    def _reuse(self, host: str, port: int) -> _Connection | None:
        idle = self._idle.get((host, port), [])
        while idle:
            connection = idle.pop()
            if not connection.reader.at_eof() and not connection.writer.is_closing():
                connection.fresh = connection.answered = False
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
            if http.our_state is h11.DONE and http.their_state is h11.DONE:
                http.start_next_cycle()
                keep = True
            return status
        finally:
            idle = self._idle.setdefault(host, [])
            if keep and len(idle) < MAX_IDLE:
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
            connection.answered = connection.answered or bool(data)
            connection.http.receive_data(data)
        elif isinstance(event, h11.InformationalResponse):
            if event.status_code == 102:  # noqa: PLR2004  # "processing" is an acknowledgement of its own
                return event.status_code
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.EndOfMessage):
            return status
