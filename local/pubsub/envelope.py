"""Wrap a message as a push endpoint receives it.

Source: https://cloud.google.com/pubsub/docs/push#receive_push
"""

from __future__ import annotations

import json
from base64 import b64encode

from local.pubsub.protos import PubsubMessage


def wrap(body: bytes, subscription: str, attempt: int | None) -> bytes:
    """JSON of a stored message. What is empty is left out, as protobuf's JSON does.

    `attempt` counts from 1 and is None where the subscription has no dead-letter policy.
    """
    stored = PubsubMessage.FromString(body)
    published = stored.publish_time.ToJsonString()
    message: dict[str, object] = {}
    if stored.attributes:
        message["attributes"] = dict(stored.attributes)
    if stored.data:
        message["data"] = b64encode(stored.data).decode("ascii")
    message["messageId"] = message["message_id"] = stored.message_id
    if stored.ordering_key:
        message["orderingKey"] = stored.ordering_key
    message["publishTime"] = message["publish_time"] = published
    envelope: dict[str, object] = {"message": message, "subscription": subscription}
    if attempt is not None:
        envelope["deliveryAttempt"] = attempt
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
