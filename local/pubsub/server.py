"""The Pub/Sub server: its store, its broker and the two services in front of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import ListValue

from local.pubsub.broker import Broker
from local.pubsub.names import OPEN_PUSHES
from local.pubsub.publisher import Publisher
from local.pubsub.store import Store
from local.pubsub.subscriber import Subscriber
from local.serving import unary

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import grpc


class PubSub:
    """One server over one data directory; made inside the event loop that serves it."""

    def __init__(self, data: Path) -> None:
        """Open or create the data; pushes of what was left begin at once."""
        self._store = Store(data / "pubsub.sqlite3")
        self._broker = Broker(self._store)
        self.methods: Mapping[str, grpc.RpcMethodHandler] = {
            **Publisher(self._broker, self._store).methods(),
            **Subscriber(self._broker, self._store).methods(),
            OPEN_PUSHES: unary(self._open_pushes, Empty),
        }

    async def _open_pushes(self, _: Empty) -> ListValue:
        answer = ListValue()
        answer.extend(self._broker.open_pushes())
        return answer

    async def broken(self) -> str:
        """Return only when the database failed, with the reason."""
        return await self._store.broken

    def release(self) -> None:
        """End pushes, and pulls that wait."""
        self._broker.stop()

    def close(self) -> None:
        """Close the database."""
        self._store.close()
