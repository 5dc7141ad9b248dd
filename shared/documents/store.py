"""The document's state machine over Firestore: each transition of `transitions.py` as one transaction.

Order of operations, so that a kill at any line loses nothing: artefact before batches, batches before state.
A batch may therefore commit while its document is still `extracting`; whichever of ingest and the last batch
comes second sees both the state and every batch record, and completes the document.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from shared.documents import outcomes, transitions
from shared.documents.model import Document, Run
from shared.platform.clients import firestore_client, where
from shared.platform.errors import HeadraceError, Missing, Retryable
from shared.platform.records import DOCUMENT_ID, TERMINAL
from shared.platform.retry import is_transient, pauses
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from google.cloud import firestore

    from shared.documents.model import Delegation, Facts, Plan
    from shared.platform.records import ErrorInfo, UploadEvent
    from shared.platform.transaction import ShortTransaction


T = TypeVar("T")
COLLECTION = "documents"
RUNS = "runs"
CONTENTS = "contents"
TOMBSTONES = "erased"
TOMBSTONE_KEPT = timedelta(days=15)
"""Pub/Sub keeps a message for seven days and its dead letter for seven more. Then Firestore removes it."""
MAX_ATTEMPTS = 12
"""Attempts of one transaction under contention; then the message is delivered again."""


def document_id(bucket: str, name: str) -> str:
    """Return the id of the document of an object: 24 hex digits of a hash (a bucket's name has no slash)."""
    return hashlib.sha256(f"{bucket}/{name}".encode()).hexdigest()[:24]


def now() -> datetime:
    """Return the current time, with its zone, as Firestore stores it."""
    return datetime.now(UTC)


def expiry(name: str, uploaded: datetime) -> datetime | None:
    """Return when the results of an object are to be erased; None: never."""
    days = settings().retention_days(name)
    return None if days is None else uploaded + timedelta(days=days)


def document_of(fields: Mapping[str, Any] | None) -> Document | None:
    """Return a document as Firestore has it; None where there is none."""
    return None if fields is None else Document.model_validate(fields)


def run_record(reference: firestore.DocumentReference, run: int) -> firestore.DocumentReference:
    """Return where the record of a run is stored."""
    record: firestore.DocumentReference = reference.collection(RUNS).document(str(run))
    return record


def select(client: firestore.Client, *conditions: tuple[str, str, object]) -> firestore.Query:
    """Return the query of documents that meet each condition: field, operator, value."""
    query: firestore.Query = where(client.collection(COLLECTION), *conditions)
    return query


def fields_of(
    client: firestore.Client,
    documents: Iterable[str],
    fields: Sequence[str],
    **limits: Any,  # noqa: ANN401 - the call's own
) -> dict[str, dict[str, Any]]:
    """Return these fields of documents by their ids; one that is gone is missing."""
    references = [client.collection(COLLECTION).document(each) for each in sorted({*documents})]
    read = client.get_all(references, fields, **limits) if references else ()
    return {each.id: each.to_dict() or {} for each in read if each.exists}


def in_pages(query: Any, size: int) -> Iterator[list[Any]]:  # noqa: ANN401 - the client's query is untyped
    """Yield the snapshots of a query in pages: one long stream would break off if it is read slowly."""
    page_query = query.limit(size)
    while page := list(page_query.stream()):
        yield page
        page_query = query.limit(size).start_after(page[-1])


def check_name(name: str) -> None:
    """Raise HeadraceError for a name that an object cannot have."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise HeadraceError(f"{name!r} is not UTF-8, as the name of an object must be.") from None


def find(identifier: str) -> Document:
    """Return a document by its id, or by the name of its object in the uploads bucket.

    Raises:
        Missing: there is none.
    """
    check_name(identifier)
    if document := stored_document(identifier):
        return document
    raise Missing(
        "unknown_document",
        f"There is no document {shlex.quote(identifier)}.",
        "List them all: headrace show",
    )


def stored_document(identifier: str) -> Document | None:
    """Return a document by its id or its object's name; None if there is none."""
    documents = Documents(firestore_client())
    of_name = document_id(settings().uploads_bucket, identifier)
    # Firestore refuses many names as the id of a record.
    for candidate in (identifier, of_name) if re.fullmatch(DOCUMENT_ID, identifier) else (of_name,):
        if document := documents.get(candidate):
            return document
    return None


class Documents:
    """The transitions, over one Firestore client."""

    def __init__(self, client: firestore.Client) -> None:
        """Share the process's client."""
        self.client = client

    def reference(self, document: str) -> firestore.DocumentReference:
        """Return where a document is stored."""
        return self.client.collection(COLLECTION).document(document)

    def get(self, document: str) -> Document | None:
        """Return a document as it is now."""
        return document_of(self.reference(document).get().to_dict())

    def read(self, transaction: ShortTransaction, document: str) -> Document | None:
        """Return a document as the transaction reads it."""
        [fields] = transaction.read(self.reference(document))
        return document_of(fields)

    def read_run(self, document: str, run: int, transaction: ShortTransaction | None = None) -> Run | None:
        """Return the record of a run."""
        record = run_record(self.reference(document), run)
        fields = transaction.read(record)[0] if transaction else record.get().to_dict()
        return None if fields is None else Run.model_validate(fields)

    def claim(
        self, event: UploadEvent, *, published: datetime, lease_seconds: float, asked: datetime | None = None
    ) -> Document | None:
        """Take the document for extraction; None where there is nothing left to do.

        Args:
            event: an upload.
            published: when its message was.
            lease_seconds: how long nobody else may extract the run.
            asked: when somebody asked for the file itself. A document that was erased before begins anew.

        Returns:
            The claimed document; or the document as it is, `results_pending`, where the result of an older
            run is to be announced first, as it would be forgotten otherwise.

        Raises:
            LeaseHeld: another delivery is extracting this run.
            Superseded: the document is at a newer generation, past the run to be restarted, or erased.
        """
        reference = self.reference(document_id(event.bucket, event.name))
        holder = secrets.token_hex(8)

        def step(transaction: ShortTransaction) -> Document | None:
            fields, erased = transaction.read(reference, tombstone(self.client, reference.id))
            document, moment = document_of(fields), now()
            if document and document.lease and document.lease.holder == holder:  # its answer was lost
                return document
            by = transitions.Arrival(
                published,
                moment,
                holder,
                lease_seconds,
                expires_at=expiry(event.name, published),
                erased_up_to=erased_up_to(erased, asked, moment),
            )
            claimed = transitions.claim(document, event, reference.id, by)
            if claimed is None:
                return None
            if document and document.run != claimed.run and transitions.is_unannounced(document):
                return document
            self.write(transaction, document, claimed, restarts=event.restart_run)
            return claimed

        return self.run(step)

    def plan(self, claimed: Document, plan: Plan) -> Document:
        """Move a claimed document to analyzing, or to delegated where the plan is the long job's.

        Raises:
            Superseded: the claim is no longer the document's.
        """
        return self._plan(claimed.id, lambda current: transitions.check_held(current, claimed), plan)

    def plan_delegated(self, document: str, run: int, generation: int, plan: Plan) -> Document:
        """Write the plan of a run whose file the job has read, or whose text a backfill has copied.

        Raises:
            Superseded: the run is not the document's, or planned already.
        """
        return self._plan(
            document, lambda current: transitions.check_delegated(current, run, generation), plan
        )

    def delegate(self, claimed: Document, job: Delegation, facts: Facts | None = None) -> Document:
        """Move a claimed document to delegated, its file still to be read by the job. Raises as `plan` does.

        `facts` are what is known of the file; None where it could not be read within a function's limits.
        """
        return self._change(
            claimed.id,
            lambda current: transitions.delegate(transitions.check_held(current, claimed), job, facts, now()),
            model=job.model,
            facts=facts,
        )

    def reject(self, claimed: Document, error: ErrorInfo) -> None:
        """Move a claimed document to rejected: the input's fault. Raises Superseded as `plan` does."""
        self._change(
            claimed.id,
            lambda current: transitions.reject(transitions.check_held(current, claimed), error, now()),
        )

    def reject_delegated(self, document: str, run: int, generation: int, error: ErrorInfo) -> None:
        """Move a delegated document to rejected. Raises Superseded as `plan_delegated` does."""

        def change(current: Document | None) -> Document:
            delegated = transitions.check_delegated(current, run, generation)
            return transitions.reject(delegated, error, now())

        self._change(document, change)

    def fail(self, document: str, run: int, generation: int, error: ErrorInfo) -> None:
        """Move an unfinished document to failed: our fault, after retries.

        Raises:
            Superseded: the run is not the document's, or has ended.
        """
        self._change(
            document,
            lambda current: transitions.fail(transitions.check_open(current, run, generation), error, now()),
        )

    def release(self, claimed: Document) -> None:
        """End the lease now, so that the next delivery need not wait for it to expire."""
        self._change(
            claimed.id,
            lambda current: transitions.release(transitions.check_held(current, claimed), now()),
        )

    def note(self, document: Document, change: Callable[[Document], Document]) -> None:
        """Write a change that ends no run, if the document is still at the run that was read."""

        def step(transaction: ShortTransaction) -> None:
            current = self.read(transaction, document.id)
            if current is not None and is_as_read(current, document):
                self.write(transaction, current, change(current))

        self.run(step)

    def write(
        self,
        transaction: ShortTransaction,
        before: Document | None,
        after: Document,
        **of_run: Any,  # noqa: ANN401 - of each field's own type
    ) -> None:
        """Write what a transition changed, to the document and to the record of its run.

        Where the run number rises, the old run is superseded, if it had not ended, and the new one's record
        begins. `before` was read in the transaction, and is None where the document is new; `of_run` are
        fields of the `Run` that the document does not have.
        """
        reference, fields = self.reference(after.id), after.model_dump()
        if before is None:
            transaction.create(reference, fields)
        else:
            stored = before.model_dump()
            changed = {name: value for name, value in fields.items() if value != stored[name]}
            if changed:  # with what lists compare: a document of an older version may be without
                listed = {name: fields[name] for name in ("organisation_key", "facets")}
                transaction.update(reference, changed | listed)
        if before is None or before.run != after.run:
            if before is not None and before.state not in TERMINAL:
                ended = {"state": "superseded", "ended_at": after.updated_at}
                transaction.update(run_record(reference, before.run), ended)
            run = Run(
                run=after.run,
                generation=after.generation,
                state=after.state,
                backfill=after.backfill,
                started_at=after.updated_at,
                **of_run,
            )
            transaction.set(run_record(reference, after.run), run.model_dump())
            return
        if before.state != after.state:
            of_run |= {"state": after.state}
        if after.state in TERMINAL and before.state not in TERMINAL:
            if after.error is not None:
                outcomes.write_problem(transaction, self.client, after)
            of_run |= {"error": after.error, "ended_at": after.updated_at}
        if of_run:
            plain = {name: _plain(value) for name, value in of_run.items()}
            transaction.update(run_record(reference, after.run), plain)

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

    def _change(
        self,
        document: str,
        change: Callable[[Document | None], Document],
        **of_run: Any,  # noqa: ANN401 - of each field's own type
    ) -> Document:
        """Write what `change` makes of the stored document, and return it. `change` raises Superseded."""

        def step(transaction: ShortTransaction) -> Document:
            current = self.read(transaction, document)
            changed = change(current)
            self.write(transaction, current, changed, **of_run)
            return changed

        return self.run(step)

    def _plan(self, document: str, check: Callable[[Document | None], Document], plan: Plan) -> Document:
        batches = plan.batches

        def step(transaction: ShortTransaction) -> Document:
            current = check(self.read(transaction, document))
            planned = transitions.plan(current, plan, now())
            of_run = {"model": batches.model, "artefact": batches.artefact, "facts": plan.facts}
            self.write(transaction, current, planned, duplicate_of=plan.duplicate_of, **of_run)
            if plan.duplicate_of is None:
                entry = {"document": planned.id, "run": planned.run}
                transaction.set(self.client.collection(CONTENTS).document(plan.content_key), entry)
            return planned

        return self.run(step)


def lay_tombstone(
    transaction: ShortTransaction,
    client: firestore.Client,
    document: str,
    generation: int,
    moment: datetime,
) -> None:
    """Let no message about the document up to this generation begin it anew; before any other writing.

    What was asked for before an erasure may be delivered days after it: a notification, a request to begin
    again, a dead letter of either. A file that is uploaded later has a greater generation.
    """
    reference = tombstone(client, document)
    [before] = transaction.read(reference)
    newest = max(generation, int(before["generation"]) if before else 0)
    fields = {"generation": str(newest), "erased_at": moment, "expires_at": moment + TOMBSTONE_KEPT}
    transaction.set(reference, fields)


def tombstone(client: firestore.Client, document: str) -> firestore.DocumentReference:
    """Return the record of an erased document: nothing but its id, and up to which generation it is gone."""
    reference: firestore.DocumentReference = client.collection(TOMBSTONES).document(document)
    return reference


def erased_up_to(stored: Mapping[str, Any] | None, asked: datetime | None, moment: datetime) -> int:
    """Return the generation up to which nothing may begin the document anew; 0: it was not erased.

    `stored` is its tombstone. What was erased before somebody `asked` for the document may come again.
    """
    if stored is None or stored["expires_at"] <= moment or (asked and stored["erased_at"] < asked):
        return 0
    return int(stored["generation"])


def erased_generations(
    client: firestore.Client, documents: Iterable[str], limits: Mapping[str, Any]
) -> dict[str, int]:
    """Return up to which generation each of these documents was erased, for those that have a tombstone."""
    references = [tombstone(client, document) for document in documents]
    snapshots = client.get_all(references, **limits)
    return {snapshot.id: int(snapshot.get("generation")) for snapshot in snapshots if snapshot.exists}


def is_as_read(current: Document | None, document: Document, *more: str) -> bool:
    """Return whether a document is still at the run that was read, and was not erased and begun again."""
    parts = ("run", "generation", *more)
    return current is not None and all(getattr(current, part) == getattr(document, part) for part in parts)


def _plain(value: object) -> object:
    from pydantic import BaseModel

    return value.model_dump() if isinstance(value, BaseModel) else value


def _passes(error: BaseException | None) -> bool:
    """Whether the transaction may succeed later.

    That its attempts are used up, or that the transaction could not even begin, the client reports by a
    ValueError, raised from the fault or while it tried to roll back.
    """
    while isinstance(error, ValueError):
        error = error.__cause__ or error.__context__
    return error is not None and is_transient(error)
