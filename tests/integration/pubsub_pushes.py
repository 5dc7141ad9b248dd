"""Subscriptions that push, and endpoints that behave badly for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.duration_pb2 import Duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.pubsub_server import Behaviour, Clients, Endpoint, Push

QUICK = {"minimum_backoff": Duration(nanos=50_000_000), "maximum_backoff": Duration(seconds=1)}


def subscribe(clients: Clients, topic: str, endpoint: Endpoint, **settings: Any) -> str:
    return clients.subscription(topic, push_config={"push_endpoint": endpoint.url}, **settings)


def first(count: int, behaviour: Behaviour, then: Behaviour = 204) -> Callable[[Push], Behaviour]:
    """Behave badly so many times, then well."""
    left = iter([behaviour] * count)
    return lambda _push: next(left, then)
