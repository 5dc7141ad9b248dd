"""What may happen to a document, as pure functions from a document to the next one: no clock, no database.

    state        event                                   next state   condition
    -----------  --------------------------------------  -----------  ----------------------------------------
    (none)       upload, generation g                    extracting   run 1
    (none)       upload, of a generation that was erased unchanged    the event is superseded
    (none)       upload naming a run as its restart      unchanged    the event is superseded
    any          upload, newer generation                extracting   run + 1: the old run is superseded
    any          upload, older generation                unchanged    the event is superseded
    any          upload naming this run as its restart   extracting   run + 1: a replay
    extracting   upload, same generation, lease expired  extracting   same run, next lease token: a takeover
    extracting   upload, same generation, lease alive    unchanged    refused; the delivery comes again
    other        upload, same generation                 unchanged    done already
    extracting   plan                                    analyzing    run and lease token match
    extracting   delegate, with or without a plan        delegated    run and lease token match
    delegated    plan, by the job that read the file     delegated    run matches, no plan yet
    extracting   reject                                  rejected     run and lease token match
    extracting   release (a retryable fault)             extracting   lease ends now
    delegated    reject, by the job                      rejected     run matches, no plan yet
    analyzing    last batch committed                    completed    run matches, every batch has its record
    delegated    last batch committed                    completed    run matches, every batch has its record
    not terminal fail                                    failed       run and generation match
    ended        backfill, still to be planned           delegated    run + 1; published as when it was listed
    any          erase                                   erasing      run + 1; the record is deleted last

A run's terminal state never changes. `documents/{id}/runs/{run}` keeps each run's state; the document itself
has the state of its newest run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from shared.documents.model import Cost, Document, Facts, Recovery, Timings
from shared.platform.errors import Superseded
from shared.platform.lease import take
from shared.platform.records import TERMINAL

if TYPE_CHECKING:
    from datetime import datetime

    from shared.documents.model import Delegation, Plan, StatedFacts
    from shared.platform.records import ErrorInfo, State, UploadEvent


class Arrival(NamedTuple):
    """The delivery of an upload event: when it was published and taken up, by whom and for how long."""

    published: datetime
    moment: datetime
    holder: str
    lease_seconds: float
    expires_at: datetime | None = None
    """When the results of what was uploaded are to be erased."""
    erased_up_to: int = 0
    """The newest generation of the object that was erased."""


def claim(document: Document | None, event: UploadEvent, identifier: str, by: Arrival) -> Document | None:
    """Return the document, claimed for extraction; None where the event's work is done already.

    Raises:
        LeaseHeld: another delivery is extracting this run.
        Superseded: the document is at a newer generation, past the run that was to be restarted, or erased.
    """
    if document is None:
        if event.restart_run is not None or event.generation <= by.erased_up_to:
            raise Superseded("this document was erased")
        return _begin_upload(None, event, identifier, by)
    if event.generation > document.generation:
        return _begin_upload(document, event, identifier, by)
    if event.generation < document.generation:
        raise Superseded("a newer generation of this object is known")
    if event.restart_run is not None:
        if event.restart_run == document.run:
            return _begin_upload(document, event, identifier, by)
        if event.restart_run + 1 != document.run:
            raise Superseded("the run that was to be restarted is not the document's any more")
    if document.state != "extracting":
        return None
    lease = take(document.lease, by.holder, by.lease_seconds, by.moment)
    return document.altered(lease=lease, updated_at=by.moment)


def _begin_upload(document: Document | None, event: UploadEvent, identifier: str, by: Arrival) -> Document:
    is_new_content = document is None or event.generation != document.generation
    if document is None:
        document = Document(
            id=identifier,
            bucket=event.bucket,
            name=event.name,
            size=event.size,
            content_type=event.content_type,
            metadata=event.metadata,
            created_at=by.moment,
            updated_at=by.moment,
            received_at=by.published,
            waiting_since=by.published,
            run=0,
            generation=event.generation,
            state="extracting",
            timings=Timings(uploaded_at=by.published, claimed_at=by.moment),
        )
    changes: dict[str, Any] = {
        "state": "extracting",
        "generation": event.generation,
        "lease": take(None, by.holder, by.lease_seconds, by.moment),
        "content_type": event.content_type,
        "metadata": event.metadata,
        "size": event.size,
    }
    if is_new_content:
        changes |= {"received_at": by.published, "waiting_since": by.published, "expires_at": by.expires_at}
    elif document.state == "completed":  # there was a result, so nobody has waited until now
        changes |= {"waiting_since": by.published}
    return begin(document, by.published, by.moment, **changes)


def begin(
    document: Document,
    uploaded: datetime,
    moment: datetime,
    **changes: Any,  # noqa: ANN401 - of each field's own type
) -> Document:
    """Return the document at the beginning of its next run; `changes` say in which state and whose it is."""
    fresh: dict[str, Any] = {
        "run": document.run + 1,
        "lease": None,
        "route": None,
        "batches": None,
        "job": None,
        "progress": None,
        "recovery": Recovery(),
        "error": None,
        "results_pending": False,
        "timings": Timings(uploaded_at=uploaded, claimed_at=moment),
        "cost": Cost(),
        "updated_at": moment,
    }
    return document.altered(**fresh | changes)


def begin_backfill(document: Document, job: Delegation, moment: datetime) -> Document:
    """Return the document at a run that a backfill begins; it is planned by the job, without its file."""
    job = job.altered(starts=1, started_at=moment)
    return begin(document, moment, moment, state="delegated", route="job", job=job, waiting_since=moment)


def plan(document: Document, plan: Plan, moment: datetime) -> Document:
    """Return the document with its plan; a job that is delegated already keeps what it knows of itself."""
    job = plan.job
    if job and document.job:
        job = document.job.altered(source=plan.source, model=job.model)
    timings = document.timings.altered(planned_at=moment, extract_seconds=plan.seconds.wall)
    planned = document.altered(
        state="delegated" if job else "analyzing",
        route="job" if job else "function",
        lease=None,
        batches=plan.batches,
        job=job,
        cost=Cost(cpu_seconds=plan.seconds.cpu),
        timings=timings,
        updated_at=moment,
    )
    return shown_if_first(planned, plan.facts, plan.batches.model, plan.duplicate_of)


def delegate(document: Document, job: Delegation, facts: Facts | None, moment: datetime) -> Document:
    """Return the document handed to the long job, which is still to read its file.

    `facts` are None where the file could not be read within a function's limits.
    """
    delegated = document.altered(state="delegated", lease=None, route="job", job=job, updated_at=moment)
    return shown_if_first(delegated, facts, job.model, None) if facts else delegated


def shown_if_first(document: Document, facts: Facts, model: str, duplicate_of: str | None) -> Document:
    """Return the document with the facts of its newest run, unless an older one is published."""
    return document if document.published_run else showing(document, facts, model, duplicate_of)


def showing(document: Document, facts: Facts, model: str | None, duplicate_of: str | None) -> Document:
    """Return the document with these facts of its file, or what people say instead."""
    return document.altered(**stated(facts, document.stated), model=model, duplicate_of=duplicate_of)


def stated(facts: Facts, said: StatedFacts | None) -> dict[str, Any]:
    """Return the facts of a file, or what people say instead if they say it of this file."""
    if said is None or said.sha256 != facts.sha256:
        return dict(facts)
    people = dict.fromkeys(said.values.keys() - {"tags"}, "person")
    return dict(facts) | said.values | {"facts_from": facts.facts_from | people}


def release(document: Document, moment: datetime) -> Document:
    """Return the document with its lease at its end, so that the next delivery need not wait for it."""
    return document.altered(lease=document.lease and document.lease.released(moment))


def end(document: Document, state: State, moment: datetime, error: ErrorInfo | None = None) -> Document:
    """Return the document at the end of its run, which is still to be announced."""
    timings = document.timings.altered(completed_at=moment)
    return document.altered(
        state=state, error=error, lease=None, results_pending=True, timings=timings, updated_at=moment
    )


def reject(document: Document, error: ErrorInfo, moment: datetime) -> Document:
    """Return the document with its input refused: nothing of any run stays readable."""
    nothing: dict[str, Any] = {
        name: Document.model_fields[name].get_default(call_default_factory=True)
        for name in ("published_run", "sentiment", "topics", "initiatives", "summary")
    }
    ended = end(document, "rejected", moment, error).altered(purge_pending=True, **nothing)
    return showing(ended, Facts(), None, None)


def fail(document: Document, error: ErrorInfo, moment: datetime) -> Document:
    """Return the document with its run given up: what is published stays."""
    return end(document, "failed", moment, error).altered(purge_pending=document.run > 1)


def erase(document: Document, moment: datetime) -> Document:
    """Return the document about to be deleted.

    The run number rises so that no batch of the last run commits any more. Nothing stays published: an upload
    that comes now and fails is to keep nothing that is older.
    """
    gone: dict[str, Any] = {"lease": None, "published_run": None, "updated_at": moment}
    return document.altered(run=document.run + 1, state="erasing", **gone)


def is_unannounced(document: Document) -> bool:
    """Return whether a result is still to be announced; a document that is being erased has none."""
    return document.results_pending and document.state != "erasing"


def check_held(document: Document | None, claimed: Document) -> Document:
    """Return the document as it is stored. Raises Superseded where it is not as `claimed` any more."""
    if document is None or (document.run, document.state) != (claimed.run, "extracting"):
        raise Superseded("another delivery has taken this run over")
    if document.lease is None or claimed.lease is None or document.lease.token != claimed.lease.token:
        raise Superseded("another delivery has taken this run over")
    return document


def check_run(document: Document | None, run: int, generation: int) -> Document:
    """Return the document. Raises Superseded where it is at another run, or was erased and began anew."""
    if document is None or document.run != run:
        raise Superseded("another run owns this document")
    if document.generation != generation:
        raise Superseded("another generation of this object has this run")
    return document


def check_open(document: Document | None, run: int, generation: int) -> Document:
    """Return the document. Raises Superseded where the run is not the document's, or has ended."""
    document = check_run(document, run, generation)
    if document.state in TERMINAL:
        raise Superseded("this run has ended")
    return document


def check_delegated(document: Document | None, run: int, generation: int) -> Document:
    """Return the document. Raises Superseded where it is not waiting for the job to read its file."""
    document = check_open(document, run, generation)
    if document.state != "delegated" or document.batches is not None:
        raise Superseded("this run is planned already")
    return document
