"""Backfill: every listed document through another model, and what that changed.

A document's new run repeats what is published, with its passages; that stays readable until the new run is
whole. Then the two are compared, before the older one is deleted. The report is made from the records of the
documents alone, so it can be made again, and is then the same.
"""

from __future__ import annotations

import heapq
import itertools
import json
import tempfile
from typing import TYPE_CHECKING, Any, Literal

from long_job.comparison import Comparison, combine, compare
from long_job.many import ManyDocuments
from long_job.models import engine
from shared.documents import artefacts
from shared.documents.completion import is_unheard, purge, settle
from shared.documents.store import now, run_record
from shared.documents.uploads import restart_all
from shared.documents.views import facts_of, kept
from shared.jobs import listing
from shared.jobs.listing import Entry, standing
from shared.jobs.record import update
from shared.platform.clients import storage_client
from shared.platform.errors import SetupError
from shared.platform.logs import get_logger
from shared.platform.records import TERMINAL, ErrorInfo
from shared.platform.retry import is_transient, storage_limits
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from google.cloud import firestore

    from long_job.delegated import DelegatedRun
    from long_job.task import Task
    from shared.documents.store import Documents
    from shared.jobs.listing import Backfill, Outcome

MOST_CHANGED = 20
"""Documents that the report in the record names; the file has all."""
ERRORS = 20


class BackfillWork(ManyDocuments[Entry]):
    """One task's part of a backfill."""

    def __init__(self, documents: Documents, task: Task, backfill: Backfill) -> None:
        """The backfill's documents are listed."""
        super().__init__(documents, task)
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
            error = self._stored(item).get("error") if outcome == "failed" else None
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
        stored = self._stored(entry)
        if not stored:
            return "erased"
        run = self._run_of(entry, stored)
        if stored["state"] == "delegated" and not self._work_on_run(run):
            return None
        return conclude(run)

    def _restart(self, entry: Entry) -> Outcome:
        """Hand a document to ingest; asking twice starts one run."""
        stored = self._stored(entry)
        if not stored or stored["state"] == "superseded":
            return "erased"
        if stored["generation"] != entry.generation:
            return "moved_on"
        if stored["state"] in TERMINAL and stored["published_run"] == entry.published_run:
            restart_all([stored])
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
        stored = self._stored(item)
        if stored and (stored.get("job") or {}).get("backfill") == self._backfill.id:
            self._fail_run(item, stored, info)
        fields = info.model_dump()
        listing.settle(self._documents, self._backfill.id, item.document, "failed", error=fields)
        return True

    def _conclude(self) -> None:
        write_report(self._documents.client, self._backfill.id)

    def _progress(self) -> dict[str, Any]:
        return {"counts": listing.counts(self._documents.client, self._backfill.id)}

    def _update(self, fields: dict[str, Any]) -> None:
        update(self._documents.client, self._backfill.id, fields)


def begin(
    documents: Documents, entry: Entry, backfill: str, model: str, execution: str
) -> Outcome | Literal["begun"]:
    """Begin the document's next run, with another model; `begun` if this backfill had begun it before too.

    The new run is planned afterwards, when its number is fenced: artefacts written before could replace those
    of an upload that comes at that moment.

    Args:
        documents: the state machine.
        entry: the document as it was listed.
        backfill: its id.
        model: digest of the other model.
        execution: full name of the execution that works on the document.
    """
    reference = documents.reference(entry.document)

    def step(transaction: firestore.Transaction) -> Outcome | Literal["begun", "unheard"]:
        stored = reference.get(transaction=transaction).to_dict()
        last = run_record(reference, stored["run"]).get(transaction=transaction).to_dict() if stored else None
        outcome = standing(stored, last, entry, backfill)
        if outcome != "begin":
            return outcome
        assert stored is not None
        if is_unheard(stored):
            return "unheard"
        moment, run = now(), stored["run"] + 1
        job = {"why": "backfill", "backfill": backfill, "from_run": entry.published_run, "tasks": 1}
        fields = {
            "run": run,
            "state": "delegated",
            "route": "job",
            "model": model,
            "lease": None,
            "error": None,
            "batches": None,
            "progress": None,
            "results_pending": False,
            "drives": 0,
            "drive_progress": 0,
            "job": job | {"source": None, "execution": execution, "starts": 1, "started_at": moment},
            # As for a replay: there is a result, so nobody has waited since the file was uploaded.
            "timings": {"uploaded_at": moment, "claimed_at": moment},
            "received_at": stored.get("received_at", stored["timings"]["uploaded_at"]),
            "waiting_since": moment,
            "updated_at": moment,
        }
        record = {
            "run": run,
            "generation": stored["generation"],
            "state": "delegated",
            "restarts": entry.retry_run,
            "backfill": backfill,
            "model": model,
            "error": None,
            "started_at": moment,
            "ended_at": None,
        }
        # The facts of the file are those of the published run, which is repeated.
        transaction.update(reference, facts_of(stored.get("published") or {}) | fields | kept(stored))
        transaction.set(run_record(reference, run), record)
        return "begun"

    while (outcome := documents.run(step)) == "unheard":  # its last result first, as `Documents.claim` does
        settle(documents, entry.document)
    return outcome


def conclude(run: DelegatedRun) -> Outcome | None:
    """Compare a completed run of a backfill with the older one; None while it is still to be worked on.

    The comparison is stored together with the permission to delete the older run: it is made before that, and
    once. Whoever finds the run completed makes it: this backfill's job, or one that sweep has started.
    """
    documents, reference = run.documents, run.reference
    stored = reference.get().to_dict()
    if not _is_at(stored, run):
        return "moved_on" if stored else "erased"
    assert stored is not None
    if stored["state"] != "completed":
        return "failed" if stored["state"] == "failed" else None
    backfill = stored["job"]["backfill"]
    entry = listing.entries(documents.client, backfill).document(run.document)
    listed_before = entry.get().to_dict()
    compares = listed_before and not listed_before["settled"]
    comparison = _compared(reference, stored) if compares else None

    def step(transaction: firestore.Transaction) -> None:
        current = reference.get(transaction=transaction).to_dict()
        listed = entry.get(transaction=transaction).to_dict()
        own = _is_at(current, run)
        if listed and not listed["settled"]:
            fields = {"settled": True, "outcome": "completed", "new_run": run.run, "error": None}
            # Not if another run has perhaps deleted, meanwhile, what was compared.
            transaction.update(entry, fields | {"comparison": comparison if own else None})
        if own:
            transaction.update(reference, {"purge_pending": True})

    documents.run(step)
    purge(documents, run.document)
    return "completed"


def _is_at(stored: dict[str, Any] | None, run: DelegatedRun) -> bool:
    return stored is not None and (stored["run"], stored["generation"]) == (run.run, str(run.generation))


def _compared(reference: firestore.DocumentReference, stored: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return compare(reference, stored["job"]["from_run"], stored["run"]).model_dump()
    except Exception as error:
        if is_transient(error):
            raise
        # The result is whole; only the comparison is missing.
        get_logger("long_job").warning("runs not compared", error=error)
        return None


def write_report(client: firestore.Client, backfill: str) -> None:
    """Write the report, and complete the backfill. Any number of tasks may."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        report = _report(client, backfill, file)
        file.seek(0)
        name = f"backfills/{backfill}/report.json"
        blob = storage_client().bucket(settings().work_bucket).blob(name)
        blob.upload_from_file(file.buffer, content_type="application/json", **storage_limits())
    report["uri"] = f"gs://{settings().work_bucket}/{name}"
    counts = listing.counts(client, backfill)
    update(client, backfill, {"state": "completed", "report": report, "counts": counts})


def _report(client: firestore.Client, backfill: str, file: TextIO) -> dict[str, Any]:
    """Make the report; write each document to `file` as it is read, the rest after them."""
    most: list[tuple[float, str, dict[str, Any]]] = []
    errors: list[dict[str, Any]] = []
    entries = itertools.chain.from_iterable(listing.pages(client, backfill))
    file.write('{"documents": [')

    def comparisons() -> Iterator[Comparison]:
        for at, entry in enumerate(entries):
            file.write((",\n" if at else "\n") + entry.model_dump_json(exclude={"settled", "retry_run"}))
            if entry.error and len(errors) < ERRORS:
                errors.append({"document": entry.document, "error": entry.error.model_dump()})
            if entry.comparison:
                comparison = Comparison.model_validate(entry.comparison)
                _rank(most, entry, comparison)
                yield comparison

    together = combine(comparisons())
    changed = [row for _, _, row in sorted(most, key=lambda item: (-item[0], item[1]))]
    report = {"comparison": together.model_dump(), "most_changed": changed, "errors": errors}
    file.write(f"],\n{json.dumps(report, indent=1)[1:]}\n")
    return report


def _rank(most: list[tuple[float, str, dict[str, Any]]], entry: Entry, comparison: Comparison) -> None:
    if not comparison.changed:
        return
    row = {"document": entry.document, "passages": comparison.passages, "changed": comparison.changed}
    row["cosine"] = comparison.drift.mean if comparison.drift else None
    heapq.heappush(most, (comparison.changed / comparison.passages, entry.document, row))
    if len(most) > MOST_CHANGED:
        heapq.heappop(most)
