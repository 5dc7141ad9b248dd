"""Which errors pass by themselves."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from requests import exceptions as http

from shared.errors import (
    HeadraceError,
    LeaseHeld,
    Malformed,
    Permanent,
    Rejected,
    Retryable,
    SetupError,
    Superseded,
)
from shared.retry import is_transient

google: Any = exceptions
"""Its constructors have no annotations."""


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Retryable(), id="ours: could not be done now"),
        pytest.param(LeaseHeld(), id="ours: somebody is doing it"),
        pytest.param(google.Aborted("x"), id="a transaction that lost"),
        pytest.param(google.Cancelled("x"), id="a call cut off"),
        pytest.param(google.DeadlineExceeded("x"), id="a server that is slow, gRPC"),
        pytest.param(google.GatewayTimeout("x"), id="a server that is slow, HTTP 504"),
        pytest.param(google.InternalServerError("x"), id="HTTP 500, gRPC INTERNAL"),
        pytest.param(google.BadGateway("x"), id="HTTP 502"),
        pytest.param(google.ServiceUnavailable("x"), id="HTTP 503, gRPC UNAVAILABLE"),
        pytest.param(google.TooManyRequests("x"), id="HTTP 429"),
        pytest.param(google.ResourceExhausted("x"), id="a quota, gRPC"),
        pytest.param(google.RetryError("x", cause=None), id="the client's own retries used up"),
        pytest.param(http.ConnectionError("x"), id="a connection refused or reset"),
        pytest.param(http.ConnectTimeout("x"), id="a connection that is not accepted"),
        pytest.param(http.ReadTimeout("x"), id="an answer that does not come"),
        pytest.param(http.ChunkedEncodingError("x"), id="an answer that breaks off"),
    ],
)
def test_what_passes_by_itself(error: Exception) -> None:
    """Outages, contention and limits: the same message may succeed later, and the failure is not counted."""
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(HeadraceError(), id="ours, of no family"),
        pytest.param(Superseded(), id="ours: nothing is left to be done"),
        pytest.param(Permanent("c", "m", "h"), id="ours: never as it stands"),
        pytest.param(Rejected("c", "m", "h"), id="ours: the input's fault"),
        pytest.param(Malformed("c", "m", "h"), id="ours: not our message"),
        pytest.param(SetupError(), id="ours: not set up"),
        pytest.param(google.NotFound("x"), id="HTTP 404"),
        pytest.param(google.PermissionDenied("x"), id="HTTP 403: somebody must grant it"),
        pytest.param(google.InvalidArgument("x"), id="HTTP 400: the request itself is wrong"),
        pytest.param(google.FailedPrecondition("x"), id="a precondition: somebody else was there"),
        pytest.param(http.InvalidURL("x"), id="a request that was never sent"),
        pytest.param(ValueError("x"), id="a defect"),
        pytest.param(MemoryError(), id="too little memory: the same batch needs it again"),
        pytest.param(OSError("x"), id="a disk that is full"),
    ],
)
def test_what_is_a_real_failure(error: Exception) -> None:
    """Everything else is counted: a batch that always fails ends, instead of coming again for a week."""
    assert not is_transient(error)
