"""What may happen to a document, as pure functions of what is stored: no clock, no database.

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

A run's terminal state never changes. `documents/{id}/runs/{run}` keeps each run's state; the document itself
has the state of its newest run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.platform.errors import LeaseHeld, Superseded
from shared.platform.records import FACTS, TERMINAL, TOPICS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from shared.platform.records import BatchMessage, UploadEvent

NO_RESULT: dict[str, Any] = {
    "sentiment": {"positive": 0, "neutral": 0, "negative": 0},
    "topics": dict.fromkeys(TOPICS, 0),
    "initiatives": 0,
    "summary": [],
}


@dataclass(frozen=True)
class Claim:
    """The right to extract one run of a document, until its lease expires.

    The run number is the fencing token of batches: a batch commits only while its run is the document's. The
    lease token fences two ingests of one run.
    """

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
    content_key: str
    """Of `contents/{key}`, which names the run that has this content."""
    duplicate_of: str | None
    """The document whose result this one copies, the content being the same."""
    seconds: Seconds
    job: dict[str, Any] | None = None
    """What `shared.documents.delegation` needs to start the long job that analyses the run."""


def next_claim(
    document: str,
    stored: Mapping[str, Any] | None,
    event: UploadEvent,
    moment: datetime,
    erased_up_to: int = 0,
) -> Claim | None:
    """What an upload event may claim; None where its work is done already.

    Raises:
        LeaseHeld: another delivery is extracting this run.
        Superseded: the document is at a newer generation, past the run that was to be restarted, or erased.
    """
    if stored is None:
        if event.restart_run is not None or event.generation <= erased_up_to:
            raise Superseded("this document was erased")
        return Claim(document, 1, 1)
    run: int = stored["run"]
    generation = int(stored["generation"])
    if event.generation > generation:
        return Claim(document, run + 1, 1)
    if event.generation < generation:
        raise Superseded("a newer generation of this object is known")
    if event.restart_run is not None:
        if event.restart_run == run:
            return Claim(document, run + 1, 1)
        if event.restart_run + 1 != run:
            raise Superseded("the run that was to be restarted is not the document's any more")
    if stored["state"] != "extracting":
        return None
    if stored["lease"]["expires_at"] > moment:
        raise LeaseHeld
    return Claim(document, run, stored["lease"]["token"] + 1)


def arrival(stored: Mapping[str, Any] | None, event: UploadEvent, published: datetime) -> dict[str, datetime]:
    """When the content of a run that begins now came, and since when its result is waited for.

    To analyse the same content again is no new upload. Where its result was there already, nobody has waited
    before the new run. Documents that were stored without these fields have the time of their last run.
    """
    if stored is None or stored["generation"] != str(event.generation):
        return {"received_at": published, "waiting_since": published}
    uploaded: datetime = stored["timings"]["uploaded_at"]
    since = published if stored["state"] == "completed" else stored.get("waiting_since", uploaded)
    return {"received_at": stored.get("received_at", uploaded), "waiting_since": since}


def check_held(stored: Mapping[str, Any] | None, claim: Claim) -> None:
    """Raise Superseded where the claim is no longer the document's."""
    if (
        stored is None
        or (stored["run"], stored["state"]) != (claim.run, "extracting")
        or stored["lease"]["token"] != claim.token
    ):
        raise Superseded("another delivery has taken this run over")


def check_run(stored: Mapping[str, Any] | None, run: int, generation: int) -> None:
    """Raise Superseded where the run is not the document's, or is of its life before it was erased."""
    if stored is None or stored["run"] != run:
        raise Superseded("another run owns this document")
    if int(stored["generation"]) != generation:
        raise Superseded("another generation of this object has this run")


def check_batch(stored: Mapping[str, Any] | None, message: BatchMessage) -> None:
    """Raise Superseded where the batch is of another run, or of a document that was erased and came again."""
    check_run(stored, message.run, message.generation)


def check_open(stored: Mapping[str, Any] | None, run: int, generation: int) -> None:
    """Raise Superseded where the run is not the document's, or has ended."""
    check_run(stored, run, generation)
    assert stored is not None
    if stored["state"] in TERMINAL:
        raise Superseded("this run has ended")


def check_delegated(stored: Mapping[str, Any] | None, run: int, generation: int) -> None:
    """Raise Superseded where the run is not waiting for the job to read its file."""
    check_open(stored, run, generation)
    assert stored is not None
    if stored["state"] != "delegated" or stored["batches"] is not None:
        raise Superseded("this run is planned already")


def new_document(event: UploadEvent, document: str, created: datetime) -> dict[str, Any]:
    """The fields of a document that its first claim does not set."""
    return (
        dict.fromkeys(("sha256", *FACTS))
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
            "ocr_pages": [],
            "recognised": [],
            "job": None,
            "progress": None,
            "cost": {"cpu_seconds": 0.0},
        }
    )
