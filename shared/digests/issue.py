"""Make the digest of a window once, store it whole with its notifications; and check one that is stored."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.digests import schedules
from shared.digests.compute import Request, fingerprint, make
from shared.digests.compute.rows import Rows
from shared.digests.narrative import narrate
from shared.digests.notify import enqueue
from shared.digests.records import NOW, Filter, Window
from shared.digests.schedules import schedule_named
from shared.digests.store import (
    COLLECTION,
    StoredDigest,
    address,
    complete,
    read,
    to_fields,
    without_documents,
)
from shared.digests.ticks import EARLIER, TICKS, read_clocks
from shared.documents.outcomes import COLLECTION as OUTCOMES
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import Documents, now
from shared.platform.records import Record
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from google.cloud import firestore

    from shared.digests.on_demand import Wanted
    from shared.digests.records import Digest
    from shared.digests.schedules import Target
    from shared.platform.transaction import ShortTransaction

USUAL = timedelta(days=7)
"""How far a digest of no schedule goes back, if it is asked for."""
ASKED_BEFORE = "There is no narrative: an attempt that asked for it ended before the digest was stored."


def issue(client: firestore.Client, request: Request, notify: Sequence[Target] = ()) -> StoredDigest:
    """Make a digest, store it, and enqueue its notifications; of many callers one does, and all get the same.

    The request's id makes it one digest, however often it is requested.

    Raises:
        Retryable: Firestore is contended or cannot be reached; the next attempt continues.
    """
    stored = read(client, request.id)
    if stored is None:
        _create(client, _made(client, request), notify)
    if stored is None or stored.unwritten_since is not None:
        stored = complete(client, request.id)
    assert stored is not None
    return stored


def request_of(client: firestore.Client, wanted: Wanted) -> Request:
    """Return what a digest is computed from.

    Raises:
        Missing: there is no such schedule.
    """
    definition = schedule_named(client, wanted.schedule) if wanted.schedule is not None else None
    if definition is None or wanted.seconds is not None:
        length = USUAL if wanted.seconds is None else timedelta(seconds=wanted.seconds)
        window = Window(start=wanted.end - length, end=wanted.end)
        earlier = [
            Window(start=window.start - back * length, end=wanted.end - back * length)
            for back in range(1, EARLIER + 1)
        ]
    else:
        clock: dict[str, Any] | None = read_clocks(client).get(definition.name)
        window = schedules.window(definition, wanted.end, last_end=clock.get("last_end") if clock else None)
        earlier = schedules.earlier(definition, window, EARLIER)
    return Request(
        id=wanted.id,
        schedule=wanted.schedule or NOW,
        zone=definition.zone if definition else "UTC",
        window=window,
        filter=definition.filter if definition else Filter(),
        earlier=earlier,
    )


def _made(client: firestore.Client, request: Request) -> StoredDigest:
    started, begun = time.monotonic(), now()
    made = make(client, request)
    digest = _narrated(client, made.digest)
    return StoredDigest(
        digest=digest,
        schedule=digest.schedule,
        end=digest.window.end,
        statistics=made.statistics,
        asked=fingerprint(request.filter),
        quoted=digest.documents(),
        html=address(digest),
        reads=made.reads,
        seconds=round(time.monotonic() - started, 3),
        made_at=now(),
        unwritten_since=begun,
    )


def _create(client: firestore.Client, stored: StoredDigest, notify: Sequence[Target]) -> None:
    """Store the record with its notifications, unless another attempt has."""
    reference = client.collection(COLLECTION).document(stored.digest.id)

    def step(transaction: ShortTransaction) -> None:
        if transaction.read(reference, fields=[]) == [None]:
            transaction.create(reference, to_fields(_without_erased(client, transaction, stored)))
            enqueue(transaction, reference, notify)

    Documents(client).run(step)


def _narrated(client: firestore.Client, digest: Digest) -> Digest:
    """Add a narrative, or a note why there is none."""
    asks = settings().narrative_url and digest.quotes()
    before = asks and _asked_before(client, digest.id)
    narrative, note = (None, ASKED_BEFORE) if before else narrate(digest)
    notes = [*digest.notes, note] if note else digest.notes
    return digest.model_copy(update={"narrative": narrative, "notes": notes})


def _asked_before(client: firestore.Client, identifier: str) -> bool:
    """Return whether an attempt at this slot has asked for the narrative; if not, record that this one does.

    A digest on demand has no slot, and one attempt.
    """
    reference = client.collection(TICKS).document(identifier)

    def step(transaction: ShortTransaction) -> bool:
        [tick] = transaction.read(reference)
        if tick is None or tick.get("narrated_at"):
            return tick is not None
        transaction.update(reference, {"narrated_at": now()})
        return False

    return Documents(client).run(step)


def _without_erased(
    client: firestore.Client, transaction: ShortTransaction, stored: StoredDigest
) -> StoredDigest:
    """Take out what was erased while the digest was made; a later erasure finds the digest.

    An erasure sets the state that is read here before it looks for digests. Where the file was uploaded again
    since, the record is another document's, or has no result that could be quoted.
    """
    begun, quoting = stored.unwritten_since, {source.document for source in stored.digest.sources()}
    references = [client.collection(DOCUMENTS).document(document) for document in stored.quoted]
    fields = ["state", "created_at", "published_run"]
    read = transaction.read(*references, fields=fields) if references else []
    records = {document: record or {} for document, record in zip(stored.quoted, read, strict=True)}
    gone = [
        document
        for document in stored.quoted
        if records[document].get("state", "erasing") == "erasing"
        or (document in quoting and _is_another(records[document], begun))
    ]
    if not gone:
        return stored
    kept = [document for document in stored.quoted if document not in gone]
    return without_documents(stored, gone).model_copy(update={"quoted": kept})


def _is_another(document: Mapping[str, Any], begun: datetime | None) -> bool:
    """Return whether a document that a digest quotes is not the one that was read for it."""
    created: datetime | None = document.get("created_at")
    return document.get("published_run") is None or bool(created and begun and created > begun)


MAX_READ_AGAIN = 100
"""Documents that are named as read again; a backfill can leave thousands."""
_UNKNOWABLE: dict[str, Any] = {
    "overview": {"waiting", "oldest"},
    "line": True,
    "narrative": True,
    "notes": True,
}
"""What held only at the moment the digest was made, or follows from the rest."""
_QUOTED = {"datapoints", "initiatives", "incidents", "positives", "novel", "novel_among", "summary"}
"""Parts that quote documents; after an erasure some of their quotes are gone."""


class Difference(Record):
    """One thing in which a digest differs from what is stored now, or a document that explains why."""

    what: str
    """A field of the digest or of its statistics, or a document."""
    stored: str
    found: str


def verify(client: firestore.Client, stored: StoredDigest) -> list[Difference]:
    """Compute a digest again from what is stored now, and return every difference, after reasons for them.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: Firestore refuses or cannot be reached.
    """
    digest = stored.digest
    request = Request(
        id=digest.id,
        schedule=digest.schedule,
        zone=digest.zone,
        window=digest.window,
        filter=digest.filter,
        earlier=[point.window for point in reversed(digest.trend[:-1])],
    )
    again = make(client, request)
    left_out = _UNKNOWABLE | (dict.fromkeys(_QUOTED, True) if stored.redacted else {})
    if digest.overview.waiting or digest.filter != Filter():
        # A file that was not read yet had no organisation, so whether it counts was not known.
        left_out["overview"] = {"waiting", "oldest", "received"}
    before, after = (each.model_dump(mode="json", exclude=left_out) for each in (digest, again.digest))
    statistics = (each.statistics.model_dump(mode="json") for each in (stored, again))
    differences = [*_compare("", before, after), *_compare("statistics", *statistics)]
    return [*_reasons(client, stored), *differences] if differences else []


def _compare(where: str, stored: Any, again: Any) -> Iterator[Difference]:  # noqa: ANN401 - JSON
    """Yield each value of two structures that differs, named by its path."""
    if isinstance(stored, dict) and isinstance(again, dict):
        for name in sorted({*stored, *again}):
            yield from _compare(f"{where}.{name}".lstrip("."), stored.get(name), again.get(name))
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for at, pair in enumerate(zip(stored, again, strict=True)):
            yield from _compare(f"{where}[{at}]", *pair)
    elif stored != again:
        yield Difference(what=where, stored=str(stored), found=str(again))


def _reasons(client: firestore.Client, stored: StoredDigest) -> Iterator[Difference]:
    """Yield the documents that were erased or read again after the digest was made."""
    rows = Rows(client)
    named = {*stored.digest.documents()}
    present = {row[""] for row in rows.named(DOCUMENTS, sorted(named), ["id"])}
    for document in sorted({*stored.erased} | (named - present)):
        yield Difference(what=f"document {document}", stored="named", found="erased since")
    since: dict[str, str] = {}
    completed, ended = [("timings.completed_at", ">", stored.made_at)], [("completed_at", ">", stored.end)]
    names = ["name", "run"]
    for row in (
        *rows.range(DOCUMENTS, "timings.completed_at", completed, names, limit=MAX_READ_AGAIN),
        *rows.range(OUTCOMES, "completed_at", ended, names, limit=MAX_READ_AGAIN),
    ):
        if row.get("run", 1) > 1 or row[""] in named:
            since[row[""]] = row["name"]
    for document, name in sorted(since.items()):
        yield Difference(what=f"document {document}, {name}", stored="counted", found="read again since")
