"""A proxy in front of Cloud Storage that can be told to answer 503 instead."""

from __future__ import annotations

import http.client
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


class Proxy:
    """Forwards to `upstream` (a port of this machine) unless `refuses` says no to a method and path."""

    def __init__(self) -> None:
        self.upstream = 0
        self.refuses: Callable[[str, str], bool] = lambda _method, _path: False
        self.refused: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if proxy.refuses(self.command, self.path):
                    proxy.refused.append(f"{self.command} {self.path}")
                    self._answer(503, [], b"the backend is overloaded")
                    return
                connection = http.client.HTTPConnection("127.0.0.1", proxy.upstream, timeout=30)
                kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
                kept["Host"] = f"127.0.0.1:{proxy.port}"
                connection.request(self.command, self.path, body, kept)
                response = connection.getresponse()
                content = response.read()
                self._answer(response.status, response.getheaders(), content)
                connection.close()

            def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815 - its names

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_address[1])


@contextmanager
def proxying() -> Iterator[Proxy]:
    """A running proxy; set its `upstream` before it is used."""
    proxy = Proxy()
    thread = threading.Thread(target=proxy.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        thread.join()
        proxy.server.server_close()
