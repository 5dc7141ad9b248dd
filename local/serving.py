"""Start a local gRPC server, and refuse requests with the right status.

One process per server: `--host --port --data`, the line `ready` once it listens, SIGTERM or SIGINT to stop. A
port or a data directory that another process holds ends with one line and exit status 1.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import fcntl
import signal
import socket
import sqlite3
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import grpc

from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from google.protobuf.message import Message

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""More than any limit of the services (10 MB a publish), so that their own error is the one a client sees."""
STOP_GRACE = 0.5
"""Seconds that calls in flight get to end by themselves at SIGTERM."""


class Refused(Exception):
    """A call ends with this status; the message names the resource and what is wrong with it."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        """`code` is what the real service answers in the same case."""
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(name: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={name}).")


def already_exists(name: str) -> Refused:
    return Refused(grpc.StatusCode.ALREADY_EXISTS, f"Resource already exists (resource={name}).")


def failed_precondition(message: str) -> Refused:
    return Refused(grpc.StatusCode.FAILED_PRECONDITION, message)


def unavailable(message: str) -> Refused:
    return Refused(grpc.StatusCode.UNAVAILABLE, message)


def unimplemented(what: str) -> Refused:
    return Refused(grpc.StatusCode.UNIMPLEMENTED, f"{what} is not part of Headrace's local server.")


async def refuse(context: grpc.aio.ServicerContext, error: Refused | sqlite3.Error) -> None:
    """End a call with the status that an error means; always raises.

    What SQLite calls operational, a full disk above all, passes: UNAVAILABLE, so that clients try again.
    """
    if isinstance(error, Refused):
        await context.abort(error.code, error.message)
    passes = isinstance(error, sqlite3.OperationalError)
    code = grpc.StatusCode.UNAVAILABLE if passes else grpc.StatusCode.INTERNAL
    await context.abort(code, f"The server's database failed: {error}.")


def unary(method: Callable[[Message], Awaitable[Message]], request: type[Message]) -> grpc.RpcMethodHandler:
    """A method that needs only its request."""

    async def answer(message: Message, _context: grpc.aio.ServicerContext) -> Message:
        return await method(message)

    return unary_in_context(answer, request)


def unary_in_context(
    method: Callable[[Message, grpc.aio.ServicerContext], Awaitable[Message]], request: type[Message]
) -> grpc.RpcMethodHandler:
    """A method that also looks at its call: its deadline, say."""

    async def answer(message: Message, context: grpc.aio.ServicerContext) -> Message:
        try:
            return await method(message, context)
        except (Refused, sqlite3.Error) as error:
            await refuse(context, error)

    return grpc.unary_unary_rpc_method_handler(answer, request.FromString, _serialize)


def stream(
    method: Callable[[grpc.aio.ServicerContext], Awaitable[None]], request: type[Message]
) -> grpc.RpcMethodHandler:
    """A bidirectional method, which reads and writes through its context."""

    async def answer(_requests: object, context: grpc.aio.ServicerContext) -> None:
        try:
            await method(context)
        except (Refused, sqlite3.Error) as error:
            await refuse(context, error)

    return grpc.stream_stream_rpc_method_handler(answer, request.FromString, _serialize)


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()  # type: ignore[no-any-return]  # protobuf ships no types


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc ships no types
    """Finds a method by its path; any other path answers UNIMPLEMENTED by name."""

    def __init__(self, methods: Mapping[str, grpc.RpcMethodHandler]) -> None:
        self._methods = methods

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        path = handler_call_details.method
        return self._methods.get(path) or _missing(path)


def _missing(path: str) -> grpc.RpcMethodHandler:
    async def refuse(_requests: object, context: grpc.aio.ServicerContext) -> None:
        refused = unimplemented(path.strip("/").replace("/", "."))
        await context.abort(refused.code, refused.message)

    # A unary call is a stream of one message on the wire, so this one shape answers every kind.
    return grpc.stream_stream_rpc_method_handler(refuse)


class Application(Protocol):
    """What a server is made of."""

    methods: Mapping[str, grpc.RpcMethodHandler]
    """Handlers by path: `/google.pubsub.v1.Publisher/Publish`."""

    async def broken(self) -> str:
        """Return only when the server cannot go on, and say why."""

    def release(self) -> None:
        """The server is about to stop: end background work, and calls that wait for something to happen."""

    def close(self) -> None:
        """No call is under way any more: close the files."""


def main(name: str, build: Callable[[Path], Application]) -> int:
    """Serve until a signal; the exit status.

    `build` gets the data directory, which it alone uses, and runs inside the event loop.
    """
    parser = argparse.ArgumentParser(prog=f"python -m local.{name}", description=f"A local {name} server.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="directory that keeps everything stored")
    arguments = parser.parse_args()
    try:
        _check_port(arguments.host, arguments.port)
        with _held(arguments.data, name):
            return asyncio.run(
                _serve(name, lambda: build(arguments.data), f"{arguments.host}:{arguments.port}")
            )
    except SetupError as error:
        sys.stderr.write(f"local.{name}: {error.message}\n")
        return 1
    except sqlite3.OperationalError as error:  # a full disk, say
        sys.stderr.write(f"local.{name}: the database in {arguments.data} cannot be used: {error}\n")
        return 1


def _check_port(host: str, port: int) -> None:
    """GRPC would say the same in several lines of its own log, without the reason."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            why = (
                "is in use: stop the other process or choose another port"
                if in_use
                else f"cannot be used: {error}"
            )
            raise SetupError(f"port {port} on {host} {why}") from error


@contextmanager
def _held(data: Path, name: str) -> Iterator[None]:
    """Keep the data directory for this process; the kernel gives it back even after kill -9."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        with (data / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError as error:
        raise SetupError(
            f"{data} is used by another local.{name}: stop it or choose another --data"
        ) from error


async def _serve(name: str, build: Callable[[], Application], address: str) -> int:
    application = build()
    server = grpc.aio.server(
        handlers=(_Methods(application.methods),),
        options=[
            ("grpc.so_reuseport", 0),  # with it, a second server would share the port in silence
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            # Clients that ping often to find a dead server must not be sent away for it.
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 5000),
        ],
    )
    server.add_insecure_port(address)
    stopping = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stopping.set)
    await server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    broken = asyncio.ensure_future(application.broken())
    stopped = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({broken, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if broken.done():
        sys.stderr.write(f"local.{name}: {broken.result()}\n")
    application.release()
    await server.stop(STOP_GRACE)
    application.close()
    return 1 if broken.done() else 0
