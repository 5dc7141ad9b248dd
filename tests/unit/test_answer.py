"""How a push is answered, and the one line that is logged of it."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from flask import Request
from requests.exceptions import ConnectionError as HTTPConnectionError
from structlog.contextvars import bind_contextvars
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from shared.platform.errors import LeaseHeld, Permanent, Retryable, SetupError, Superseded
from shared.platform.pubsub import MAX_PUSH_BYTES, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.platform.pubsub import Push

TEXT = "Two contractors died at the site."
"""Stands for a document's text, which no log line may hold."""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def request(
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    attributes: dict[str, str] | None = None,
) -> Request:
    """A push as functions-framework hands it to a function."""
    message: dict[str, Any] = {"data": base64.b64encode(TEXT.encode()).decode(), "messageId": "7"}
    message["attributes"] = attributes or {}
    envelope = {"message": message, "subscription": "projects/p/subscriptions/s", "deliveryAttempt": 3}
    content = json.dumps(envelope).encode() if body is None else body
    return Request(EnvironBuilder(method="POST", data=content, headers=Headers(headers)).get_environ())


@pytest.fixture(autouse=True)
def _fresh_log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Logs go to standard error as it is captured now, and are of the project `acme`."""
    capsys.readouterr()
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "acme")
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was logged since the last look."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def raising(error: Exception) -> Callable[[Push], None]:
    def step(_: Push) -> None:
        raise error

    return step


def succeed(_: Push) -> None:
    """A step that is committed."""


@pytest.mark.parametrize(
    ("step", "status", "severity", "outcome", "exception"),
    [
        pytest.param(succeed, 204, "INFO", "done", None, id="committed: acknowledged"),
        pytest.param(
            raising(Superseded("a newer generation of this object is known")),
            *(204, "INFO", "a newer generation of this object is known", None),
            id="superseded: acknowledged, somebody newer owns the document",
        ),
        pytest.param(
            raising(Retryable("the document is contended")),
            *(503, "WARNING", "the document is contended", None),
            id="retryable: comes again, and is no fault worth a stack trace",
        ),
        pytest.param(
            raising(LeaseHeld()),
            *(503, "WARNING", "Another delivery is doing this step right now.", None),
            id="lease held: comes again, so that the holder's death loses nothing",
        ),
        pytest.param(
            raising(HTTPConnectionError(TEXT)),
            *(503, "WARNING", "ConnectionError", None),
            id="an outage: comes again",
        ),
        pytest.param(
            raising(Permanent("code", "A sentence.", "A hint.")),
            *(503, "WARNING", "A sentence.", "Permanent"),
            id="permanent, but handled by nobody: comes again until it is dead-lettered",
        ),
        pytest.param(
            raising(SetupError("There is no model.")),
            *(503, "WARNING", "There is no model.", "SetupError"),
            id="not set up: comes again, since somebody will set it up",
        ),
        pytest.param(
            raising(ValueError(TEXT)),
            *(503, "WARNING", "ValueError", "ValueError"),
            id="unforeseen: comes again, with its type and its frames",
        ),
    ],
)
def test_the_answer_follows_from_the_family(
    step: Callable[[Push], None],
    status: int,
    severity: str,
    outcome: str,
    exception: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One answer and one line for each family; no line quotes a message or a library's exception."""
    assert answer("ingest", request(), step) == ("", status)
    [line] = lines(capsys)
    assert (line["severity"], line["message"], line["function"]) == (severity, "event handled", "ingest")
    assert (line["status"], line["outcome"], line.get("exception")) == (status, outcome, exception)
    assert ("stack" in line) == (exception is not None)
    assert TEXT not in json.dumps(line)
    assert base64.b64encode(TEXT.encode()).decode() not in json.dumps(line)


def test_a_line_has_what_metrics_are_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, delivery attempt and duration, and what the handler binds: document, run and batch."""

    def step(_: Push) -> None:
        bind_contextvars(document="d", run=2, batch=5)

    answer("analyze", request(), step)
    [line] = lines(capsys)
    assert (line["document"], line["run"], line["batch"]) == ("d", 2, 5)
    assert (line["message_id"], line["delivery_attempt"]) == ("7", 3)
    assert 0 <= line["elapsed_ms"] < 1000
    assert datetime.fromisoformat(line["time"]).utcoffset() is not None


def test_an_event_inherits_nothing_from_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    """A thread handles one event after the other; neither document nor trace of the first stick to it."""
    answer(
        "analyze",
        request(headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}),
        lambda _: _bind_document(),
    )
    answer("analyze", request(), succeed)
    first, second = lines(capsys)
    assert {"document", "run", "logging.googleapis.com/trace"} <= first.keys()
    assert not {"document", "run", "logging.googleapis.com/trace"} & second.keys()


def _bind_document() -> None:
    bind_contextvars(document="d", run=1)


@pytest.mark.parametrize(
    ("headers", "trace"),
    [
        pytest.param({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE, id="a trace"),
        pytest.param({}, None, id="no header"),
        pytest.param({"traceparent": "garbage"}, None, id="something else"),
    ],
)
def test_a_trace_is_logged_where_there_is_one(
    headers: dict[str, str], trace: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """In Cloud Logging's own field, by its full name; no field where no header names one."""
    answer("ingest", request(headers=headers), succeed)
    [line] = lines(capsys)
    expected = f"projects/acme/traces/{trace}" if trace else None
    assert line.get("logging.googleapis.com/trace") == expected
    assert "trace_id" not in line


@pytest.mark.parametrize(
    ("pushed", "outcome"),
    [
        pytest.param(request(TEXT.encode()), "not_a_push", id="no envelope"),
        pytest.param(request(b"x" * (MAX_PUSH_BYTES + 1)), "too_large", id="larger than any message"),
    ],
)
def test_what_is_no_push_is_refused(
    pushed: Request, outcome: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It never reaches the step, and the answer is the sender's fault."""
    assert answer("ingest", pushed, raising(AssertionError("the step was run"))) == ("", 400)
    [line] = lines(capsys)
    assert (line["severity"], line["outcome"]) == ("WARNING", outcome)
    assert TEXT not in json.dumps(line)
