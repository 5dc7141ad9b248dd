"""Exchange HTTP requests with servers that operators configure, and say what can go wrong.

An answer is bounded in size and in time. A socket's own timeout is for each read, and a server that sends a
byte now and then would hold it for ever, so a timer shuts the socket down when the time is over.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from shared.platform.errors import HeadraceError, Retryable
from shared.platform.settings import settings

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from urllib3.connection import HTTPConnection


CONNECT_SECONDS = 10.0


class Unanswered(HeadraceError):
    """The server could not be reached, or gave no answer in time."""


class Unreached(Unanswered):
    """There was not even a connection, so nothing was sent."""


class Answer(NamedTuple):
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    whole: bool
    """Whether the body is all there; what goes beyond the limit was not read."""


def tls_context() -> ssl.SSLContext:
    """Certificates and names are checked; public authorities, and those of the setting `ca_file`."""
    import ssl

    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file := settings().ca_file:
        context.load_verify_locations(ca_file)
    return context


def _shut_down(connected: socket.socket) -> None:
    with suppress(OSError):  # closed already
        # Not SSLSocket's own, which would have the reader go on without TLS.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def post(  # noqa: PLR0913 - a request's own parts, all by name
    connection: HTTPConnection,
    target: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    until: float,
    most: int,
) -> Answer:
    """Send a body by POST and read the answer, once.

    Args:
        connection: fresh; it is closed afterwards.
        target: path and query.
        body: what is sent.
        headers: with `host` among them.
        until: when it is over, by the monotonic clock.
        most: bytes of the answer that are read.

    Raises:
        Unanswered: without anything in its message that the address or the server said; `Unreached` where
            nothing was sent.
    """
    from http.client import HTTPException

    from urllib3.exceptions import HTTPError

    # It would warn of a malformed head with the whole address, which may be a secret.
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

    def left() -> float:
        seconds = until - time.monotonic()
        if seconds <= 0:
            raise Unanswered("The server took too long")
        return seconds

    deadline = None
    try:
        connection.timeout = min(left(), CONNECT_SECONDS)
        connection.connect()
        connection.timeout = left()
        # A timeout counts anew whenever a few bytes arrive, so it alone would never end.
        deadline = threading.Timer(left(), _shut_down, [connection.sock])
        deadline.daemon = True
        deadline.start()
        # An encoded answer could unpack to any size.
        own = {"accept-encoding": "identity", "user-agent": "headrace", "connection": "close"}
        connection.request(
            "POST", target, body, own | dict(headers), preload_content=False, decode_content=False
        )
        response = connection.getresponse()
        data = b""
        while len(data) <= most and (chunk := response.read(min(65_536, most + 1 - len(data)))):
            data += chunk
        left()  # a body that was cut off may look like one that has ended
        names = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, names, data[:most], len(data) <= most)
    except (OSError, HTTPException, HTTPError, ValueError) as error:
        left()
        kind = Unanswered if deadline else Unreached
        raise kind(f"The server gave no answer ({type(error).__name__})") from None
    finally:
        if deadline:
            deadline.cancel()
        connection.close()


class Later(Retryable):
    """The receiver asks to try again later."""

    def __init__(self, message: str, wait: float = 0, left: list[str] | None = None) -> None:
        """Keep what the next attempt needs.

        Args:
            message: what the receiver said, without addresses.
            wait: seconds to wait at least.
            left: the recipients of an e-mail that do not have it yet; None: the same as before.
        """
        super().__init__(message)
        self.wait = wait
        self.left = left
