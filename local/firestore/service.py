"""The calls of the Firestore service, by name: what each takes, gives, and which part answers it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.empty_pb2 import Empty

from local.firestore import listings, protos
from local.firestore.commits import Commits
from local.firestore.errors import Refused, invalid, unimplemented
from local.firestore.limits import MAX_REQUEST_BYTES
from local.firestore.protos import CommitRequest
from local.firestore.reads import Reads
from local.firestore.transactions import LEASE_SECONDS, Transactions
from local.firestore.turns import Turns

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from local.firestore.store import Store

SERVICE = "google.firestore.v1.Firestore"

_Unary = Callable[[Any], Awaitable[Any]]
_Stream = Callable[[Any], AsyncIterator[Any]]


class Service(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc ships no types
    """Finds the handler of a call; what Headrace never calls is refused by name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        turns = Turns(LEASE_SECONDS)
        self.transactions = Transactions(store, turns)
        self._reads = Reads(store, self.transactions)
        self._commits = Commits(store, self.transactions, turns)
        self._handlers = {
            "BatchGetDocuments": _streaming(protos.BatchGetDocumentsRequest, self._reads.batch_get),
            "BatchWrite": _unary(protos.BatchWriteRequest, self._commits.batch_write),
            "BeginTransaction": _unary(protos.BeginTransactionRequest, self._begin),
            "Commit": _unary(CommitRequest, self._commits.commit),
            "ListCollectionIds": _unary(protos.ListCollectionIdsRequest, self._list_collection_ids),
            "ListDocuments": _unary(protos.ListDocumentsRequest, self._list_documents),
            "Rollback": _unary(protos.RollbackRequest, self._rollback),
            "RunAggregationQuery": _streaming(protos.RunAggregationQueryRequest, self._reads.run_aggregation),
            "RunQuery": _streaming(protos.RunQueryRequest, self._reads.run_query),
        }

    def close(self) -> None:
        self._reads.close()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Look up the handler of `/google.firestore.v1.Firestore/METHOD`, or one that names the method."""
        method: str = handler_call_details.method.strip("/")
        return self._handlers.get(method.removeprefix(f"{SERVICE}/")) or _unimplemented(method)

    async def _begin(self, request: Message) -> Message:
        transaction = self._reads.begin(request.database, request.options)
        return protos.BeginTransactionResponse(transaction=transaction.id)

    async def _rollback(self, request: Message) -> Empty:
        self.transactions.rollback(request.transaction, request.database)
        return Empty()

    async def _list_documents(self, request: Message) -> Message:
        return await listings.list_documents(self._store, self._reads, request)

    async def _list_collection_ids(self, request: Message) -> Message:
        return await listings.list_collection_ids(self._store, self._reads, request)


def _unary(request: type[Message], answer: _Unary) -> grpc.RpcMethodHandler:
    async def handle(message: Message | None, context: grpc.aio.ServicerContext) -> Message:
        try:
            return await answer(_checked(message))
        except Refused as refused:
            await context.abort(refused.code, refused.message)

    return grpc.unary_unary_rpc_method_handler(handle, _parser(request), _serialise)


def _streaming(request: type[Message], answer: _Stream) -> grpc.RpcMethodHandler:
    async def handle(message: Message | None, context: grpc.aio.ServicerContext) -> AsyncIterator[Message]:
        try:
            async for response in answer(_checked(message)):
                yield response
        except Refused as refused:
            await context.abort(refused.code, refused.message)

    return grpc.unary_stream_rpc_method_handler(handle, _parser(request), _serialise)


def _parser(request: type[Message]) -> Callable[[bytes], Message | None]:
    """Parse a request, None for one over the limit: only here is its size known for nothing."""
    return lambda raw: request.FromString(raw) if len(raw) <= MAX_REQUEST_BYTES else None


def _checked(message: Message | None) -> Message:
    if message is None:
        raise invalid(f"Request payload size exceeds the limit: {MAX_REQUEST_BYTES} bytes.")
    return message


def _unimplemented(method: str) -> grpc.RpcMethodHandler:
    """Answers any kind of call: a stream of bytes is what all of them are."""
    refused = unimplemented(method)

    async def handle(
        _requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        await context.abort(refused.code, refused.message)
        yield b""

    return grpc.stream_stream_rpc_method_handler(handle)


def _serialise(message: Message) -> bytes:
    serialised: bytes = message.SerializeToString()
    return serialised
