"""How far a document is, written where people look: in its record."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Literal

from shared.documents.store import now
from shared.platform.records import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud import firestore

    from shared.documents.store import Documents

SECONDS = 5.0
"""Between two writes to one document, by all tasks together."""


class Meter:
    """Counts what is done and writes it now and then. Safe to share between threads."""

    def __init__(  # noqa: PLR0913 - whose progress it is, and of what
        self,
        documents: Documents,
        document: str,
        run: int,
        *,
        unit: Literal["pages", "passages"],
        total: int,
        count: Callable[[], int],
        tasks: int,
    ) -> None:
        """`count` says how much is done by all tasks; it is asked when something is to be written."""
        self._documents, self._reference, self._run = documents, documents.reference(document), run
        self._unit, self._total, self._count = unit, total, count
        self._interval = SECONDS * tasks
        self._lock = threading.Lock()
        self._begun = self._written = time.monotonic()
        self._first: int | None = None

    def note(self) -> None:
        """Something was done: write it, unless that was done a moment ago."""
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

        def step(transaction: firestore.Transaction) -> None:
            current = self._reference.get(transaction=transaction).to_dict()
            if current and (current["run"], current["state"]) == (self._run, "delegated"):
                transaction.update(self._reference, {"progress": progress.model_dump(), "updated_at": now()})

        self._documents.run(step)
