"""Reads: documents by name, queries, aggregations; each as of one moment."""

from __future__ import annotations

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from local.firestore import aggregates, paths, plans, queries
from local.firestore.names import Name, check_database, parse_document, parse_parent
from local.firestore.protos import (
    MICROS,
    BatchGetDocumentsRequest,
    BatchGetDocumentsResponse,
    Document,
    RunAggregationQueryRequest,
    RunAggregationQueryResponse,
    RunQueryRequest,
    RunQueryResponse,
    micros,
    timestamp,
)
from local.firestore.store import HISTORY_SECONDS, Reader, Store, Version
from local.firestore.transactions import QueryRead, Transaction, Transactions, document_key, query_key
from local.serving import failed_precondition, invalid, unimplemented

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from google.protobuf.message import Message

    from local.firestore.paths import FieldPath
    from local.firestore.plans import Plan
    from local.firestore.protos import StructuredQuery, Value
    from local.firestore.turns import Key

_QUERY_THREADS = 2
_CHUNK = 64
"""Results handed over from a query's thread at a time."""

_T = TypeVar("_T")


class Moment(NamedTuple):
    """When to read as of (microseconds), in which transaction, and its id where this request began it."""

    at: int
    transaction: Transaction | None
    begun: bytes


class Reads:
    """Answers reads; long scans run in threads of their own, so that a commit never waits for one."""

    def __init__(self, store: Store, transactions: Transactions) -> None:
        self._store = store
        self._transactions = transactions
        self._threads = ThreadPoolExecutor(_QUERY_THREADS, thread_name_prefix="query")
        self._spare: list[Reader] = []

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    async def moment(self, request: Message, database: str, reads: Iterable[Key]) -> Moment:
        """When to read as of; in a transaction this waits for the turn to read what others fight over.

        Raises:
            Refused: INVALID_ARGUMENT for a bad transaction or a time to come; FAILED_PRECONDITION for a time
                too long ago.
        """
        selector = request.WhichOneof("consistency_selector")
        if selector == "read_time":
            return Moment(self._checked(micros(request.read_time)), None, b"")
        if selector == "transaction":
            transaction = self._transactions.get(request.transaction, database)
            begun = b""
        elif selector == "new_transaction":
            transaction = self.begin(database, request.new_transaction)
            begun = transaction.id
        else:
            return Moment(self._store.now(), None, b"")
        return Moment(await self._transactions.prepare(transaction, reads), transaction, begun)

    def begin(self, database: str, options: Message) -> Transaction:
        """Open a transaction with the options of a request.

        Raises:
            Refused: as `moment`, for a read-only transaction's read time.
        """
        read_only = options.HasField("read_only")
        transaction = self._transactions.begin(check_database(database), read_only=read_only)
        if read_only and options.read_only.HasField("read_time"):
            transaction.snapshot = self._checked(micros(options.read_only.read_time))
        return transaction

    async def batch_get(self, request: BatchGetDocumentsRequest) -> AsyncIterator[BatchGetDocumentsResponse]:
        """Each document asked for, once, found or missing."""
        names = [parse_document(name, request.database) for name in dict.fromkeys(request.documents)]
        mask = read_mask(request)
        at, transaction, begun = await self.moment(request, request.database, map(document_key, names))
        # All are read before the first is sent: nothing is committed in between.
        versions = [self._read(name, at, transaction) for name in names]
        moment = timestamp(at)
        if begun:
            yield BatchGetDocumentsResponse(transaction=begun, read_time=moment)
        for name, version in zip(names, versions, strict=True):
            if version is None:
                yield BatchGetDocumentsResponse(missing=str(name), read_time=moment)
            else:
                yield BatchGetDocumentsResponse(found=build(name, version, mask), read_time=moment)

    async def run_query(self, request: RunQueryRequest) -> AsyncIterator[RunQueryResponse]:
        """The query's documents in order, or one response with only the time where there are none."""
        plan = _plan(request, request.structured_query)
        at, transaction, begun = await self.moment(request, plan.database, [query_key(plan)])
        moment = timestamp(at)
        if begun:
            yield RunQueryResponse(transaction=begun, read_time=moment)
        seen: list[tuple[str, int]] = []
        try:
            async for result in self._stream(lambda reader: queries.run(reader, plan, at)):
                seen.append((result.document.name, result.updated))
                yield RunQueryResponse(document=result.document, read_time=moment)
        finally:
            # Also where the client hung up half-way: what it saw must still hold when it commits.
            if transaction is not None:
                transaction.queries.append(QueryRead(plan, lambda: self._documents_now(plan), tuple(seen)))
        if not seen:
            yield RunQueryResponse(read_time=moment)

    async def run_aggregation(
        self, request: RunAggregationQueryRequest
    ) -> AsyncIterator[RunAggregationQueryResponse]:
        """One response with every aggregation's value."""
        query = request.structured_aggregation_query
        plan = _plan(request, query.structured_query)
        at, transaction, begun = await self.moment(request, plan.database, [query_key(plan)])
        results = [
            values
            async for values in self._stream(
                lambda reader: iter([aggregates.run(reader, plan, at, query.aggregations)])
            )
        ]
        if transaction is not None:
            transaction.queries.append(
                QueryRead(plan, lambda: self._aggregates_now(plan, query.aggregations), _frozen(results[0]))
            )
        response = RunAggregationQueryResponse(read_time=timestamp(at), transaction=begun)
        response.result.SetInParent()
        for alias, value in results[0].items():
            response.result.aggregate_fields[alias].CopyFrom(value)
        yield response

    async def _stream(self, make: Callable[[Reader], Iterator[_T]]) -> AsyncIterator[_T]:
        """Run an iterator in a thread, a chunk at a time, with a connection to itself."""
        loop = asyncio.get_running_loop()
        reader = self._spare.pop() if self._spare else self._store.reader()
        chunks = _chunks(reader, make)
        while chunk := await loop.run_in_executor(self._threads, next, chunks, None):
            for item in chunk:
                yield item
        # Not after a cancellation: the thread may be reading still.
        self._spare.append(reader)

    def _checked(self, at: int) -> int:
        now = self._store.now()
        if at > now:
            raise invalid("The requested read time must not be in the future.")
        if at < now - HISTORY_SECONDS * MICROS:
            raise failed_precondition("The requested snapshot version is too old.")
        return at

    def _read(self, name: Name, at: int, transaction: Transaction | None) -> Version | None:
        version = self._store.get(name, at)
        if transaction is not None:
            transaction.documents[name] = version.updated if version else None
        return version

    def _documents_now(self, plan: Plan) -> Hashable:
        results = queries.run(self._store, plan, self._store.now())
        return tuple((result.document.name, result.updated) for result in results)

    def _aggregates_now(self, plan: Plan, asked: Sequence[Message]) -> Hashable:
        return _frozen(aggregates.run(self._store, plan, self._store.now(), asked))


def build(name: Name, version: Version, mask: list[FieldPath] | None) -> Document:
    """The document as a client gets it, cut to `mask` unless that is None."""
    document = Document.FromString(version.data)
    if mask is not None:
        whole, document = document, Document()
        paths.project(whole.fields, document.fields, mask)
    document.name = str(name)
    document.create_time.CopyFrom(timestamp(version.created))
    document.update_time.CopyFrom(timestamp(version.updated))
    return document


def read_mask(request: Message) -> list[FieldPath] | None:
    """The mask of a request, None where it has none.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    return paths.parse_mask(request.mask.field_paths) if request.HasField("mask") else None


def _plan(request: Message, query: StructuredQuery) -> Plan:
    if request.HasField("explain_options"):
        raise unimplemented("explain_options")
    return plans.compile_query(*parse_parent(request.parent), query)


def _chunks(reader: Reader, make: Callable[[Reader], Iterator[_T]]) -> Iterator[list[_T]]:
    items = make(reader)
    while chunk := list(itertools.islice(items, _CHUNK)):
        yield chunk


def _frozen(values: Mapping[str, Value]) -> Hashable:
    return tuple(
        (alias, value.SerializeToString(deterministic=True)) for alias, value in sorted(values.items())
    )
