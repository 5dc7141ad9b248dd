"""Store messages in SQLite before anything is answered, so that a kill loses nothing.

One connection, used by the event loop alone. A write opens a transaction, and everything that the loop does
until its next turn shares it: a commit costs 50 µs whether it holds one message or a thousand.
`synchronous=NORMAL` in WAL mode survives the death of the process; a power cut may take the last moments.
What was acknowledged is overwritten, and in the log by the next `scrub`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

from local.serving import Refused, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

ID_BLOCK = 100_000
"""Message ids set aside by one write, so that an id never comes twice, not even after all rows are gone."""

_UNAVAILABLE = unavailable("The server is stopping: its database cannot be written.")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS topics (name TEXT PRIMARY KEY, config BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscriptions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, config BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, published REAL NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    subscription INTEGER NOT NULL, message INTEGER NOT NULL, failures INTEGER NOT NULL, due REAL NOT NULL,
    PRIMARY KEY (subscription, message)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_by_message ON deliveries (message);
CREATE TABLE IF NOT EXISTS ids (next INTEGER NOT NULL);
INSERT INTO ids SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM ids);
"""


class Store:
    """Topics, subscriptions, messages and who still has to get them."""

    def __init__(self, path: Path) -> None:
        """Open or create the database; call inside the event loop that will use it."""
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
            "PRAGMA secure_delete=ON;"
        )
        self._db.executescript(_SCHEMA)
        self._loop = asyncio.get_running_loop()
        self._committed: asyncio.Future[None] | None = None
        self._after: list[Callable[[], None]] = []
        self._to_scrub = True
        self.broken: asyncio.Future[str] = self._loop.create_future()
        """Done, with the reason, once a write failed: memory may no longer agree with the disk."""
        (self._next_id,) = self._db.execute("SELECT next FROM ids").fetchone()
        self._last_id = self._next_id - 1

    def close(self) -> None:
        """Commit what is open and close."""
        self._commit()
        self._db.close()

    # Transactions

    def _write(self, sql: str, parameters: Sequence[object]) -> int:
        """Rows changed."""
        return self._in_transaction(lambda: self._db.execute(sql, parameters).rowcount)

    def _write_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        return self._in_transaction(lambda: self._db.executemany(sql, rows).rowcount)

    def _in_transaction(self, work: Callable[[], int]) -> int:
        try:
            if self._committed is None:
                self._db.execute("BEGIN IMMEDIATE")
                self._committed = self._loop.create_future()
                self._loop.call_soon(self._commit)
            return work()
        except sqlite3.Error as error:
            raise self._break(error) from error

    def _commit(self) -> None:
        done, self._committed = self._committed, None
        after, self._after = self._after, []
        if done is None:
            return
        try:
            self._db.execute("ROLLBACK" if self.broken.done() else "COMMIT")
        except sqlite3.Error as error:
            self._break(error)
        if self.broken.done():
            done.set_exception(_UNAVAILABLE)
            done.exception()  # those who wait get it; where nobody waits, that is no error
            return
        done.set_result(None)
        for callback in after:
            callback()

    def _break(self, error: sqlite3.Error) -> Refused:
        if not self.broken.done():
            self.broken.set_result(f"the database cannot be written: {error}; nothing acknowledged is lost")
        return _UNAVAILABLE

    async def committed(self) -> None:
        """Return once everything written so far is on disk."""
        if self._committed is not None:
            await asyncio.shield(self._committed)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call when the open transaction is on disk."""
        self._after.append(callback)

    def scrub(self) -> None:
        """Empty the write-ahead log, which still has what was acknowledged; after an open transaction."""
        if self._committed is not None:
            self.after_commit(self.scrub)
        elif self._to_scrub and not self.broken.done():
            try:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as error:
                self._break(error)
            self._to_scrub = False

    # Topics and subscriptions

    def topics(self) -> list[bytes]:
        return [config for (config,) in self._db.execute("SELECT config FROM topics")]

    def put_topic(self, name: str, config: bytes) -> None:
        self._write("INSERT OR REPLACE INTO topics VALUES (?, ?)", (name, config))

    def delete_topic(self, name: str) -> None:
        self._write("DELETE FROM topics WHERE name = ?", (name,))

    def subscriptions(self) -> list[tuple[int, bytes]]:
        return self._db.execute("SELECT id, config FROM subscriptions").fetchall()

    def add_subscription(self, name: str, config: bytes) -> int:
        """Its id, never used before."""
        self._write("INSERT INTO subscriptions (name, config) VALUES (?, ?)", (name, config))
        (identifier,) = self._db.execute("SELECT id FROM subscriptions WHERE name = ?", (name,)).fetchone()
        return int(identifier)

    def update_subscription(self, identifier: int, config: bytes) -> None:
        self._write("UPDATE subscriptions SET config = ? WHERE id = ?", (config, identifier))

    def delete_subscription(self, identifier: int) -> None:
        """Its deliveries stay, for somebody to take away in small steps."""
        self._write("DELETE FROM subscriptions WHERE id = ?", (identifier,))

    # Messages

    def new_ids(self, count: int) -> range:
        """Message ids, rising, never given before."""
        while self._next_id + count > self._last_id + 1:
            self._last_id += ID_BLOCK
            self._write("UPDATE ids SET next = ?", (self._last_id + 1,))
        first, self._next_id = self._next_id, self._next_id + count
        return range(first, self._next_id)

    def add_messages(
        self, messages: Iterable[tuple[int, float, bytes]], deliveries: Iterable[tuple[int, int]]
    ) -> None:
        """Store (id, publish time, body) and what is to be delivered, (subscription, message)."""
        self._write_many("INSERT INTO messages VALUES (?, ?, ?)", messages)
        self._write_many("INSERT INTO deliveries VALUES (?, ?, 0, 0)", deliveries)

    def scan(self, subscription: int, after: int, limit: int) -> list[tuple[int, int, float]]:
        """The next deliveries beyond a message id, in order: (message, failures, due)."""
        return self._db.execute(
            "SELECT message, failures, due FROM deliveries WHERE subscription = ? AND message > ?"
            " ORDER BY message LIMIT ?",
            (subscription, after, limit),
        ).fetchall()

    def body(self, subscription: int, message: int) -> bytes | None:
        """The message as published; None where nothing is left to deliver."""
        row = self._db.execute(
            "SELECT body FROM deliveries JOIN messages ON id = message"
            " WHERE subscription = ? AND message = ?",
            (subscription, message),
        ).fetchone()
        return None if row is None else row[0]

    def acknowledge(self, subscription: int, messages: Sequence[int]) -> None:
        """Nothing is left to deliver of these; a message goes when no subscription needs it."""
        self._to_scrub = True
        self._write_many(
            "DELETE FROM deliveries WHERE subscription = ? AND message = ?",
            [(subscription, message) for message in messages],
        )
        self._write_many(
            "DELETE FROM messages WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE message = ?1)",
            [(message,) for message in messages],
        )

    def postpone(self, subscription: int, message: int, failures: int, due: float) -> bool:
        """Deliver again at `due` (Unix seconds); False where nothing is left to deliver."""
        changed = self._write(
            "UPDATE deliveries SET failures = ?, due = ? WHERE subscription = ? AND message = ?",
            (failures, due, subscription, message),
        )
        return changed > 0

    def expired(self, subscription: int, before: float, limit: int) -> list[int]:
        """The oldest messages still to be delivered that were published before a time (Unix seconds)."""
        oldest = self._db.execute(
            "SELECT message, published FROM deliveries JOIN messages ON id = message WHERE subscription = ?"
            " ORDER BY message LIMIT ?",
            (subscription, limit),
        )
        return [message for message, published in oldest if published < before]

    def orphans(self) -> list[int]:
        """Ids of deleted subscriptions that still have deliveries."""
        return [
            identifier
            for (identifier,) in self._db.execute(
                "SELECT DISTINCT subscription FROM deliveries"
                " WHERE subscription NOT IN (SELECT id FROM subscriptions)"
            )
        ]
