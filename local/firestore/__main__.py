"""`python -m local.firestore --host 127.0.0.1 --port P --data DIR`: serve until told to stop.

Prints `ready` when it listens. A port in use is one line on standard error and exit status 1.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import grpc

from local.firestore.service import Service
from local.firestore.store import Store

SWEEP_SECONDS = 15
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Well above the 10 MiB of a request, so that too big a one is told so in Firestore's own words."""


async def serve(host: str, port: int, data: Path) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = grpc.aio.server(
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ]
    )
    try:
        server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        sys.stderr.write(f"Port {port} of {host} is in use: stop what listens there, or choose another.\n")
        return 1
    store = Store(data)
    service = Service(store)
    server.add_generic_rpc_handlers((service,))
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
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m local.firestore", description="Firestore on this machine."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the SQLite file")
    arguments = parser.parse_args()
    sys.exit(asyncio.run(serve(arguments.host, arguments.port, arguments.data)))


if __name__ == "__main__":
    main()
