"""google.pubsub.v1.Subscriber, as far as Headrace uses it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
from google.protobuf.empty_pb2 import Empty

from local.pubsub import protos
from local.pubsub.names import check_project
from local.pubsub.rules import check_mask, check_push_config, complete_subscription
from local.pubsub.streaming import Stream
from local.pubsub.subscription import MAX_BATCH_BYTES, Subscription
from local.pubsub.updates import merge, page
from local.serving import failed_precondition, invalid, stream, unary, unary_in_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.pubsub.broker import Broker
    from local.pubsub.store import Store

_PREFIX = "/google.pubsub.v1.Subscriber/"

MAX_PULL = 1000
PULL_WAIT = 10.0
"""Seconds that a pull waits for a first message, where the caller's own deadline leaves as many."""
PULL_MARGIN = 0.25
"""Seconds before the caller's deadline at which an empty answer goes out, so that it still arrives."""
MAX_DEADLINE = 600
"""Seconds by which a deadline can be moved."""


class Subscriber:
    """Each method answers once what it did is on disk, or raises Refused."""

    def __init__(self, broker: Broker, store: Store) -> None:
        """Both are of one server."""
        self._broker = broker
        self._store = store

    def methods(self) -> Mapping[str, grpc.RpcMethodHandler]:
        """Return the handlers by path."""
        return {
            _PREFIX + "CreateSubscription": unary(self.create, protos.Subscription),
            _PREFIX + "GetSubscription": unary(self.get, protos.GetSubscriptionRequest),
            _PREFIX + "UpdateSubscription": unary(self.update, protos.UpdateSubscriptionRequest),
            _PREFIX + "ListSubscriptions": unary(self.list, protos.ListSubscriptionsRequest),
            _PREFIX + "DeleteSubscription": unary(self.delete, protos.DeleteSubscriptionRequest),
            _PREFIX + "ModifyPushConfig": unary(self.modify_push_config, protos.ModifyPushConfigRequest),
            _PREFIX + "Pull": unary_in_context(self.pull, protos.PullRequest),
            _PREFIX + "StreamingPull": stream(self.streaming_pull, protos.StreamingPullRequest),
            _PREFIX + "Acknowledge": unary(self.acknowledge, protos.AcknowledgeRequest),
            _PREFIX + "ModifyAckDeadline": unary(self.modify_ack_deadline, protos.ModifyAckDeadlineRequest),
        }

    async def create(self, config: protos.Subscription) -> protos.Subscription:
        self._broker.create_subscription(complete_subscription(config))
        await self._store.committed()
        return config

    async def get(self, request: protos.GetSubscriptionRequest) -> protos.Subscription:
        return self._broker.subscription(request.subscription).config

    async def update(self, request: protos.UpdateSubscriptionRequest) -> protos.Subscription:
        check_mask(request.update_mask.paths)
        config = self._copy(request.subscription.name)
        merge(request.update_mask, request.subscription, config)
        self._broker.update_subscription(complete_subscription(config))
        await self._store.committed()
        return config

    async def list(self, request: protos.ListSubscriptionsRequest) -> protos.ListSubscriptionsResponse:
        project = check_project(request.project) + "/"
        mine = (name for name in self._broker.subscriptions if name.startswith(project))
        names, token = page(mine, request)
        subscriptions = [self._broker.subscriptions[name].config for name in names]
        return protos.ListSubscriptionsResponse(subscriptions=subscriptions, next_page_token=token)

    async def delete(self, request: protos.DeleteSubscriptionRequest) -> Empty:
        self._broker.delete_subscription(request.subscription)
        await self._store.committed()
        return Empty()

    async def modify_push_config(self, request: protos.ModifyPushConfigRequest) -> Empty:
        check_push_config(request.push_config)
        config = self._copy(request.subscription)
        config.push_config.CopyFrom(request.push_config)
        self._broker.update_subscription(config)
        await self._store.committed()
        return Empty()

    async def pull(
        self, request: protos.PullRequest, context: grpc.aio.ServicerContext
    ) -> protos.PullResponse:
        subscription = self._pullable(request.subscription)
        if request.max_messages < 1:
            raise invalid("max_messages: must be at least 1.")
        left = context.time_remaining()
        wait = PULL_WAIT if left is None else min(PULL_WAIT, left - PULL_MARGIN)
        until = asyncio.get_running_loop().time() + (0.0 if request.return_immediately else wait)
        arrived = asyncio.Event()
        subscription.listeners.add(arrived.set)
        try:
            while True:
                arrived.clear()
                received, _ = subscription.lease(
                    min(request.max_messages, MAX_PULL),
                    MAX_BATCH_BYTES,
                    subscription.config.ack_deadline_seconds,
                    holder=None,
                )
                if received:
                    break
                if subscription.ended:
                    raise subscription.ended
                async with asyncio.timeout_at(until):
                    await arrived.wait()
        except TimeoutError:
            received = []
        finally:
            subscription.listeners.discard(arrived.set)
        return protos.PullResponse(received_messages=received)

    async def streaming_pull(self, context: grpc.aio.ServicerContext) -> None:
        first = await context.read()
        if first is grpc.aio.EOF:
            raise invalid("A stream begins with a request that names its subscription.")
        await Stream(self._pullable(first.subscription), context, first).run()

    async def acknowledge(self, request: protos.AcknowledgeRequest) -> Empty:
        subscription = self._broker.subscription(request.subscription)
        subscription.acknowledge(subscription.parse_ack_ids(request.ack_ids))
        await self._store.committed()
        return Empty()

    async def modify_ack_deadline(self, request: protos.ModifyAckDeadlineRequest) -> Empty:
        subscription = self._broker.subscription(request.subscription)
        if not 0 <= request.ack_deadline_seconds <= MAX_DEADLINE:
            raise invalid(f"ack_deadline_seconds: must be from 0 to {MAX_DEADLINE}.")
        ack_ids = subscription.parse_ack_ids(request.ack_ids)
        subscription.modify_deadlines((ack_id, request.ack_deadline_seconds) for ack_id in ack_ids)
        await self._store.committed()
        return Empty()

    def _copy(self, name: str) -> protos.Subscription:
        config = protos.Subscription()
        config.CopyFrom(self._broker.subscription(name).config)
        return config

    def _pullable(self, name: str) -> Subscription:
        subscription = self._broker.subscription(name)
        if subscription.endpoint:
            raise failed_precondition(f"{name} pushes to {subscription.endpoint}: it cannot be pulled from.")
        return subscription
