"""Topics and subscriptions: made, read, changed, listed, deleted, and refused as the real service refuses."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.protobuf.duration_pb2 import Duration
from google.pubsub_v1 import SchemaServiceClient
from google.pubsub_v1.services.schema_service.transports import SchemaServiceGrpcTransport

from tests.integration.pubsub_server import PROJECT, ROOT, Clients, LocalServer, running, unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


DEAD = f"{PROJECT}/topics/dead"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with running("pubsub", tmp_path_factory.mktemp("admin")) as server:
        yield server


@pytest.fixture(scope="module")
def clients(server: LocalServer) -> Iterator[Clients]:
    clients = Clients(server.address)
    yield clients
    clients.close()


def test_topic_lives_and_dies(clients: Clients) -> None:
    """A topic is there from its creation to its deletion, and errors name it outside of that."""
    name = unique("topics")
    with pytest.raises(exceptions.NotFound, match=name):
        clients.publisher.get_topic(topic=name)
    clients.publisher.create_topic(request={"name": name, "labels": {"team": "reports"}})
    assert clients.publisher.get_topic(topic=name).labels == {"team": "reports"}
    with pytest.raises(exceptions.AlreadyExists, match=name):
        clients.publisher.create_topic(name=name)
    clients.publisher.delete_topic(topic=name)
    with pytest.raises(exceptions.NotFound, match=name):
        clients.publisher.delete_topic(topic=name)
    with pytest.raises(exceptions.NotFound, match=name):
        clients.publish(name, b"x")


def test_topic_update_changes_what_the_mask_names(clients: Clients) -> None:
    """Labels change where the mask names them; a name never does."""
    topic = clients.publisher.create_topic(request={"name": unique("topics"), "labels": {"a": "1"}})
    topic.labels = {"b": "2"}
    topic.message_retention_duration = Duration(seconds=3600)
    updated = clients.publisher.update_topic(topic=topic, update_mask={"paths": ["labels"]})
    assert updated.labels == {"b": "2"}
    assert "message_retention_duration" not in updated
    assert clients.publisher.get_topic(topic=topic.name) == updated
    for paths in ([], ["name"], ["no_such_field"]):
        with pytest.raises(exceptions.InvalidArgument):
            clients.publisher.update_topic(topic=topic, update_mask={"paths": paths})


def test_lists_come_in_pages_of_one_project(clients: Clients) -> None:
    """Every page but the last has a token, no name comes twice, and other projects stay out."""
    project = "projects/paging"
    topics = [f"{project}/topics/t-{number:02}" for number in range(7)]
    for topic in reversed(topics):
        clients.publisher.create_topic(name=topic)
    clients.topic()
    pages = list(clients.publisher.list_topics(request={"project": project, "page_size": 3}).pages)
    assert [len(page.topics) for page in pages] == [3, 3, 1]
    assert [topic.name for page in pages for topic in page.topics] == topics
    subscriptions = [f"{project}/subscriptions/s-{number}" for number in range(5)]
    for name in subscriptions:
        clients.subscriber.create_subscription(name=name, topic=topics[0])
    listed = clients.subscriber.list_subscriptions(request={"project": project, "page_size": 2})
    assert [subscription.name for subscription in listed] == subscriptions
    of_topic = clients.publisher.list_topic_subscriptions(request={"topic": topics[0], "page_size": 2})
    assert list(of_topic) == subscriptions
    with pytest.raises(exceptions.InvalidArgument):
        clients.publisher.list_topics(project="paging")


@pytest.mark.parametrize(
    "identifier",
    ["ab", "1abc", "goog-topic", "with space", "with/slash", "x" * 256, "ümlaut"],
    ids=["short", "digit", "reserved", "space", "slash", "long", "umlaut"],
)
def test_names_follow_the_rules(clients: Clients, identifier: str) -> None:
    """An id of another form is refused for topics and subscriptions alike."""
    with pytest.raises(exceptions.InvalidArgument):
        clients.publisher.create_topic(name=f"{PROJECT}/topics/{identifier}")
    with pytest.raises(exceptions.InvalidArgument):
        clients.subscriber.create_subscription(
            name=f"{PROJECT}/subscriptions/{identifier}", topic=clients.topic()
        )


def test_subscription_lives_and_dies(clients: Clients) -> None:
    """A subscription is there from its creation to its deletion, with the defaults of the real service."""
    topic, name = clients.topic(), unique("subscriptions")
    created = clients.subscriber.create_subscription(name=name, topic=topic)
    assert created.ack_deadline_seconds == 10
    assert created.message_retention_duration.total_seconds() == 7 * 24 * 3600
    assert not created.push_config.push_endpoint
    assert clients.subscriber.get_subscription(subscription=name) == created
    with pytest.raises(exceptions.AlreadyExists, match=name):
        clients.subscriber.create_subscription(name=name, topic=topic)
    clients.subscriber.delete_subscription(subscription=name)
    for call in (clients.subscriber.get_subscription, clients.subscriber.delete_subscription):
        with pytest.raises(exceptions.NotFound, match=name):
            call(subscription=name)
    with pytest.raises(exceptions.NotFound, match=name):
        clients.pull(name)


def test_subscription_needs_its_topic(clients: Clients) -> None:
    """Neither the topic nor the dead-letter topic may be missing."""
    missing = unique("topics")
    with pytest.raises(exceptions.NotFound, match=missing):
        clients.subscription(missing)
    with pytest.raises(exceptions.NotFound, match=missing):
        clients.subscription(clients.topic(), dead_letter_policy={"dead_letter_topic": missing})


INVALID: list[tuple[str, dict[str, Any]]] = [
    ("ack_deadline_seconds", {"ack_deadline_seconds": 9}),
    ("ack_deadline_seconds", {"ack_deadline_seconds": 601}),
    ("message_retention_duration", {"message_retention_duration": Duration(seconds=599)}),
    ("message_retention_duration", {"message_retention_duration": Duration(seconds=31 * 24 * 3600 + 1)}),
    ("retry_policy", {"retry_policy": {"minimum_backoff": Duration(seconds=601)}}),
    ("retry_policy", {"retry_policy": {"maximum_backoff": Duration(seconds=601)}}),
    ("retry_policy", {"retry_policy": {"maximum_backoff": Duration(seconds=9)}}),  # below the default minimum
    ("retry_policy", {"retry_policy": {"minimum_backoff": Duration(seconds=-1)}}),
    (
        "max_delivery_attempts",
        {"dead_letter_policy": {"dead_letter_topic": DEAD, "max_delivery_attempts": 4}},
    ),
    (
        "max_delivery_attempts",
        {"dead_letter_policy": {"dead_letter_topic": DEAD, "max_delivery_attempts": 101}},
    ),
    ("dead_letter_topic", {"dead_letter_policy": {"max_delivery_attempts": 5}}),
    ("filter", {"filter": "attributes.kind = digest"}),
    ("push_endpoint", {"push_config": {"push_endpoint": "ftp://127.0.0.1/"}}),
    ("push_endpoint", {"push_config": {"push_endpoint": "http://"}}),
    ("push_endpoint", {"push_config": {"push_endpoint": "http://127.0.0.1/a b"}}),
    ("push_endpoint", {"push_config": {"push_endpoint": "http://127.0.0.1/\n"}}),
    ("push_endpoint", {"push_config": {"push_endpoint": "https://127.0.0.1/"}}),
    ("push_endpoint", {"push_config": {"push_endpoint": "http://127.0.0.1:99999/"}}),
]


@pytest.mark.parametrize(("field", "settings"), INVALID, ids=str)
def test_settings_out_of_range_are_refused(clients: Clients, field: str, settings: dict[str, Any]) -> None:
    """INVALID_ARGUMENT names the field."""
    with pytest.raises(exceptions.InvalidArgument, match=field):
        clients.subscription(clients.topic(), **settings)


ELSEWHERE: list[tuple[str, dict[str, Any]]] = [
    ("enable_message_ordering", {"enable_message_ordering": True}),
    ("enable_exactly_once_delivery", {"enable_exactly_once_delivery": True}),
    ("retain_acked_messages", {"retain_acked_messages": True}),
    ("bigquery_config", {"bigquery_config": {"table": "p.d.t"}}),
    ("cloud_storage_config", {"cloud_storage_config": {"bucket": "b"}}),
    (
        "no_wrapper",
        {"push_config": {"push_endpoint": "http://127.0.0.1:1/", "no_wrapper": {"write_metadata": True}}},
    ),
    (
        "oidc_token",
        {"push_config": {"push_endpoint": "http://127.0.0.1:1/", "oidc_token": {"audience": "a"}}},
    ),
]


@pytest.mark.parametrize(("field", "settings"), ELSEWHERE, ids=[field for field, _ in ELSEWHERE])
def test_what_is_not_served_is_refused_by_name(
    clients: Clients, field: str, settings: dict[str, Any]
) -> None:
    """A setting that would be ignored is UNIMPLEMENTED instead, and the message says which."""
    with pytest.raises(exceptions.MethodNotImplemented, match=field):
        clients.subscription(clients.topic(), **settings)


def test_methods_that_are_not_served_say_so_by_name(clients: Clients) -> None:
    """Seek, snapshots and schemas are UNIMPLEMENTED, each by its name."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    with pytest.raises(exceptions.MethodNotImplemented, match=r"Subscriber\.Seek"):
        clients.subscriber.seek(request={"subscription": subscription})
    with pytest.raises(exceptions.MethodNotImplemented, match=r"Subscriber\.CreateSnapshot"):
        clients.subscriber.create_snapshot(name=f"{PROJECT}/snapshots/s", subscription=subscription)
    with pytest.raises(exceptions.MethodNotImplemented, match=r"Publisher\.DetachSubscription"):
        clients.publisher.detach_subscription(request={"subscription": subscription})
    schemas = SchemaServiceClient(transport=SchemaServiceGrpcTransport(channel=clients.channel))
    with pytest.raises(exceptions.MethodNotImplemented, match=r"SchemaService\.ListSchemas"):
        schemas.list_schemas(parent=PROJECT)


def test_subscription_update_changes_what_the_mask_names(clients: Clients) -> None:
    """Fields and fields of fields change alone, are checked again, and what is immutable stays."""
    dead = clients.topic()
    name = clients.subscription(
        clients.topic(), dead_letter_policy={"dead_letter_topic": dead, "max_delivery_attempts": 5}
    )

    def update(paths: list[str], **settings: Any) -> Any:
        subscription = {"name": name, **settings}
        request = {"subscription": subscription, "update_mask": {"paths": paths}}
        return clients.subscriber.update_subscription(request=request)

    assert update(["ack_deadline_seconds"], ack_deadline_seconds=60, labels={"a": "b"}).labels == {}
    changed = update(
        ["dead_letter_policy.max_delivery_attempts"], dead_letter_policy={"max_delivery_attempts": 9}
    )
    assert changed.ack_deadline_seconds == 60
    assert changed.dead_letter_policy.max_delivery_attempts == 9
    assert changed.dead_letter_policy.dead_letter_topic == dead
    assert "dead_letter_policy" not in update(["dead_letter_policy"])
    backoff = {"minimum_backoff": Duration(seconds=1)}
    assert update(["retry_policy"], retry_policy=backoff).retry_policy.maximum_backoff.seconds == 600
    for paths in ([], ["filter"], ["topic"], ["no_such_field"]):
        with pytest.raises(exceptions.InvalidArgument):
            update(paths, filter="attributes:x")
    with pytest.raises(exceptions.InvalidArgument, match="ack_deadline_seconds"):
        update(["ack_deadline_seconds"], ack_deadline_seconds=5)
    with pytest.raises(exceptions.NotFound):
        update(["dead_letter_policy"], dead_letter_policy={"dead_letter_topic": unique("topics")})
    assert clients.subscriber.get_subscription(subscription=name).ack_deadline_seconds == 60


def test_subscription_outlives_its_topic(clients: Clients) -> None:
    """What was published before stays deliverable; a new topic of the old name is another topic."""
    topic = clients.topic()
    subscription = clients.subscription(topic)
    clients.publish(topic, b"before")
    clients.publisher.delete_topic(topic=topic)
    assert clients.subscriber.get_subscription(subscription=subscription).topic == "_deleted-topic_"
    clients.publisher.create_topic(name=topic)
    clients.publish(topic, b"after")
    received = clients.pull_all(subscription, 1)
    assert [message.message.data for message in received] == [b"before"]
    assert clients.pull(subscription, wait=0.5) == []


def test_port_in_use_is_one_clear_line(server: LocalServer, tmp_path: Path) -> None:
    """A second server on the port says which port and ends with status 1."""
    command = LocalServer("pubsub", tmp_path, server.port).command
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, cwd=ROOT)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert f"port {server.port}" in ended.stderr


def test_data_in_use_is_one_clear_line(server: LocalServer) -> None:
    """Two servers never share a data directory."""
    command = LocalServer("pubsub", server.data).command
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, cwd=ROOT)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert str(server.data) in ended.stderr
