"""Receive Pub/Sub pushes, publish messages, and decide in one place how a push is answered.

2xx acknowledges, 5xx brings the message again; the error's family alone decides which.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.platform.clients import publisher
from shared.platform.errors import HeadraceError, Malformed, Permanent, Retryable, Superseded
from shared.platform.logs import get_logger
from shared.platform.records import BatchMessage, UploadEvent
from shared.platform.retry import CALL_SECONDS, RETRY_SECONDS, is_transient, retrying
from shared.platform.settings import DEAD_LETTERS, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flask import Request

MAX_PUSH_BYTES = 14 * 1024 * 1024
"""A Pub/Sub message has at most 10 MB, a third more in base64."""
PUBLISH_LIMIT = 1000
"""Messages in one publish call."""
ACKNOWLEDGED, NOT_A_PUSH, AGAIN = 204, 400, 503
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
"""The header `traceparent` (W3C Trace Context), which Cloud Run sets."""
EMPTY = b"{}"
"""Stands for no data: functions-framework does not recognize a push without data."""


class Push(BaseModel):
    """One delivery."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    published: datetime
    data: bytes
    attributes: dict[str, str]
    subscription: str
    delivery_attempt: int | None


class _Message(BaseModel):
    messageId: str  # noqa: N815 - Pub/Sub's own names
    publishTime: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))  # noqa: N815
    data: str = ""
    attributes: dict[str, str] = Field(default_factory=dict)


class _Envelope(BaseModel):
    message: _Message
    subscription: str
    deliveryAttempt: int | None = None  # noqa: N815


def parse_push(body: bytes) -> Push:
    """Parse the standard (wrapped) push envelope.

    Raises:
        Malformed: this is no such envelope.
    """
    try:
        envelope = _Envelope.model_validate_json(body)
        data = base64.b64decode(envelope.message.data, validate=True)
    except (ValidationError, binascii.Error):
        raise Malformed("not_a_push", "The request is not a Pub/Sub push.", "Check the endpoint.") from None
    return Push(
        message_id=envelope.message.messageId,
        published=envelope.message.publishTime,
        data=data,
        attributes=envelope.message.attributes,
        subscription=envelope.subscription,
        delivery_attempt=envelope.deliveryAttempt,
    )


class _Object(BaseModel):
    """The parts of a Cloud Storage object resource that Headrace reads."""

    contentType: str | None = None  # noqa: N815 - Cloud Storage's own name
    size: int
    metadata: dict[str, str] = Field(default_factory=dict)


def upload_event(push: Push) -> UploadEvent:
    """Parse a Cloud Storage notification (payload format JSON_API_V1).

    Raises:
        Malformed: it is something else.
    """
    attributes = push.attributes
    try:
        resource = _Object.model_validate_json(push.data)
        return UploadEvent(
            bucket=attributes["bucketId"],
            name=attributes["objectId"],
            generation=int(attributes["objectGeneration"]),
            event_type=attributes["eventType"],
            content_type=resource.contentType,
            size=resource.size,
            metadata=resource.metadata,
            restart_run=int(attributes["restartRun"]) if "restartRun" in attributes else None,
        )
    except (KeyError, ValueError):
        raise Malformed(
            "not_a_notification",
            "The message is not a Cloud Storage notification.",
            "Create the bucket's notification with payload format JSON_API_V1.",
        ) from None


def batch_message(push: Push) -> BatchMessage:
    """Parse a batch.

    Raises:
        Retryable: it comes from a newer revision with fields that this one does not know.
        Malformed: it is something else.
    """
    try:
        return BatchMessage.model_validate_json(push.data)
    except ValidationError as error:
        if {one["type"] for one in error.errors(include_input=False)} == {"extra_forbidden"}:
            raise Retryable("this batch was published by a newer revision") from None
        raise Malformed(
            "not_a_batch", "The message is not a batch.", "Deploy ingest and analyze from one revision."
        ) from None


def publish(
    topic: str, messages: Iterable[tuple[bytes, Mapping[str, str]]], *, seconds: float = RETRY_SECONDS
) -> None:
    """Publish (data, attributes) pairs in order; returns once Pub/Sub has them all.

    Raises:
        GoogleAPIError: it has not within `seconds` for each thousand; perhaps a part.
    """
    path = f"projects/{settings().project}/topics/{topic}"
    batch = [{"data": data, "attributes": dict(attributes)} for data, attributes in messages]
    for first in range(0, len(batch), PUBLISH_LIMIT):
        request = {"topic": path, "messages": batch[first : first + PUBLISH_LIMIT]}
        publisher().publish(request=request, retry=retrying(seconds), timeout=min(seconds, CALL_SECONDS))


def publish_record(topic: str, records: Iterable[BaseModel], **attributes: str) -> None:
    """Publish records as JSON, each with the same attributes."""
    publish(topic, ((record.model_dump_json().encode(), attributes) for record in records))


def answer(function: str, request: Request, step: Callable[[Push], None]) -> tuple[str, int]:
    """Run a handler's step on a push, log one line, and answer Pub/Sub; never raises."""
    started = time.monotonic()
    log = get_logger(function)
    structlog.contextvars.clear_contextvars()
    if trace := _TRACE.fullmatch(request.headers.get("traceparent", "")):
        structlog.contextvars.bind_contextvars(trace_id=trace[1])
    outcome, status = "done", ACKNOWLEDGED
    error: Exception | None = None
    push: Push | None = None
    try:
        push = parse_push(_body(request))
        structlog.contextvars.bind_contextvars(
            message_id=push.message_id, delivery_attempt=push.delivery_attempt
        )
        step(push)
    except Superseded as superseded:
        outcome = superseded.message
    except Malformed as malformed:
        error = malformed
        outcome, status = malformed.code, _refuse(function, push, malformed)
    except Exception as unforeseen:  # noqa: BLE001 - whatever it was, the message must come again
        status = AGAIN
        outcome = unforeseen.message if isinstance(unforeseen, HeadraceError) else type(unforeseen).__name__
        error = None if is_transient(unforeseen) else unforeseen
    elapsed = round((time.monotonic() - started) * 1000, 1)
    write = log.info if status == ACKNOWLEDGED and error is None else log.warning
    write("event handled", outcome=outcome, status=status, elapsed_ms=elapsed, error=error)
    return "", status


def _body(request: Request) -> bytes:
    if (request.content_length or 0) > MAX_PUSH_BYTES:
        raise Malformed("too_large", "The push is larger than any message.", "Check the publisher.")
    return request.get_data()


def dead_letter(function: str, push: Push, reason: Permanent) -> None:
    """Publish a message that no retry can help to the dead letters, with the reason."""
    attributes = dict(push.attributes) | _explained(function, reason)
    attributes["headraceSubscription"] = push.subscription
    publish(DEAD_LETTERS, [(push.data or EMPTY, attributes)])


def dead_letter_batch(function: str, message: BatchMessage, reason: Permanent) -> None:
    """Publish a batch that came in no message to the dead letters."""
    publish(DEAD_LETTERS, [(message.model_dump_json().encode(), _explained(function, reason))])


def _explained(function: str, reason: Permanent) -> dict[str, str]:
    explained = {"code": reason.code, "message": reason.message, "hint": reason.hint}
    return {"headraceFunction": function, "headraceReason": json.dumps(explained)}


def _refuse(function: str, push: Push | None, reason: Malformed) -> int:
    """Answer a malformed message: 2xx once it is in the dead letters, 5xx if it could not be published."""
    if push is None:  # not Pub/Sub's envelope: there is nobody to redeliver it
        return NOT_A_PUSH
    try:
        dead_letter(function, push, reason)
    except Exception:  # noqa: BLE001 - then the subscription's own dead-letter policy keeps it
        return AGAIN
    return ACKNOWLEDGED
