"""Which errors pass by themselves, and for how long to try again before the message is to come again.

Trying again happens in three rings, each giving up to the next: a call, by the client libraries, which wait
longer each time and at random (`google.api_core.retry`); a transaction, whose steps are safe to repeat, by
`Documents.run`; a delivery, by Pub/Sub. The first two end long before a function's time limit does.
"""

from __future__ import annotations

import errno
import random
import time
from typing import TYPE_CHECKING, Any

from shared.platform.errors import Retryable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.api_core.retry import Retry
    from google.cloud.firestore_v1.services.firestore.transports import FirestoreTransport
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceTransport,
    )

CALL_SECONDS = 10.0
"""One attempt of one call. Google's clients have 60 to 300, as long as a whole function may run."""
QUERY_SECONDS = 60.0
"""One attempt of a query, whose results may stream in for a while."""
RETRY_SECONDS = 30.0
"""All attempts of one call, and all repetitions of one transaction."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds, doubled from pause to pause; each is drawn from zero to that."""
EXPIRED = "transaction has expired"
"""Firestore calls a transaction that it no longer knows, after a restart say, an invalid argument."""


def is_transient(error: BaseException) -> bool:
    """Whether the same message may succeed later without anybody doing anything.

    Ours say so by their family. Of Google's and requests' errors these are outages, contention and limits;
    all others are real failures, which are counted.
    """
    from google.api_core import exceptions as google
    from google.auth.exceptions import TransportError
    from requests import exceptions as http

    if isinstance(error, Retryable):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # of the folder for temporary files
        return True
    if isinstance(error, AttributeError) and error.__context__ is not None:
        # Of a query that breaks off while results stream in: Firestore's client looks for its own retry in
        # the wrong place (`Query._retry_query_after_exception`), and raises this in place of the outage.
        return is_transient(error.__context__)
    if isinstance(error, google.InvalidArgument):
        return EXPIRED in error.message
    transient = (
        google.Aborted,
        google.BadGateway,
        google.Cancelled,
        google.DeadlineExceeded,
        google.GatewayTimeout,
        google.InternalServerError,
        google.RetryError,
        google.ServiceUnavailable,
        google.TooManyRequests,
        TransportError,  # no token to be had
        http.ConnectionError,
        http.Timeout,
        http.ChunkedEncodingError,
    )
    return isinstance(error, transient)


def pauses() -> Iterator[float]:
    """Seconds to wait before each further attempt, until `RETRY_SECONDS` are over."""
    until = time.monotonic() + RETRY_SECONDS
    longest = FIRST_PAUSE
    while time.monotonic() < until:
        yield random.uniform(0, longest)  # noqa: S311 - spreads load, guards nothing
        longest = min(2 * longest, LONGEST_PAUSE)


def limit_calls(transport: FirestoreTransport | SecretManagerServiceTransport) -> None:
    """Give every call of a generated client these time limits in place of the library's.

    On the transport, because transactions begin and commit without a way to say so for each call.
    """
    query = getattr(transport, "run_query", None)
    calls: dict[Any, Any] = transport._wrapped_methods
    for method, call in calls.items():
        call._timeout = QUERY_SECONDS if method is query else CALL_SECONDS
        if call._retry is not None:
            call._retry = call._retry.with_timeout(RETRY_SECONDS)


def retrying(seconds: float) -> Retry:
    """A call tried again for so long, with growing random pauses."""
    from google.api_core.retry import Retry

    return Retry(is_transient, FIRST_PAUSE, LONGEST_PAUSE, multiplier=2.0, timeout=seconds)


def storage_limits() -> dict[str, Retry | float]:
    """The same limits as arguments of a call to Cloud Storage, whose client has none of its own."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    retry: Retry = DEFAULT_RETRY.with_timeout(RETRY_SECONDS).with_delay(
        initial=FIRST_PAUSE, maximum=LONGEST_PAUSE, multiplier=2.0
    )
    return {"retry": retry, "timeout": CALL_SECONDS}
