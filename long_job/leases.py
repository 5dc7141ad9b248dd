"""Who works on which shard: `documents/{id}/leases/{run}-{shard}`, each written by a transaction.

A lease says only that somebody is at it; what is done stands elsewhere: in a batch's record, or in a page
that was stored. So a lease that is lost, or outlived by its holder, costs time and never a result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.documents.store import Documents, now
from shared.documents.transitions import check_run
from shared.platform.errors import LeaseHeld, Superseded
from shared.platform.lease import Lease, is_held, take

if TYPE_CHECKING:
    from google.cloud import firestore

    from long_job.task import Task

COLLECTION = "leases"
SECONDS = 120.0
"""A lease that is not renewed for so long has been left behind: many times what one step takes."""
ENDED = frozenset({"completed", "rejected", "superseded"})
"""States in which there is nothing to do. In a failed run the other shards are still computed."""


class Leases:
    """Of one run, for one task."""

    def __init__(self, documents: Documents, document: str, run: int, generation: int, task: Task) -> None:
        """Nothing is read or written yet."""
        self._documents = documents
        self._reference = documents.reference(document)
        self._run, self._generation = run, generation
        self._task = task

    def take(self, shard: str) -> bool:
        """Take a shard, or hold it for longer; False while another task has it.

        Raises:
            Superseded: the run is not the document's, or has ended.
        """
        record = self._record(shard)

        def step(transaction: firestore.Transaction) -> bool:
            stored = self._reference.get(transaction=transaction).to_dict()
            check_run(stored, self._run, self._generation)
            assert stored is not None
            if stored["state"] in ENDED:
                raise Superseded("this run has ended")
            try:
                lease = take(
                    _lease(record.get(transaction=transaction).to_dict()), self._task.holder, SECONDS, now()
                )
            except LeaseHeld:
                return False
            transaction.set(record, {"run": self._run} | lease.model_dump())
            return True

        return self._documents.run(step)

    def release(self, shard: str) -> None:
        """Give a shard back, if it is still this task's."""
        record = self._record(shard)

        def step(transaction: firestore.Transaction) -> None:
            lease = _lease(record.get(transaction=transaction).to_dict())
            if lease and lease.holder == self._task.holder:
                transaction.delete(record)

        self._documents.run(step)

    def siblings_at_work(self) -> bool:
        """Whether another task of this execution holds a shard of the run."""
        return any(
            lease.holder.startswith(f"{self._task.execution}/") and lease.holder != self._task.holder
            for lease in self._live()
        )

    def _live(self) -> list[Lease]:
        from google.cloud.firestore_v1.base_query import FieldFilter

        query = self._reference.collection(COLLECTION).where(filter=FieldFilter("run", "==", self._run))
        leases = [_lease(snapshot.to_dict()) for snapshot in query.stream()]
        moment = now()
        return [lease for lease in leases if lease and is_held(lease, moment)]

    def _record(self, shard: str) -> firestore.DocumentReference:
        record: firestore.DocumentReference = self._reference.collection(COLLECTION).document(
            f"{self._run}-{shard}"
        )
        return record


def _lease(record: dict[str, Any] | None) -> Lease | None:
    """Return the lease that a record is: `expires_at` is at the top, for the rule that deletes old ones."""
    return Lease.model_validate({k: v for k, v in record.items() if k != "run"}) if record else None
