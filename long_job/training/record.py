"""`trainings/{id}` in Firestore: one training, who is at it, and how it ended.

The lease stands in the record itself: there is one step, and one who does it. A holder renews it in the
background; one that was killed is followed by the next attempt of its task at once, and by another execution
when the lease is over. Whoever finds a training at work or ended puts its execution on the list, so that the
one who started it finds the record.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from long_job.delegated import LEASE_SECONDS
from shared.documents.store import now
from shared.platform.errors import LeaseHeld, SetupError, Superseded
from shared.platform.lease import Lease, take
from training.report import ENDED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from google.cloud import firestore

    from long_job.task import Task
    from shared.documents.store import Documents
    from training.report import Report

COLLECTION = "trainings"
MAX_EXECUTIONS = 50
MAX_LISTED = 50
"""Objects and rows left out that the record names: the report in the bucket names more."""
RENEWALS = 4
"""In the life of a lease."""


class Training:
    """One training, for one task."""

    def __init__(self, documents: Documents, identifier: str, task: Task) -> None:
        """Nothing is read or written yet."""
        self._documents = documents
        self._task = task
        self.id = identifier
        self._reference = documents.client.collection(COLLECTION).document(identifier)
        self._lost = threading.Event()

    def begin(self, key: dict[str, Any]) -> bool:
        """Take the training; False where it has ended. `key` is what tells it from others.

        Raises:
            Superseded: another execution is at it.
            SetupError: the id is another training's.
        """

        def step(transaction: firestore.Transaction) -> str:
            stored = self._reference.get(transaction=transaction).to_dict()
            moment = now()
            if stored is None:
                stored = {"id": self.id, "executions": [], "attempts": 0, "created_at": moment, "lease": None}
            elif any(stored[name] != value for name, value in key.items()):
                raise SetupError(
                    f"The training {self.id} is of other data, or of another model in use. Leave out --id."
                )
            executions = [*(name for name in stored["executions"] if name != self._task.execution)]
            fields = {
                "executions": [*executions, self._task.execution][-MAX_EXECUTIONS:],
                "updated_at": moment,
            }
            outcome = "taken"
            if stored.get("state") in ENDED:
                outcome = "ended"
            elif (lease := self._taken(Lease.read(stored["lease"]), moment)) is None:
                outcome = "held"
            else:
                fields |= {
                    "state": "running",
                    "step": "begun",
                    "lease": lease.model_dump(),
                    "attempts": stored["attempts"] + 1,
                    "started_at": moment,
                    "ended_at": None,
                    "code": None,
                    "reason": None,
                }
            transaction.set(self._reference, stored | key | fields)
            return outcome

        outcome = self._documents.run(step)
        if outcome == "held":
            raise Superseded(f"another execution is at the training {self.id}")
        return outcome == "taken"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Renew the lease in the background; at the end of the block give it back."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(LEASE_SECONDS / RENEWALS):
                try:
                    self._write({})
                except Superseded:
                    self._lost.set()
                    return
                except Exception:  # noqa: BLE001, S112 - an outage: the lease lives for three more attempts
                    continue

        thread = threading.Thread(target=renew, name="renew", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            try:
                self._write({"lease": None})
            except Superseded:
                self._lost.set()

    def check(self) -> None:
        """Raises Superseded where the training is no longer this task's."""
        if self._lost.is_set():
            raise Superseded(f"another execution took over the training {self.id}")

    def step(self, name: str) -> None:
        """Say what is done now. Raises Superseded as `check` does."""
        self._write({"step": name})

    def finish(self, report: Report) -> None:
        """The end, as the report has it. Raises Superseded as `check` does."""
        fields = report.model_dump(exclude={"id", "in_use", "branches"})
        fields["data"]["objects"] = fields["data"]["objects"][:MAX_LISTED]
        if fields["rows"]:
            fields["rows"]["listed"] = fields["rows"]["listed"][:MAX_LISTED]
        self._write(fields | {"step": None, "ended_at": now()})

    def fail(self, code: str, reason: str) -> None:
        """The end for now: started again, it begins anew. Raises Superseded as `check` does."""
        self._write({"state": "failed", "code": code, "reason": reason, "step": None, "ended_at": now()})

    def _taken(self, lease: Lease | None, moment: datetime) -> Lease | None:
        try:
            return take(lease, self._task.holder, LEASE_SECONDS, moment)
        except LeaseHeld:
            return None

    def _write(self, fields: dict[str, Any]) -> None:
        """Write some fields and renew the lease, unless `fields` end it."""

        def step(transaction: firestore.Transaction) -> None:
            stored = self._reference.get(transaction=transaction).to_dict() or {}
            lease, moment = Lease.read(stored.get("lease")), now()
            if lease is None or lease.holder != self._task.holder:
                raise Superseded(f"another execution took over the training {self.id}")
            renewed = {"lease": lease.renewed(LEASE_SECONDS, moment).model_dump(), "updated_at": moment}
            transaction.update(self._reference, renewed | fields)

        self._documents.run(step)
