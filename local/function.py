"""One function as Cloud Run runs it: so many requests at work in an instance, and some wait for a place.

Whoever finds no place for a while is answered 429, so that Pub/Sub delivers again, later and fewer at once.
"""

from __future__ import annotations

import argparse
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from functions_framework import create_app
from functions_framework._http import create_server

from local.processes import die_with_parent
from shared.platform.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PENDING_SECONDS = 1.0
"""How long a request waits for a free thread. Cloud Run lets it wait for ten; here a user waits.
Source: https://cloud.google.com/run/docs/about-instance-autoscaling"""
WAITING = 100
"""Requests that may wait at once in a process: as many as Pub/Sub pushes to one endpoint."""
BUSY = 429
BUSY_BODY = b"No instance was free. Send the request again later.\n"


class Turnstile:
    """Lets `places` requests at a time into an application. Made before a fork, it is each process's own."""

    def __init__(self, application: WSGIApplication, function: str, places: int) -> None:
        """`function` is named in the log."""
        self._application = application
        self._function = function
        self._places = threading.Semaphore(places)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The application's answer, or 429."""
        if not self._places.acquire(timeout=PENDING_SECONDS):
            get_logger(self._function).warning("no instance was free", status=BUSY)
            headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(BUSY_BODY)))]
            start_response(f"{BUSY} Too Many Requests", headers)
            return [BUSY_BODY]
        try:
            return self._application(environ, start_response)
        finally:
            self._places.release()


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m local.function")
    parser.add_argument("name", help="a folder of functions/")
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--processes", type=int, required=True)
    parser.add_argument("--places", type=int, required=True, help="requests at work at once in a process")
    arguments = parser.parse_args()
    app = create_app(arguments.name, str(arguments.source))  # type: ignore[no-untyped-call]  # has no types
    app.wsgi_app = Turnstile(app.wsgi_app, arguments.name, arguments.places)
    os.environ |= {"WORKERS": str(arguments.processes), "THREADS": str(arguments.places + WAITING)}
    arbiter = os.getpid()  # gunicorn would let a worker finish its requests for half a minute after its death
    server = create_server(  # type: ignore[no-untyped-call]
        app, debug=False, post_fork=lambda _arbiter, _worker: die_with_parent(arbiter)
    )
    server.run(arguments.host, arguments.port)


if __name__ == "__main__":
    main()
