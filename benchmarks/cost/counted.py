"""`python -m benchmarks.cost.counted firestore|pubsub --port P --data DIR`: a local server that counts.

What it counted, by the address of whoever called, is answered to `TALLY`.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct

from benchmarks.cost.billing import billed_bytes, firestore, message_bytes
from local.serving import main

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from google.protobuf.message import Message

    from local.serving import Application

TALLY = "/headrace.benchmarks.Tally/Read"


class Counted:
    """An application whose calls are counted once they have succeeded."""

    def __init__(self, inner: Application, count: Callable[[str, Any, list[Any]], Counter[str]]) -> None:
        """`count` says what a call, by its method, request and responses, is billed as."""
        self._inner = inner
        self._count = count
        self._tally: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.methods: Mapping[str, grpc.RpcMethodHandler] = {
            path: self._counting(path, handler) for path, handler in inner.methods.items()
        } | {TALLY: grpc.unary_unary_rpc_method_handler(self._read, Empty.FromString, _bytes)}
        self.broken = inner.broken
        self.release = inner.release
        self.close = inner.close

    async def _read(self, _request: Empty, _context: grpc.aio.ServicerContext) -> Struct:
        answer = Struct()
        answer.update({peer: dict(counter) for peer, counter in self._tally.items()})
        return answer

    def _note(self, path: str, context: grpc.aio.ServicerContext, request: Any, responses: list[Any]) -> None:  # noqa: ANN401 - protobuf's
        self._tally[context.peer()] += self._count(path.rpartition("/")[2], request, responses)

    def _counting(self, path: str, handler: grpc.RpcMethodHandler) -> grpc.RpcMethodHandler:
        async def unary(request: Message, context: grpc.aio.ServicerContext) -> Message:
            response: Message = await handler.unary_unary(request, context)
            self._note(path, context, request, [response])
            return response

        async def stream(request: Message, context: grpc.aio.ServicerContext) -> AsyncIterator[Message]:
            responses = []
            async for response in handler.unary_stream(request, context):
                responses.append(response)
                yield response
            self._note(path, context, request, responses)

        if handler.unary_unary:
            return handler._replace(unary_unary=unary)
        if handler.unary_stream:
            return handler._replace(unary_stream=stream)
        return handler


def _bytes(message: Message) -> bytes:
    serialised: bytes = message.SerializeToString()
    return serialised


def _pubsub(method: str, request: Any, _responses: list[Any]) -> Counter[str]:  # noqa: ANN401 - protobuf's
    if method != "Publish":
        return Counter()
    topic = request.topic.rpartition("/")[2]
    sizes = [message_bytes(message.data, dict(message.attributes)) for message in request.messages]
    return Counter(
        {
            "calls": 1,
            f"{topic}.messages": len(sizes),
            f"{topic}.bytes": sum(sizes),
            f"{topic}.billed": billed_bytes(sizes),
        }
    )


def _build(name: str) -> Callable[[Path], Application]:
    def build(data: Path) -> Application:
        if name == "firestore":
            from local.firestore.service import Firestore

            return Counted(Firestore(data), firestore)
        from local.pubsub.server import PubSub

        return Counted(PubSub(data), _pubsub)

    return build


if __name__ == "__main__":
    server = sys.argv.pop(1)
    sys.exit(main(server, _build(server)))
