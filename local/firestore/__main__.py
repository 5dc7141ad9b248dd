"""`python -m local.firestore --host 127.0.0.1 --port P --data DIR`: serve until told to stop.

Prints `ready` when it listens. What keeps it from starting is one line on standard error and exit status 1.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
from pathlib import Path

import grpc

from local.firestore.service import Service
from local.firestore.store import Store
from shared.errors import SetupError

SWEEP_SECONDS = 15
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Well above the 10 MiB of a request, so that too big a one is told so in Firestore's own words."""


def check_free(host: str, port: int) -> None:
    """Try the port before gRPC does, which would print three lines of its own where one says it.

    Raises:
        SetupError: something else listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SetupError(
                f"Firestore cannot listen on {host}:{port} ({error.strerror}): stop what listens there, "
                "or choose another port."
            ) from None


async def serve(host: str, port: int, data: Path) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SetupError: the port or the folder is taken.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    check_free(host, port)
    store = Store(data)
    service = Service(store)
    server = grpc.aio.server(
        handlers=(service,),
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ],
    )
    server.add_insecure_port(f"{host}:{port}")
    await server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not stop.is_set():
        service.transactions.sweep()
        store.forget()
        try:
            await asyncio.wait_for(stop.wait(), SWEEP_SECONDS)
        except TimeoutError:
            continue
    await server.stop(grace=1)
    service.close()
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m local.firestore", description="Firestore on this machine."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the SQLite file")
    arguments = parser.parse_args()
    try:
        asyncio.run(serve(arguments.host, arguments.port, arguments.data))
    except SetupError as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()
