"""A proxy before the local Cloud Storage that counts operations and bytes."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from benchmarks.cost.billing import storage

if TYPE_CHECKING:
    from collections.abc import Iterator

_OF_THE_WAY = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}
"""Headers of one hop."""


class Proxy:
    """Forwards to `upstream`, a port of this machine."""

    def __init__(self) -> None:
        self.upstream = 0
        self.tally: Counter[str] = Counter()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # or head and body go in packets of their own, and the second waits for an answer

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream = http.client.HTTPConnection("127.0.0.1", proxy.upstream, timeout=60)
                kept = {
                    name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_WAY
                }
                kept["Host"] = f"127.0.0.1:{proxy.port}"
                upstream.request(self.command, self.path, body, kept)
                response = upstream.getresponse()
                content = response.read()
                upstream.close()
                proxy.count(self.command, self.path, len(body), len(content))
                self.send_response_only(response.status)
                for name, value in response.getheaders():
                    if name.lower() not in _OF_THE_WAY:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815 - its names

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._lock = threading.Lock()
        self.port = int(self._server.server_address[1])

    def count(self, method: str, path: str, sent: int, received: int) -> None:
        """Note an operation."""
        kind = storage(method, path)
        with self._lock:
            self.tally[kind] += 1
            self.tally["stored"] += sent if kind == "class_a" else 0
            self.tally["read"] += received if kind == "class_b" else 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve for as long as the block lasts."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
