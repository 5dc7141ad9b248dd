"""How are messages pushed? As many at once as the endpoint's window allows, each until its deadline."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from local.pubsub.envelope import wrap
from local.pubsub.http import Endpoints, PushFailed
from local.pubsub.window import Window

if TYPE_CHECKING:
    from local.pubsub.backlog import Delivery
    from local.pubsub.subscription import Subscription

log = logging.getLogger(__name__)

ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})
"""Any other status refuses the message. Source: https://cloud.google.com/pubsub/docs/push"""
MAX_OUTSTANDING_BYTES = 32 * 1024 * 1024
"""Of messages on their way to one endpoint; a single one may be larger."""


class Pusher:
    """Pushes one subscription's messages while its configuration has an endpoint."""

    def __init__(self, subscription: Subscription, endpoints: Endpoints) -> None:
        """Listens to the subscription from now on."""
        self._subscription = subscription
        self._endpoints = endpoints
        self._window = Window()
        self._tasks: set[asyncio.Task[None]] = set()
        self._bytes = 0
        self._failing = False
        self._resume: asyncio.TimerHandle | None = None
        subscription.listeners.add(self.pump)

    def stop(self) -> None:
        """Break off what is under way; it will be delivered again."""
        self._subscription.listeners.discard(self.pump)
        if self._resume is not None:
            self._resume.cancel()
        for task in self._tasks:
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
            and len(self._tasks) < self._window.size
            and self._bytes < MAX_OUTSTANDING_BYTES
        ):
            if loop.time() < self._window.paused_until:
                self._resume = loop.call_at(self._window.paused_until, subscription.notify)
                return
            taken = subscription.backlog.take()
            if taken is None:
                return
            task = loop.create_task(self._push(*taken))
            self._tasks.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._subscription.notify()

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
