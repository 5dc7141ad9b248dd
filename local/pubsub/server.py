"""The Pub/Sub server: its store, its broker and the two services in front of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.pubsub.broker import Broker
from local.pubsub.publisher import Publisher
from local.pubsub.store import Store
from local.pubsub.subscriber import Subscriber

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
        }

    async def broken(self) -> str:
        """Return only when the database failed, with the reason."""
        return await self._store.broken

    def release(self) -> None:
        """End pushes, and pulls that wait."""
        self._broker.stop()

    def close(self) -> None:
        """Close the database."""
        self._store.close()
