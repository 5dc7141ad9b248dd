"""What a puller holds: nobody else gets it until it is given back or the deadline has passed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions
from google.protobuf.duration_pb2 import Duration

from tests.integration.pubsub_server import Clients, connected

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    with connected(tmp_path_factory.mktemp("holds")) as clients:
        yield clients


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
    for low, high in ((0.4, 4.0), (0.8, 5.0)):  # up to a quarter more, and the calls on a busy machine
        started = time.monotonic()  # before: what the call takes is part of the backoff
        clients.nack(subscription, received)
        received = clients.pull(subscription, wait=5)
        assert low <= time.monotonic() - started <= high
    clients.acknowledge(subscription, received)


def test_deadline_ends_a_hold(clients: Clients) -> None:
    """Within the deadline nobody else gets the message; after it, the next puller does."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, b"x")
    first = clients.pull(subscription)
    started = time.monotonic()
    clients.deadline(subscription, first, 1)
    again = clients.pull(subscription, wait=5)
    assert 1 <= time.monotonic() - started <= 5
    assert again[0].message.message_id == first[0].message.message_id


def test_deadline_can_be_extended(clients: Clients) -> None:
    """Each extension counts from when it was asked for."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, b"x")
    held = clients.pull(subscription)
    for _ in range(2):
        clients.deadline(subscription, held, 4)
        assert clients.pull(subscription, wait=2.5) == []
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
    until = time.monotonic() + 60
    failures: list[Exception] = []

    def puller() -> None:
        try:
            while len(held) < total and time.monotonic() < until:
                received = clients.pull(subscription, 17, wait=3)  # nothing: another has it, or it was late
                held.extend(message.message.message_id for message in received)
                time.sleep(0.001)
                if received:
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
