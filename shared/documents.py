"""The document's state machine: who may do what to `documents/{id}`, and in which order.

    state        event                                   next state   condition
    -----------  --------------------------------------  -----------  ----------------------------------------
    (none)       upload, generation g                    extracting   run 1
    any          upload, newer generation                extracting   run + 1: the old run is superseded
    any          upload, older generation                unchanged    the event is superseded
    any          upload naming this run as its restart   extracting   run + 1: a replay
    extracting   upload, same generation, lease expired  extracting   same run, next lease token: a takeover
    extracting   upload, same generation, lease alive    unchanged    refused; the delivery comes again
    other        upload, same generation                 unchanged    done already
    extracting   plan                                    analyzing    run and lease token match
    extracting   reject                                  rejected     run and lease token match
    extracting   release (a retryable fault)             extracting   lease ends now
    analyzing    last batch committed                    completed    run matches, every batch has its record
    not terminal fail                                    failed       run matches

Every transition is a transaction that checks what its line says. The run number is the fencing token of
batches: a batch commits only while its run is the document's. The lease token fences two ingests of one run.

Order of operations, so that a kill at any line loses nothing: artefact before batches, batches before state.
A batch may therefore commit while its document is still `extracting`; whichever of ingest and the last batch
comes second sees both the state and every batch record, and completes the document.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from shared.errors import LeaseHeld, Retryable, Superseded
from shared.records import TERMINAL, TOPICS, ErrorInfo, UploadEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud import firestore

T = TypeVar("T")
COLLECTION = "documents"
MAX_ATTEMPTS = 12
"""Of one transaction under contention; then the message is delivered again."""
NO_RESULT: dict[str, Any] = {
    "sentiment": {"positive": 0, "neutral": 0, "negative": 0},
    "topics": dict.fromkeys(TOPICS, 0),
    "initiatives": 0,
    "summary": [],
}


def document_id(bucket: str, name: str) -> str:
    """The id of the document that an object is: 24 hex digits of a hash (a bucket's name has no slash)."""
    return hashlib.sha256(f"{bucket}/{name}".encode()).hexdigest()[:24]


def now() -> datetime:
    """The current time, with its zone, as Firestore stores it."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Claim:
    """The right to extract one run of a document, until its lease expires."""

    document: str
    run: int
    token: int


@dataclass(frozen=True)
class Seconds:
    """What a step took."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Plan:
    """What ingest found and decided, written when the run starts to be analysed."""

    facts: dict[str, Any]
    """sha256, size, media_type, language, title, pages, passages, tokens, warnings."""
    batches: int
    model: str
    artefact: str
    seconds: Seconds


class Documents:
    """The transitions, over one Firestore client."""

    def __init__(self, client: firestore.Client) -> None:
        """Share the process's client."""
        self.client = client

    def reference(self, document: str) -> firestore.DocumentReference:
        """Where a document is stored."""
        return self.client.collection(COLLECTION).document(document)

    def claim(self, event: UploadEvent, *, published: datetime, lease_seconds: float) -> Claim | None:
        """Take the document for extraction; None where there is nothing left to do.

        Raises:
            LeaseHeld: another delivery is extracting this run.
            Superseded: the document is at a newer generation, or past the run that was to be restarted.
        """
        reference = self.reference(document_id(event.bucket, event.name))

        def step(transaction: firestore.Transaction) -> Claim | None:
            stored = reference.get(transaction=transaction).to_dict()
            run, token = _next_run(stored, event)
            if run == 0:
                return None
            started = now()
            fields = {
                "run": run,
                "generation": str(event.generation),
                "state": "extracting",
                "lease": {"token": token, "expires_at": started + timedelta(seconds=lease_seconds)},
                "error": None,
                "updated_at": started,
            }
            if stored is None or stored["run"] != run:
                fields |= {"route": None, "batches": None, "results_pending": False}
                fields["timings"] = {"uploaded_at": published, "claimed_at": started}
            if stored is None:
                fields |= _new_document(event, reference.id, started)
                transaction.create(reference, fields)
            else:
                transaction.update(reference, fields)
            return Claim(reference.id, run, token)

        return self.run(step)

    def plan(self, claim: Claim, plan: Plan) -> None:
        """From extracting to analyzing. Raises Superseded where the claim is no longer the document's."""

        def step(transaction: firestore.Transaction) -> None:
            reference = self._held(transaction, claim)
            planned = now()
            fields = plan.facts | {
                "state": "analyzing",
                "lease": None,
                "route": "function",
                "model": plan.model,
                "artefact": plan.artefact,
                "batches": {"total": plan.batches},
                "timings.planned_at": planned,
                "timings.extract_seconds": plan.seconds.wall,
                "cost.cpu_seconds": plan.seconds.cpu,
                "updated_at": planned,
            }
            transaction.update(reference, fields)

        self.run(step)

    def reject(self, claim: Claim, error: ErrorInfo) -> None:
        """From extracting to rejected: the input's fault. Raises Superseded as `plan` does."""

        def step(transaction: firestore.Transaction) -> None:
            reference = self._held(transaction, claim)
            transaction.update(reference, _ended("rejected", error) | NO_RESULT | {"published_run": None})

        self.run(step)

    def fail(self, document: str, run: int, error: ErrorInfo) -> None:
        """From any state that is not terminal to failed: ours, after retries.

        Raises:
            Superseded: the run is not the document's, or has ended.
        """
        reference = self.reference(document)

        def step(transaction: firestore.Transaction) -> None:
            check_open(reference.get(transaction=transaction).to_dict(), run)
            transaction.update(reference, _ended("failed", error))

        self.run(step)

    def release(self, claim: Claim) -> None:
        """End the lease now, so that the next delivery need not wait for it to expire."""

        def step(transaction: firestore.Transaction) -> None:
            transaction.update(self._held(transaction, claim), {"lease.expires_at": now()})

        self.run(step)

    def run(
        self, step: Callable[[firestore.Transaction], T], transaction: firestore.Transaction | None = None
    ) -> T:
        """Run `step` in a transaction.

        Raises:
            Retryable: contention outlasted every attempt.
        """
        from google.api_core.exceptions import Aborted
        from google.cloud.firestore_v1 import transactional

        if transaction is None:  # an empty one is false: it has a length
            transaction = self.client.transaction(max_attempts=MAX_ATTEMPTS)
        try:
            result: T = transactional(step)(transaction)
        except Aborted as error:
            raise Retryable("the document is contended") from error
        except ValueError as error:  # how the client says that its attempts are used up
            if isinstance(error.__cause__, Aborted):
                raise Retryable("the document is contended") from error
            raise
        return result

    def _held(self, transaction: firestore.Transaction, claim: Claim) -> firestore.DocumentReference:
        reference = self.reference(claim.document)
        stored = reference.get(transaction=transaction).to_dict()
        if (
            stored is None
            or (stored["run"], stored["state"]) != (claim.run, "extracting")
            or stored["lease"]["token"] != claim.token
        ):
            raise Superseded("another delivery has taken this run over")
        return reference


def _next_run(stored: dict[str, Any] | None, event: UploadEvent) -> tuple[int, int]:
    """The run to claim and its lease token; run 0 where there is nothing to do."""
    if stored is None:
        return 1, 1
    run: int = stored["run"]
    generation = int(stored["generation"])
    if event.generation > generation:
        return run + 1, 1
    if event.generation < generation:
        raise Superseded("a newer generation of this object is known")
    if event.restart_run is not None:
        if event.restart_run == run:
            return run + 1, 1
        if event.restart_run + 1 != run:
            raise Superseded("the run that was to be restarted is not the document's any more")
    if stored["state"] != "extracting":
        return 0, 0
    if stored["lease"]["expires_at"] > now():
        raise LeaseHeld
    return run, stored["lease"]["token"] + 1


def _new_document(event: UploadEvent, document: str, created: datetime) -> dict[str, Any]:
    facts = dict.fromkeys(("sha256", "media_type", "language", "title", "pages", "passages", "tokens"))
    return (
        facts
        | NO_RESULT
        | {
            "id": document,
            "bucket": event.bucket,
            "name": event.name,
            "size": event.size,
            "created_at": created,
            "published_run": None,
            "duplicate_of": None,
            "model": None,
            "warnings": [],
            "cost": {"cpu_seconds": 0.0},
        }
    )


def _ended(state: str, error: ErrorInfo) -> dict[str, Any]:
    return {
        "state": state,
        "error": error.model_dump(),
        "lease": None,
        "results_pending": True,
        "timings.completed_at": now(),
        "updated_at": now(),
    }


def check_open(stored: dict[str, Any] | None, run: int) -> None:
    """Raise Superseded where the run is not the document's, or has ended."""
    if stored is None or stored["run"] != run:
        raise Superseded("another run owns this document")
    if stored["state"] in TERMINAL:
        raise Superseded("this run has ended")
