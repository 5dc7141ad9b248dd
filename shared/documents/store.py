"""The document's state machine over Firestore: each transition of `transitions.py` as one transaction.

Order of operations, so that a kill at any line loses nothing: artefact before batches, batches before state.
A batch may therefore commit while its document is still `extracting`; whichever of ingest and the last batch
comes second sees both the state and every batch record, and completes the document.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from shared.documents import outcomes
from shared.documents.tombstones import erased_up_to, tombstone
from shared.documents.transitions import (
    NO_RESULT,
    Claim,
    arrival,
    check_held,
    check_open,
    new_document,
    next_claim,
)
from shared.documents.views import NOTHING, kept
from shared.platform.errors import Retryable
from shared.platform.records import TERMINAL
from shared.platform.retry import is_transient, pauses
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud import firestore

    from shared.documents.transitions import Plan
    from shared.platform.records import ErrorInfo, State, UploadEvent
    from shared.platform.transaction import ShortTransaction

T = TypeVar("T")
COLLECTION = "documents"
RUNS = "runs"
CONTENTS = "contents"
MAX_ATTEMPTS = 12
"""Of one transaction under contention; then the message is delivered again."""


def document_id(bucket: str, name: str) -> str:
    """The id of the document that an object is: 24 hex digits of a hash (a bucket's name has no slash)."""
    return hashlib.sha256(f"{bucket}/{name}".encode()).hexdigest()[:24]


def now() -> datetime:
    """The current time, with its zone, as Firestore stores it."""
    return datetime.now(UTC)


def expiry(name: str, uploaded: datetime) -> datetime | None:
    """When the results of an object are to be erased; None: never."""
    days = settings().retention_days(name)
    return None if days is None else uploaded + timedelta(days=days)


class Documents:
    """The transitions, over one Firestore client."""

    def __init__(self, client: firestore.Client) -> None:
        """Share the process's client."""
        self.client = client

    def reference(self, document: str) -> firestore.DocumentReference:
        """Where a document is stored."""
        return self.client.collection(COLLECTION).document(document)

    def claim(
        self, event: UploadEvent, *, published: datetime, lease_seconds: float, asked: datetime | None = None
    ) -> Claim | None:
        """Take the document for extraction; None where there is nothing left to do.

        Where somebody `asked` for the file itself after the document was erased, it begins anew.

        Raises:
            LeaseHeld: another delivery is extracting this run.
            Superseded: the document is at a newer generation, past the run to be restarted, or erased.
        """
        from shared.documents.completion import announce, is_unheard  # which import this module

        reference = self.reference(document_id(event.bucket, event.name))
        holder = secrets.token_hex(8)

        def step(transaction: ShortTransaction) -> Claim | dict[str, Any] | None:
            stored, erased = transaction.read(reference, tombstone(self.client, reference.id))
            started = now()
            if stored and stored["lease"] and stored["lease"]["holder"] == holder:  # its answer was lost
                return Claim(reference.id, stored["run"], stored["lease"]["token"])
            gone = erased_up_to(erased, asked, started)
            claim = next_claim(reference.id, stored, event, started, gone)
            if claim is None:
                return None
            if stored and stored["run"] != claim.run and is_unheard(stored):
                return stored
            fields = {
                "run": claim.run,
                "generation": str(event.generation),
                "state": "extracting",
                "lease": {
                    "token": claim.token,
                    "holder": holder,
                    "expires_at": started + timedelta(seconds=lease_seconds),
                },
                "error": None,
                "updated_at": started,
            }
            if stored is None or stored["run"] != claim.run:
                fields |= {"route": None, "batches": None, "results_pending": False}
                fields |= {"drives": 0, "drive_progress": 0, "drive_token": None}
                fields |= {"job": None, "progress": None}
                fields["timings"] = {"uploaded_at": published, "claimed_at": started}
                fields |= arrival(stored, event, published)
                fields |= {"metadata": event.metadata, "content_type": event.content_type, "size": event.size}
                if stored is None or stored["generation"] != fields["generation"]:
                    fields["expires_at"] = expiry(event.name, published)  # a replay keeps what it has
                self._start_run(transaction, reference, stored, claim.run, event, started)
            if stored is None:
                transaction.create(reference, new_document(event, reference.id, started) | fields)
            else:
                transaction.update(reference, fields)
            return claim

        while isinstance(claim := self.run(step), dict):  # the last result first, or it would be forgotten
            announce(self, claim)
        return claim

    def plan(self, claim: Claim, plan: Plan) -> dict[str, Any]:
        """From extracting to analyzing, or to delegated where the plan is the long job's.

        Returns:
            The document with its plan.

        Raises:
            Superseded: the claim is no longer the document's.
        """

        def step(transaction: ShortTransaction) -> dict[str, Any]:
            planned = self.write_plan(transaction, self._held(transaction, claim), plan)
            transaction.update(self.reference(claim.document), {"job": plan.job})
            return planned | {"job": plan.job}

        return self.run(step)

    def write_plan(
        self, transaction: firestore.Transaction, stored: dict[str, Any], plan: Plan
    ) -> dict[str, Any]:
        """Write a plan to the document and to its run; the caller has checked that it may.

        Returns:
            The document as it stands then, but for its timings.
        """
        reference, run, planned = self.reference(stored["id"]), stored["run"], now()
        state, route = ("delegated", "job") if plan.job else ("analyzing", "function")
        fields = (
            plan.facts
            | {
                "state": state,
                "lease": None,
                "route": route,
                "model": plan.model,
                "artefact": plan.artefact,
                "duplicate_of": plan.duplicate_of,
                "batches": {"total": plan.batches},
                "cost": {"cpu_seconds": plan.seconds.cpu},
                "updated_at": planned,
            }
            | kept(stored)
        )
        timings = {"timings.planned_at": planned, "timings.extract_seconds": plan.seconds.wall}
        transaction.update(reference, fields | timings)
        of_run = {"state": state, "model": plan.model, "artefact": plan.artefact}
        transaction.update(run_record(reference, run), of_run)
        if plan.duplicate_of is None:
            entry = {"document": reference.id, "run": run}
            transaction.set(self.client.collection(CONTENTS).document(plan.content_key), entry)
        return stored | fields

    def reject(self, claim: Claim, error: ErrorInfo) -> None:
        """From extracting to rejected: the input's fault. Raises Superseded as `plan` does."""

        def step(transaction: ShortTransaction) -> None:
            self.write_rejection(transaction, self._held(transaction, claim), error)

        self.run(step)

    def write_rejection(
        self, transaction: firestore.Transaction, stored: dict[str, Any], error: ErrorInfo
    ) -> None:
        """End a document's run as rejected: nothing stays readable. The caller has checked that it may."""
        reference = self.reference(stored["id"])
        outcomes.write_problem(transaction, self.client, stored | NOTHING, "rejected", error)
        self.end(transaction, reference, stored["run"], "rejected", error)
        gone = NO_RESULT | NOTHING | {"published_run": None}
        transaction.update(reference, gone | {"purge_pending": True})

    def fail(self, document: str, run: int, generation: int, error: ErrorInfo) -> None:
        """From any state that is not terminal to failed: ours, after retries.

        What is published stays; what runs in between left is to be purged.

        Raises:
            Superseded: the run is not the document's, or has ended.
        """
        reference = self.reference(document)

        def step(transaction: ShortTransaction) -> None:
            [stored] = transaction.read(reference)
            check_open(stored, run, generation)
            assert stored is not None
            outcomes.write_problem(transaction, self.client, stored, "failed", error)
            self.end(transaction, reference, run, "failed", error, {"purge_pending": run > 1})

        self.run(step)

    def release(self, claim: Claim) -> None:
        """End the lease now, so that the next delivery need not wait for it to expire."""

        def step(transaction: ShortTransaction) -> None:
            self._held(transaction, claim)
            transaction.update(self.reference(claim.document), {"lease.expires_at": now()})

        self.run(step)

    def end(  # noqa: PLR0913, PLR0917 - a transition's own parts
        self,
        transaction: firestore.Transaction,
        reference: firestore.DocumentReference,
        run: int,
        state: State,
        error: ErrorInfo | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        """Write a terminal state to the document and to its run; the caller has checked that it may."""
        ended = now()
        fields = {
            "state": state,
            "error": error.model_dump() if error else None,
            "lease": None,
            "results_pending": True,
            "timings.completed_at": ended,
            "updated_at": ended,
        }
        transaction.update(reference, fields | (more or {}))
        transaction.update(
            run_record(reference, run), {"state": state, "error": fields["error"], "ended_at": ended}
        )

    def run(self, step: Callable[[ShortTransaction], T], transaction: ShortTransaction | None = None) -> T:
        """Run `step` in a transaction, and again while contention or an outage of Firestore prevents it.

        A commit whose answer was lost runs again too, so a step sees what it has perhaps done before.

        Raises:
            Retryable: that lasted for too long.
        """
        from google.cloud.firestore_v1 import transactional

        from shared.platform.transaction import ShortTransaction

        if transaction is None:  # an empty one is false: it has a length
            transaction = ShortTransaction(self.client, max_attempts=MAX_ATTEMPTS)
        for pause in pauses():
            try:
                result: T = transactional(step)(transaction)
            except Exception as error:
                if isinstance(error, Retryable) or not _passes(error):
                    raise
                time.sleep(pause)
            else:
                return result
        raise Retryable("Firestore is contended, or cannot be reached")

    def _start_run(  # noqa: PLR0913, PLR0917 - a transition's own parts
        self,
        transaction: firestore.Transaction,
        reference: firestore.DocumentReference,
        stored: dict[str, Any] | None,
        run: int,
        event: UploadEvent,
        started: datetime,
    ) -> None:
        if stored is not None and stored["state"] not in TERMINAL:
            old = run_record(reference, stored["run"])
            transaction.update(old, {"state": "superseded", "ended_at": started})
        fields = {
            "run": run,
            "generation": str(event.generation),
            "state": "extracting",
            "restarts": event.restart_run,
            "model": None,
            "error": None,
            "started_at": started,
            "ended_at": None,
        }
        transaction.set(run_record(reference, run), fields)

    def _held(self, transaction: ShortTransaction, claim: Claim) -> dict[str, Any]:
        [stored] = transaction.read(self.reference(claim.document))
        check_held(stored, claim)
        assert stored is not None
        return stored


def _passes(error: BaseException | None) -> bool:
    """Whether the transaction may succeed later.

    That its attempts are used up, or that the transaction could not even begin, the client reports by a
    ValueError, raised from the fault or while it tried to roll back.
    """
    while isinstance(error, ValueError):
        error = error.__cause__ or error.__context__
    return error is not None and is_transient(error)


def run_record(reference: firestore.DocumentReference, run: int) -> firestore.DocumentReference:
    """Where the state of a run is kept."""
    record: firestore.DocumentReference = reference.collection(RUNS).document(str(run))
    return record
