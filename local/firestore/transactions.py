"""Transactions: a snapshot to read from, what was read, and whether it still holds at the commit.

Optimistic concurrency, which the real service offers too: reads lock nothing and come from the state at the
first read; the commit goes through only if every document and every query that was read would read the same
now. That makes them serialisable, phantoms included. Progress under contention comes from `turns`: clients
try a transaction five times without a pause, and name the attempt before only unreliably, so what was fought
over is remembered, not who fought.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grpc import StatusCode

from local.firestore.names import Name, join
from local.firestore.turns import Key, Places, Turns, Wants
from local.serving import Refused, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from local.firestore.plans import Plan
    from local.firestore.store import Store

IDLE_SECONDS = 60
"""A transaction that asks for nothing this long has expired, as in the real service."""
MAX_SECONDS = 270
"""No transaction lives longer than this, as in the real service."""
LEASE_SECONDS = 5
"""How long a transaction has what it queued for to itself; a dead client holds nobody up for longer."""
WAIT_SECONDS = 30
"""How long anybody queues before going on without a place (a read) or giving up (a commit)."""
CONTENTION = "Too much contention on these documents. Please try again."
GONE = "The referenced transaction has expired or is no longer valid."


def document_key(name: Name) -> Key:
    return ("document", *name)


def query_key(plan: Plan) -> Key:
    """What stands for all the documents that a query looks at."""
    if plan.descendants:
        return ("group", plan.database, plan.collection_id)
    return ("collection", plan.database, join(plan.parent, plan.collection_id))


def wants_of_writes(names: Iterable[Name]) -> Wants:
    """What a commit needs: each document alone, and a share of every collection that queries look at."""
    wants: Wants = {}
    for name in names:
        wants[document_key(name)] = True
        wants["collection", name.database, name.collection] = False
        wants["group", name.database, name.collection.rpartition("/")[2]] = False
    return wants


@dataclass
class QueryRead:
    """A query that a transaction ran: how to run it again, and what it gave."""

    plan: Plan
    repeat: Callable[[], Hashable]
    result: Hashable


@dataclass
class Transaction:
    """One attempt at a transaction."""

    id: bytes
    database: str
    read_only: bool
    places: Places
    snapshot: int | None = None
    documents: dict[Name, int | None] = field(default_factory=dict)
    """When each document read was last written; None where it did not exist."""
    queries: list[QueryRead] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)

    def expired(self, now: float) -> bool:
        return now - self.used > IDLE_SECONDS or now - self.begun > MAX_SECONDS

    def stale(self, store: Store) -> Key | None:
        """What would read otherwise now than it did; None where everything still stands."""
        if self.read_only or self.snapshot is None:
            return None
        for name, seen in self.documents.items():
            version = store.current(name)
            if (version.updated if version else None) != seen:
                return document_key(name)
        for query in self.queries:
            collections = query.plan.collections(store)
            touched = any(store.changed.get(each.key, 0) > self.snapshot for each in collections)
            if touched and query.repeat() != query.result:
                return query_key(query.plan)
        return None


class Transactions:
    """The transactions in progress, and which have just ended."""

    def __init__(self, store: Store, turns: Turns) -> None:
        self._store = store
        self._turns = turns
        self._open: dict[bytes, Transaction] = {}
        self._ended: OrderedDict[bytes, float] = OrderedDict()

    def begin(self, database: str, *, read_only: bool) -> Transaction:
        transaction = Transaction(secrets.token_bytes(16), database, read_only, Places(self._turns))
        self._open[transaction.id] = transaction
        return transaction

    def get(self, identity: bytes, database: str) -> Transaction:
        """The open transaction.

        Raises:
            Refused: INVALID_ARGUMENT where there is none, or none any more.
        """
        transaction = self._open.get(identity)
        now = time.monotonic()
        if transaction is None or transaction.database != database or transaction.expired(now):
            raise invalid(GONE)
        transaction.used = now
        return transaction

    async def prepare(self, transaction: Transaction, reads: Iterable[Key]) -> int:
        """Wait for the turn to read what is hot; returns the time to read at."""
        hot: Wants = {} if transaction.read_only else {key: True for key in reads if self._turns.is_hot(key)}
        waited = False
        if hot:
            try:
                waited = await transaction.places.take(hot, WAIT_SECONDS)
            except TimeoutError:
                waited = True  # it tries its luck without
        # After a wait the snapshot is old. It may move on as long as nothing read so far has changed.
        if transaction.snapshot is None or (waited and self.check(transaction)):
            transaction.snapshot = self._store.now()
        return transaction.snapshot

    def check(self, transaction: Transaction) -> bool:
        """Whether everything it read still stands; what does not is hot from now on."""
        lost = transaction.stale(self._store)
        if lost is not None:
            self._turns.heat(lost)
        return lost is None

    def validate(self, transaction: Transaction) -> None:
        """Check that everything it read still stands.

        Raises:
            Refused: ABORTED.
        """
        if not self.check(transaction):
            raise Refused(StatusCode.ABORTED, CONTENTION)

    def end(self, transaction: Transaction) -> None:
        """It has committed, failed or been rolled back; whoever queued behind it goes on."""
        transaction.places.leave()
        self._open.pop(transaction.id, None)
        self._ended[transaction.id] = time.monotonic()

    def rollback(self, identity: bytes, database: str) -> None:
        """End it without effect; one just ended is fine, since clients roll back after a failed commit.

        Raises:
            Refused: INVALID_ARGUMENT where it never existed or is long gone.
        """
        if identity not in self._ended:
            self.end(self.get(identity, database))

    def sweep(self) -> None:
        """Forget the abandoned and the long ended."""
        now = time.monotonic()
        for transaction in [each for each in self._open.values() if each.expired(now)]:
            self.end(transaction)
        while self._ended and now - next(iter(self._ended.values())) > MAX_SECONDS:
            self._ended.popitem(last=False)
        self._turns.cool()
