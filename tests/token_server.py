"""Stands in for what gives out tokens in Cloud Build: its metadata server, and IAM Credentials.

The metadata server has access tokens and, like Cloud Build's, no identity tokens. IAM Credentials gives an
identity token of an account to who shows the access token, unless `refuses` says why not.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default/"
ACCESS = "access-token-of-the-build"


class TokenServer(ThreadingHTTPServer):
    """Both of them, at one address."""

    refuses: str | None = None
    asked: list[str]
    """What was asked of it: paths, without what is in them after a question mark."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked = []

    @property
    def environment(self) -> dict[str, str]:
        """Where the stand-ins are, for a process that knows the clients of Google Cloud."""
        host = f"127.0.0.1:{self.server_address[1]}"
        return {"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host, "TOKENS": f"http://{host}"}


class _Answers(BaseHTTPRequestHandler):
    server: TokenServer

    def _answer(self, status: HTTPStatus, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.server.asked.append(path)
        if path in {"/", "/computeMetadata/v1/", ACCOUNT}:
            self._answer(HTTPStatus.OK, {"email": "default", "scopes": [], "aliases": []})
        elif path == f"{ACCOUNT}token":
            self._answer(HTTPStatus.OK, {"access_token": ACCESS, "expires_in": 3000, "token_type": "Bearer"})
        else:
            self._answer(HTTPStatus.NOT_FOUND, None)

    def do_POST(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.server.asked.append(path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {ACCESS}":
            self._answer(HTTPStatus.UNAUTHORIZED, {"error": {"code": 401, "message": "no access token"}})
        elif self.server.refuses:
            error = {"code": 403, "status": "PERMISSION_DENIED", "message": self.server.refuses}
            self._answer(HTTPStatus.FORBIDDEN, {"error": error})
        else:
            assert path.endswith(".iam.gserviceaccount.com:generateIdToken")
            assert body["includeEmail"] is True
            self._answer(HTTPStatus.OK, {"token": f"token for {body['audience']}"})

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def giving_tokens() -> Iterator[TokenServer]:
    """The stand-ins, as long as they are needed."""
    with TokenServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
