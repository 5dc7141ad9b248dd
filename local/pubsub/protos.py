"""The protobuf classes of Pub/Sub that the server reads and writes, from the client's own package."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from local.messages import message_types

if TYPE_CHECKING:
    # protobuf ships no types; the names still say which message a function takes.
    from google.protobuf.message import Message

    AcknowledgeRequest: TypeAlias = Message
    DeleteSubscriptionRequest: TypeAlias = Message
    DeleteTopicRequest: TypeAlias = Message
    GetSubscriptionRequest: TypeAlias = Message
    GetTopicRequest: TypeAlias = Message
    ListSubscriptionsRequest: TypeAlias = Message
    ListSubscriptionsResponse: TypeAlias = Message
    ListTopicSubscriptionsRequest: TypeAlias = Message
    ListTopicSubscriptionsResponse: TypeAlias = Message
    ListTopicsRequest: TypeAlias = Message
    ListTopicsResponse: TypeAlias = Message
    ModifyAckDeadlineRequest: TypeAlias = Message
    ModifyPushConfigRequest: TypeAlias = Message
    PublishRequest: TypeAlias = Message
    PublishResponse: TypeAlias = Message
    PubsubMessage: TypeAlias = Message
    PullRequest: TypeAlias = Message
    PullResponse: TypeAlias = Message
    PushConfig: TypeAlias = Message
    ReceivedMessage: TypeAlias = Message
    StreamingPullRequest: TypeAlias = Message
    StreamingPullResponse: TypeAlias = Message
    Subscription: TypeAlias = Message
    Topic: TypeAlias = Message
    UpdateSubscriptionRequest: TypeAlias = Message
    UpdateTopicRequest: TypeAlias = Message
else:
    _types = message_types("google.pubsub_v1")
    AcknowledgeRequest = _types.AcknowledgeRequest.pb()
    DeleteSubscriptionRequest = _types.DeleteSubscriptionRequest.pb()
    DeleteTopicRequest = _types.DeleteTopicRequest.pb()
    GetSubscriptionRequest = _types.GetSubscriptionRequest.pb()
    GetTopicRequest = _types.GetTopicRequest.pb()
    ListSubscriptionsRequest = _types.ListSubscriptionsRequest.pb()
    ListSubscriptionsResponse = _types.ListSubscriptionsResponse.pb()
    ListTopicSubscriptionsRequest = _types.ListTopicSubscriptionsRequest.pb()
    ListTopicSubscriptionsResponse = _types.ListTopicSubscriptionsResponse.pb()
    ListTopicsRequest = _types.ListTopicsRequest.pb()
    ListTopicsResponse = _types.ListTopicsResponse.pb()
    ModifyAckDeadlineRequest = _types.ModifyAckDeadlineRequest.pb()
    ModifyPushConfigRequest = _types.ModifyPushConfigRequest.pb()
    PublishRequest = _types.PublishRequest.pb()
    PublishResponse = _types.PublishResponse.pb()
    PubsubMessage = _types.PubsubMessage.pb()
    PullRequest = _types.PullRequest.pb()
    PullResponse = _types.PullResponse.pb()
    PushConfig = _types.PushConfig.pb()
    ReceivedMessage = _types.ReceivedMessage.pb()
    StreamingPullRequest = _types.StreamingPullRequest.pb()
    StreamingPullResponse = _types.StreamingPullResponse.pb()
    Subscription = _types.Subscription.pb()
    Topic = _types.Topic.pb()
    UpdateSubscriptionRequest = _types.UpdateSubscriptionRequest.pb()
    UpdateTopicRequest = _types.UpdateTopicRequest.pb()
