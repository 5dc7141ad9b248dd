"""Which errors pass by themselves: the list behind every answer to Pub/Sub and every counted failure."""

from __future__ import annotations

from shared.errors import Retryable


def is_transient(error: BaseException) -> bool:
    """Whether the same message may succeed later without anybody doing anything.

    Ours say so by their family. Of Google's and requests' errors these are outages, contention and limits;
    all others are real failures, which are counted.
    """
    from google.api_core import exceptions as google
    from requests import exceptions as http

    if isinstance(error, Retryable):
        return True
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
        http.ConnectionError,
        http.Timeout,
        http.ChunkedEncodingError,
    )
    return isinstance(error, transient)
