"""Talk to servers that operators configure.

An exchange has a total time and an answer of bounded size, and its errors quote no secret.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from shared.platform.errors import HeadraceError, Retryable
from shared.platform.settings import settings

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    from urllib3.connection import HTTPConnection

CONNECT_SECONDS = 10.0


class Unanswered(HeadraceError):
    """The server could not be reached, or gave no answer in time."""


class Later(Retryable):
    """The receiver asks to try again later; the message has no addresses."""

    def __init__(self, message: str, wait: float = 0) -> None:
        super().__init__(message)
        self.wait = wait
        """Seconds to wait at least."""


class Answer(NamedTuple):
    """A server's HTTP response."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    whole: bool
    """Whether the body is complete; what exceeds the limit was not read."""


def tls_context() -> ssl.SSLContext:
    """Return a context that checks certificates, against public authorities and the setting `ca_file`."""
    import ssl

    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file := settings().ca_file:
        context.load_verify_locations(ca_file)
    return context


@contextmanager
def shut_down_at(until: float, connected: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Shut a connection down at a moment of the monotonic clock.

    A socket's own timeout is for each read; a server that sends a byte now and then would hold it for ever.
    """

    def shut_down() -> None:
        if (open_socket := connected()) is not None:
            with suppress(OSError):  # closed already
                # Not SSLSocket's own, which would have the reader go on without TLS.
                socket.socket.shutdown(open_socket, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, until - time.monotonic()), shut_down)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def post(  # noqa: PLR0913 - a request's own parts, all by name
    connection: HTTPConnection,
    target: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    until: float,
    most: int,
) -> Answer:
    """Send a body by POST and read the answer, once, over a connection that is not open yet; close it.

    `headers` have the `host`; `until` is by the monotonic clock, and `most` limits the answer's bytes.

    Raises:
        Unanswered: with a message that quotes neither the address nor the server.
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

    opened: list[socket.socket] = []  # the connection forgets its socket once the answer has begun
    try:
        with shut_down_at(until, lambda: opened[0] if opened else connection.sock):
            connection.timeout = min(left(), CONNECT_SECONDS)
            connection.connect()
            opened.append(connection.sock)
            connection.timeout = left()
            # An encoded answer could unpack to any size.
            own = {"accept-encoding": "identity", "user-agent": "headrace", "connection": "close"}
            connection.request(
                "POST", target, body, own | dict(headers), preload_content=False, decode_content=False
            )
            response = connection.getresponse()
            data = response.read(most + 1)
            left()  # a body that was cut off may look like one that has ended
            names = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, names, data[:most], len(data) <= most)
    except (OSError, HTTPException, HTTPError, ValueError) as error:
        left()
        raise Unanswered(f"The server gave no answer ({type(error).__name__})") from None
    finally:
        connection.close()


def retry_after(answer: Answer) -> int:
    """Return the seconds for which the server asks to be left alone; 0 if it does not say."""
    asked = answer.headers.get("retry-after", "")
    return int(asked) if re.fullmatch(r"[0-9]{1,9}", asked) else 0
