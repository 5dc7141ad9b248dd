"""What no retry can help is kept with its reason before it is acknowledged, and fails only its own run."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from functions.deadletter.main import NOT_OURS, on_dead_letter
from shared.documents.store import Documents, document_id
from shared.platform.clients import firestore_client, publisher
from shared.platform.pubsub import answer, upload_event
from shared.platform.records import UploadEvent
from shared.platform.settings import DEAD_LETTERS, settings
from tests.integration.documents_parts import batch_of, plan_of
from tests.integration.documents_servers import serving
from tests.integration.pubsub_server import PROJECT, Clients, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.platform.pubsub import Push
    from shared.platform.records import BatchMessage


@pytest.fixture
def clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    """A Pub/Sub server that this process's own publisher talks to."""
    with running("pubsub", tmp_path) as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.address)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT.removeprefix("projects/"))
        publisher.cache_clear()
        settings.cache_clear()
        clients = Clients(server.address)
        yield clients
        clients.close()
    publisher.cache_clear()
    settings.cache_clear()


def push(data: bytes, attributes: dict[str, str], subscription: str) -> Request:
    """A delivery."""
    message = {"data": base64.b64encode(data).decode(), "attributes": attributes, "messageId": "7"}
    body = json.dumps({"message": message, "subscription": f"projects/p/subscriptions/{subscription}"})
    return Request(EnvironBuilder(method="POST", data=body).get_environ())


def stranger(data: bytes) -> Request:
    """A push of a message that is no notification."""
    return push(data, {"from": "a stranger"}, "ingest")


def read(push: Push) -> None:
    """What ingest does first."""
    upload_event(push)


def test_a_malformed_message_is_kept_and_acknowledged(clients: Clients) -> None:
    """Its data as it was, with function, subscription and reason beside its own attributes."""
    topic = clients.publisher.create_topic(name=f"{PROJECT}/topics/{DEAD_LETTERS}").name
    kept = clients.subscription(topic)
    assert answer("ingest", stranger(b"what is this"), read) == ("", 204)
    [received] = clients.pull(kept)
    attributes = dict(received.message.attributes)
    reason = json.loads(attributes.pop("headraceReason"))
    assert received.message.data == b"what is this"
    assert (reason["code"], sorted(reason)) == ("not_a_notification", ["code", "hint", "message"])
    assert attributes == {
        "from": "a stranger",
        "headraceFunction": "ingest",
        "headraceSubscription": "projects/p/subscriptions/ingest",
    }


def test_a_message_without_data_is_kept_with_some(clients: Clients) -> None:
    """functions-framework does not take a push without data for a push, so none is published."""
    topic = clients.publisher.create_topic(name=f"{PROJECT}/topics/{DEAD_LETTERS}").name
    kept = clients.subscription(topic)
    assert answer("ingest", stranger(b""), read) == ("", 204)
    [received] = clients.pull(kept)
    assert received.message.data == b"{}"


@pytest.mark.usefixtures("clients")
def test_what_cannot_be_kept_is_not_acknowledged() -> None:
    """There is no topic for it: the message comes again, until the subscription's own policy keeps it."""
    assert answer("ingest", stranger(b"what is this"), read) == ("", 503)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, and a Pub/Sub with a topic for results."""
    with serving(tmp_path_factory.mktemp("letters")):
        yield


def upload(name: str, generation: int, restart: int | None = None) -> UploadEvent:
    return UploadEvent(
        bucket="b",
        name=name,
        generation=generation,
        event_type="OBJECT_FINALIZE",
        size=1,
        restart_run=restart,
    )


def analyzing(name: str, generation: int, restart: int | None = None) -> BatchMessage:
    """A document that is planned and waits for its only batch; the batch."""
    documents = Documents(firestore_client())
    event = upload(name, generation, restart)
    claim = documents.claim(event, published=datetime.now(UTC), lease_seconds=60)
    assert claim is not None
    documents.plan(claim, plan_of(name, [1]))
    return batch_of(claim.id, claim.run, generation, 0, (0, 1))


def bury(message: BatchMessage, reason: str | None = None) -> dict[str, Any]:
    """Deliver a batch as a dead letter, with what a function says of it; its record."""
    data = message.model_dump_json().encode()
    attributes = {} if reason is None else {"headraceReason": reason}
    assert answer("deadletter", push(data, attributes, "deadletter"), on_dead_letter) == ("", 204)
    digest = hashlib.sha256(data).hexdigest()
    letters = [one.to_dict() or {} for one in firestore_client().collection("dead_letters").stream()]
    [letter] = [one for one in letters if one["data"]["sha256"] == digest]
    return letter


def stored(document: str) -> dict[str, Any]:
    return Documents(firestore_client()).reference(document).get().to_dict() or {}


@pytest.mark.usefixtures("servers")
def test_a_dead_letter_fails_its_run() -> None:
    """The document has the reason; a second delivery changes nothing and adds no second record."""
    message = analyzing("own.txt", 1)
    letter = bury(message)
    failed = stored(message.document)
    assert (failed["state"], failed["results_pending"]) == ("failed", False)
    assert failed["error"] == letter["reason"]
    assert (letter["document"], letter["run"]) == (message.document, 1)
    bury(message)
    assert stored(message.document) == failed


@pytest.mark.usefixtures("servers")
@pytest.mark.parametrize("code", sorted(NOT_OURS))
def test_a_batch_that_was_made_up_fails_nothing(code: str) -> None:
    """Its record says why it was refused, and names no command: the run does without it."""
    message = analyzing(f"{code}.txt", 1)
    before = stored(message.document)
    reason = {"code": code, "message": "Not one of its run.", "hint": "See who may publish."}
    letter = bury(message, json.dumps(reason))
    assert (letter["reason"], letter["document"], letter["replay"]) == (reason, message.document, None)
    assert stored(message.document) == before


@pytest.mark.usefixtures("servers")
@pytest.mark.parametrize("reason", ["", "null", "{", '{"code": "x"}', "[" * 100_000])
def test_a_reason_that_nobody_can_read_is_none(reason: str) -> None:
    """The dead letter is kept like one that Pub/Sub forwarded, and does not come again and again."""
    message = analyzing(f"reason-{len(reason)}.txt", 1)
    assert bury(message, reason)["reason"]["code"] == "deliveries_exhausted"


@pytest.mark.usefixtures("servers")
@pytest.mark.parametrize("generation", [2, 1])
def test_a_dead_letter_of_an_older_run_fails_nothing(generation: int) -> None:
    """The file was overwritten, or the run restarted: the letter is kept, the document goes on."""
    name = f"moved-{generation}.txt"
    old = analyzing(name, 1)
    analyzing(name, generation, restart=1 if generation == 1 else None)
    before = stored(old.document)
    assert before["run"] == 2
    assert bury(old)["run"] == 1
    assert stored(old.document) == before


@pytest.mark.usefixtures("servers")
def test_a_dead_letter_of_an_earlier_life_fails_nothing() -> None:
    """The document was erased and its file uploaded again, so its run has the old one's number."""
    old = analyzing("erased.txt", 1)
    reference = Documents(firestore_client()).reference(old.document)
    for part in reference.collections():
        for record in part.stream():
            record.reference.delete()
    reference.delete()
    new = analyzing("erased.txt", 2)
    assert (new.document, new.run) == (old.document, old.run)
    before = stored(new.document)
    assert bury(old)["document"] == old.document
    assert stored(new.document) == before
    assert bury(new)["run"] == 1
    assert stored(new.document)["state"] == "failed"


def bury_upload(event: UploadEvent, generation: int) -> None:
    """Deliver the notification of an upload as a dead letter."""
    attributes = {
        "bucketId": event.bucket,
        "objectId": event.name,
        "objectGeneration": str(generation),
        "eventType": event.event_type,
    }
    notification = push(b'{"size": "1"}', attributes, "deadletter")
    assert answer("deadletter", notification, on_dead_letter) == ("", 204)


@pytest.mark.usefixtures("servers")
def test_a_dead_letter_of_an_upload_that_comes_twice_is_one_record() -> None:
    """The first delivery ends the run, so the second one no longer finds it; the record still says which."""
    event = upload("twice.txt", 1)
    for _ in range(2):
        bury_upload(event, 1)
    letters = [one.to_dict() or {} for one in firestore_client().collection("dead_letters").stream()]
    document = document_id(event.bucket, event.name)
    assert [one["run"] for one in letters if one["document"] == document] == [1]
    assert stored(document)["state"] == "failed"


@pytest.mark.usefixtures("servers")
def test_a_dead_letter_of_an_upload_fails_the_run_that_it_began() -> None:
    """Its lease is over: the run fails; the notification of an older generation fails nothing."""
    documents = Documents(firestore_client())
    event = upload("unread.txt", 2)
    claim = documents.claim(event, published=datetime.now(UTC), lease_seconds=-1)
    assert claim is not None
    for generation, state in ((1, "extracting"), (2, "failed")):
        bury_upload(event, generation)
        assert stored(claim.id)["state"] == state
    letters = [one.to_dict() or {} for one in firestore_client().collection("dead_letters").stream()]
    assert {one["run"] for one in letters if one["document"] == claim.id} == {None, 1}
