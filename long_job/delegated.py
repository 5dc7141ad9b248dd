"""A delegated run, as one task works on it: its document, leases on its shards, and its progress.

A shard is a part of the run that one task does: some batches, some pages, or all of it. Leases are
`documents/{id}/leases/{run}-{shard}`. What is done is in the batches' records and in the work bucket.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from shared.documents.batches import CLOSED
from shared.documents.store import document_of, now
from shared.documents.transitions import check_run
from shared.platform.clients import where
from shared.platform.errors import LeaseHeld, Superseded
from shared.platform.lease import Lease, is_held, take
from shared.platform.records import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud import firestore

    from long_job.task import Task
    from shared.documents.model import Document
    from shared.documents.store import Documents
    from shared.platform.transaction import ShortTransaction

LEASES = "leases"
WHOLE = "whole"
"""The shard that is all of a run, for a job that does many documents."""
LEASE_SECONDS = 120.0
"""A lease that is not renewed for so long was abandoned: one step takes much less."""
PROGRESS_SECONDS = 5.0
"""Between two writes of progress to one record, by all tasks together."""


@dataclass(frozen=True)
class DelegatedRun:
    """A run of a document, for one task of an execution."""

    documents: Documents
    task: Task
    document: str
    run: int
    generation: int

    @property
    def reference(self) -> firestore.DocumentReference:
        """Where the document is stored."""
        return self.documents.reference(self.document)

    def current(self) -> Document:
        """Read the document. Raises Superseded if another run is its newest."""
        return check_run(self.documents.get(self.document), self.run, self.generation)

    def take(self, shard: str) -> bool:
        """Take a shard, or renew its lease; False while another task holds it.

        Raises:
            Superseded: the run is not the document's, or has ended.
        """
        record = self._lease_record(shard)

        def step(transaction: ShortTransaction) -> bool:
            fields, before = transaction.read(self.reference, record)
            if check_run(document_of(fields), self.run, self.generation).state in CLOSED:
                raise Superseded("this run has ended")
            try:
                lease = take(_lease(before), self.task.holder, LEASE_SECONDS, now())
            except LeaseHeld:
                return False
            transaction.set(record, {"run": self.run} | lease.model_dump())
            return True

        return self.documents.run(step)

    def release(self, shard: str) -> None:
        """Give a shard back, unless another task has it."""
        record = self._lease_record(shard)

        def step(transaction: ShortTransaction) -> None:
            lease = _lease(*transaction.read(record))
            if lease and lease.holder == self.task.holder:
                transaction.delete(record)

        self.documents.run(step)

    def siblings_at_work(self) -> bool:
        """Return whether another task of this execution holds a shard of the run."""
        query = where(self.reference.collection(LEASES), ("run", "==", self.run))
        leases = [_lease(snapshot.to_dict()) for snapshot in query.stream()]
        return any(
            lease.holder.startswith(f"{self.task.execution}/") and lease.holder != self.task.holder
            for lease in leases
            if lease and is_held(lease, now())
        )

    def _lease_record(self, shard: str) -> firestore.DocumentReference:
        record: firestore.DocumentReference = self.reference.collection(LEASES).document(
            f"{self.run}-{shard}"
        )
        return record


def _lease(record: dict[str, Any] | None) -> Lease | None:
    """Return the lease that a record is: `expires_at` is at the top, for the rule that deletes old ones."""
    return Lease.model_validate({k: v for k, v in record.items() if k != "run"}) if record else None


class Meter:
    """Counts what is done, and writes it to the document now and then. Threads may share one."""

    def __init__(
        self, run: DelegatedRun, *, unit: Literal["pages", "passages"], total: int, count: Callable[[], int]
    ) -> None:
        """`count` returns how much all tasks have done; it is called when progress is to be written."""
        self._run = run
        self._unit, self._total, self._count = unit, total, count
        self._interval = PROGRESS_SECONDS * run.task.count
        self._lock = threading.Lock()
        self._begun = self._written = time.monotonic()
        self._first: int | None = None

    def note(self) -> None:
        """Note that something was done; write it, unless that was done a moment ago."""
        with self._lock:
            moment = time.monotonic()
            if self._first is None:
                self._first = self._count()
                self._begun = moment
            if moment - self._written < self._interval:
                return
            self._written = moment
        self._write(moment)

    def _write(self, moment: float) -> None:
        assert self._first is not None
        done = min(self._count(), self._total)
        seconds = moment - self._begun
        rate = (done - self._first) / seconds if done > self._first and seconds > 0 else None
        progress = Progress(
            unit=self._unit,
            done=done,
            total=self._total,
            rate=None if rate is None else round(rate, 2),
            eta_seconds=None if rate is None else round((self._total - done) / rate, 1),
        )

        documents = self._run.documents

        def step(transaction: ShortTransaction) -> None:
            current = documents.read(transaction, self._run.document)
            if current and (current.run, current.state) == (self._run.run, "delegated"):
                documents.write(transaction, current, current.altered(progress=progress, updated_at=now()))

        documents.run(step)
