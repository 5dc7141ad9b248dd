"""Publish, pull, acknowledge, give back: what a puller sees, alone and among others."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.protobuf.duration_pb2 import Duration

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
    assert time.monotonic() - started < 0.5
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
    timer.start()
    started = time.monotonic()
    assert len(clients.pull(subscription, wait=5)) == 1
    assert 0.2 < time.monotonic() - started < 2
    with pytest.raises(exceptions.InvalidArgument, match="max_messages"):
        clients.pull(subscription, count=0)


def test_nack_brings_it_back_at_once(clients: Clients) -> None:
    """A deadline of 0 gives the message back; without a retry policy it comes again at once."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, b"x")
    first = clients.pull(subscription)
    assert clients.pull(subscription, wait=0.5) == []
    clients.nack(subscription, first)
    again = clients.pull(subscription)
    assert [message.message.message_id for message in again] == [first[0].message.message_id]
    assert again[0].ack_id != first[0].ack_id


def test_retry_policy_delays_a_nack(clients: Clients) -> None:
    """The minimum backoff passes before the message comes again, and doubles with the second failure."""
    topic = clients.topic()
    backoff = {"minimum_backoff": Duration(nanos=400_000_000), "maximum_backoff": Duration(seconds=5)}
    subscription = clients.subscription(topic, retry_policy=backoff)
    clients.publish(topic, b"x")
    received = clients.pull(subscription)
    for low, high in ((0.4, 2.5), (0.8, 3.0)):  # up to a quarter more, and the calls on a busy machine
        clients.nack(subscription, received)
        started = time.monotonic()
        received = clients.pull(subscription, wait=5)
        assert low - 0.02 <= time.monotonic() - started <= high
    clients.acknowledge(subscription, received)


def test_deadline_ends_a_hold(clients: Clients) -> None:
    """Within the deadline nobody else gets the message; after it, the next puller does."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, b"x")
    first = clients.pull(subscription)
    clients.deadline(subscription, first, 1)
    started = time.monotonic()
    again = clients.pull(subscription, wait=5)
    assert 0.8 <= time.monotonic() - started <= 4
    assert again[0].message.message_id == first[0].message.message_id


def test_deadline_can_be_extended(clients: Clients) -> None:
    """Each extension counts from when it was asked for."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, b"x")
    held = clients.pull(subscription)
    for _ in range(2):
        clients.deadline(subscription, held, 2)
        assert clients.pull(subscription, wait=1.5) == []
    clients.acknowledge(subscription, held)
    assert clients.pull(subscription, wait=2.5) == []


def test_late_acknowledgement_counts(clients: Clients) -> None:
    """Who acknowledges after the deadline did the work: the message does not come again."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, b"x")
    late = clients.pull(subscription)
    clients.nack(subscription, late)
    clients.acknowledge(subscription, late)
    assert clients.pull(subscription, wait=0.5) == []


def test_stale_ack_id_moves_nothing(clients: Clients) -> None:
    """An ack id whose hold is over neither extends nor gives back what another puller now holds."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, b"x")
    stale = clients.pull(subscription)
    clients.nack(subscription, stale)
    current = clients.pull(subscription)
    assert len(current) == 1
    clients.nack(subscription, stale)
    assert clients.pull(subscription, wait=0.5) == []
    clients.deadline(subscription, current, 1)
    clients.deadline(subscription, stale, 600)
    assert len(clients.pull(subscription, wait=5)) == 1


def test_ack_ids_are_of_one_subscription(clients: Clients) -> None:
    """An ack id that this subscription never gave out is INVALID_ARGUMENT and acknowledges nothing."""
    topic = clients.topic()
    one, other = clients.subscription(topic), clients.subscription(topic)
    clients.publish(topic, b"x")
    received = clients.pull(one)
    for ack_id in ("", "x", "1-2", "1-2-x", received[0].ack_id + "-1", received[0].ack_id.replace("-", "-²")):
        with pytest.raises(exceptions.InvalidArgument, match="ack_id"):
            clients.subscriber.acknowledge(subscription=one, ack_ids=[ack_id])
    with pytest.raises(exceptions.InvalidArgument, match="another subscription"):
        clients.acknowledge(other, received)
    with pytest.raises(exceptions.InvalidArgument, match="ack_deadline_seconds"):
        clients.deadline(one, received, 601)
    assert len(clients.pull(other)) == 1


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


def test_pull_subscription_dead_letters(clients: Clients) -> None:
    """After its attempts, which are counted, a refused message moves to the dead-letter topic."""
    topic, dead = clients.topic(), clients.topic()
    graves = clients.subscription(dead)
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscription = clients.subscription(topic, dead_letter_policy=policy)
    clients.publish(topic, b"x", colour="blue")
    for attempt in range(1, 6):
        received = clients.pull(subscription)
        assert [message.delivery_attempt for message in received] == [attempt]
        clients.nack(subscription, received)
    assert clients.pull(subscription, wait=0.4) == []
    (grave,) = clients.pull(graves)
    assert grave.message.data == b"x"
    assert grave.message.attributes["colour"] == "blue"
    assert grave.message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"


def test_dead_letter_topic_gone_keeps_the_message(clients: Clients) -> None:
    """Where the dead-letter topic was deleted, the message goes on being delivered."""
    topic, dead = clients.topic(), clients.topic()
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscription = clients.subscription(topic, dead_letter_policy=policy)
    clients.publisher.delete_topic(topic=dead)
    clients.publish(topic, b"x")
    for _ in range(6):
        received = clients.pull(subscription)
        clients.nack(subscription, received)
    assert [message.delivery_attempt for message in clients.pull(subscription)] == [7]


def test_two_pullers_never_hold_one_message(clients: Clients) -> None:
    """Eight pullers at once: every message is delivered once, as each acknowledges within its deadline."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    total = 2000
    for start in range(0, total, 500):
        clients.publish(topic, *[b"%d" % number for number in range(start, start + 500)])
    held: list[str] = []
    failures: list[Exception] = []

    def puller() -> None:
        try:
            while received := clients.pull(subscription, 17, wait=1):
                held.extend(message.message.message_id for message in received)
                time.sleep(0.001)
                clients.acknowledge(subscription, received)
        except Exception as error:  # noqa: BLE001  # a thread's failure is the test's
            failures.append(error)

    threads = [threading.Thread(target=puller) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(held) == len(set(held)) == total


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
