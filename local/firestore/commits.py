"""Commits: of a transaction, of a batch, and one by one for a bulk writer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc import StatusCode

from local.firestore import writes
from local.firestore.protos import (
    BatchWriteRequest,
    BatchWriteResponse,
    CommitRequest,
    CommitResponse,
    WriteResult,
    timestamp,
)
from local.firestore.transactions import (
    CONTENTION,
    WAIT_SECONDS,
    Transaction,
    Transactions,
    wants_of_writes,
)
from local.firestore.turns import Places
from local.serving import Refused, invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.firestore.store import Store
    from local.firestore.turns import Turns
    from local.firestore.writes import Target


class Commits:
    """Applies writes to the store, each commit whole or not at all."""

    def __init__(self, store: Store, transactions: Transactions, turns: Turns) -> None:
        self._store = store
        self._transactions = transactions
        self._turns = turns

    async def commit(self, request: CommitRequest) -> CommitResponse:
        """Apply every write, or none.

        Raises:
            Refused: ABORTED for contention, INVALID_ARGUMENT for a bad request or transaction, and what the
                first failing precondition says.
        """
        database: str = request.database
        transaction = None
        if request.transaction:
            transaction = self._transactions.get(request.transaction, database)
        try:
            targets = writes.targets(request.writes, database)
            if transaction is not None and transaction.read_only and targets:
                raise invalid("Cannot modify entities in a read-only transaction.")
            return await self._in_turn(targets, transaction)
        finally:
            if transaction is not None:
                self._transactions.end(transaction)

    async def batch_write(self, request: BatchWriteRequest) -> BatchWriteResponse:
        """Apply each write for itself; a failure concerns that write alone.

        Raises:
            Refused: INVALID_ARGUMENT for a bad request.
        """
        targets = writes.targets(request.writes, request.database)
        if len({target.name for target in targets}) < len(targets):
            raise invalid("A BatchWrite may not write the same document more than once.")
        response = BatchWriteResponse()
        for target in targets:
            status = response.status.add()
            try:
                result = (await self._in_turn([target], None)).write_results[0]
            except Refused as refused:
                status.code, status.message = refused.code.value[0], refused.message
                result = WriteResult()
            response.write_results.append(result)
        return response

    async def _in_turn(self, targets: Sequence[Target], transaction: Transaction | None) -> CommitResponse:
        if transaction is not None:
            # Whoever has lost already need not wait to hear it.
            self._transactions.validate(transaction)
        wants = wants_of_writes(target.name for target in targets)
        places = Places(self._turns) if transaction is None else transaction.places
        try:
            if self._turns.occupied(places.without(wants)):
                await places.take(wants, WAIT_SECONDS)
                if transaction is not None:
                    self._transactions.validate(transaction)
            response = self._apply(targets)
        except TimeoutError:
            raise Refused(StatusCode.ABORTED, CONTENTION) from None
        else:
            places.wrote(wants)
            return response
        finally:
            places.leave()

    def _apply(self, targets: Sequence[Target]) -> CommitResponse:
        """Write; nothing else has run since the validation, for neither ever waits."""
        response = CommitResponse()
        if not targets:
            response.commit_time.CopyFrom(timestamp(self._store.now()))
            return response
        with self._store.commit() as at:
            for target in targets:
                response.write_results.append(writes.apply(self._store, target, at))
        response.commit_time.CopyFrom(timestamp(at))
        return response
