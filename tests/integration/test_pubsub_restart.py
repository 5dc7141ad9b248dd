"""`kill -9` of the server: what was promised before holds after."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions
from google.protobuf.duration_pb2 import Duration
from google.pubsub_v1 import PubsubMessage

from tests.integration.pubsub_server import Clients, Endpoint, LocalServer, Push, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

UNREACHABLE = (exceptions.ServiceUnavailable, exceptions.DeadlineExceeded, exceptions.Unknown)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    with running("pubsub", tmp_path) as server:
        yield server


@pytest.fixture
def clients(server: LocalServer) -> Iterator[Clients]:
    clients = Clients(server.address)
    yield clients
    clients.close()


def kill_and_restart(server: LocalServer, clients: Clients) -> None:
    server.kill()
    server.start()
    deadline = time.monotonic() + 10
    while True:  # the client's channel waits a moment before it connects again
        try:
            list(clients.publisher.list_topics(project="projects/any", timeout=1, retry=None))
        except UNREACHABLE:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


def test_everything_configured_survives(server: LocalServer, clients: Clients) -> None:
    """Topics, subscriptions with all their settings, and what is deleted stays deleted."""
    topic, gone = clients.topic(), clients.topic()
    name = clients.subscription(
        topic,
        ack_deadline_seconds=77,
        filter="attributes:kind",
        dead_letter_policy={"dead_letter_topic": topic, "max_delivery_attempts": 17},
        retry_policy={"minimum_backoff": Duration(seconds=3)},
        labels={"a": "b"},
    )
    orphan = clients.subscription(gone)
    before = clients.subscriber.get_subscription(subscription=name)
    clients.publisher.delete_topic(topic=gone)
    kill_and_restart(server, clients)
    assert clients.subscriber.get_subscription(subscription=name) == before
    assert clients.subscriber.get_subscription(subscription=orphan).topic == "_deleted-topic_"
    with pytest.raises(exceptions.NotFound):
        clients.publisher.get_topic(topic=gone)
    clients.publish(topic, b"no")
    clients.publish(topic, b"yes", kind="x")
    assert [message.message.data for message in clients.pull_all(name, 1)] == [b"yes"]


def test_published_is_kept_and_acknowledged_is_gone(server: LocalServer, clients: Clients) -> None:
    """After a kill: what was acknowledged stays away, what was held or never delivered comes again."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    ids = clients.publish(topic, *[b"%d" % number for number in range(30)])
    done = clients.pull(subscription, 10)
    clients.acknowledge(subscription, done)
    held = clients.pull(subscription, 10)
    server.kill()
    server.start()
    again = clients.pull_all(subscription, 20)
    assert {message.message.message_id for message in again} == set(ids[10:])
    assert len(done) == len(held) == 10
    assert clients.publish(topic, b"new")[0] not in ids


def test_hold_from_before_the_kill_can_be_acknowledged(server: LocalServer, clients: Clients) -> None:
    """A puller that outlives the server acknowledges what it held, and it does not come again."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, b"x")
    held = clients.pull(subscription)
    kill_and_restart(server, clients)
    clients.acknowledge(subscription, held)
    assert clients.pull(subscription, wait=0.5) == []


def test_attempts_and_backoff_survive(server: LocalServer, clients: Clients) -> None:
    """Failures are counted on disk, and so is until when a message has to wait."""
    topic, dead = clients.topic(), clients.topic()
    subscription = clients.subscription(
        topic,
        dead_letter_policy={"dead_letter_topic": dead, "max_delivery_attempts": 5},
        retry_policy={"minimum_backoff": Duration(seconds=2), "maximum_backoff": Duration(seconds=2)},
    )
    clients.publish(topic, b"x")
    received = clients.pull(subscription)
    assert received[0].delivery_attempt == 1
    started = time.monotonic()
    clients.nack(subscription, received)
    kill_and_restart(server, clients)
    received = clients.pull(subscription, wait=5)
    assert received[0].delivery_attempt == 2
    assert time.monotonic() - started >= 1.9


class Load:
    """Publishers and pullers that go on through whatever happens to the server."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.topic = clients.topic()
        self.subscription = clients.subscription(self.topic)
        self.promised: set[bytes] = set()
        """What a publisher was told is published."""
        self.arrived: set[bytes] = set()
        self.publishing, self.pulling = threading.Event(), threading.Event()
        self.publishing.set()
        self.pulling.set()
        self.failures: list[Exception] = []
        loops = [(self.publish, number) for number in range(4)] + [(self.pull, number) for number in range(2)]
        self.threads = [threading.Thread(target=self.run, args=loop) for loop in loops]
        for thread in self.threads:
            thread.start()

    def run(self, loop: Callable[[int], None], number: int) -> None:
        try:
            loop(number)
        except Exception as error:  # noqa: BLE001  # a thread's failure is the test's
            self.failures.append(error)

    def publish(self, number: int) -> None:
        for start in itertools.count(step=20):
            if not self.publishing.is_set():
                return
            data = [b"%d/%d" % (number, start + offset) for offset in range(20)]
            messages = [PubsubMessage(data=item) for item in data]
            try:
                self.clients.publisher.publish(topic=self.topic, messages=messages, retry=None, timeout=5)
            except UNREACHABLE:
                time.sleep(0.02)
            else:
                self.promised.update(data)

    def pull(self, _number: int) -> None:
        while self.pulling.is_set():
            try:
                received = self.clients.pull(self.subscription, 50, wait=0.5)
                self.arrived.update(message.message.data for message in received)
                if received:
                    self.clients.acknowledge(self.subscription, received)
            except UNREACHABLE:
                time.sleep(0.02)

    def finish(self, seconds: float) -> None:
        """Publish no more, and give the pullers so long to get what there is."""
        self.publishing.clear()
        deadline = time.monotonic() + seconds
        while not self.promised <= self.arrived and time.monotonic() < deadline and not self.failures:
            time.sleep(0.1)
        self.pulling.clear()
        for thread in self.threads:
            thread.join()


def test_nothing_is_lost_under_load(server: LocalServer, clients: Clients) -> None:
    """Four publishers and two pullers while the server is killed three times: what is promised arrives."""
    load = Load(clients)
    for _ in range(3):
        time.sleep(0.7)
        server.kill()
        server.start()
    time.sleep(0.7)
    load.finish(seconds=30)
    assert load.failures == []
    assert len(load.promised) > 200
    assert load.promised <= load.arrived


def test_push_goes_on_after_a_kill(server: LocalServer, clients: Clients) -> None:
    """Messages that wait for an endpoint when the server dies are pushed when it is back."""
    released = threading.Event()

    def behave(_push: Push) -> int:
        return 204 if released.is_set() else 503

    endpoint = Endpoint(behave)
    topic = clients.topic()
    clients.subscription(topic, push_config={"push_endpoint": endpoint.url})
    clients.publish(topic, *[b"%d" % number for number in range(50)])
    endpoint.wait(1)
    server.kill()
    released.set()
    count = len(endpoint.pushes)
    server.start()
    deadline = time.monotonic() + 10
    while len({push.data for push in endpoint.pushes[count:]}) < 50:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    endpoint.close()


def test_dead_letters_are_neither_lost_nor_doubled(server: LocalServer, clients: Clients) -> None:
    """Killed while 200 messages fail again and again: each ends on the dead-letter topic exactly once."""
    topic, dead = clients.topic(), clients.topic()
    graves = clients.subscription(dead)
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscription = clients.subscription(topic, dead_letter_policy=policy)
    total = 200
    clients.publish(topic, *[b"%d" % number for number in range(total)])
    refusing, failures = threading.Event(), list[Exception]()
    refusing.set()

    def refuse() -> None:
        try:
            while refusing.is_set():
                with suppress(*UNREACHABLE):
                    if received := clients.pull(subscription, 10, wait=0.5):
                        clients.nack(subscription, received)
        except Exception as error:  # noqa: BLE001  # a thread's failure is the test's
            failures.append(error)

    thread = threading.Thread(target=refuse)
    thread.start()
    for _ in range(5):  # the first dead letters come within this time, the last after it
        time.sleep(0.3)
        server.kill()
        server.start()
    found = [message.message.data for message in clients.pull_all(graves, total, wait=20)]
    refusing.clear()
    thread.join()
    assert failures == []
    assert sorted(map(int, found)) == list(range(total))
    kill_and_restart(server, clients)  # what memory alone knows to be gone would come again
    assert clients.pull(graves, wait=0.4) == []
    assert clients.pull(subscription, wait=0.4) == []


def test_messages_outlive_their_retention_only_briefly(server: LocalServer, clients: Clients) -> None:
    """What was published longer ago than the subscription's retention is dropped, from disk too."""
    topic = clients.topic()
    short = clients.subscription(topic, message_retention_duration=Duration(seconds=3600))
    long = clients.subscription(topic)
    clients.publish(topic, *[b"old"] * 700)
    server.stop()
    path = server.data / "pubsub.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("UPDATE messages SET published = published - 2 * 3600")
    server.start()
    clients.publish(topic, b"new")
    time.sleep(0.3)
    assert [message.message.data for message in clients.pull_all(short, 1)] == [b"new"]
    assert len(clients.pull(long, 1000)) == 701
    server.stop()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE messages SET published = published - 8 * 24 * 3600")
    server.start()
    time.sleep(0.3)
    assert clients.pull(long, wait=0.3) == []
    server.stop()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    server.start()


def test_deleted_subscription_leaves_nothing_on_disk(server: LocalServer, clients: Clients) -> None:
    """What only a deleted subscription wanted is removed, at the latest after the next start."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, *[b"x"] * 1000)
    clients.publish(topic, *[b"x"] * 1000)
    clients.subscriber.delete_subscription(subscription=subscription)
    server.kill()
    server.start()
    time.sleep(0.5)
    assert server.stop() == 0
    with sqlite3.connect(server.data / "pubsub.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM deliveries").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    server.start()
