"""Any message comes back as it was published, pulled or pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.pubsub_v1 import PubsubMessage
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.integration.pubsub_server import Clients, Endpoint, running

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = st.text(min_size=1, max_size=60).filter(lambda key: not key.startswith("goog"))
ATTRIBUTES = st.dictionaries(KEYS, st.text(max_size=200), max_size=6)
MESSAGES = st.builds(
    lambda data, attributes, key: PubsubMessage(data=data, attributes=attributes, ordering_key=key),
    st.binary(max_size=300),
    ATTRIBUTES,
    st.text(max_size=20),
)


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    with running("pubsub", tmp_path_factory.mktemp("round-trip")) as server:
        clients = Clients(server.address)
        yield clients
        clients.close()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


@pytest.fixture(scope="module")
def topic(clients: Clients, endpoint: Endpoint) -> str:
    topic = clients.topic()
    clients.subscription(topic, push_config={"push_endpoint": endpoint.url})
    return topic


@pytest.fixture(scope="module")
def pulled(clients: Clients, topic: str) -> str:
    return clients.subscription(topic)


@settings(max_examples=60, deadline=None)
@given(message=MESSAGES)
def test_message_comes_back_as_published(
    clients: Clients, endpoint: Endpoint, topic: str, pulled: str, message: PubsubMessage
) -> None:
    """Bytes, attributes in any script and the ordering key are the same to a puller and to an endpoint."""
    assume(message.data or message.attributes)
    endpoint.pushes.clear()
    (identifier,) = clients.publisher.publish(topic=topic, messages=[message]).message_ids
    (received,) = clients.pull_all(pulled, 1)
    assert received.message.message_id == identifier
    assert received.message.data == message.data
    assert received.message.attributes == message.attributes
    assert received.message.ordering_key == message.ordering_key
    (push,) = endpoint.wait(1)
    envelope = push.envelope["message"]
    assert envelope["messageId"] == identifier
    assert push.data == message.data
    assert envelope.get("attributes", {}) == message.attributes
    assert envelope.get("orderingKey", "") == message.ordering_key
