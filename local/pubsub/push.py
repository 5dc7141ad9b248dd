"""Push messages: as many at once as the endpoint's window allows, each until its deadline.

A push that has been open for long leaves its place in the window: it may hang, and the endpoint have room.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.pubsub.envelope import wrap
from local.pubsub.http import Endpoints, PushFailed
from local.pubsub.protos import PubsubMessage
from local.pubsub.window import MAX_WINDOW, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.pubsub.backlog import Delivery
    from local.pubsub.subscription import Subscription

log = logging.getLogger(__name__)

ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})
"""Any other status refuses the message. Source: https://cloud.google.com/pubsub/docs/push"""
MAX_OUTSTANDING_BYTES = 32 * 1024 * 1024
"""Most bytes of messages on their way to one endpoint; a single message may be larger."""
LONG_SECONDS = 10.0
"""A push that has been open for longer does not count in the window, only in MAX_WINDOW."""


@dataclass(frozen=True, slots=True)
class OpenPush:
    """A request that the endpoint has not answered yet."""

    delivery: Delivery
    body: bytes
    sent_at: float
    """Seconds on the event loop's clock."""
    aging: asyncio.TimerHandle
    """Takes it out of the window."""


class Pusher:
    """Pushes one subscription's messages while its configuration has an endpoint."""

    def __init__(self, subscription: Subscription, endpoints: Endpoints) -> None:
        """Listens to the subscription from now on."""
        self._subscription = subscription
        self._endpoints = endpoints
        self._window = Window()
        self._open: dict[asyncio.Task[None], OpenPush] = {}
        self._in_window: set[asyncio.Task[None]] = set()
        self._bytes = 0
        self._failing = False
        self._resume: asyncio.TimerHandle | None = None
        subscription.listeners.add(self.pump)

    def stop(self) -> None:
        """Break off what is under way; it will be delivered again."""
        self._subscription.listeners.discard(self.pump)
        if self._resume is not None:
            self._resume.cancel()
        for task, push in self._open.items():
            push.aging.cancel()
            task.cancel()

    def pump(self) -> None:
        """Send what there is and the window allows."""
        subscription, loop = self._subscription, asyncio.get_running_loop()
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        while (
            subscription.endpoint
            and not subscription.ended
            and len(self._in_window) < self._window.size
            and len(self._open) < MAX_WINDOW
            and self._bytes < MAX_OUTSTANDING_BYTES
        ):
            if loop.time() < self._window.paused_until:
                self._resume = loop.call_at(self._window.paused_until, subscription.notify)
                return
            taken = subscription.backlog.take()
            if taken is None:
                return
            task = loop.create_task(self._push(*taken))
            aging = loop.call_later(LONG_SECONDS, self._leave_window, task)
            self._open[task] = OpenPush(*taken, loop.time(), aging)
            self._in_window.add(task)
            task.add_done_callback(self._finished)

    def open_pushes(self) -> Iterator[dict[str, object]]:
        """What is under way, as JSON: identity, attributes and age of each message, not its data."""
        now = asyncio.get_running_loop().time()
        for push in self._open.values():
            message = PubsubMessage.FromString(push.body)
            yield {
                "subscription": self._subscription.name,
                "message_id": message.message_id,
                "attributes": dict(message.attributes),
                "seconds": now - push.sent_at,
            }

    def _leave_window(self, task: asyncio.Task[None]) -> None:
        self._in_window.discard(task)
        self._subscription.notify()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task).aging.cancel()
        self._leave_window(task)

    async def _push(self, delivery: Delivery, body: bytes) -> None:
        subscription, loop = self._subscription, asyncio.get_running_loop()
        self._bytes += len(body)
        sent_at = loop.time()
        try:
            problem = await self._post(wrap(body, subscription.name, subscription.attempt(delivery)))
        finally:
            self._bytes -= len(body)
        if problem is None:
            self._window.succeeded()
            subscription.pushed(delivery)
        else:
            self._window.failed(sent_at, loop.time())
            subscription.failed(delivery)
            if not self._failing:  # once an outage, not once a message
                log.warning("%s: push to %s failed: %s", subscription.name, subscription.endpoint, problem)
        self._failing = problem is not None

    async def _post(self, envelope: bytes) -> str | None:
        """None where the endpoint acknowledged, else what it did."""
        deadline = self._subscription.config.ack_deadline_seconds
        try:
            async with asyncio.timeout(deadline):
                status = await self._endpoints.post(self._subscription.endpoint, envelope)
        except TimeoutError:
            return f"no answer within {deadline} s"
        except PushFailed as error:
            return str(error)
        return None if status in ACKNOWLEDGED else f"status {status}"
