"""The calls of the Firestore service, by name: what each takes, gives, and which part answers it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.empty_pb2 import Empty

from local.firestore import listings, protos
from local.firestore.commits import Commits
from local.firestore.limits import MAX_REQUEST_BYTES
from local.firestore.reads import Reads
from local.firestore.store import Store
from local.firestore.transactions import LEASE_SECONDS, Transactions
from local.firestore.turns import Turns
from local.serving import Refused, invalid, refuse

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

SERVICE = "google.firestore.v1.Firestore"
SWEEP_SECONDS = 15

_Unary = Callable[[Any], Awaitable[Any]]
_Stream = Callable[[Any], AsyncIterator[Any]]


class Firestore:
    """The calls that the Python client makes; `local.serving` refuses every other by name."""

    def __init__(self, data: Path) -> None:
        """`data` is the folder of the SQLite file, for this process alone."""
        self._store = Store(data)
        turns = Turns(LEASE_SECONDS)
        self._transactions = Transactions(self._store, turns)
        self._reads = Reads(self._store, self._transactions)
        commits = Commits(self._store, self._transactions, turns)
        handlers = {
            "BatchGetDocuments": _streaming(protos.BatchGetDocumentsRequest, self._reads.batch_get),
            "BatchWrite": _unary(protos.BatchWriteRequest, commits.batch_write),
            "BeginTransaction": _unary(protos.BeginTransactionRequest, self._begin),
            "Commit": _unary(protos.CommitRequest, commits.commit),
            "ListCollectionIds": _unary(protos.ListCollectionIdsRequest, self._list_collection_ids),
            "ListDocuments": _unary(protos.ListDocumentsRequest, self._list_documents),
            "Rollback": _unary(protos.RollbackRequest, self._rollback),
            "RunAggregationQuery": _streaming(protos.RunAggregationQueryRequest, self._reads.run_aggregation),
            "RunQuery": _streaming(protos.RunQueryRequest, self._reads.run_query),
        }
        self.methods: Mapping[str, grpc.RpcMethodHandler] = {
            f"/{SERVICE}/{name}": handler for name, handler in handlers.items()
        }

    def release(self) -> None:
        """No call here waits for another: nothing to let go."""

    async def broken(self) -> str:
        """Never returns; meanwhile it forgets what nobody can ask for any more."""
        while True:
            self._transactions.sweep()
            with suppress(sqlite3.OperationalError):  # of a full disk, say: next time
                self._store.forget()
            await asyncio.sleep(SWEEP_SECONDS)

    def close(self) -> None:
        """End the readers, then close the file."""
        self._reads.close()
        self._store.close()

    async def _begin(self, request: Message) -> Message:
        transaction = self._reads.begin(request.database, request.options)
        return protos.BeginTransactionResponse(transaction=transaction.id)

    async def _rollback(self, request: Message) -> Empty:
        self._transactions.rollback(request.transaction, request.database)
        return Empty()

    async def _list_documents(self, request: Message) -> Message:
        return await listings.list_documents(self._store, self._reads, request)

    async def _list_collection_ids(self, request: Message) -> Message:
        return await listings.list_collection_ids(self._store, self._reads, request)


def _unary(request: type[Message], answer: _Unary) -> grpc.RpcMethodHandler:
    async def handle(message: Message | None, context: grpc.aio.ServicerContext) -> Message:
        try:
            return await answer(_checked(message))
        except (Refused, sqlite3.Error) as error:
            await refuse(context, error)

    return grpc.unary_unary_rpc_method_handler(handle, _parser(request), _serialise)


def _streaming(request: type[Message], answer: _Stream) -> grpc.RpcMethodHandler:
    async def handle(message: Message | None, context: grpc.aio.ServicerContext) -> AsyncIterator[Message]:
        try:
            async for response in answer(_checked(message)):
                yield response
        except (Refused, sqlite3.Error) as error:
            await refuse(context, error)

    return grpc.unary_stream_rpc_method_handler(handle, _parser(request), _serialise)


def _parser(request: type[Message]) -> Callable[[bytes], Message | None]:
    """Parse a request, None for one over the limit: only here is its size known for nothing."""
    return lambda raw: request.FromString(raw) if len(raw) <= MAX_REQUEST_BYTES else None


def _checked(message: Message | None) -> Message:
    if message is None:
        raise invalid(f"Request payload size exceeds the limit: {MAX_REQUEST_BYTES} bytes.")
    return message


def _serialise(message: Message) -> bytes:
    serialised: bytes = message.SerializeToString()
    return serialised
