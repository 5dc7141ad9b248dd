"""StreamingPull, through the client's own subscriber."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions
from google.cloud.pubsub_v1.types import FlowControl
from google.pubsub_v1 import StreamingPullRequest

from tests.integration.pubsub_server import Clients, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.pubsub_v1.subscriber.message import Message


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    with running("pubsub", tmp_path_factory.mktemp("streaming")) as server:
        clients = Clients(server.address)
        yield clients
        clients.close()


class Got:
    """Collects what a subscriber's callback gets."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.lock = threading.Condition()

    def add(self, message: Message) -> None:
        with self.lock:
            self.messages.append(message)
            self.lock.notify_all()

    def wait(self, count: int, seconds: float = 10) -> list[Message]:
        with self.lock:
            assert self.lock.wait_for(lambda: len(self.messages) >= count, seconds), len(self.messages)
            return list(self.messages)


def test_subscriber_gets_everything_once(clients: Clients) -> None:
    """What was there before and what comes while it runs; nothing comes twice when acknowledged."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, *[b"%d" % number for number in range(500)])
    got = Got()

    def work(message: Message) -> None:
        got.add(message)
        message.ack()

    future = clients.streaming.subscribe(subscription, work)
    try:
        published = [clients.batching.publish(topic, b"%d" % number) for number in range(500, 1000)]
        ids = {one.result(timeout=10) for one in published}
        messages = got.wait(1000)
        time.sleep(0.3)  # for what would come twice
        assert sorted(int(message.data) for message in got.messages) == list(range(1000))
        assert ids <= {message.message_id for message in messages}
    finally:
        future.cancel()
        future.result(timeout=10)
    assert clients.pull(subscription, wait=0.5) == []


def test_flow_control_bounds_what_is_held(clients: Clients) -> None:
    """A subscriber that wants at most five gets a sixth only when it lets go of some."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, *[b"x"] * 20)
    got = Got()
    future = clients.streaming.subscribe(subscription, got.add, flow_control=FlowControl(max_messages=5))
    try:
        got.wait(5)
        time.sleep(0.5)
        assert len(got.messages) == 5
        assert len(clients.pull(subscription, 20)) == 15  # the server kept the rest for others
        for message in got.messages[:2]:  # the client takes up its stream again below 80 % of its limit
            message.ack()
        clients.publish(topic, b"y")
        assert got.wait(6)[5].data == b"y"
    finally:
        for message in got.messages:
            message.ack()
        future.cancel()
        future.result(timeout=10)


def test_nack_on_the_stream_brings_it_back(clients: Clients) -> None:
    """A message that the callback refuses comes to it again, and the attempt is counted."""
    topic, dead = clients.topic(), clients.topic()
    subscription = clients.subscription(
        topic, dead_letter_policy={"dead_letter_topic": dead, "max_delivery_attempts": 5}
    )
    got = Got()

    def work(message: Message) -> None:
        got.add(message)
        if message.delivery_attempt == 3:
            message.ack()
        else:
            message.nack()

    future = clients.streaming.subscribe(subscription, work)
    try:
        clients.publish(topic, b"x")
        assert [message.delivery_attempt for message in got.wait(3)] == [1, 2, 3]
    finally:
        future.cancel()
        future.result(timeout=10)


def test_two_subscribers_share_the_work(clients: Clients) -> None:
    """Two streams on one subscription: each message goes to one of them."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    one, other = Got(), Got()

    def into(got: Got, message: Message) -> None:
        got.add(message)
        message.ack()

    futures = [
        clients.streaming.subscribe(subscription, lambda message, got=got: into(got, message))
        for got in (one, other)
    ]
    try:
        deadline = time.monotonic() + 10
        for number in range(40):
            clients.publish(topic, *[b"%d" % (10 * number + digit) for digit in range(10)])
        while len(one.messages) + len(other.messages) < 400 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sorted(int(m.data) for m in one.messages + other.messages) == list(range(400))
    finally:
        for future in futures:
            future.cancel()
            future.result(timeout=10)


def test_stream_ends_with_its_subscription(clients: Clients) -> None:
    """The subscriber's future fails with NOT_FOUND when the subscription is deleted."""
    subscription = clients.subscription(clients.topic())
    future = clients.streaming.subscribe(subscription, lambda message: message.ack())
    time.sleep(0.3)
    clients.subscriber.delete_subscription(subscription=subscription)
    with pytest.raises(exceptions.NotFound, match=subscription):
        future.result(timeout=10)


def test_acknowledging_on_the_stream_itself(clients: Clients) -> None:
    """Requests on an open stream acknowledge, give back and extend, as the protocol allows."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, b"a", b"b")
    more = threading.Event()
    later: list[StreamingPullRequest] = []

    def requests() -> Iterator[StreamingPullRequest]:
        yield StreamingPullRequest(subscription=subscription, stream_ack_deadline_seconds=10)
        more.wait(10)
        yield from later

    stream = clients.subscriber.streaming_pull(requests=requests())
    received = list(next(iter(stream)).received_messages)
    assert [message.message.data for message in received] == [b"a", b"b"]
    later.append(StreamingPullRequest(ack_ids=[received[0].ack_id]))
    later.append(
        StreamingPullRequest(modify_deadline_ack_ids=[received[1].ack_id], modify_deadline_seconds=[0])
    )
    more.set()
    (again,) = next(iter(stream)).received_messages
    assert again.message.data == b"b"
    assert list(stream) == []  # the client's last request was sent: the stream ends


def test_stream_with_bad_first_request_is_refused(clients: Clients) -> None:
    """No deadline, or one out of range, is INVALID_ARGUMENT; a missing subscription NOT_FOUND."""
    subscription = clients.subscription(clients.topic())
    for name, seconds, error in (
        (subscription, 0, exceptions.InvalidArgument),
        (subscription, 601, exceptions.InvalidArgument),
        (subscription + "x", 10, exceptions.NotFound),
    ):
        first = StreamingPullRequest(subscription=name, stream_ack_deadline_seconds=seconds)
        with pytest.raises(error):
            next(iter(clients.subscriber.streaming_pull(requests=iter([first]))))
