"""Exchange HTTP requests with servers that operators configure, and say what can go wrong."""

from __future__ import annotations

import logging
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
AGAIN_SECONDS = 0.1
"""Until the socket is shut down once more: the protocol may have made a new one of it meanwhile."""


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


@contextmanager
def cut_off(connected: Callable[[], socket.socket | None], seconds: float) -> Iterator[None]:
    """Shut the socket down if what stands inside takes longer."""
    done = threading.Event()

    def watch() -> None:
        pause = max(0.0, seconds)
        while not done.wait(pause):
            pause = AGAIN_SECONDS
            current = connected()
            if current is not None:
                with suppress(OSError):  # closed already
                    # Not SSLSocket's own, which would have the reader go on without TLS.
                    socket.socket.shutdown(current, socket.SHUT_RDWR)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


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

    sending = False
    try:
        connection.timeout = min(left(), CONNECT_SECONDS)
        connection.connect()
        sending = True
        connection.timeout = left()
        # A connection that is to be closed forgets its socket when it has read the answer's head.
        connected = connection.sock
        with cut_off(lambda: connected, left()):
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
        kind = Unanswered if sending else Unreached
        raise kind(f"The server gave no answer ({type(error).__name__})") from None
    finally:
        connection.close()


class Later(Retryable):
    """The receiver asks to come again later."""

    def __init__(
        self,
        message: str,
        wait: float = 0,
        left: list[str] | None = None,
        refused: dict[str, int] | None = None,
    ) -> None:
        """What is to be kept for the next attempt.

        Args:
            message: what the receiver said, without addresses.
            wait: seconds, at least.
            left: the recipients of an e-mail that are to be told then; None: the same as now.
            refused: those that were refused for good meanwhile, with the reply's code.
        """
        super().__init__(message)
        self.wait = wait
        self.left = left
        self.refused = refused or {}
