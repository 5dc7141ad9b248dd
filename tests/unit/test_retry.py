"""What passes by itself, and that no client waits longer for it than Headrace says."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from requests import exceptions as http

from shared.platform import clients, retry
from shared.platform.errors import LeaseHeld, Retryable, Superseded
from shared.platform.retry import (
    CALL_SECONDS,
    QUERY_SECONDS,
    RETRY_SECONDS,
    is_transient,
    pauses,
    storage_limits,
)
from shared.platform.settings import Settings, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

google: Any = exceptions
"""Whose constructors have no types."""


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clients that are pointed at a port where nothing answers."""
    cached = (clients.firestore_client, clients.secrets, settings)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setenv("SECRET_MANAGER_EMULATOR_HOST", "127.0.0.1:1")
    for each in cached:
        each.cache_clear()
    yield
    for each in cached:
        each.cache_clear()


def in_place_of(error: Exception) -> AttributeError:
    """As Firestore's client raises it while it handles the error of a stream."""
    raised = AttributeError("'_UnaryStreamMultiCallable' object has no attribute '_retry'")
    raised.__context__ = error
    return raised


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (in_place_of(google.DeadlineExceeded("a stream was removed")), True),
        (in_place_of(google.PermissionDenied("no")), False),
        (AttributeError("of our own"), False),
        (LeaseHeld(), True),
        (Retryable(), True),
        (Superseded(), False),
        (google.ServiceUnavailable("x"), True),
        (google.DeadlineExceeded("x"), True),
        (google.Aborted("x"), True),
        (google.ResourceExhausted("x"), True),
        (google.InvalidArgument("The referenced transaction has expired or is no longer valid."), True),
        (google.InvalidArgument("The name is invalid."), False),
        (google.NotFound("x"), False),
        (google.PermissionDenied("x"), False),
        (http.ConnectionError(), True),
        (http.InvalidURL(), False),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (KeyError("x"), False),
    ],
)
def test_what_passes_by_itself(error: Exception, *, expected: bool) -> None:
    """Outages, contention and limits pass; what is wrong with the message or with us does not."""
    assert is_transient(error) is expected


@pytest.mark.usefixtures("nowhere")
def test_every_call_of_the_clients_has_our_limits() -> None:
    """No call of Firestore or Secret Manager waits as long as its library would; queries may take longer."""
    firestore: Any = clients.firestore_client()
    for transport in (firestore._firestore_api.transport, clients.secrets().transport):
        calls = dict(transport._wrapped_methods)
        query = calls.pop(getattr(transport, "run_query", None), None)
        assert {call._timeout for call in calls.values()} == {CALL_SECONDS}
        assert query is None or query._timeout == QUERY_SECONDS
        assert {call._retry.timeout for call in calls.values() if call._retry} == {RETRY_SECONDS}


def test_the_limits_are_far_below_a_functions() -> None:
    """Even a handler that meets several hanging calls one after the other answers within its time limit."""
    assert (CALL_SECONDS, RETRY_SECONDS) == (10, 30)  # as docs/reliability.md says
    default = Settings.model_fields["ingest_timeout"].default
    assert default > 6 * (RETRY_SECONDS + CALL_SECONDS)
    assert storage_limits()["retry"].timeout == RETRY_SECONDS  # type: ignore[union-attr]  # the Retry of the two


def test_pauses_grow_at_random_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two callers do not pause alike; pauses stay within their bound, which doubles, and stop in the end."""
    clock = iter(range(1000))
    monkeypatch.setattr("shared.platform.retry.time.monotonic", lambda: float(next(clock)))
    first, second = list(pauses()), list(pauses())
    assert first != second
    assert len(first) == RETRY_SECONDS - 1
    bounds = [min(retry.FIRST_PAUSE * 2**number, retry.LONGEST_PAUSE) for number in range(len(first))]
    assert all(0 <= pause <= bound for pause, bound in zip(first, bounds, strict=True))
    assert max(first) > 1
