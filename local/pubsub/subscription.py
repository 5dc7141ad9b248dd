"""Follow a message through one subscription: taken, then acknowledged, retried or dead-lettered."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from local.pubsub.backlog import Backlog, Delivery, Holder
from local.pubsub.filters import compile_filter
from local.pubsub.protos import ReceivedMessage
from local.pubsub.protos import Subscription as Config
from local.pubsub.retry import backoff
from local.serving import Refused, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.pubsub.store import Store

log = logging.getLogger(__name__)

_ACK_ID = re.compile(r"([0-9]{1,15})-([0-9]{1,18})-([0-9]{1,19})")
MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Most bytes in an answer to a puller; a single message may be larger."""


class Forward(Protocol):
    """Publishes to a dead-letter topic, in the transaction that is open."""

    def __call__(self, topic: str, body: bytes, source: Config, attempts: int) -> bool:
        """False where the topic is gone."""


class AckId(NamedTuple):
    """What names one delivery of one message to one puller."""

    message: int
    lease: int


class Subscription:
    """A configured subscription with its backlog. All of it runs in the event loop's thread."""

    def __init__(self, store: Store, identifier: int, config: Config, forward: Forward) -> None:
        """`config` is complete: defaults filled in, checked."""
        self.id = identifier
        self.config = config
        self.matches = compile_filter(config.filter)
        self.backlog = Backlog(store, identifier)
        self.listeners: set[Callable[[], None]] = set()
        """Called whenever there may be something to take, or the configuration changed."""
        self.ended: Refused | None = None
        """Why nothing is delivered any more: what those who wait are told."""
        self._store = store
        self._forward = forward
        self._timer: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        return str(self.config.name)

    @property
    def endpoint(self) -> str:
        """Where messages are pushed to; empty for a pull subscription."""
        return str(self.config.push_config.push_endpoint)

    # Waking up

    def arrived(self) -> None:
        """New messages are on disk."""
        self.backlog.arrived()
        self.notify()

    def notify(self) -> None:
        """Tell everyone who takes messages to look, and wake up again for the next backoff or deadline."""
        for listener in tuple(self.listeners):
            listener()
        self.schedule()

    def schedule(self) -> None:
        """Wake up when the next backoff or lease ends."""
        due = self.backlog.next_event()
        if due is None or self.ended:
            return
        if self._timer is not None:
            if self._timer.when() <= due:  # too early does no harm: waking up schedules again
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        # What is due no longer has a time to wake up at, whether or not anybody can take it now: whoever is
        # busy looks again by itself.
        self.backlog.ripen()
        for delivery in self.backlog.expire():
            self.failed(delivery)
        self.notify()

    def end(self, reason: Refused) -> None:
        """Deliver nothing more, and tell those who wait."""
        self.ended = reason
        if self._timer is not None:
            self._timer.cancel()
        self.notify()

    # Delivering

    def attempt(self, delivery: Delivery) -> int | None:
        """Which attempt this is, from 1; None where nobody asked to count."""
        return delivery.failures + 1 if self.config.HasField("dead_letter_policy") else None

    def lease(
        self, max_messages: int, max_bytes: int, seconds: float, holder: Holder | None
    ) -> tuple[list[ReceivedMessage], int]:
        """Up to so many messages and their size in all; at least one, if there is any, however large."""
        received: list[ReceivedMessage] = []
        total = 0
        while len(received) < max_messages and not self.ended and (taken := self.backlog.take()):
            delivery, body = taken
            if received and total + len(body) > max_bytes:
                self.backlog.put_back(delivery)
                break
            total += len(body)
            number = self.backlog.lease(delivery, seconds, len(body), holder)
            message = ReceivedMessage(
                ack_id=f"{self.id}-{delivery.message}-{number}", delivery_attempt=self.attempt(delivery) or 0
            )
            message.message.ParseFromString(body)
            received.append(message)
        self.schedule()
        return received, total

    def parse_ack_ids(self, ack_ids: Iterable[str]) -> list[AckId]:
        """Take ack ids apart.

        Raises:
            Refused: INVALID_ARGUMENT, one was not given out by this subscription.
        """
        parsed = []
        for ack_id in ack_ids:
            match = _ACK_ID.fullmatch(ack_id)
            if match is None:
                raise invalid(f"Invalid ack_id {ack_id!r}.")
            subscription, message, lease = map(int, match.groups())
            if subscription != self.id:
                raise invalid(f"ack_id {ack_id!r} is of another subscription than {self.name}.")
            parsed.append(AckId(message, lease))
        return parsed

    # What came of it

    def acknowledge(self, ack_ids: Iterable[AckId]) -> None:
        """Done with these, even where the deadline has passed: the work was done by somebody."""
        messages = []
        for ack_id in ack_ids:
            self.backlog.end(ack_id.lease)
            messages.append(ack_id.message)
        if messages:
            self._store.acknowledge(self.id, messages)

    def pushed(self, delivery: Delivery) -> None:
        """The endpoint acknowledged."""
        self._store.acknowledge(self.id, [delivery.message])

    def modify_deadlines(self, deadlines: Iterable[tuple[AckId, int]]) -> None:
        """Hold on for so many seconds from now; 0 gives the message back."""
        for ack_id, seconds in deadlines:
            if seconds > 0:
                self.backlog.extend(ack_id.lease, seconds)
            elif delivery := self.backlog.end(ack_id.lease):
                self.failed(delivery)
        self.notify()

    def failed(self, delivery: Delivery) -> None:
        """Refused, or not answered in time: deliver again after the backoff, or dead-letter."""
        failures = delivery.failures + 1
        policy = self.config.dead_letter_policy
        if (
            policy.dead_letter_topic
            and failures >= policy.max_delivery_attempts
            and self._dead_letter(delivery.message, failures)
        ):
            return
        pause = backoff(self.config, failures)
        if self._store.postpone(self.id, delivery.message, failures, time.time() + pause):
            self.backlog.wait(Delivery(delivery.message, failures), time.monotonic() + pause)

    def _dead_letter(self, message: int, attempts: int) -> bool:
        topic = self.config.dead_letter_policy.dead_letter_topic
        body = self._store.body(self.id, message)
        if body is None:
            return True
        # Both writes are of one transaction: the message is never in both places, nor in neither.
        if not self._forward(topic, body, self.config, attempts):
            log.warning("%s: dead-letter topic %s is gone; message %d stays", self.name, topic, message)
            return False
        self._store.acknowledge(self.id, [message])
        log.warning("%s: message %d dead-lettered after %d attempts", self.name, message, attempts)
        return True
