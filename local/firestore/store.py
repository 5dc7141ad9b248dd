"""Documents in one SQLite file, with the versions of the last hour beside them.

A commit is one SQLite transaction in WAL mode: the kernel has it before it is acknowledged, so the death of
this process loses nothing. Every version carries the time it was written; what a write replaces moves to
`history`, so that any moment of the last hour can be read, and a transaction's snapshot is just a time. What
was deleted is overwritten when that hour is over, in the log too.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from local.firestore.protos import MICROS

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from pathlib import Path

    from local.firestore.names import Name
    from local.firestore.paths import FieldPath
    from local.firestore.values import Key

HISTORY_SECONDS = 3600
"""How far back `read_time` reaches, as in the real service without point-in-time recovery."""
BUSY_MILLISECONDS = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS collections (
    key INTEGER PRIMARY KEY, database TEXT NOT NULL, path TEXT NOT NULL, id TEXT NOT NULL,
    UNIQUE (database, path)
);
CREATE INDEX IF NOT EXISTS collections_by_id ON collections (database, id);
CREATE TABLE IF NOT EXISTS documents (
    collection INTEGER NOT NULL, id TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (collection, id)
);
CREATE TABLE IF NOT EXISTS history (
    collection INTEGER NOT NULL, id TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    replaced INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS history_by_id ON history (collection, id, updated);
CREATE INDEX IF NOT EXISTS history_by_age ON history (replaced);
CREATE TABLE IF NOT EXISTS clock (last INTEGER NOT NULL);
INSERT INTO clock SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM clock);
"""

_CURRENT = "SELECT id, created, updated, data FROM documents WHERE collection = ? AND id = ?"
_PAST = """
SELECT id, created, updated, data FROM history
    WHERE collection = ? AND id = ? AND updated <= ? AND replaced > ?
"""
_SCAN = """
SELECT id, created, updated, data FROM documents
    WHERE collection = :collection AND id >= :first AND updated <= :at
UNION ALL
SELECT id, created, updated, data FROM history
    WHERE collection = :collection AND id >= :first AND updated <= :at AND replaced > :at
ORDER BY id
"""


_HEADS = _SCAN.replace("created, updated, data", "created, updated")
"""Without the contents: SQLite reads a large one only where it is asked for."""


MAX_KNOWN = 50_000
"""Documents whose keys are kept for the next query: some hundred bytes each."""
MAX_INDEXED = 200_000
"""Entries of all orders that are kept, some hundred bytes each."""
Known: TypeAlias = "dict[FieldPath, Key | None]"
"""Keys of a version's values, as far as queries looked at them."""


class Head(NamedTuple):
    """A version without what it says."""

    id: str
    created: int
    updated: int


class Entry(NamedTuple):
    """A version in the order of a query: its place in it, and its other keys as far as they are known."""

    head: Head
    keys: tuple[Key, ...]
    known: Known


class Memory:
    """What all readers of a store share, so that a list of ten thousand documents is not made anew each time.

    It stands in for the real service's indexes.
    """

    def __init__(self) -> None:
        self.changed: dict[int, int] = {}
        """When each collection last changed, by its key, since this process started."""
        self.known: dict[tuple[int, str], tuple[int, Known]] = {}
        self._indexes: dict[tuple[int, Hashable], tuple[int, list[Entry]]] = {}
        self._lock = threading.Lock()

    def index(self, collection: int, order: Hashable, changed: int) -> list[Entry] | None:
        """A collection's documents in an order, as they are since it last changed; None: not known."""
        since, entries = self._indexes.get((collection, order), (-1, None))
        return entries if since == changed else None

    def keep(self, collection: int, order: Hashable, changed: int, entries: list[Entry]) -> None:
        """Remember an order; the oldest are forgotten where there are too many."""
        with self._lock:
            self._indexes.pop((collection, order), None)
            self._indexes[collection, order] = changed, entries
            while sum(len(kept) for _, kept in self._indexes.values()) > MAX_INDEXED:
                del self._indexes[next(iter(self._indexes))]


class Version(NamedTuple):
    """One stored state of a document; times in microseconds since 1970, `data` a serialised `Document`."""

    id: str
    created: int
    updated: int
    data: bytes


class Collection(NamedTuple):
    """A collection that holds, or once held, a document."""

    key: int
    path: str


def connect(path: Path) -> sqlite3.Connection:
    """A connection for use by one thread at a time."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    # NORMAL leaves the sync to checkpoints: a kill loses nothing, a power cut at most the last moments.
    connection.executescript(
        f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout={BUSY_MILLISECONDS};"
        "PRAGMA cache_size=-8192; PRAGMA secure_delete=ON;"
    )
    return connection


class Reader:
    """Reads of one connection, each as of a given time."""

    def __init__(self, connection: sqlite3.Connection, memory: Memory) -> None:
        self._connection = connection
        self.memory = memory

    def collection(self, database: str, path: str) -> Collection | None:
        row = self._connection.execute(
            "SELECT key FROM collections WHERE database = ? AND path = ?", (database, path)
        ).fetchone()
        return Collection(row[0], path) if row else None

    def collections(self, database: str, below: str, collection_id: str) -> list[Collection]:
        """Every collection below the document `below` ("" for the root), of that id unless it is ""."""
        sql = "SELECT key, path FROM collections WHERE database = ?"
        values = [database]
        if collection_id:
            sql += " AND id = ?"
            values.append(collection_id)
        if below:
            # "0" is the character after "/".
            sql += " AND path >= ? AND path < ?"
            values += [f"{below}/", f"{below}0"]
        return [Collection(*row) for row in self._connection.execute(sql + " ORDER BY path", values)]

    def get(self, name: Name, at: int) -> Version | None:
        """The document as it was at `at`."""
        collection = self.collection(name.database, name.collection)
        if collection is None:
            return None
        row = self._connection.execute(_CURRENT, (collection.key, name.id)).fetchone()
        if row is None or row[2] > at:
            row = self._connection.execute(_PAST, (collection.key, name.id, at, at)).fetchone()
        return Version(*row) if row else None

    def scan(self, collection: Collection, at: int, first: str = "") -> Iterator[Version]:
        """The documents as of `at` with ids from `first` on, in the order of the ids' UTF-8 bytes."""
        rows = self._connection.execute(_SCAN, {"collection": collection.key, "first": first, "at": at})
        return map(Version._make, rows)

    def heads(self, collection: Collection, at: int, first: str = "") -> Iterator[Head]:
        """The same without their contents."""
        rows = self._connection.execute(_HEADS, {"collection": collection.key, "first": first, "at": at})
        return map(Head._make, rows)

    def data(self, collection: Collection, head: Head) -> bytes:
        """What a version says.

        Raises:
            LookupError: it is so old that it was forgotten meanwhile.
        """
        place = (collection.key, head.id, head.updated)
        for table in ("documents", "history"):
            sql = f"SELECT data FROM {table} WHERE collection = ? AND id = ? AND updated = ?"  # noqa: S608 - ours
            if row := self._connection.execute(sql, place).fetchone():
                return bytes(row[0])
        raise LookupError(head.id)

    def known(self, collection: Collection, head: Head) -> Known:
        """What is known of a version's keys from earlier queries, to be read and added to."""
        place, every = (collection.key, head.id), self.memory.known
        updated, known = every.get(place, (None, {}))
        if updated != head.updated:
            if len(every) >= MAX_KNOWN:
                every.clear()
            known = {}
            every[place] = (head.updated, known)
        return known

    def is_empty(self, collection: Collection, at: int) -> bool:
        return next(self.scan(collection, at), None) is None


class Store(Reader):
    """The one writer, and the clock: commit times grow, and lie after every time handed out to read at."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "firestore.sqlite3"
        super().__init__(connect(self._path), Memory())
        self._writer = self._connection
        self._writer.executescript(_SCHEMA)
        self._last: int = self._writer.execute("SELECT last FROM clock").fetchone()[0]
        self._keys: dict[tuple[str, str], int] = {}
        self.changed = self.memory.changed
        self._to_scrub = True

    def reader(self) -> Reader:
        """A reader of its own connection, for a thread of its own."""
        return Reader(connect(self._path), self.memory)

    def now(self) -> int:
        """A time to read at: everything committed so far is in it, nothing committed later will be."""
        self._last = max(self._last, time.time_ns() // 1000)
        return self._last

    def collection(self, database: str, path: str) -> Collection | None:
        key = self._keys.get((database, path))
        if key is not None:
            return Collection(key, path)
        collection = super().collection(database, path)
        if collection is not None:
            self._keys[database, path] = collection.key
        return collection

    def current(self, name: Name) -> Version | None:
        """The document as it stands, the writes of an open `commit` included."""
        collection = self.collection(name.database, name.collection)
        row = collection and self._connection.execute(_CURRENT, (collection.key, name.id)).fetchone()
        return Version(*row) if row else None

    @contextmanager
    def commit(self) -> Iterator[int]:
        """One atomic commit; yields its time. Any exception undoes every write made inside."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield self._last
            self._writer.execute("UPDATE clock SET last = ?", (self._last,))
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            self._keys.clear()  # it may name collections that were just undone
            raise

    def put(self, name: Name, previous: Version | None, data: bytes) -> None:
        """Store `data` in place of `previous`, as the open commit's version."""
        at = self._last
        key = self._key(name)
        self._keep(key, previous)
        if previous is None:
            self._writer.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?)", (key, name.id, at, at, data))
        else:
            self._writer.execute(
                "UPDATE documents SET updated = ?, data = ? WHERE collection = ? AND id = ?",
                (at, data, key, name.id),
            )
        self.changed[key] = at

    def delete(self, name: Name, previous: Version) -> None:
        key = self._key(name)
        self._keep(key, previous)
        self._writer.execute("DELETE FROM documents WHERE collection = ? AND id = ?", (key, name.id))
        self.changed[key] = self._last

    def forget(self) -> None:
        """Drop the versions that `read_time` no longer reaches, so that no file has them any more."""
        oldest = time.time_ns() // 1000 - HISTORY_SECONDS * MICROS
        if self._writer.execute("DELETE FROM history WHERE replaced < ?", (oldest,)).rowcount:
            self._to_scrub = True
        if self._to_scrub:
            self._scrub()

    def _scrub(self) -> None:
        """Empty the write-ahead log, which still has the old pages; where somebody is reading, next time."""
        self._writer.execute("PRAGMA busy_timeout=0")
        try:
            (busy, *_) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._writer.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        self._to_scrub = bool(busy)

    def close(self) -> None:
        self._writer.close()

    def _keep(self, key: int, previous: Version | None) -> None:
        # A second write to one document within a commit replaces a state that nobody could ever have read.
        if previous is not None and previous.updated < self._last:
            self._writer.execute(
                "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?)",
                (key, previous.id, previous.created, previous.updated, self._last, previous.data),
            )

    def _key(self, name: Name) -> int:
        collection = self.collection(name.database, name.collection)
        if collection is not None:
            return collection.key
        collection_id = name.collection.rpartition("/")[2]
        key = self._writer.execute(
            "INSERT INTO collections (database, path, id) VALUES (?, ?, ?)",
            (name.database, name.collection, collection_id),
        ).lastrowid
        assert key is not None
        self._keys[name.database, name.collection] = key
        return key
