"""Store secrets in one SQLite file that only its owner reads; what is destroyed is overwritten."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS secrets (
    name TEXT PRIMARY KEY, config BLOB NOT NULL, last_version INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
    secret TEXT NOT NULL REFERENCES secrets (name) ON DELETE CASCADE, number INTEGER NOT NULL,
    config BLOB NOT NULL, payload BLOB, crc32c INTEGER NOT NULL, PRIMARY KEY (secret, number));
"""


class Payload(NamedTuple):
    """What a version holds, and its CRC-32C."""

    data: bytes
    crc32c: int


class Store:
    """Secrets and versions, as serialized configurations. Every write is on disk when its method returns."""

    def __init__(self, path: Path) -> None:
        """Open or create; SQLite gives its side files the mode of the database."""
        path.touch(mode=0o600)
        path.chmod(0o600)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;"
        )
        self._db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written inside is stored as one, or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def close(self) -> None:
        self._db.close()

    def secret(self, name: str) -> bytes | None:
        row = self._db.execute("SELECT config FROM secrets WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def secrets(self, prefix: str) -> list[str]:
        """Names that begin so, in order."""
        rows = self._db.execute(
            "SELECT name FROM secrets WHERE substr(name, 1, ?) = ? ORDER BY name", (len(prefix), prefix)
        )
        return [name for (name,) in rows]

    def add_secret(self, name: str, config: bytes) -> bool:
        """False where the name is taken."""
        return self._changed("INSERT OR IGNORE INTO secrets (name, config) VALUES (?, ?)", (name, config))

    def delete_secret(self, name: str) -> bool:
        """With its versions; False where there is none."""
        deleted = self._changed("DELETE FROM secrets WHERE name = ?", (name,))
        self._scrub()
        return deleted

    def next_version(self, secret: str) -> int:
        """A number no version of this secret had before."""
        (number,) = self._db.execute(
            "UPDATE secrets SET last_version = last_version + 1 WHERE name = ? RETURNING last_version",
            (secret,),
        ).fetchone()
        return int(number)

    def add_version(self, secret: str, number: int, config: bytes, payload: Payload) -> None:
        self._changed("INSERT INTO versions VALUES (?, ?, ?, ?, ?)", (secret, number, config, *payload))

    def versions(self, secret: str) -> list[int]:
        """Numbers, the newest first."""
        rows = self._db.execute(
            "SELECT number FROM versions WHERE secret = ? ORDER BY number DESC", (secret,)
        )
        return [number for (number,) in rows]

    def version(self, secret: str, number: int) -> bytes | None:
        row = self._db.execute(
            "SELECT config FROM versions WHERE secret = ? AND number = ?", (secret, number)
        ).fetchone()
        return None if row is None else row[0]

    def payload(self, secret: str, number: int) -> Payload:
        """Return the payload of a version that exists and is not destroyed."""
        row = self._db.execute(
            "SELECT payload, crc32c FROM versions WHERE secret = ? AND number = ?", (secret, number)
        ).fetchone()
        return Payload(*row)

    def update_version(self, secret: str, number: int, config: bytes) -> None:
        self._changed(
            "UPDATE versions SET config = ? WHERE secret = ? AND number = ?", (config, secret, number)
        )

    def destroy_version(self, secret: str, number: int, config: bytes) -> None:
        """The payload is gone from every file when this returns."""
        self._changed(
            "UPDATE versions SET config = ?, payload = NULL, crc32c = 0 WHERE secret = ? AND number = ?",
            (config, secret, number),
        )
        self._scrub()

    def _changed(self, sql: str, parameters: tuple[object, ...]) -> bool:
        return self._db.execute(sql, parameters).rowcount > 0

    def _scrub(self) -> None:
        """The write-ahead log still has the old pages; this empties it."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
