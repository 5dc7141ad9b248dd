"""The asynchronous client gets the same answers, and its transactions the same isolation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore import (
    AsyncClient,
    AsyncDocumentReference,
    AsyncTransaction,
    FieldFilter,
    Increment,
    async_transactional,
)
from google.cloud.firestore_v1.base_vector_query import DistanceMeasure
from google.cloud.firestore_v1.vector import Vector

from tests.integration.firestore_server import connect_async, firestore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.pubsub_server import LocalServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with firestore(tmp_path_factory.mktemp("async")) as server:
        yield server


@async_transactional
async def increment(transaction: AsyncTransaction, ref: AsyncDocumentReference) -> None:
    found = await ref.get(transaction=transaction)
    transaction.update(ref, {"n": found.get("n") + 1})


def test_documents_and_queries(server: LocalServer) -> None:
    """Writes, reads, queries, counts, listings and vector search through the asynchronous client."""

    async def scenario(client: AsyncClient) -> None:
        collection = client.collection("async")
        batch = client.batch()
        for number in range(5):
            batch.set(collection.document(f"d{number}"), {"n": number, "e": Vector([float(number), 1.0])})
        await batch.commit()
        await collection.document("d0").update({"n": Increment(10)})
        with pytest.raises(exceptions.AlreadyExists):
            await collection.document("d0").create({})
        large = collection.where(filter=FieldFilter("n", ">=", 3)).order_by("n")
        assert [found.id async for found in large.stream()] == ["d3", "d4", "d0"]
        counting: Any = large.count("c")
        assert (await counting.get())[0][0].value == 3
        nearest: Any = collection.find_nearest("e", Vector([2.1, 1.0]), 2, DistanceMeasure.EUCLIDEAN)
        assert [found.id for found in await nearest.get()] == ["d2", "d3"]
        assert [found.id async for found in collection.list_documents()] == [f"d{n}" for n in range(5)]
        assert [found.id async for found in client.collections()] == ["async"]

    asyncio.run(_with_client(server, scenario))


def test_transactions_at_once(server: LocalServer) -> None:
    """A hundred transactions on one document at once all get through."""

    async def scenario(client: AsyncClient) -> None:
        ref = client.document("counters/c")
        await ref.set({"n": 0})
        await asyncio.gather(*(increment(client.transaction(), ref) for _ in range(100)))
        assert (await ref.get()).to_dict() == {"n": 100}

    asyncio.run(_with_client(server, scenario))


async def _with_client(server: LocalServer, scenario: Any) -> None:
    client = connect_async(server)
    try:
        await scenario(client)
    finally:
        await client._firestore_api.transport.close()
