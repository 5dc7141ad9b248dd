"""Push: when a message comes again, how many travel at once, and over which connections."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from google.protobuf.duration_pb2 import Duration

from local.pubsub import protos, push
from local.pubsub.broker import Broker
from local.pubsub.http import MAX_IDLE_SECONDS
from local.pubsub.rules import complete_subscription
from local.pubsub.store import Store
from local.pubsub.window import MAX_WINDOW
from tests.integration.pubsub_pushes import QUICK, first, subscribe
from tests.integration.pubsub_server import Clients, Endpoint, Push, connected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.pubsub_server import Behaviour


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    with connected(tmp_path_factory.mktemp("push")) as clients:
        yield clients


@pytest.fixture(scope="module", autouse=True)
def hanging(clients: Clients) -> Iterator[Endpoint]:
    """Does not answer its first push, which takes ten seconds: the other tests run meanwhile."""
    endpoint = Endpoint(first(1, "hang"))
    topic = clients.topic()
    subscribe(clients, topic, endpoint, ack_deadline_seconds=10)
    clients.publish(topic, b"x")
    yield endpoint
    endpoint.close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with closing(Endpoint()) as endpoint:
        yield endpoint


def test_retry_backoff_grows(clients: Clients, endpoint: Endpoint) -> None:
    """Between deliveries of a refused message lie the minimum backoff, then twice, then four times it."""
    endpoint.behave = first(3, 500)
    topic = clients.topic()
    backoff = {"minimum_backoff": Duration(nanos=300_000_000), "maximum_backoff": Duration(seconds=600)}
    subscribe(clients, topic, endpoint, retry_policy=backoff)
    clients.publish(topic, b"x")
    times = [push.at for push in endpoint.wait(4)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    for gap, least in zip(gaps, (0.3, 0.6, 1.2), strict=True):
        assert least - 0.02 <= gap <= least * 1.25 + 2


def test_window_bounds_the_pushes_at_once(clients: Clients, endpoint: Endpoint) -> None:
    """A willing endpoint gets more and more at once, up to the named maximum and never beyond."""
    gate = threading.Event()

    def willing(_push: Push) -> Behaviour:
        """At once until the window must have grown to its maximum; then not before the gate is opened."""
        if len(endpoint.pushes) > 300:
            gate.wait(60)
        return 204

    endpoint.behave = willing
    topic = clients.topic()
    subscribe(clients, topic, endpoint, ack_deadline_seconds=120)
    clients.publish(topic, *[b"x"] * 1000)
    deadline = time.monotonic() + 30
    while endpoint.at_work < MAX_WINDOW:
        assert time.monotonic() < deadline, endpoint.at_work
        time.sleep(0.02)
    time.sleep(0.3)
    gate.set()
    endpoint.wait(1000, seconds=30)
    assert endpoint.most_at_work == MAX_WINDOW


def test_busy_endpoint_is_not_hammered(clients: Clients, endpoint: Endpoint) -> None:
    """An endpoint that takes four at a time refuses some; all 300 messages get through, most at once."""
    busy = threading.Semaphore(4)

    def limited(_push: Push) -> Behaviour:
        if not busy.acquire(blocking=False):
            return 429
        try:
            time.sleep(0.01)
            return 204
        finally:
            busy.release()

    endpoint.behave = limited
    topic = clients.topic()
    subscribe(clients, topic, endpoint, retry_policy=QUICK)
    clients.publish(topic, *[b"%d" % number for number in range(300)])
    deadline = time.monotonic() + 30
    while len({push.data for push in endpoint.pushes}) < 300 or endpoint.at_work:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(1.3)  # the last refused ones are due by then
    assert len(endpoint.pushes) - 300 < 300


def test_failing_endpoint_is_tried_ever_more_slowly(clients: Clients, endpoint: Endpoint) -> None:
    """500 messages, an endpoint that always fails, no retry policy: a handful of requests a second."""
    endpoint.behave = 503
    topic = clients.topic()
    subscription = subscribe(clients, topic, endpoint)
    clients.publish(topic, *[b"x"] * 500)
    time.sleep(3)
    assert 8 <= len(endpoint.pushes) <= 30
    endpoint.behave = 204
    endpoint.wait(len(endpoint.pushes) + 500, seconds=15)  # and it recovers without help
    clients.subscriber.delete_subscription(subscription=subscription)


def test_connections_are_kept(clients: Clients, endpoint: Endpoint) -> None:
    """One message after the other travels over one connection, until that was idle for too long."""
    topic = clients.topic()
    subscribe(clients, topic, endpoint)
    for number in range(5):
        clients.publish(topic, b"x")
        endpoint.wait(number + 1)
        time.sleep(0.3)  # it is seen before it is answered, and the answer comes before the next
    time.sleep(MAX_IDLE_SECONDS + 0.5)
    clients.publish(topic, b"x")
    *kept, last = [push.client for push in endpoint.wait(6)]
    assert len(set(kept)) == 1
    assert last not in kept


def test_closed_connection_costs_no_attempt(clients: Clients, endpoint: Endpoint) -> None:
    """Where an endpoint hangs up between two messages without a word, the next is delivered at once."""
    endpoint.close_after = True
    topic = clients.topic()
    policy = {"dead_letter_topic": clients.topic(), "max_delivery_attempts": 5}
    subscribe(clients, topic, endpoint, dead_letter_policy=policy)
    for number in range(5):
        clients.publish(topic, b"x")
        endpoint.wait(number + 1)
        time.sleep(0.05)
    assert [push.attempt for push in endpoint.pushes] == [1] * 5


def test_refusal_ends_the_connection(clients: Clients, endpoint: Endpoint) -> None:
    """It may lead to the one process of several that is busy: the next delivery goes over another."""

    def busy_process(push: Push) -> Behaviour:
        return 429 if push.client == endpoint.pushes[0].client else 204

    endpoint.behave = busy_process
    topic = clients.topic()
    subscribe(clients, topic, endpoint, retry_policy=QUICK)
    clients.publish(topic, b"x")
    refused, accepted = endpoint.wait(2)
    assert refused.client != accepted.client


def test_a_hung_push_does_not_hold_the_last_place(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where refusals have shrunk the window to one, the others are delivered, and the hung one is listed."""
    monkeypatch.setattr(push, "LONG_SECONDS", 0.2)
    topic, name = "projects/test/topics/hung", "projects/test/subscriptions/hung"
    refusals = itertools.chain([429] * 20, itertools.repeat(204))

    def behave(push: Push) -> Behaviour:
        return "hang" if push.data == b"0" else next(refusals)

    endpoint.behave = behave

    async def journey() -> None:
        store = Store(tmp_path / "pubsub.sqlite3")
        broker = Broker(store)
        broker.create_topic(protos.Topic(name=topic))
        config = protos.Subscription(name=name, topic=topic, ack_deadline_seconds=600)
        config.push_config.push_endpoint = endpoint.url
        config.retry_policy.minimum_backoff.FromMilliseconds(10)
        config.retry_policy.maximum_backoff.FromMilliseconds(50)
        broker.create_subscription(complete_subscription(config))
        messages = [protos.PubsubMessage(data=b"%d" % n, attributes={"n": str(n)}) for n in range(20)]
        first = broker.publish(topic, messages)[0]
        deadline = time.monotonic() + 30
        while [row[0] for row in store.scan(1, 0, 20)] != [int(first)]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        while len(broker.open_pushes()) > 1:  # the answers to the last ones are on their way
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        [left] = broker.open_pushes()
        assert (left["subscription"], left["message_id"], left["attributes"]) == (name, first, {"n": "0"})
        broker.stop()
        await store.committed()
        store.close()

    asyncio.run(journey())


def test_hanging_endpoint_is_given_up_at_the_deadline(hanging: Endpoint) -> None:
    """Without an answer within the acknowledgement deadline the request ends and the message comes again."""
    hung, again = hanging.wait(2, seconds=15)
    assert 9.9 <= again.at - hung.at <= 12
    assert hung.envelope == again.envelope
