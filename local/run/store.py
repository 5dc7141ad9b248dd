"""Store jobs, executions, tasks and operations in one SQLite file, as serialized resources.

What the server decides by (states, attempts) lies in columns beside them. Every write is on disk when its
transaction ends, so that after `kill -9` every execution goes on from where it was.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (name TEXT PRIMARY KEY, config BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS executions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, parallelism INTEGER NOT NULL,
    open INTEGER NOT NULL DEFAULT 1, cancelling INTEGER NOT NULL DEFAULT 0, config BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
    execution TEXT NOT NULL REFERENCES executions (name) ON DELETE CASCADE, number INTEGER NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0,
    config BLOB NOT NULL, PRIMARY KEY (execution, number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unfinished ON tasks (state) WHERE state IN ('waiting', 'running');
CREATE TABLE IF NOT EXISTS operations (name TEXT PRIMARY KEY, execution TEXT, result BLOB) WITHOUT ROWID;
"""
_TASK = "execution, number, state, attempts, failures, config"


class State(StrEnum):
    """The state of a task."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ExecutionRow(NamedTuple):
    """An execution, whether it has tasks that are not done, and whether it was cancelled."""

    name: str
    config: bytes
    open: bool
    cancelling: bool


class TaskRow(NamedTuple):
    """A task: attempts that were begun, and those of them that failed."""

    execution: str
    number: int
    state: State
    attempts: int
    failures: int
    config: bytes


class Counts(NamedTuple):
    """Tasks of an execution by state; `retried` are those with more than one attempt."""

    waiting: int
    running: int
    succeeded: int
    failed: int
    cancelled: int
    retried: int


class Store:
    """The database."""

    def __init__(self, path: Path) -> None:
        """Open or create; arguments and variables of tasks are for the owner alone."""
        path.touch(mode=0o600)
        path.chmod(0o600)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._inside = False
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;" + _SCHEMA
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written inside is stored as one, or not at all; one inside another belongs to it."""
        if self._inside:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._inside = True
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            self._inside = False
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def close(self) -> None:
        self._db.close()

    def job(self, name: str) -> bytes | None:
        row = self._db.execute("SELECT config FROM jobs WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def jobs(self, location: str) -> list[bytes]:
        """Return the jobs of a location, by name."""
        rows = self._db.execute(
            "SELECT config FROM jobs WHERE name GLOB ? ORDER BY name", (f"{location}/jobs/*",)
        )
        return [config for (config,) in rows]

    def put_job(self, name: str, config: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?)", (name, config))

    def delete_job(self, name: str) -> None:
        """With its executions and their tasks."""
        with self.transaction():
            self._db.execute("DELETE FROM jobs WHERE name = ?", (name,))
            self._db.execute("DELETE FROM executions WHERE name GLOB ?", (f"{name}/executions/*",))

    def add_execution(self, name: str, parallelism: int, config: bytes, tasks: list[bytes]) -> None:
        with self.transaction():
            self._db.execute(
                "INSERT INTO executions (name, parallelism, config) VALUES (?, ?, ?)",
                (name, parallelism, config),
            )
            self._db.executemany(
                "INSERT INTO tasks (execution, number, state, config) VALUES (?, ?, ?, ?)",
                ((name, number, State.WAITING, task) for number, task in enumerate(tasks)),
            )

    def execution(self, name: str) -> ExecutionRow | None:
        row = self._db.execute(
            "SELECT name, config, open, cancelling FROM executions WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else ExecutionRow(row[0], row[1], bool(row[2]), bool(row[3]))

    def executions(self, pattern: str) -> list[str]:
        """Names that fit a GLOB pattern, the newest first."""
        rows = self._db.execute(
            "SELECT name FROM executions WHERE name GLOB ? ORDER BY number DESC", (pattern,)
        )
        return [name for (name,) in rows]

    def open_executions(self) -> list[str]:
        """Names of those that have tasks to do."""
        return [name for (name,) in self._db.execute("SELECT name FROM executions WHERE open")]

    def update_execution(self, row: ExecutionRow) -> None:
        self._db.execute(
            "UPDATE executions SET config = ?, open = ?, cancelling = ? WHERE name = ?",
            (row.config, row.open, row.cancelling, row.name),
        )

    def delete_execution(self, name: str) -> None:
        """With its tasks."""
        self._db.execute("DELETE FROM executions WHERE name = ?", (name,))

    def counts(self, execution: str) -> Counts:
        rows = self._db.execute(
            "SELECT state, count(*), sum(attempts > 1) FROM tasks WHERE execution = ? GROUP BY state",
            (execution,),
        ).fetchall()
        counts = {state: number for state, number, _ in rows}
        waiting, running, succeeded, failed, cancelled = (counts.get(state, 0) for state in State)
        retried = sum(again for _, _, again in rows)
        return Counts(waiting, running, succeeded, failed, cancelled, retried)

    def task(self, execution: str, number: int) -> TaskRow | None:
        row = self._db.execute(
            f"SELECT {_TASK} FROM tasks WHERE execution = ? AND number = ?",  # noqa: S608 - our own columns
            (execution, number),
        ).fetchone()
        return None if row is None else _task(row)

    def tasks(self, execution: str) -> list[TaskRow]:
        """Return the tasks of an execution, by index."""
        rows = self._db.execute(
            f"SELECT {_TASK} FROM tasks WHERE execution = ? ORDER BY number",  # noqa: S608 - our own columns
            (execution,),
        )
        return [_task(row) for row in rows]

    def next_task(self) -> TaskRow | None:
        """The first waiting task of the oldest execution that may run one more."""
        row = self._db.execute(
            f"SELECT {_TASK} FROM tasks WHERE state = 'waiting' AND execution = ("  # noqa: S608 - our own columns
            "SELECT name FROM executions AS e WHERE open"
            " AND EXISTS (SELECT 1 FROM tasks WHERE execution = e.name AND state = 'waiting')"
            " AND (SELECT count(*) FROM tasks WHERE execution = e.name AND state = 'running') < parallelism"
            " ORDER BY e.number LIMIT 1) ORDER BY tasks.number LIMIT 1"
        ).fetchone()
        return None if row is None else _task(row)

    def update_task(self, row: TaskRow) -> None:
        self._db.execute(
            "UPDATE tasks SET state = ?, attempts = ?, failures = ?, config = ?"
            " WHERE execution = ? AND number = ?",
            (row.state, row.attempts, row.failures, row.config, row.execution, row.number),
        )

    def add_operation(self, name: str, execution: str | None, result: bytes | None) -> None:
        """One that ends as its execution does, or one that is done and has this result."""
        self._db.execute("INSERT INTO operations VALUES (?, ?, ?)", (name, execution, result))

    def operation(self, name: str) -> tuple[str | None, bytes | None] | None:
        row = self._db.execute("SELECT execution, result FROM operations WHERE name = ?", (name,)).fetchone()
        return None if row is None else (row[0], row[1])


def _task(row: tuple[str, int, str, int, int, bytes]) -> TaskRow:
    execution, number, state, attempts, failures, config = row
    return TaskRow(execution, number, State(state), attempts, failures, config)
