"""Check topics, subscriptions and messages against their limits, and fill in defaults.

What this server does not do is refused by name, never accepted and forgotten.
Source: https://cloud.google.com/pubsub/quotas#resource_limits and the fields' own documentation in the API.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.pubsub.filters import NotAFilter, compile_filter
from local.pubsub.names import DELETED_TOPIC, check_subscription, check_topic
from local.pubsub.retry import DEFAULT_MAX_BACKOFF, DEFAULT_MIN_BACKOFF
from local.serving import Refused, invalid, unimplemented

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from local.pubsub import protos

MAX_PUBLISH_BYTES = 10_000_000
MAX_PUBLISH_MESSAGES = 1000
MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_KEY_BYTES = 256
MAX_ATTRIBUTE_VALUE_BYTES = 1024
MAX_ORDERING_KEY_BYTES = 1024
ACK_DEADLINE = range(10, 601)
"""Seconds."""
DEFAULT_ACK_DEADLINE = 10
DELIVERY_ATTEMPTS = range(5, 101)
DEFAULT_DELIVERY_ATTEMPTS = 5
RETENTION = (timedelta(minutes=10), timedelta(days=31))
DEFAULT_RETENTION = timedelta(days=7)
DEFAULT_EXPIRATION = timedelta(days=31)

_TOPIC_FIELDS = frozenset({"name", "labels", "message_retention_duration"})
_SUBSCRIPTION_FIELDS = frozenset(
    {
        "name",
        "topic",
        "push_config",
        "ack_deadline_seconds",
        "message_retention_duration",
        "labels",
        "expiration_policy",
        "filter",
        "dead_letter_policy",
        "retry_policy",
    }
)
_PRINTABLE = re.compile(r"[!-~]+")
_PUSH_FIELDS = frozenset({"push_endpoint", "attributes", "pubsub_wrapper"})
IMMUTABLE_FIELDS = frozenset({"name", "topic", "filter", "enable_message_ordering"})


def check_messages(request: protos.PublishRequest) -> None:
    """Raises Refused: INVALID_ARGUMENT, naming the first message that breaks a limit."""
    if not request.messages:
        raise invalid("A publish request needs at least one message.")
    if len(request.messages) > MAX_PUBLISH_MESSAGES:
        raise invalid(f"{len(request.messages)} messages in one request; at most {MAX_PUBLISH_MESSAGES}.")
    if (size := request.ByteSize()) > MAX_PUBLISH_BYTES:
        raise invalid(f"A publish request of {size} bytes; at most {MAX_PUBLISH_BYTES}.")
    for index, message in enumerate(request.messages):
        if problem := _problem(message):
            raise invalid(f"messages[{index}]: {problem}.")


def _problem(message: protos.PubsubMessage) -> str | None:
    if not message.data and not message.attributes:
        return "a message needs data or at least one attribute"
    if len(message.ordering_key.encode()) > MAX_ORDERING_KEY_BYTES:
        return f"an ordering key has at most {MAX_ORDERING_KEY_BYTES} bytes"
    if len(message.attributes) > MAX_ATTRIBUTES:
        return f"{len(message.attributes)} attributes; at most {MAX_ATTRIBUTES}"
    problems = (_attribute_problem(key, value) for key, value in message.attributes.items())
    return next(filter(None, problems), None)


def _attribute_problem(key: str, value: str) -> str | None:
    if not key or len(key.encode()) > MAX_ATTRIBUTE_KEY_BYTES:
        return f"an attribute's key has 1 to {MAX_ATTRIBUTE_KEY_BYTES} bytes"
    if key.startswith("goog"):
        return f"attribute {key!r}: keys that begin with goog are reserved"
    if len(value.encode()) > MAX_ATTRIBUTE_VALUE_BYTES:
        return f"attribute {key!r}: a value has at most {MAX_ATTRIBUTE_VALUE_BYTES} bytes"
    return None


def complete_topic(topic: protos.Topic) -> protos.Topic:
    """The topic itself, checked.

    Raises:
        Refused: INVALID_ARGUMENT or UNIMPLEMENTED, naming the field.
    """
    check_topic(topic.name)
    _only("Topic", topic, _TOPIC_FIELDS)
    if topic.HasField("message_retention_duration"):
        _check_retention(topic)
    return topic


def complete_subscription(subscription: protos.Subscription) -> protos.Subscription:
    """The subscription itself, checked, with the defaults filled in.

    Raises:
        Refused: INVALID_ARGUMENT or UNIMPLEMENTED, naming the field.
    """
    check_subscription(subscription.name)
    if subscription.topic != DELETED_TOPIC:
        check_topic(subscription.topic)
    _only("Subscription", subscription, _SUBSCRIPTION_FIELDS)
    subscription.ack_deadline_seconds = subscription.ack_deadline_seconds or DEFAULT_ACK_DEADLINE
    if subscription.ack_deadline_seconds not in ACK_DEADLINE:
        raise _outside("ack_deadline_seconds", ACK_DEADLINE)
    if not subscription.HasField("message_retention_duration"):
        subscription.message_retention_duration.FromTimedelta(DEFAULT_RETENTION)
    _check_retention(subscription)
    if not subscription.HasField("expiration_policy"):
        subscription.expiration_policy.ttl.FromTimedelta(DEFAULT_EXPIRATION)
    try:
        compile_filter(subscription.filter)
    except NotAFilter as error:
        raise invalid(f"filter: {error}.") from error
    if subscription.HasField("push_config"):
        check_push_config(subscription.push_config)
    if subscription.HasField("dead_letter_policy"):
        _complete_dead_letter_policy(subscription.dead_letter_policy)
    if subscription.HasField("retry_policy"):
        _complete_retry_policy(subscription.retry_policy)
    return subscription


def check_push_config(config: protos.PushConfig) -> None:
    """Raises Refused: INVALID_ARGUMENT or UNIMPLEMENTED, naming the field."""
    _only("PushConfig", config, _PUSH_FIELDS)
    for key, value in config.attributes.items():
        if (key, value) != ("x-goog-version", "v1"):
            raise unimplemented(f"PushConfig.attributes {key}={value}")
    if config.push_endpoint:
        try:
            parts = urlsplit(config.push_endpoint)
            usable = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or not _PRINTABLE.fullmatch(config.push_endpoint):
            raise invalid(
                f"push_endpoint {config.push_endpoint!r}: the form is http://HOST[:PORT]/PATH here."
            )


def _complete_dead_letter_policy(policy: protos.Subscription) -> None:
    if not policy.dead_letter_topic:
        raise invalid("dead_letter_policy.dead_letter_topic: must be set.")
    check_topic(policy.dead_letter_topic)
    policy.max_delivery_attempts = policy.max_delivery_attempts or DEFAULT_DELIVERY_ATTEMPTS
    if policy.max_delivery_attempts not in DELIVERY_ATTEMPTS:
        raise _outside("dead_letter_policy.max_delivery_attempts", DELIVERY_ATTEMPTS)


def _complete_retry_policy(policy: protos.Subscription) -> None:
    if not policy.HasField("minimum_backoff"):
        policy.minimum_backoff.FromTimedelta(timedelta(seconds=DEFAULT_MIN_BACKOFF))
    if not policy.HasField("maximum_backoff"):
        policy.maximum_backoff.FromTimedelta(timedelta(seconds=DEFAULT_MAX_BACKOFF))
    low, high = policy.minimum_backoff.ToTimedelta(), policy.maximum_backoff.ToTimedelta()
    if not timedelta(0) <= low <= high <= timedelta(seconds=DEFAULT_MAX_BACKOFF):
        raise invalid("retry_policy: 0 <= minimum_backoff <= maximum_backoff <= 600 s must hold.")


def _check_retention(message: protos.Subscription) -> None:
    low, high = RETENTION
    if not low <= message.message_retention_duration.ToTimedelta() <= high:
        raise invalid("message_retention_duration: must be from 10 minutes to 31 days.")


def check_mask(paths: Sequence[str]) -> None:
    """Raises Refused: INVALID_ARGUMENT, for an update of nothing or of what cannot change."""
    if not paths:
        raise invalid("update_mask must name at least one field.")
    for path in paths:
        if path.partition(".")[0] in IMMUTABLE_FIELDS:
            raise invalid(f"{path} cannot change after creation.")


def _only(kind: str, message: protos.Subscription, known: Iterable[str]) -> None:
    for descriptor, _ in message.ListFields():
        if descriptor.name not in known:
            raise unimplemented(f"{kind}.{descriptor.name}")


def _outside(field: str, allowed: range) -> Refused:
    return invalid(f"{field}: must be from {allowed[0]} to {allowed[-1]}.")
