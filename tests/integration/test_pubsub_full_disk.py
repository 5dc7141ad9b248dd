"""A disk that is full: the server says so, promises nothing it cannot keep, and loses nothing it promised."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions
from google.pubsub_v1 import PubsubMessage

from tests.integration.pubsub_server import Clients, LocalServer, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL = 2 * 1024 * 1024
"""Bytes that a file may have, in place of a full disk."""


def publish_until_refused(clients: Clients, topic: str) -> Iterator[str]:
    """The ids that the publisher was promised."""
    message = PubsubMessage(data=b"x" * 10_000)
    with pytest.raises(exceptions.ServiceUnavailable):  # noqa: PT012  # one of many calls
        while True:
            yield from clients.publisher.publish(topic=topic, messages=[message], retry=None).message_ids


def test_full_disk_stops_the_server_and_loses_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What does not fit is refused, the server ends with one line, what it had acknowledged is there."""
    server = LocalServer("pubsub", tmp_path)
    server.start()
    assert server.process is not None
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (FULL, FULL))
    clients = Clients(server.address)
    topic = clients.topic()
    subscription = clients.subscription(topic)
    promised = list(publish_until_refused(clients, topic))
    assert server.process.wait(timeout=10) == 1
    errors = capfd.readouterr().err
    assert len(errors.splitlines()) == 1
    assert "database cannot be written" in errors
    clients.close()
    with running("pubsub", tmp_path, server.port):
        clients = Clients(server.address)
        received = clients.pull_all(subscription, len(promised))
        assert len(promised) > 10
        assert {message.message.message_id for message in received} >= set(promised)
        clients.close()
