"""google.pubsub.v1.Publisher, as far as Headrace uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.empty_pb2 import Empty

from local.pubsub import protos
from local.pubsub.names import check_project
from local.pubsub.rules import check_mask, check_messages, complete_topic
from local.pubsub.updates import merge, page
from local.serving import unary

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc

    from local.pubsub.broker import Broker
    from local.pubsub.store import Store

_PREFIX = "/google.pubsub.v1.Publisher/"


class Publisher:
    """Each method answers once what it did is on disk, or raises Refused."""

    def __init__(self, broker: Broker, store: Store) -> None:
        """Both are of one server."""
        self._broker = broker
        self._store = store

    def methods(self) -> Mapping[str, grpc.RpcMethodHandler]:
        """Return the handlers by path."""
        return {
            _PREFIX + "CreateTopic": unary(self.create_topic, protos.Topic),
            _PREFIX + "UpdateTopic": unary(self.update_topic, protos.UpdateTopicRequest),
            _PREFIX + "Publish": unary(self.publish, protos.PublishRequest),
            _PREFIX + "GetTopic": unary(self.get_topic, protos.GetTopicRequest),
            _PREFIX + "ListTopics": unary(self.list_topics, protos.ListTopicsRequest),
            _PREFIX + "ListTopicSubscriptions": unary(
                self.list_topic_subscriptions, protos.ListTopicSubscriptionsRequest
            ),
            _PREFIX + "DeleteTopic": unary(self.delete_topic, protos.DeleteTopicRequest),
        }

    async def create_topic(self, topic: protos.Topic) -> protos.Topic:
        self._broker.create_topic(complete_topic(topic))
        await self._store.committed()
        return topic

    async def update_topic(self, request: protos.UpdateTopicRequest) -> protos.Topic:
        check_mask(request.update_mask.paths)
        topic = protos.Topic()
        topic.CopyFrom(self._broker.topic(request.topic.name).config)
        merge(request.update_mask, request.topic, topic)
        self._broker.update_topic(complete_topic(topic))
        await self._store.committed()
        return topic

    async def publish(self, request: protos.PublishRequest) -> protos.PublishResponse:
        check_messages(request)
        ids = self._broker.publish(request.topic, request.messages)
        await self._store.committed()
        return protos.PublishResponse(message_ids=ids)

    async def get_topic(self, request: protos.GetTopicRequest) -> protos.Topic:
        return self._broker.topic(request.topic).config

    async def list_topics(self, request: protos.ListTopicsRequest) -> protos.ListTopicsResponse:
        project = check_project(request.project) + "/"
        mine = (name for name in self._broker.topics if name.startswith(project))
        names, token = page(mine, request)
        topics = [self._broker.topics[name].config for name in names]
        return protos.ListTopicsResponse(topics=topics, next_page_token=token)

    async def list_topic_subscriptions(
        self, request: protos.ListTopicSubscriptionsRequest
    ) -> protos.ListTopicSubscriptionsResponse:
        topic = self._broker.topic(request.topic)
        names, token = page((subscription.name for subscription in topic.subscriptions), request)
        return protos.ListTopicSubscriptionsResponse(subscriptions=names, next_page_token=token)

    async def delete_topic(self, request: protos.DeleteTopicRequest) -> Empty:
        self._broker.delete_topic(request.topic)
        await self._store.committed()
        return Empty()
