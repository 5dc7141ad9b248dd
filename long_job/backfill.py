"""Backfill: every listed document through another model, and what that changed.

A document's new run repeats what is published, with its passages; that stays readable until the new run is
whole. Then the two are compared, before the older one is deleted. The report is made from the records of the
documents alone, so it can be made again, and is then the same.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal

from long_job.comparison import Comparison, combine, compare
from long_job.many import ManyDocuments
from long_job.models import engine
from shared.documents import artefacts
from shared.documents.completion import finish_as_read, purge
from shared.documents.model import Delegation, Document
from shared.documents.store import document_of, now
from shared.documents.transitions import begin_backfill, is_unannounced
from shared.documents.uploads import notify_all, upload_of
from shared.jobs import listing
from shared.jobs.listing import Entry, standing
from shared.jobs.record import update
from shared.platform.errors import SetupError
from shared.platform.logs import get_logger
from shared.platform.records import TERMINAL, ErrorInfo
from shared.platform.retry import is_transient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import firestore

    from long_job.delegated import DelegatedRun
    from long_job.task import Task
    from shared.documents.store import Documents
    from shared.jobs.listing import Backfill, Outcome
    from shared.platform.transaction import ShortTransaction

ERRORS = 20
"""Failed documents that the report names."""


class BackfillWork(ManyDocuments[Entry]):
    """One task's part of a backfill."""

    def __init__(self, documents: Documents, task: Task, backfill: Backfill) -> None:
        """The backfill's documents are listed."""
        super().__init__(documents, task, backfill.id)
        self._backfill = backfill
        self.resume = f"Once the job can have it: headrace backfill resume {backfill.id}"

    def _load_model(self, asked: str | None = None) -> str:
        model = super()._load_model(asked or self._backfill.model)
        if not engine(model).manifest.sentiments:
            raise SetupError(f"The model {model} only embeds: it has no heads, and so no labels.")
        if self._backfill.model is None:
            self._update({"model": model})
        return model

    def _left(self, *, own: bool) -> Iterator[list[Entry]]:
        for page in listing.pages(self._documents.client, self._backfill.id, unsettled=True):
            yield [entry for entry in page if self._is_own(entry.document) is own]

    def _work_on(self, item: Entry) -> bool:
        outcome = self._outcome(item)
        if outcome is None:
            return False
        if outcome != "completed":  # which was written with its comparison
            document = self._current(item) if outcome == "failed" else None
            error = document.error.model_dump() if document and document.error else None
            listing.settle(self._documents, self._backfill.id, item.document, outcome, error=error)
        return True

    def _outcome(self, entry: Entry) -> Outcome | None:
        """Work on a document; None if it is to be looked at again."""
        if entry.model == self._model:
            return "already"
        reference = self._documents.reference(entry.document)
        if entry.published_run is None or not artefacts.exist(reference, entry.published_run):
            return self._restart(entry)
        outcome = begin(self._documents, entry, self._backfill.id, self._model, self._execution)
        if outcome != "begun":
            return outcome
        document = self._current(entry)
        if document is None:
            return "erased"
        run = self._run_of(document)
        if document.state == "delegated" and not self._work_on_run(run):
            return None
        return conclude(run)

    def _restart(self, entry: Entry) -> Outcome:
        """Hand a document to ingest; asking twice starts one run."""
        document = self._current(entry)
        if document is None or document.state == "erasing":
            return "erased"
        if str(document.generation) != entry.generation:
            return "moved_on"
        if document.state in TERMINAL and document.published_run == entry.published_run:
            notify_all([upload_of(document, restart_run=document.run)])
        return "restarted"

    def _moved_on(self, item: Entry) -> bool:  # noqa: ARG002 - the next round finds out what happened
        return False

    def _failed(self, item: Entry, error: Exception) -> bool:
        """Fail what cannot be computed; what is published stays."""
        info = ErrorInfo(
            code="unforeseen",
            message=f"The document could not be analyzed again ({type(error).__name__}).",
            hint=f"See the log of the long job; then: headrace backfill resume {self._backfill.id}",
        )
        document = self._current(item)
        if document and document.backfill == self._backfill.id:
            self._fail_run(document, info)
        fields = info.model_dump()
        listing.settle(self._documents, self._backfill.id, item.document, "failed", error=fields)
        return True

    def _conclude(self) -> None:
        write_report(self._documents.client, self._backfill.id)

    def _progress(self) -> dict[str, Any]:
        return {"counts": listing.counts(self._documents.client, self._backfill.id)}


def begin(
    documents: Documents, entry: Entry, backfill: str, model: str, execution: str
) -> Outcome | Literal["begun"]:
    """Begin the document's next run, with another model; `begun` if this backfill had begun it before too.

    The new run is planned afterwards, when its number is fenced: artefacts written before could replace those
    of an upload that comes at that moment. `model` is the digest of the other model, `execution` the
    full name of the execution that works on the document.
    """

    def step(transaction: ShortTransaction) -> Outcome | Literal["begun"] | Document:
        document = documents.read(transaction, entry.document)
        last = documents.read_run(document.id, document.run, transaction) if document else None
        outcome = standing(document, last, entry, backfill)
        if outcome != "begin":
            return outcome
        assert document is not None
        if is_unannounced(document):
            return document
        job = Delegation(
            why="backfill",
            tasks=1,
            model=model,
            execution=execution,
            backfill=backfill,
            from_run=entry.published_run,
        )
        begun = begin_backfill(document, job, now())
        documents.write(transaction, document, begun, restarts=entry.retry_run, model=model)
        return "begun"

    while isinstance(outcome := documents.run(step), Document):  # its last result first, or it is forgotten
        finish_as_read(documents, outcome)
    return outcome


def conclude(run: DelegatedRun) -> Outcome | None:
    """Compare a completed run of a backfill with the older one; None while it is still to be worked on.

    The comparison is stored together with the permission to delete the older run: it is made before that, and
    once. Whoever finds the run completed makes it: this backfill's job, or one that sweep has started.
    """
    documents, reference = run.documents, run.reference
    document = documents.get(run.document)
    if document is None:
        return "erased"
    if not _is_at(document, run):
        return "moved_on"
    if document.state != "completed":
        return "failed" if document.state == "failed" else None
    assert document.backfill is not None
    entry = listing.entries(documents.client, document.backfill).document(run.document)
    listed_before = entry.get().to_dict()
    compares = listed_before and not listed_before["settled"]
    comparison = _compared(reference, document) if compares else None

    def step(transaction: ShortTransaction) -> None:
        fields, listed = transaction.read(reference, entry)
        current = document_of(fields)
        own = _is_at(current, run)
        if listed and not listed["settled"]:
            settled = {"settled": True, "outcome": "completed", "new_run": run.run, "error": None}
            # Not if another run has perhaps deleted, meanwhile, what was compared.
            transaction.update(entry, settled | {"comparison": comparison if own else None})
        if current and own:
            documents.write(transaction, current, current.altered(purge_pending=True))

    documents.run(step)
    purge(documents, run.document)
    return "completed"


def _is_at(document: Document | None, run: DelegatedRun) -> bool:
    return document is not None and (document.run, document.generation) == (run.run, run.generation)


def _compared(reference: firestore.DocumentReference, document: Document) -> dict[str, Any] | None:
    assert document.job is not None
    assert document.job.from_run is not None
    try:
        return compare(reference, document.job.from_run, document.run).model_dump()
    except Exception as error:
        if is_transient(error):
            raise
        # The result is whole; only the comparison is missing.
        get_logger("long_job").warning("runs not compared", error=error)
        return None


def write_report(client: firestore.Client, backfill: str) -> None:
    """Write the report, and complete the backfill. Any number of tasks may."""
    errors: list[dict[str, Any]] = []

    def comparisons() -> Iterator[Comparison]:
        for entry in itertools.chain.from_iterable(listing.pages(client, backfill)):
            if entry.error and len(errors) < ERRORS:
                errors.append({"document": entry.document, "error": entry.error.model_dump()})
            if entry.comparison:
                yield Comparison.model_validate(entry.comparison)

    report = {"comparison": combine(comparisons()).model_dump(), "errors": errors}
    counts = listing.counts(client, backfill)
    update(client, backfill, {"state": "completed", "report": report, "counts": counts})
