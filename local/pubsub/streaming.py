"""Stream messages to a puller, and no more than it asked for."""

from __future__ import annotations

import asyncio

import grpc

from local.pubsub import protos
from local.pubsub.rules import ACK_DEADLINE
from local.pubsub.subscription import MAX_BATCH_BYTES, Subscription
from local.serving import failed_precondition, invalid

MAX_BATCH = 100
"""Messages in one answer on the stream."""
MAX_OUTSTANDING = 10_000
"""Messages held by a stream that sets no limit of its own."""
MAX_OUTSTANDING_BYTES = 100 * 1024 * 1024
"""Bytes held by a stream that sets no limit of its own."""


class Stream:
    """One StreamingPull call, which counts what it holds."""

    def __init__(
        self,
        subscription: Subscription,
        context: grpc.aio.ServicerContext,
        first: protos.StreamingPullRequest,
    ) -> None:
        """`first` is the request that opened the stream.

        Raises:
            Refused: INVALID_ARGUMENT.
        """
        self._subscription = subscription
        self._context = context
        self._messages = self._bytes = 0
        self._max_messages = (
            first.max_outstanding_messages if first.max_outstanding_messages > 0 else MAX_OUTSTANDING
        )
        self._max_bytes = (
            first.max_outstanding_bytes if first.max_outstanding_bytes > 0 else MAX_OUTSTANDING_BYTES
        )
        self._set_deadline(first.stream_ack_deadline_seconds)
        self._first = first
        self._wake = asyncio.Event()

    def _set_deadline(self, seconds: int) -> None:
        if seconds not in ACK_DEADLINE:
            raise invalid(
                f"stream_ack_deadline_seconds: must be from {ACK_DEADLINE[0]} to {ACK_DEADLINE[-1]}."
            )
        self._deadline = seconds

    def released(self, size: int) -> None:
        """A message of this size is no longer held by this stream."""
        self._messages -= 1
        self._bytes -= size
        self._wake.set()

    async def run(self) -> None:
        """Until the client ends the stream or the subscription is gone."""
        self._subscription.listeners.add(self._wake.set)
        reading = asyncio.ensure_future(self._read())
        writing = asyncio.ensure_future(self._write())
        try:
            done, _ = await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._subscription.listeners.discard(self._wake.set)
            reading.cancel()
            writing.cancel()

    async def _read(self) -> None:
        request = self._first
        while request is not grpc.aio.EOF:
            subscription = self._subscription
            subscription.acknowledge(subscription.parse_ack_ids(request.ack_ids))
            if len(request.modify_deadline_seconds) != len(request.modify_deadline_ack_ids):
                raise invalid("modify_deadline_seconds and modify_deadline_ack_ids: must be of one length.")
            extended = subscription.parse_ack_ids(request.modify_deadline_ack_ids)
            if extended:
                subscription.modify_deadlines(zip(extended, request.modify_deadline_seconds, strict=True))
            if request is not self._first and request.stream_ack_deadline_seconds:
                self._set_deadline(request.stream_ack_deadline_seconds)
            request = await self._context.read()

    async def _write(self) -> None:
        subscription = self._subscription
        while not subscription.ended:
            self._wake.clear()
            if subscription.endpoint:
                raise failed_precondition(f"{subscription.name} now pushes: it cannot be pulled from.")
            room, room_bytes = self._max_messages - self._messages, self._max_bytes - self._bytes
            if room > 0 and room_bytes > 0:
                received, size = subscription.lease(
                    min(room, MAX_BATCH), min(room_bytes, MAX_BATCH_BYTES), self._deadline, holder=self
                )
                if received:
                    self._messages += len(received)
                    self._bytes += size
                    await self._context.write(protos.StreamingPullResponse(received_messages=received))
                    continue
            await self._wake.wait()
        raise subscription.ended
