"""Route what is published: the topics, their subscriptions, and the way between."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.pubsub import protos
from local.pubsub.http import Endpoints
from local.pubsub.names import DELETED_TOPIC, split
from local.pubsub.push import Pusher
from local.pubsub.subscription import Subscription
from local.serving import already_exists, not_found, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from local.pubsub.store import Store

PURGE_EVERY = 60.0
"""Seconds between two looks for what nobody needs any more."""
PURGE_STEP = 500
"""Deliveries removed at a time, so that publishers hardly wait."""


@dataclass(slots=True)
class Topic:
    """A topic and who is subscribed to it."""

    config: protos.Topic
    subscriptions: list[Subscription] = field(default_factory=list)


class Broker:
    """Everything one server holds. All of it runs in the event loop's thread."""

    def __init__(self, store: Store) -> None:
        """Take up what the store has; pushes begin at once."""
        self._store = store
        self._endpoints = Endpoints()
        self._pushers: dict[str, Pusher] = {}
        self.topics: dict[str, Topic] = {}
        self.subscriptions: dict[str, Subscription] = {}
        for config in store.topics():
            topic = protos.Topic.FromString(config)
            self.topics[topic.name] = Topic(topic)
        for identifier, config in store.subscriptions():
            self._attach(identifier, protos.Subscription.FromString(config))
        self._abandoned = store.orphans()
        self._purging = asyncio.get_running_loop().create_task(self._purge())

    def stop(self) -> None:
        """End every push, pull and timer; messages under way are delivered again after the next start."""
        self._purging.cancel()
        for subscription in self.subscriptions.values():
            subscription.end(unavailable("The server is stopping."))
        for pusher in self._pushers.values():
            pusher.stop()
        self._endpoints.close()

    # Topics

    def topic(self, name: str) -> Topic:
        """The topic of a name.

        Raises:
            Refused: NOT_FOUND.
        """
        if name not in self.topics:
            raise not_found(name)
        return self.topics[name]

    def create_topic(self, config: protos.Topic) -> None:
        """Raises Refused: ALREADY_EXISTS."""
        if config.name in self.topics:
            raise already_exists(config.name)
        self.topics[config.name] = Topic(config)
        self._store.put_topic(config.name, config.SerializeToString())

    def update_topic(self, config: protos.Topic) -> None:
        """Raises Refused: NOT_FOUND."""
        self.topic(config.name).config = config
        self._store.put_topic(config.name, config.SerializeToString())

    def delete_topic(self, name: str) -> None:
        """Its subscriptions stay, with what they still have to deliver.

        Raises:
            Refused: NOT_FOUND.
        """
        for subscription in self.topic(name).subscriptions:
            subscription.config.topic = DELETED_TOPIC
            self._store.update_subscription(subscription.id, subscription.config.SerializeToString())
        del self.topics[name]
        self._store.delete_topic(name)

    # Subscriptions

    def subscription(self, name: str) -> Subscription:
        """The subscription of a name.

        Raises:
            Refused: NOT_FOUND.
        """
        if name not in self.subscriptions:
            raise not_found(name)
        return self.subscriptions[name]

    def create_subscription(self, config: protos.Subscription) -> None:
        """It gets what is published from now on.

        Raises:
            Refused: ALREADY_EXISTS, or NOT_FOUND for one of its topics.
        """
        if config.name in self.subscriptions:
            raise already_exists(config.name)
        self.topic(config.topic)
        self._check_dead_letter_topic(config)
        self._attach(self._store.add_subscription(config.name, config.SerializeToString()), config)

    def update_subscription(self, config: protos.Subscription) -> None:
        """Raises Refused: NOT_FOUND, for the subscription or its dead-letter topic."""
        subscription = self.subscription(config.name)
        self._check_dead_letter_topic(config)
        subscription.config = config
        self._store.update_subscription(subscription.id, config.SerializeToString())
        self._store.after_commit(subscription.notify)

    def delete_subscription(self, name: str) -> None:
        """What it had to deliver is gone with it.

        Raises:
            Refused: NOT_FOUND.
        """
        subscription = self.subscription(name)
        del self.subscriptions[name]
        if subscription.config.topic in self.topics:
            self.topics[subscription.config.topic].subscriptions.remove(subscription)
        self._store.delete_subscription(subscription.id)
        subscription.end(not_found(name))
        self._pushers.pop(name).stop()
        self._abandoned.append(subscription.id)

    def _attach(self, identifier: int, config: protos.Subscription) -> None:
        subscription = Subscription(self._store, identifier, config, self._forward)
        self.subscriptions[config.name] = subscription
        if config.topic in self.topics:
            self.topics[config.topic].subscriptions.append(subscription)
        self._pushers[config.name] = Pusher(subscription, self._endpoints)
        subscription.notify()

    def _check_dead_letter_topic(self, config: protos.Subscription) -> None:
        if config.HasField("dead_letter_policy"):
            self.topic(config.dead_letter_policy.dead_letter_topic)

    # Messages

    def publish(self, name: str, messages: Sequence[protos.PubsubMessage]) -> list[str]:
        """Give each message its id and time and queue it; on disk once the store has committed.

        Raises:
            Refused: NOT_FOUND.
        """
        topic = self.topic(name)
        now = time.time()
        ids = self._store.new_ids(len(messages))
        rows: list[tuple[int, float, bytes]] = []
        deliveries: list[tuple[int, int]] = []
        wanted: set[Subscription] = set()
        for identifier, message in zip(ids, messages, strict=True):
            message.message_id = str(identifier)
            message.publish_time.FromMilliseconds(int(now * 1000))
            takers = [taker for taker in topic.subscriptions if taker.matches(message.attributes)]
            if takers:
                rows.append((identifier, now, message.SerializeToString()))
                deliveries.extend((taker.id, identifier) for taker in takers)
                wanted.update(takers)
        self._store.add_messages(rows, deliveries)
        for taker in wanted:
            self._store.after_commit(taker.arrived)
        return [str(identifier) for identifier in ids]

    def _forward(self, topic: str, body: bytes, source: protos.Subscription, attempts: int) -> bool:
        if topic not in self.topics:
            return False
        message = protos.PubsubMessage.FromString(body)
        project, subscription = split(source.name)
        # Source: https://cloud.google.com/pubsub/docs/handling-failures#track_delivery_attempts
        message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] = str(attempts)
        message.attributes["CloudPubSubDeadLetterSourceSubscription"] = subscription
        message.attributes["CloudPubSubDeadLetterSourceSubscriptionProject"] = project
        message.attributes["CloudPubSubDeadLetterSourceTopicPublishTime"] = (
            message.publish_time.ToJsonString()
        )
        self.publish(topic, [message])
        return True

    def open_pushes(self) -> list[dict[str, object]]:
        """Every push that has not been answered."""
        return [push for pusher in self._pushers.values() for push in pusher.open_pushes()]

    # Housekeeping

    async def _purge(self) -> None:
        while True:
            self._endpoints.sweep()
            for subscription in tuple(self.subscriptions.values()):
                retention = subscription.config.message_retention_duration.ToTimedelta().total_seconds()
                before = time.time() - retention
                while messages := self._store.expired(subscription.id, before, PURGE_STEP):
                    await self._drop(subscription.id, messages)
            while self._abandoned:
                identifier = self._abandoned.pop()
                while rows := self._store.scan(identifier, 0, PURGE_STEP):
                    await self._drop(identifier, [message for message, _, _ in rows])
            self._store.scrub()
            await asyncio.sleep(PURGE_EVERY)

    async def _drop(self, subscription: int, messages: Iterable[int]) -> None:
        self._store.acknowledge(subscription, list(messages))
        await self._store.committed()
        # A turn for everyone else, longer than the step itself took.
        await asyncio.sleep(0.01)
