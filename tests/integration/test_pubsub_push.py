"""Push: what an endpoint receives, and what follows from how it answers."""

from __future__ import annotations

import base64
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.pubsub_v1 import PushConfig

from local.pubsub.http import MAX_IDLE_SECONDS
from local.pubsub.window import MAX_WINDOW
from tests.integration.pubsub_server import Clients, Endpoint, Push, free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.pubsub_server import Behaviour

QUICK = {"minimum_backoff": Duration(nanos=50_000_000), "maximum_backoff": Duration(seconds=1)}


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    with running("pubsub", tmp_path_factory.mktemp("push")) as server:
        clients = Clients(server.address)
        yield clients
        clients.close()


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
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


def subscribe(clients: Clients, topic: str, endpoint: Endpoint, **settings: Any) -> str:
    return clients.subscription(topic, push_config={"push_endpoint": endpoint.url}, **settings)


def first(count: int, behaviour: Behaviour, then: Behaviour = 204) -> Callable[[Push], Behaviour]:
    """Behave badly so many times, then well."""
    left = iter([behaviour] * count)
    return lambda _push: next(left, then)


def test_envelope_is_the_wrapped_form(clients: Clients, endpoint: Endpoint) -> None:
    """Every field of the documented envelope, in both spellings, and nothing else."""
    topic = clients.topic()
    subscription = subscribe(clients, topic, endpoint)
    message = {"data": b"\xffdata", "attributes": {"kind": "ü"}, "ordering_key": "k"}
    (identifier,) = clients.publisher.publish(request={"topic": topic, "messages": [message]}).message_ids
    (push,) = endpoint.wait(1)
    published = push.envelope["message"].pop("publishTime")
    assert published == push.envelope["message"].pop("publish_time")
    assert published.startswith("20")
    assert published.endswith("Z")
    assert push.envelope == {
        "message": {
            "data": base64.b64encode(b"\xffdata").decode(),
            "attributes": {"kind": "ü"},
            "messageId": identifier,
            "message_id": identifier,
            "orderingKey": "k",
        },
        "subscription": subscription,
    }
    assert push.headers["Content-Type"] == "application/json"
    assert push.headers["Host"] == endpoint.url.split("/")[2]


def test_empty_fields_are_left_out(clients: Clients, endpoint: Endpoint) -> None:
    """A message without data has no `data`, one without attributes no `attributes`."""
    topic = clients.topic()
    subscribe(clients, topic, endpoint)
    clients.publish(topic, b"", kind="tick")
    clients.publish(topic, b"data")
    bare, plain = sorted(endpoint.wait(2), key=lambda push: int(push.envelope["message"]["messageId"]))
    assert "data" not in bare.envelope["message"]
    assert "attributes" not in plain.envelope["message"]
    assert "orderingKey" not in plain.envelope["message"]


@pytest.mark.parametrize("status", [102, 200, 201, 202, 204])
def test_these_statuses_acknowledge(clients: Clients, endpoint: Endpoint, status: int) -> None:
    """The message does not come again."""
    endpoint.behave = status
    topic = clients.topic()
    subscription = subscribe(clients, topic, endpoint)
    clients.publish(topic, b"x")
    endpoint.wait(1)
    time.sleep(0.3)
    assert len(endpoint.pushes) == 1
    clients.subscriber.modify_push_config(subscription=subscription, push_config=PushConfig())
    assert clients.pull(subscription, wait=0.4) == []


@pytest.mark.parametrize("behaviour", [203, 206, 301, 400, 404, 409, 429, 500, 503, "close"])
def test_anything_else_refuses(clients: Clients, endpoint: Endpoint, behaviour: Behaviour) -> None:
    """The message comes again until it is acknowledged, then no more."""
    endpoint.behave = first(2, behaviour)
    topic = clients.topic()
    subscribe(clients, topic, endpoint)
    (identifier,) = clients.publish(topic, b"x")
    pushes = endpoint.wait(3)
    time.sleep(0.3)
    assert len(endpoint.pushes) == 3
    assert {push.envelope["message"]["messageId"] for push in pushes} == {identifier}


def test_endpoint_that_is_not_there_yet(clients: Clients) -> None:
    """While nothing listens the message waits; it arrives once something does."""
    topic = clients.topic()
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    clients.subscription(topic, push_config={"push_endpoint": url}, retry_policy=QUICK)
    clients.publish(topic, b"x")
    time.sleep(0.5)
    endpoint = Endpoint(port=port)
    assert endpoint.wait(1)[0].data == b"x"
    endpoint.close()


@pytest.mark.parametrize("host", ["127.0.0.1:1", "x" * 70 + ".invalid"])
def test_endpoint_that_cannot_be_reached(clients: Clients, endpoint: Endpoint, host: str) -> None:
    """Whatever keeps the request from being sent, the message is kept and goes where it can."""
    topic = clients.topic()
    url = f"http://{host}/"
    subscription = clients.subscription(topic, push_config={"push_endpoint": url}, retry_policy=QUICK)
    clients.publish(topic, b"x")
    time.sleep(0.2)
    changed = PushConfig(push_endpoint=endpoint.url)
    clients.subscriber.modify_push_config(subscription=subscription, push_config=changed)
    assert endpoint.wait(1)[0].data == b"x"


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


def test_dead_letter_after_the_attempts(clients: Clients, endpoint: Endpoint) -> None:
    """After its attempts, each counted in the envelope, the message is on the dead-letter topic, once."""
    endpoint.behave = 500
    topic, dead = clients.topic(), clients.topic()
    graves = clients.subscription(dead)
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 6}
    subscription = subscribe(clients, topic, endpoint, dead_letter_policy=policy, retry_policy=QUICK)
    message = {"data": b"poison", "attributes": {"kind": "batch"}, "ordering_key": "k"}
    (identifier,) = clients.publisher.publish(request={"topic": topic, "messages": [message]}).message_ids
    (grave,) = clients.pull(graves, wait=10)
    pushes = endpoint.pushes
    assert [push.attempt for push in pushes] == [1, 2, 3, 4, 5, 6]
    published = pushes[0].envelope["message"]["publishTime"]
    assert grave.message.data == b"poison"
    assert grave.message.ordering_key == "k"
    assert grave.message.message_id != identifier
    assert grave.message.attributes == {
        "kind": "batch",
        "CloudPubSubDeadLetterSourceDeliveryCount": "6",
        "CloudPubSubDeadLetterSourceSubscription": subscription.rpartition("/")[2],
        "CloudPubSubDeadLetterSourceSubscriptionProject": "headrace-test",
        "CloudPubSubDeadLetterSourceTopicPublishTime": published,
    }
    clients.acknowledge(graves, [grave])
    time.sleep(0.5)
    assert len(endpoint.pushes) == 6
    assert clients.pull(graves, wait=0.4) == []


def test_dead_letters_can_be_pushed_too(clients: Clients, endpoint: Endpoint) -> None:
    """A dead-letter topic is a topic like any other: a subscription of it pushes, filters included."""
    bad = Endpoint(500)
    topic, dead = clients.topic(), clients.topic()
    subscribe(clients, dead, endpoint, filter='attributes.kind = "batch"')
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscribe(clients, topic, bad, dead_letter_policy=policy)
    clients.publish(topic, b"other", kind="else")
    clients.publish(topic, b"mine", kind="batch")
    (push,) = endpoint.wait(1)
    assert push.data == b"mine"
    bad.close()


def test_window_bounds_the_pushes_at_once(clients: Clients, endpoint: Endpoint) -> None:
    """A willing endpoint gets more and more at once, up to the named maximum and never beyond."""
    gate = threading.Event()

    def slow(_push: Push) -> Behaviour:
        gate.wait(0.05)
        return 204

    endpoint.behave = slow
    topic = clients.topic()
    subscribe(clients, topic, endpoint)
    clients.publish(topic, *[b"x"] * 1000)
    endpoint.wait(1000, seconds=30)
    gate.set()
    assert MAX_WINDOW / 2 < endpoint.most_at_work <= MAX_WINDOW


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
        time.sleep(0.05)
    time.sleep(MAX_IDLE_SECONDS)
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


def test_push_config_can_change(clients: Clients, endpoint: Endpoint) -> None:
    """To another endpoint, to pull and back; what waited goes where the subscription now points."""
    topic = clients.topic()
    subscription = subscribe(clients, topic, endpoint)
    clients.publish(topic, b"1")
    endpoint.wait(1)
    clients.subscriber.modify_push_config(subscription=subscription, push_config=PushConfig())
    clients.publish(topic, b"2")
    assert [message.message.data for message in clients.pull_all(subscription, 1)] == [b"2"]
    clients.publish(topic, b"3")
    other = Endpoint()
    clients.subscriber.modify_push_config(
        subscription=subscription, push_config=PushConfig(push_endpoint=other.url)
    )
    assert other.wait(1)[0].data == b"3"
    other.close()
    assert len(endpoint.pushes) == 1


def test_deleted_subscription_pushes_no_more(clients: Clients, endpoint: Endpoint) -> None:
    """Neither what waited for its backoff nor what is published later."""
    endpoint.behave = 500
    topic = clients.topic()
    subscription = subscribe(clients, topic, endpoint, retry_policy=QUICK)
    clients.publish(topic, b"x")
    endpoint.wait(2)
    clients.subscriber.delete_subscription(subscription=subscription)
    time.sleep(0.1)
    count = len(endpoint.pushes)
    clients.publish(topic, b"y")
    time.sleep(0.7)
    assert len(endpoint.pushes) == count


def test_hanging_endpoint_is_given_up_at_the_deadline(hanging: Endpoint) -> None:
    """Without an answer within the acknowledgement deadline the request ends and the message comes again."""
    hung, again = hanging.wait(2, seconds=15)
    assert 9.9 <= again.at - hung.at <= 12
    assert hung.envelope == again.envelope
