"""Publish and pull: what a subscription gets, how long a pull waits, and how much a request may be."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions

from tests.integration.pubsub_server import Clients, LocalServer, running, unique

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with running("pubsub", tmp_path_factory.mktemp("pull")) as server:
        yield server


@pytest.fixture(scope="module")
def clients(server: LocalServer) -> Iterator[Clients]:
    clients = Clients(server.address)
    yield clients
    clients.close()


def test_message_arrives_as_published(clients: Clients) -> None:
    """Data, attributes and ordering key come as given, with the id the publisher got and a publish time."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    before = time.time()
    message = {"data": b"\x00\xff", "attributes": {"kind": "digest", "ü": "ß"}, "ordering_key": "k"}
    (identifier,) = clients.publisher.publish(request={"topic": topic, "messages": [message]}).message_ids
    (received,) = clients.pull(subscription)
    assert received.message.data == b"\x00\xff"
    assert received.message.attributes == {"kind": "digest", "ü": "ß"}
    assert received.message.ordering_key == "k"
    assert received.message.message_id == identifier
    assert before - 0.01 <= received.message.publish_time.timestamp() <= time.time()
    assert received.delivery_attempt == 0  # counted only where there is a dead-letter policy


def test_every_subscription_gets_its_own(clients: Clients) -> None:
    """Acknowledging in one subscription leaves the message in the others."""
    topic = clients.topic()
    one, other = clients.subscription(topic), clients.subscription(topic)
    clients.publish(topic, b"a", b"b")
    assert [message.message.data for message in clients.pull_all(one, 2)] == [b"a", b"b"]
    assert clients.pull(one, wait=0.5) == []
    assert [message.message.data for message in clients.pull_all(other, 2)] == [b"a", b"b"]


def test_subscription_starts_empty(clients: Clients) -> None:
    """What was published before a subscription was made is not for it, not even under a name used before."""
    topic = clients.topic()
    name = clients.subscription(topic)
    clients.publish(topic, b"old")
    clients.subscriber.delete_subscription(subscription=name)
    clients.subscriber.create_subscription(name=name, topic=topic)
    assert clients.pull(name, wait=0.5) == []


TOO_MUCH: list[tuple[str, list[dict[str, Any]]]] = [
    ("at least one message", []),
    ("data or at least one attribute", [{"data": b"x"}, {"data": b""}]),
    ("data or at least one attribute", [{"ordering_key": "k"}]),
    ("at most 1000", [{"data": b"x"}] * 1001),
    ("at most 10000000", [{"data": b"x" * 10_000_000}]),
    ("attributes; at most 100", [{"attributes": {f"k{number}": "v" for number in range(101)}}]),
    ("1 to 256 bytes", [{"attributes": {"k" * 257: "v"}}]),
    ("1 to 256 bytes", [{"attributes": {"ü" * 129: "v"}}]),
    ("1 to 256 bytes", [{"attributes": {"": "v"}}]),
    ("at most 1024 bytes", [{"attributes": {"k": "v" * 1025}}]),
    ("reserved", [{"attributes": {"googclient": "v"}}]),
    ("ordering key", [{"data": b"x", "ordering_key": "k" * 1025}]),
]


@pytest.mark.parametrize(
    ("why", "messages"), TOO_MUCH, ids=[f"{i}-{why}" for i, (why, _) in enumerate(TOO_MUCH)]
)
def test_publish_limits(clients: Clients, why: str, messages: list[dict[str, Any]]) -> None:
    """A request with one message beyond a limit is refused whole."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    with pytest.raises(exceptions.InvalidArgument, match=why):
        clients.publisher.publish(request={"topic": topic, "messages": messages})
    clients.publish(topic, b"in order")
    assert [message.message.data for message in clients.pull(subscription)] == [b"in order"]


@pytest.mark.filterwarnings("ignore:The return_immediately flag is deprecated")
def test_pull_can_return_immediately(clients: Clients) -> None:
    """The old flag still means: what there is now, if only nothing."""
    topic = clients.topic()
    request = {"subscription": clients.subscription(topic), "max_messages": 5, "return_immediately": True}
    started = time.monotonic()
    assert list(clients.subscriber.pull(request=request).received_messages) == []
    assert time.monotonic() - started < 5  # an ordinary pull waits ten
    clients.publish(topic, b"x")
    assert len(clients.subscriber.pull(request=request).received_messages) == 1


def test_publish_up_to_the_limits(clients: Clients) -> None:
    """The largest message and the longest request pass, there and back."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    large = b"x" * 9_999_000
    clients.publish(topic, large)
    (received,) = clients.pull_all(subscription, 1)
    assert received.message.data == large
    attributes = {f"{number:0256}": "v" * 1024 for number in range(100)}
    clients.publish(topic, b"", **attributes)
    assert clients.pull_all(subscription, 1)[0].message.attributes == attributes
    clients.publish(topic, *[b"%d" % number for number in range(1000)])
    assert [int(message.message.data) for message in clients.pull_all(subscription, 1000)] == list(
        range(1000)
    )


def test_pull_waits_for_a_message(clients: Clients) -> None:
    """An open pull answers when a message comes; without one, empty before the caller's deadline."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    started = time.monotonic()
    assert clients.pull(subscription, wait=0.6) == []
    assert 0.2 < time.monotonic() - started < 3
    timer = threading.Timer(0.3, clients.publish, (topic, b"late"))
    started = time.monotonic()
    timer.start()
    assert len(clients.pull(subscription, wait=5)) == 1
    assert 0.2 < time.monotonic() - started < 5
    with pytest.raises(exceptions.InvalidArgument, match="max_messages"):
        clients.pull(subscription, count=0)


def test_filter_decides_what_is_delivered(clients: Clients) -> None:
    """Only matching messages come; the others count as acknowledged."""
    topic = clients.topic()
    digests = clients.subscription(topic, filter='attributes.kind = "digest"')
    rest = clients.subscription(topic, filter='NOT attributes.kind = "digest"')
    for number in range(10):
        clients.publish(topic, b"%d" % number, kind="digest" if number % 2 else "sweep")
    clients.publish(topic, b"10")
    assert [int(m.message.data) for m in clients.pull_all(digests, 5)] == [1, 3, 5, 7, 9]
    assert [int(m.message.data) for m in clients.pull_all(rest, 6)] == [0, 2, 4, 6, 8, 10]
    assert clients.pull(digests, wait=0.4) == []
    assert clients.subscriber.get_subscription(subscription=rest).filter == 'NOT attributes.kind = "digest"'


def test_deleting_a_subscription_ends_its_pulls(clients: Clients) -> None:
    """A pull that waits is told NOT_FOUND when its subscription goes."""
    subscription = clients.subscription(clients.topic())
    timer = threading.Timer(
        0.2, clients.subscriber.delete_subscription, kwargs={"subscription": subscription}
    )
    timer.start()
    with pytest.raises(exceptions.NotFound, match=subscription):
        clients.pull(subscription, wait=5)
    with pytest.raises(exceptions.NotFound):
        clients.pull(unique("subscriptions"))


@pytest.mark.timeout(600)
def test_backlog_costs_little_memory(server: LocalServer, clients: Clients) -> None:
    """100,000 queued messages stay on disk: the process hardly grows, and gives them out in order."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    before = server.resident_bytes()
    for start in range(0, 100_000, 1000):
        clients.publish(topic, *[b"%-200d" % number for number in range(start, start + 1000)])
    received = clients.pull(subscription, 1000)
    assert [int(message.message.data) for message in received] == list(range(1000))
    assert server.resident_bytes() - before < 30 * 1024 * 1024
