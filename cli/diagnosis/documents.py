"""Checks of stored documents: failures, lost uploads, documents that do not move, results of other models."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import NotFound
from google.cloud.firestore_v1.base_query import FieldFilter

from cli.diagnosis import LIMITS, Finding
from functions.deadletter.main import COLLECTION as DEAD_LETTERS
from functions.sweep.main import PER_TICK, SETTLED, oldest_unfinished, standing_still
from shared.documents import batches
from shared.documents.model import Document
from shared.documents.store import COLLECTION, Documents, now
from shared.inference.manifest import read_manifest
from shared.intake.reconciliation import GRACE, lost
from shared.platform.clients import firestore_client
from shared.platform.errors import SetupError
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import firestore

    from cli.diagnosis import Target

RECENT = timedelta(days=1)
UPLOADS_PAGES = 10
"""Pages of the uploads bucket that are looked at."""
UPLOADS_SHOWN = 5
"""Names of files without a document that are printed."""


def check_documents(target: Target) -> Iterator[Finding]:
    """Yield findings about documents, in the order in which a person would ask."""
    yield from failed()
    yield from dead_letters()
    yield from stuck()
    yield from unannounced()
    yield from oldest()
    yield from other_models(target)


def failed() -> Iterator[Finding]:
    """Yield how many documents have failed."""
    if number := _count(_documents(("state", "==", "failed"))):
        detail = f"{_documents_are(number)} failed; headrace show says why."
        yield Finding("failed", "warning", detail, "When the cause is gone: headrace replay --all")
    else:
        yield Finding("failed", "ok", "no document has failed")


def dead_letters() -> Iterator[Finding]:
    """Yield how many messages were given up."""
    letters = firestore_client().collection(DEAD_LETTERS)
    total = _count(letters)
    recent = letters.where(filter=FieldFilter("recorded_at", ">", now() - RECENT))
    if number := _count(recent):
        [newest] = recent.order_by("recorded_at", direction="DESCENDING").limit(1).get(**LIMITS)
        letter = newest.to_dict() or {}
        detail = f"{number} in the last day, {total} in all; the newest: {letter['reason']['message']}"
        fix = letter["replay"] and f"When the cause is gone: {letter['replay']}"
        yield Finding("dead letters", "warning", detail, fix or letter["reason"]["hint"])
    else:
        yield Finding("dead letters", "ok", f"none in the last day, {total} in all")


def stuck() -> Iterator[Finding]:
    """Yield each document that the next sweep will recover: its lease has expired, or no batch moves."""
    listed = map(Document.model_validate, standing_still(Documents(firestore_client())))
    looked_at = [document for document in listed if not _moves(document)]
    for document in looked_at[:PER_TICK]:
        if document.lease:
            why = f"its lease ended {_ago(document.lease.expires_at)}, and nobody has taken it over"
        else:
            why = f"no batch of it has moved for {_ago(document.updated_at).removesuffix(' ago')}"
        recovered = f"set in motion again {document.recovery.attempts} times"
        detail = f"{document.id} ({document.name}): {why}; {recovered}."
        fix = (
            "The sweep recovers it at its next heartbeat; if that does not help: "
            f"headrace replay {document.id}"
        )
        yield Finding("standing still", "wrong", detail, fix)
    if not looked_at:
        yield Finding("standing still", "ok", "no document stands still")


def check_uploads(_: Target) -> Iterator[Finding]:
    """Yield whether uploaded files have no document: their notifications were lost, or wait."""
    bucket = settings().uploads_bucket
    pages = lost(firestore_client(), bucket, until=now() - GRACE, limits=LIMITS)
    looked_at, names, rest = 0, [], False
    try:
        for page in islice(pages, UPLOADS_PAGES):
            looked_at += page.files
            names += [event.name for event in page.lost]
            rest = page.last is not None
    except NotFound:
        return  # said by the check of the buckets
    of = f" among the first {looked_at:,} files" if rest else ""
    if not names:
        yield Finding("uploads", "ok", f"every uploaded file has a document{of}")
        return
    have = "1 uploaded file has" if len(names) == 1 else f"{len(names):,} uploaded files have"
    minutes = GRACE // timedelta(minutes=1)
    shown = ", ".join(names[:UPLOADS_SHOWN]) + (" and others" if names[UPLOADS_SHOWN:] else "")
    detail = f"{have} had no document for {minutes} minutes or more{of}: {shown}."
    fix = (
        f"The sweep notifies of them again within an hour; at once: headrace import gs://{bucket}/ --missing"
    )
    yield Finding("uploads", "wrong", detail, fix)


def unannounced() -> Iterator[Finding]:
    """Yield how many results were not announced."""
    waiting = _documents(("results_pending", "==", True), ("updated_at", "<", now() - SETTLED))
    if number := _count(waiting):
        detail = f"{_documents_are(number)} ended more than a minute ago and not announced."
        yield Finding("results", "wrong", detail, "The sweep announces them at its next heartbeat.")
    else:
        yield Finding("results", "ok", "every result was announced")


def oldest() -> Iterator[Finding]:
    """Yield the age of the oldest unfinished document."""
    seconds = oldest_unfinished(Documents(firestore_client()))
    if not seconds:
        yield Finding("oldest", "ok", "no document is under way")
        return
    detail = f"the oldest unfinished document was uploaded {seconds:.0f} s ago"
    if seconds > settings().sweep_patience:
        yield Finding("oldest", "warning", detail, "headrace show lists what is under way")
    else:
        yield Finding("oldest", "ok", detail)


def other_models(target: Target) -> Iterator[Finding]:
    """Yield how many results are of another model than the one here, or the job's."""
    try:
        digest = settings().model_digest or read_manifest(target.model).digest
    except SetupError:
        return  # said by the check of the model
    completed = ("state", "==", "completed")
    models = [digest, settings().job_model_digest or digest]
    total, same = _count(_documents(completed)), _count(_documents(completed, ("model", "in", models)))
    if total == same:
        yield Finding("model of results", "ok", f"all {total} results are of the model {digest[:12]}…")
        return
    detail = (
        f"{total - same} of {total} results are of another model; search finds them if it has this encoder."
    )
    yield Finding(
        "model of results", "warning", detail, "headrace replay ID, for each that is to be of this one"
    )


def _moves(document: Document) -> bool:
    """Return whether a batch of the run was written lately, which the document does not say."""
    if document.state == "extracting":
        return False
    reference = Documents(firestore_client()).reference(document.id)
    times = [record["updated_at"] for record in batches.records(reference, document.run)]
    return bool(times) and max(times) > now() - timedelta(seconds=settings().sweep_patience)


def _documents(*conditions: tuple[str, str, object]) -> firestore.Query:
    query: Any = firestore_client().collection(COLLECTION)
    for field, operator, value in conditions:
        query = query.where(filter=FieldFilter(field, operator, value))
    chosen: firestore.Query = query
    return chosen


def _count(query: firestore.Query | firestore.CollectionReference) -> int:
    counting: Any = query.count()  # annotated as if its get() were asynchronous
    [[counted]] = counting.get(**LIMITS)
    return int(counted.value)


def _documents_are(number: int) -> str:
    return "1 document has" if number == 1 else f"{number} documents have"


def _ago(moment: datetime) -> str:
    return f"{(now() - moment).total_seconds():.0f} s ago"
