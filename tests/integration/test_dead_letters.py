"""A malformed message is kept with its reason before it is acknowledged; what cannot be kept comes again."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from shared.clients import publisher
from shared.events import answer, upload_event
from shared.settings import DEAD_LETTERS, settings
from tests.integration.pubsub_server import PROJECT, Clients, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.events import Push


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


def stranger(data: bytes) -> Request:
    """A push of a message that is no notification."""
    message = {
        "data": base64.b64encode(data).decode(),
        "attributes": {"from": "a stranger"},
        "messageId": "7",
    }
    body = json.dumps({"message": message, "subscription": "projects/p/subscriptions/ingest"})
    return Request(EnvironBuilder(method="POST", data=body).get_environ())


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
