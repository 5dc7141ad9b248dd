"""Structured logs in Cloud Logging's fields: one JSON object per line on standard error.

Handlers bind `document`, `run`, `batch` and `delivery_attempt`; document text and secrets are never logged.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, cast

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger


def _cloud_fields(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event["severity"] = "ERROR" if method == "exception" else method.upper()
    event["message"] = event.pop("event")
    if trace := event.pop("trace_id", None):
        project = os.environ.get("GOOGLE_CLOUD_PROJECT", "")
        event["logging.googleapis.com/trace"] = f"projects/{project}/traces/{trace}"
    return event


def _stack_without_values(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Log an exception's type and frames, not its message, which may quote a document."""
    if error := event.pop("error", None):
        frames = traceback.extract_tb(error.__traceback__)
        event["exception"] = type(error).__name__
        event["stack"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def get_logger(function: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines carry `function`; configures structlog on first use."""
    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
                _stack_without_values,
                _cloud_fields,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            # One write per line: the processes of a function share one log.
            logger_factory=structlog.WriteLoggerFactory(sys.stderr),
            cache_logger_on_first_use=True,
        )
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(function=function))
