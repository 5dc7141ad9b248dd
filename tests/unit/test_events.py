import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.platform.errors import Malformed, Retryable
from shared.platform.pubsub import Push, batch_message, parse_push, upload_event
from shared.platform.records import BatchMessage

ATTRIBUTES = {
    "bucketId": "acme-uploads",
    "objectId": "reports/2025.pdf",
    "objectGeneration": "1700000000000000",
    "eventType": "OBJECT_FINALIZE",
}
COUNTED = {
    **dict.fromkeys(("run", "generation", "lanes", "end", "byte_end"), 1),
    **dict.fromkeys(("batch", "start", "byte_start"), 0),
}
BATCH: dict[str, Any] = {"document": "d" * 24, "model": "m", "artefact": "runs/d/1/", **COUNTED}
OBJECT = {"size": "12", "contentType": "application/pdf", "metadata": {"text-column": "body"}, "etag": "x"}


def envelope(data: bytes, attributes: dict[str, str], **more: Any) -> bytes:
    message = {
        "data": base64.b64encode(data).decode(),
        "attributes": attributes,
        "messageId": "7",
        "publishTime": "2026-01-02T03:04:05.678Z",
    }
    return json.dumps({"message": message, "subscription": "projects/p/subscriptions/s", **more}).encode()


@given(data=st.binary(), attributes=st.dictionaries(st.text(), st.text()), attempt=st.none() | st.integers(1))
def test_a_push_round_trips(data: bytes, attributes: dict[str, str], attempt: int | None) -> None:
    """Data, attributes and delivery attempt come out of the envelope as they went in."""
    push = parse_push(envelope(data, attributes, deliveryAttempt=attempt))
    assert (push.data, push.attributes, push.delivery_attempt) == (data, attributes, attempt)
    assert push.published.isoformat() == "2026-01-02T03:04:05.678000+00:00"


@given(st.binary())
def test_what_is_no_push_is_malformed(body: bytes) -> None:
    """Any other body is refused by type, never by a crash."""
    with pytest.raises(Malformed):
        parse_push(body)


def test_a_notification_is_read() -> None:
    """Name, generation, size, type and metadata of the object come from the notification."""
    event = upload_event(parse_push(envelope(json.dumps(OBJECT).encode(), ATTRIBUTES)))
    assert (event.bucket, event.name, event.generation) == (
        "acme-uploads",
        "reports/2025.pdf",
        1700000000000000,
    )
    assert (event.size, event.content_type, event.metadata) == (
        12,
        "application/pdf",
        {"text-column": "body"},
    )
    assert event.restart_run is None


@pytest.mark.parametrize("missing", sorted(ATTRIBUTES))
def test_a_notification_without_an_attribute_is_malformed(missing: str) -> None:
    """Each attribute is needed."""
    attributes = {name: value for name, value in ATTRIBUTES.items() if name != missing}
    with pytest.raises(Malformed):
        upload_event(parse_push(envelope(json.dumps(OBJECT).encode(), attributes)))


@pytest.mark.parametrize("generation", ["", "x", "-1", "0", "1.5"])
def test_a_generation_is_a_positive_number(generation: str) -> None:
    """The generation orders events, so nothing else is let in."""
    push = parse_push(envelope(json.dumps(OBJECT).encode(), {**ATTRIBUTES, "objectGeneration": generation}))
    with pytest.raises(Malformed):
        upload_event(push)


@given(
    st.builds(
        BatchMessage,
        document=st.text("0123456789abcdef", min_size=24, max_size=24),
        run=st.integers(1, 2**31),
        generation=st.integers(1, 2**63 - 1),
        model=st.text(max_size=64),
        batch=st.integers(0, 2**31),
        lanes=st.integers(1, 64),
        start=st.integers(0, 2**31 - 1),
        end=st.integers(2**31, 2**63 - 1),
        byte_start=st.integers(0, 2**40 - 1),
        byte_end=st.integers(2**40, 2**63 - 1),
        artefact=st.text(max_size=64),
    )
)
def test_batches_round_trip(message: BatchMessage) -> None:
    """What ingest publishes is what analyze reads."""
    push = parse_push(envelope(message.model_dump_json().encode(), {}))
    assert isinstance(push, Push)
    assert batch_message(push) == message


def test_an_unknown_field_in_a_batch_is_malformed() -> None:
    """A batch of another schema is refused rather than half understood."""
    with pytest.raises(Malformed):
        batch_message(parse_push(envelope(b'{"document": "d", "colour": "red"}', {})))


def test_a_batch_of_a_newer_revision_waits() -> None:
    """It says more than this one knows, which may be what counts: a dead letter would end its document."""
    assert batch_message(parse_push(envelope(json.dumps(BATCH).encode(), {}))).end == 1
    with pytest.raises(Retryable, match="newer"):
        batch_message(parse_push(envelope(json.dumps(BATCH | {"colour": "red"}).encode(), {})))


BEYOND = [-1, 2**63, 10**30]


@pytest.mark.parametrize(
    "changed",
    [
        *({name: value} for name in sorted(COUNTED) for value in BEYOND),
        {"source": {"document": BATCH["document"], "run": 2**63}},
        {"source": {"document": "a/b", "run": 1}},
        {"start": 1},
        {"byte_start": 1},
        {"document": "a/b"},
        {"document": "d" * 24 + "\n"},
        {"model": "m" * 65},
        {"artefact": "a" * 1025},
    ],
    ids=str,
)
def test_a_batch_beyond_what_can_be_stored_is_malformed(changed: dict[str, Any]) -> None:
    """Firestore would refuse it at every delivery, so it is dead-lettered at the first."""
    with pytest.raises(Malformed):
        batch_message(parse_push(envelope(json.dumps(BATCH | changed).encode(), {})))


@pytest.mark.parametrize(
    ("attributes", "resource"),
    [
        *(({"objectGeneration": str(value)}, {}) for value in BEYOND),
        *(({"restartRun": str(value)}, {}) for value in [0, *BEYOND]),
        *(({}, {"size": str(value)}) for value in BEYOND),
        ({"objectId": ""}, {}),
        ({"objectId": "é" * 513}, {}),
        ({"bucketId": ""}, {}),
        ({"bucketId": "b" * 223}, {}),
        ({"eventType": "e" * 65}, {}),
        ({}, {"contentType": "t" * 8193}),
        ({}, {"metadata": {"k": "v" * 8192}}),
    ],
    ids=str,
)
def test_an_upload_beyond_what_can_be_stored_is_malformed(
    attributes: dict[str, str], resource: dict[str, Any]
) -> None:
    """As a batch is; the bounds are Cloud Storage's own, so no object that exists has such a notification."""
    body = envelope(json.dumps(OBJECT | resource).encode(), ATTRIBUTES | attributes)
    with pytest.raises(Malformed):
        upload_event(parse_push(body))


def test_an_upload_at_its_bounds_is_read() -> None:
    """The largest name, generation and metadata that Cloud Storage has."""
    attributes = ATTRIBUTES | {"objectId": "é" * 512, "objectGeneration": str(2**63 - 1)}
    resource = OBJECT | {"metadata": {"k": "v" * 8191}}
    event = upload_event(parse_push(envelope(json.dumps(resource).encode(), attributes)))
    assert (event.name, event.generation) == ("é" * 512, 2**63 - 1)


@pytest.mark.parametrize("key", ["", "__name__", "____", "k" * 1501])
def test_metadata_that_no_field_can_hold_is_left_out(key: str) -> None:
    """Whoever uploads chooses its names; the document is stored without those that Firestore refuses."""
    resource = OBJECT | {"metadata": {key: "x", "text-column": "body"}}
    event = upload_event(parse_push(envelope(json.dumps(resource).encode(), ATTRIBUTES)))
    assert event.metadata == {"text-column": "body"}
