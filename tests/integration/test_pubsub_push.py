"""Push: what an endpoint receives, and what follows from how it answers."""

from __future__ import annotations

import base64
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from google.pubsub_v1 import PushConfig

from tests.integration.pubsub_pushes import QUICK, first, subscribe
from tests.integration.pubsub_server import Clients, Endpoint, connected, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.pubsub_server import Behaviour


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    with connected(tmp_path_factory.mktemp("push")) as clients:
        yield clients


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with closing(Endpoint()) as endpoint:
        yield endpoint


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
