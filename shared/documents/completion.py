"""Complete a run: commit its batches, combine what they found, announce the result, purge older runs.

Artefacts of replaced runs are deleted after their records, by sweep, which alone has the right. They are
listed before the record says which are needed: a document that is erased and comes again counts its runs from
one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.documents import batches, corrected, cost, figures, outcomes, transitions
from shared.documents.artefacts import of_runs, remove_runs
from shared.documents.corrected import applied, standing, text_hash
from shared.documents.model import Facts
from shared.documents.passages import purge_runs, write_passages
from shared.documents.quotable import keep
from shared.documents.store import MAX_ATTEMPTS, Documents, document_of, is_as_read, now
from shared.platform.errors import Superseded
from shared.platform.pubsub import publish_record
from shared.platform.records import AnnouncedFigure, ResultMessage
from shared.platform.settings import RESULTS, settings
from shared.text.lists import listing, summarise
from shared.text.summary import combine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from shared.documents.model import Document, Seconds
    from shared.platform.records import BatchMessage, Passage, PassageResult, UploadEvent
    from shared.platform.transaction import ShortTransaction
    from shared.text.summary import Aggregate, Partial


ANALYZED = frozenset({"analyzing", "delegated"})
"""States in which batches are being committed."""
MAX_ANNOUNCED = 200
"""Figures of a message: some 30 kB, since many subscribers need no more than the state."""


def claim(
    documents: Documents,
    event: UploadEvent,
    *,
    published: datetime,
    lease_seconds: float,
    asked: datetime | None = None,
) -> Document | None:
    """Take a document for extraction, once the result of its last run is announced.

    Arguments, result and errors are those of `Documents.claim`.
    """
    while True:
        claimed = documents.claim(event, published=published, lease_seconds=lease_seconds, asked=asked)
        if claimed is None or not claimed.results_pending:
            return claimed
        announce(documents, claimed)


def commit(  # noqa: PLR0913, PLR0917 - what was found, and where
    documents: Documents,
    message: BatchMessage,
    passages: Sequence[Passage],
    results: list[PassageResult],
    partials: list[Partial],
    seconds: Seconds,
) -> Document:
    """Write passages of a batch, and how far it has come, at once; the only batch of a run completes it too.

    `passages` begin with those of the results; there may be more of them. What does not continue where the
    record stands was committed by a twin, and is dropped.

    Returns:
        The document as this transaction read it, or completed it. Where it has no plan yet, the plan comes
        after this commit.

    Raises:
        Retryable: its run was taken over, and is not planned yet.
        Superseded: its run is no longer the document's, has ended, or is not of this model and cut.
    """
    from shared.platform.transaction import RawTransaction

    reference = documents.reference(message.document)
    place = batches.batch_record(reference, message.run, message.batch)
    packed = figures.of_batch(passages[: len(results)], results)

    def step(transaction: ShortTransaction) -> Document:
        assert isinstance(transaction, RawTransaction)
        fields, record = transaction.read(reference, place)
        document = batches.check(document_of(fields), message)
        if document.state == "completed" and document.batches and document.batches.total == 1:
            return document  # completed by a twin, or by this commit, whose answer was lost
        if document.state in batches.CLOSED:
            raise Superseded("this run has ended")
        record = record or batches.new_record(message)
        if record["upto"] != results[0].index:
            return document
        upto = results[-1].index + 1
        shown, changed = _as_corrected(documents, document, results, partials)
        before = record.get("packed", [])
        content, left_out = figures.fitting(packed, figures.MAX_PACKED - sum(map(len, before)))
        record |= {
            "upto": upto,
            "done": upto == message.end,
            "partials": [*record["partials"], *(part.model_dump(mode="json") for part in partials)],
            "packed": [*before, content],
            "left_out": record.get("left_out", 0) + left_out,
            "corrected": record.get("corrected", {}) | changed,
            "infer_seconds": record["infer_seconds"] + seconds.wall,
            "cpu_seconds": record["cpu_seconds"] + seconds.cpu,
            "updated_at": now(),
        }
        # Nobody else writes to the document of a run with one batch, so it can be completed here at once.
        alone = document.state in ANALYZED and document.batches and document.batches.total == 1
        if alone and record["done"]:
            document = complete(transaction, documents, document, whole([record]))
        transaction.set(place, record)
        write_passages(transaction, reference, message, shown)
        return document

    return documents.run(step, RawTransaction(documents.client, max_attempts=MAX_ATTEMPTS))


def _as_corrected(
    documents: Documents, document: Document, results: list[PassageResult], partials: list[Partial]
) -> tuple[list[PassageResult], dict[str, Any]]:
    """Return a batch's passages as people have them, and what its record says of those that differ.

    A person who corrects one of these texts meanwhile writes to the document too: either the correction is
    seen here, or its transaction sees these passages.
    """
    if not document.corrections:
        return results, {}
    forces = standing(documents.client, document.id)
    forced = {result.index: forces.get(text_hash(result.text)) for result in results}
    candidates = [one for part in partials for one in part.candidates]
    entries = {
        str(result.index): corrected.entry(
            result, (one for one in candidates if one.index == result.index), force
        )
        | corrected.figures_entry(force)
        for result in results
        if (force := forced[result.index])
    }
    return [applied(result, forced[result.index]) for result in results], entries


def finish(documents: Documents, document: str, run: int | None = None) -> None:
    """Complete the run if every batch has its record, and settle what its end leaves. Any number may call.

    Args:
        documents: the state machine.
        document: its id.
        run: does nothing where the document is at another one; None: whichever is the document's.

    Raises:
        Retryable: contention outlasted every attempt.
    """
    current = documents.get(document)
    if current is not None and run in {None, current.run}:
        finish_as_read(documents, current)


def finish_as_read(documents: Documents, document: Document) -> None:
    """Do the same for a document that the caller has read after the last step it took itself.

    Raises:
        Retryable: contention outlasted every attempt.
    """
    if document.state in ANALYZED and document.batches:
        document = _complete(documents, document)
    settle(documents, document)


def settle(documents: Documents, document: Document) -> None:
    """Do what the end of a run leaves to be done; what a kill prevents, the next caller does."""
    if document.purge_pending:
        purge(documents, document.id)
    announce(documents, document)


def purge(documents: Documents, document: str) -> None:
    """Delete what older runs left, and what a rejected one did, if that is still to be done.

    Where the run failed, three stay: what is published, since nothing better is there; the run itself, which
    its replay copies; and the run that it restarted, from which it may not have copied all.
    """
    current = documents.get(document)
    if current is None or not current.purge_pending:
        return
    purge_runs(documents.reference(document), *stale_runs(documents, current))
    _note_removed(documents, current, purge_pending=False, stale_artefacts=True)


def remove_stale(documents: Documents, document: str) -> None:
    """Delete the artefacts of a document's runs of which nothing is needed, if that is still to be done."""
    blobs = of_runs(document)
    current = documents.get(document)
    if current is None or not current.stale_artefacts:
        return
    remove_runs(blobs, *stale_runs(documents, current))
    _note_removed(documents, current, stale_artefacts=False)


def stale_runs(documents: Documents, document: Document) -> tuple[int, set[int]]:
    """Return of which runs nothing is needed: all before the first number, but for those of the set."""
    if document.state == "rejected":
        return document.run + 1, set()
    published = document.published_run or 0
    if document.state == "failed":
        record = documents.read_run(document.id, document.run)
        return document.run, {published, (record and record.restarts) or 0} - {0}
    return published, set()


def _note_removed(documents: Documents, seen: Document, **changes: bool) -> None:
    """Write what was removed; not where the document has ended once more, and there is more to remove."""

    def noted(current: Document) -> Document:
        unchanged = is_as_read(current, seen, "state", "published_run")
        return current.altered(**changes) if unchanged else current

    documents.note(seen, noted)


def announce(documents: Documents, document: Document) -> None:
    """Publish the result that is still to be announced, if any; perhaps twice, but never not at all."""
    if not document.results_pending:
        return
    message = ResultMessage(
        document=document.id,
        run=document.run,
        bucket=document.bucket,
        name=document.name,
        generation=str(document.generation),
        state=document.state,
        model=document.model,
        organisation=document.organisation,
        year=document.year,
        initiatives=document.initiatives,
        incidents=len(document.incidents),
        datapoints=_announced(documents, document),
    )
    publish_record(RESULTS, [message], state=message.state)
    documents.note(document, lambda current: current.altered(results_pending=False))


def _announced(documents: Documents, document: Document) -> list[AnnouncedFigure]:
    """Return the surest figures with a data point of a run that completed, in the order of the document."""
    if document.state != "completed":
        return []
    record = documents.client.collection(outcomes.COLLECTION).document(document.id)
    stored = record.get(["run", "datapoints"]).to_dict() or {}
    if stored.get("run") != document.run or not stored.get("datapoints"):
        return []
    found = figures.unpack(stored["datapoints"]).figures
    surest = sorted(range(len(found)), key=lambda at: (-found[at].confidence, at))[:MAX_ANNOUNCED]
    names = AnnouncedFigure.model_fields
    return [
        AnnouncedFigure.model_validate({name: getattr(found[at], name) for name in names})
        for at in sorted(surest)
    ]


def _complete(documents: Documents, document: Document) -> Document:
    """Complete a run if all batches are there; of many callers one does it.

    Returns:
        The document as it stands then.
    """
    assert document.batches is not None
    reference = documents.reference(document.id)
    if batches.count_done(reference, document.run) < document.batches.total:
        return document
    while True:
        seen = document
        combined = whole(batches.records(reference, document.run))

        def step(transaction: ShortTransaction, seen: Document = seen, found: Whole = combined) -> Document:
            current = documents.read(transaction, seen.id)
            if current is None or not is_as_read(current, seen) or current.state not in ANALYZED:
                return current or seen
            if current.corrections != seen.corrections:  # a passage was corrected since the records were read
                return current
            return complete(transaction, documents, current, found)

        document = documents.run(step)
        if document.corrections == seen.corrections or not is_as_read(document, seen):
            return document


@dataclass(frozen=True)
class Whole:
    """What all batches of a run found."""

    aggregate: Aggregate
    coded: dict[str, Any]
    """The figures that have a data point, and the codes of these, as an outcome has them."""
    not_figures: int
    """Number of figures of which people say that they are none."""
    left_out: int
    """Number of figures and tables that did not fit into the records of their batches."""
    infer_seconds: float
    cpu_seconds: float


def whole(records: list[dict[str, Any]]) -> Whole:
    """Combine the records of all batches of a run."""
    return Whole(
        aggregate_of(records),
        figures.coded(records),
        not_figures(records),
        sum(record.get("left_out", 0) for record in records),
        infer_seconds=sum(record["infer_seconds"] for record in records),
        cpu_seconds=sum(record["cpu_seconds"] for record in records),
    )


def aggregate_of(records: Iterable[Mapping[str, Any]]) -> Aggregate:
    """Return what the batches of a run add up to, as people have corrected it."""
    parts = [corrected.partials(record) for record in records]
    return combine(
        (part for more, _ in parts for part in more), less=(part for _, less in parts for part in less)
    )


def not_figures(records: Iterable[Mapping[str, Any]]) -> int:
    """Return how many figures there are of which people say that they are none."""
    said = (one for record in records for fixes in corrected.fixes(record).values() for one in fixes.values())
    return sum(bool(one.get("not_a_figure")) for one in said)


def lists(aggregate: Aggregate) -> dict[str, Any]:
    """Return the counts and lists of a document's record."""
    return {
        "sentiment": aggregate.sentiment,
        "topics": aggregate.topics,
        "initiatives": aggregate.initiatives,
        "summary": summarise(aggregate),
        "incidents": listing(aggregate.candidates, "incidents"),
        "initiatives_top": listing(aggregate.candidates, "initiatives"),
    }


def complete(
    transaction: ShortTransaction, documents: Documents, current: Document, combined: Whole
) -> Document:
    """Complete a run whose batches are all there, and return the document.

    The transaction has read `current`, which is analyzing or delegated, and has written nothing yet.
    """
    moment = now()
    shown = current
    if current.published_run is not None:  # until now the document had the facts of that run
        run = documents.read_run(current.id, current.run, transaction)
        assert run is not None
        shown = transitions.showing(current, run.facts or Facts(), run.model, run.duplicate_of)
    first = outcomes.completed_before(transaction, documents.client, current)
    work = cost.work_of(shown, combined.cpu_seconds)
    usd = cost.usd(work, cost.GPU_JOB if settings().job_gpu else cost.JOB)
    aggregate, ended = combined.aggregate, transitions.end(shown, "completed", moment)
    completed = ended.altered(
        published_run=current.run,
        # A backfill compares the new run with the old one before that goes.
        purge_pending=current.run > 1 and current.backfill is None,
        progress=None,
        **lists(aggregate),
        figures=None if shown.figures is None else shown.figures - combined.not_figures,
        warnings=[*shown.warnings, *_left_out(combined.left_out)],
        cost=current.cost.altered(
            cpu_seconds=round(current.cost.cpu_seconds + combined.cpu_seconds, 3), usd=usd
        ),
        timings=ended.timings.altered(
            infer_seconds=round(combined.infer_seconds, 3),
            total_seconds=round((moment - current.timings.uploaded_at).total_seconds(), 3),
        ),
    )
    outcomes.write_completed(
        transaction,
        documents.client,
        completed,
        outcomes.counted(aggregate, keep(aggregate)) | combined.coded,
        first=first,
    )
    documents.write(transaction, current, completed)
    return completed


def _left_out(count: int) -> list[str]:
    if not count:
        return []
    return [f"{count:,} figures and tables are too large to be stored; their rows are passages"]
