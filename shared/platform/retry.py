"""Which errors are transient, and for how long to try again before the message must come again.

There are three rings of attempts: a call, by the client libraries, with growing random pauses
(`google.api_core.retry`); a transaction, whose steps are safe to repeat, by `Documents.run`; a delivery, by
Pub/Sub. The first two end long before a function's time limit.
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
"""Timeout of one attempt of a call; Google's clients have 60 to 300, as long as a function may run."""
QUERY_SECONDS = 60.0
"""Timeout of one attempt of a query, whose results may stream in for a while."""
RETRY_SECONDS = 30.0
"""Limit on all attempts of a call, and on all repetitions of a transaction."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds, doubled from pause to pause; each pause is random, from zero to that."""
EXPIRED = "transaction has expired"
"""Firestore's message about a transaction that it has forgotten, for example after a restart."""


def is_transient(error: BaseException) -> bool:
    """Whether the same message may succeed later without any intervention.

    Our own errors say so by their family. Google's and requests' are transient if they are outages,
    contention or limits; all others are real failures, which are counted.
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
    """Yield the seconds to wait before each further attempt, until `RETRY_SECONDS` are over."""
    until = time.monotonic() + RETRY_SECONDS
    longest = FIRST_PAUSE
    while time.monotonic() < until:
        yield random.uniform(0, longest)  # noqa: S311 - spreads load, guards nothing
        longest = min(2 * longest, LONGEST_PAUSE)


def limit_calls(transport: FirestoreTransport | SecretManagerServiceTransport) -> None:
    """Set our timeouts for every call of a generated client.

    They are set on the transport, because transactions cannot take them per call.
    """
    query = getattr(transport, "run_query", None)
    calls: dict[Any, Any] = transport._wrapped_methods
    for method, call in calls.items():
        call._timeout = QUERY_SECONDS if method is query else CALL_SECONDS
        if call._retry is not None:
            call._retry = call._retry.with_timeout(RETRY_SECONDS)


def retrying(seconds: float) -> Retry:
    """Retry a call for so long, with growing random pauses."""
    from google.api_core.retry import Retry

    return Retry(is_transient, FIRST_PAUSE, LONGEST_PAUSE, multiplier=2.0, timeout=seconds)


def storage_limits() -> dict[str, Retry | float]:
    """Return the same limits as arguments for Cloud Storage, whose client has none."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    retry: Retry = DEFAULT_RETRY.with_timeout(RETRY_SECONDS).with_delay(
        initial=FIRST_PAUSE, maximum=LONGEST_PAUSE, multiplier=2.0
    )
    return {"retry": retry, "timeout": CALL_SECONDS}
