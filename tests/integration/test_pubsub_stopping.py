"""How the server ends: asked to, or because its disk is full; it says why, and loses nothing it promised."""

from __future__ import annotations

import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions
from google.pubsub_v1 import PubsubMessage, StreamingPullRequest

from tests.integration.pubsub_server import Clients, Endpoint, LocalServer, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL = 2 * 1024 * 1024
"""Bytes that a file may have, in place of a full disk."""


def test_asked_to_stop_it_stops_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With a pull waiting, a stream open and a push hanging: status 0, in silence; pullers know why."""
    endpoint = Endpoint("hang")
    with running("pubsub", tmp_path, forked=False) as server:
        clients = Clients(server.address)
        topic = clients.topic()
        clients.subscription(topic, push_config={"push_endpoint": endpoint.url})
        clients.publish(topic, b"x")
        endpoint.wait(1)
        subscription = clients.subscription(topic)
        opening = StreamingPullRequest(subscription=subscription, stream_ack_deadline_seconds=10)
        with ThreadPoolExecutor(2) as pool:
            stopped = threading.Event()

            def requests() -> Iterator[StreamingPullRequest]:
                yield opening
                stopped.wait(10)

            streaming = pool.submit(lambda: list(clients.subscriber.streaming_pull(requests=requests())))
            pulling = pool.submit(clients.pull, clients.subscription(topic), wait=8)
            time.sleep(1.5)
            started = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - started < 6
            stopped.set()
            for waiting in (pulling, streaming):
                with pytest.raises(exceptions.ServiceUnavailable, match="stopping"):
                    waiting.result()
        clients.close()
    endpoint.close()
    assert capfd.readouterr().err == ""


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
