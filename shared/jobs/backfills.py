"""Backfills: which documents are analysed again, and how far that is.

A backfill runs the same passages through another model, in a new run for each document that was listed.
`backfills/{id}` says what was asked and how far it is; `backfills/{id}/documents/{document}` is one listed
document, with what became of it. The listing is made once, before the job starts, because the documents stop
matching as they are worked on. None of these records holds text or names: what is erased stays erased.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import now, run_record
from shared.documents.views import shown
from shared.platform.records import TERMINAL, ErrorInfo, Record, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from google.cloud import firestore

    from shared.documents.store import Documents


COLLECTION = "backfills"
PAGE = 300
"""Documents read, and records written, at once."""
Outcome = Literal["completed", "restarted", "failed", "already", "busy", "moved_on", "erased"]
OUTCOMES: tuple[Outcome, ...] = (
    "completed",  # the other model's run is published
    "restarted",  # nothing was published of this content: handed to ingest
    "failed",  # the new run did not complete; the old result stays
    "already",  # published by this model meanwhile
    "busy",  # another run was on its way
    "moved_on",  # there is a newer generation, or another run was published
    "erased",
)
AGAIN: tuple[Outcome, ...] = ("failed", "busy")
"""Outcomes of which `resume` makes another attempt."""


class Wanted(Record):
    """Which documents; all where nothing is said."""

    prefix: str | None = None
    """Of the object's name."""
    state: State | None = None
    """Of the document."""
    since: datetime | None = None
    until: datetime | None = None
    """When the document was first seen: from the one, before the other."""
    from_model: str | None = None
    """Whose result is published."""


class Entry(Record):
    """A listed document."""

    document: str
    generation: str
    published_run: PositiveInt | None
    """The run that is to be redone; None: there is none, and the document is handed to ingest."""
    model: str | None = None
    """Of that run."""
    passages: NonNegativeInt | None = None
    retry_run: PositiveInt | None = None
    """A failed run of this backfill, in place of which there is to be another."""
    settled: bool = False
    outcome: Outcome | None = None
    error: ErrorInfo | None = None
    new_run: PositiveInt | None = None
    comparison: dict[str, Any] | None = None


class Backfill(Record):
    """`backfills/{id}`."""

    id: str
    wanted: Wanted
    model: str | None
    """Digest; None until the job has said which model it has."""
    tasks: PositiveInt
    state: Literal["listing", "running", "completed", "failed"] = "listing"
    total: NonNegativeInt = 0
    counts: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """Documents by outcome."""
    execution: str | None = None
    error: ErrorInfo | None = None
    report: dict[str, Any] | None = None
    created_at: datetime
    updated_at: datetime


def create(client: firestore.Client, wanted: Wanted, model: str | None, tasks: int) -> Backfill:
    """A new backfill, of which no document is listed yet."""
    moment = now()
    backfill = Backfill(
        id=f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        wanted=wanted,
        model=model,
        tasks=tasks,
        created_at=moment,
        updated_at=moment,
    )
    reference(client, backfill.id).create(backfill.model_dump())
    return backfill


def reference(client: firestore.Client, backfill: str) -> firestore.DocumentReference:
    """Where a backfill is stored."""
    return client.collection(COLLECTION).document(backfill)


def entries(client: firestore.Client, backfill: str) -> firestore.CollectionReference:
    """Where its documents are listed."""
    listed: firestore.CollectionReference = reference(client, backfill).collection(DOCUMENTS)
    return listed


def read(client: firestore.Client, backfill: str) -> Backfill | None:
    """A backfill as it stands; None where there is none."""
    stored = reference(client, backfill).get().to_dict() if "/" not in backfill else None
    return Backfill.model_validate(stored) if stored else None


def update(client: firestore.Client, backfill: str, **fields: Any) -> None:  # noqa: ANN401 - of any type
    """Write some fields."""
    reference(client, backfill).update(fields | {"updated_at": now()})


def counts(client: firestore.Client, backfill: str) -> dict[str, int]:
    """How many of its documents have come to which outcome."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    found = {}
    for outcome in OUTCOMES:
        query = entries(client, backfill).where(filter=FieldFilter("outcome", "==", outcome))
        counting: Any = query.count()  # annotated as if its get() were asynchronous
        [[counted]] = counting.get()
        found[outcome] = int(counted.value)
    return {outcome: count for outcome, count in found.items() if count}


def pages(client: firestore.Client, backfill: str, *, unsettled: bool = False) -> Iterator[list[Entry]]:
    """Its documents in the order of their ids, some at a time."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    query: Any = entries(client, backfill)
    if unsettled:
        query = query.where(filter=FieldFilter("settled", "==", value=False))
    query = query.order_by("__name__").limit(PAGE)
    page = list(query.stream())
    while page:
        yield [Entry.model_validate(found.to_dict()) for found in page]
        page = list(query.start_after(page[-1]).stream())


def settle(documents: Documents, backfill: str, document: str, outcome: Outcome, **more: Any) -> None:  # noqa: ANN401 - of any type
    """Write what became of a document, once."""
    entry = entries(documents.client, backfill).document(document)

    def step(transaction: firestore.Transaction) -> None:
        stored = entry.get(transaction=transaction).to_dict()
        if stored and not stored["settled"]:
            transaction.update(entry, {"settled": True, "outcome": outcome, **more})

    documents.run(step)


def standing(
    stored: Mapping[str, Any] | None, last_run: Mapping[str, Any] | None, entry: Entry, backfill: str
) -> Outcome | Literal["begin", "begun"]:
    """Where a listed document stands for its backfill.

    Args:
        stored: the document.
        last_run: the record of its newest run.
        entry: as it was listed.
        backfill: the backfill's id.
    """
    if stored is None or stored["state"] == "superseded":
        return "erased"
    if stored["generation"] != entry.generation:
        return "moved_on"
    if last_run is not None and last_run.get("backfill") == backfill and stored["run"] != entry.retry_run:
        return "begun"
    if stored["state"] not in TERMINAL:
        return "busy"
    return "begin" if stored["published_run"] == entry.published_run else "moved_on"


LAST_CHARACTER = "\U0010ffff"
FIELDS = (
    "id", "name", "generation", "run", "state", "published_run", "model", "passages", "created_at",
    "published.passages",
)  # fmt: skip
"""Of a document, read to decide whether it is to be listed."""


def list_documents(client: firestore.Client, backfill: Backfill) -> int:
    """List every document that is wanted, before the job starts; how many. May be done again."""
    total = 0
    for page in _pages(client, backfill.wanted):
        found = [
            entry
            for entry in considered(client, page, backfill.model)
            if backfill.wanted.from_model in {None, entry.model}
        ]
        batch = client.batch()
        for entry in found:
            batch.set(entries(client, backfill.id).document(entry.document), entry.model_dump())
        batch.commit()
        total += len(found)
    update(client, backfill.id, state="running", total=total)
    return total


def list_again(client: firestore.Client, backfill: Backfill) -> int:
    """Take up again what failed, or was busy, as it stands now; how many documents."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    listed = entries(client, backfill.id)
    query = listed.where(filter=FieldFilter("outcome", "in", list(AGAIN))).limit(PAGE)
    total = 0
    while page := [Entry.model_validate(found.to_dict()) for found in query.stream()]:
        documents = [client.collection(DOCUMENTS).document(entry.document) for entry in page]
        stored = [found.to_dict() or {} for found in client.get_all(documents, FIELDS) if found.exists]
        fresh = {entry.document: entry for entry in considered(client, stored, backfill.model)}
        runs = {one["id"]: one["run"] for one in stored}
        batch = client.batch()
        for old in page:
            entry = fresh.get(old.document)
            if entry is None:
                gone = {"outcome": "already" if old.document in runs else "erased", "error": None}
                batch.update(listed.document(old.document), gone)
                continue
            total += 1
            changed = {"retry_run": runs[old.document] if old.outcome == "failed" else None}
            batch.set(listed.document(old.document), entry.model_dump() | changed)
        batch.commit()
    update(client, backfill.id, state="running", error=None, report=None)
    return total


def considered(
    client: firestore.Client, page: Iterable[Mapping[str, Any]], model: str | None
) -> Iterator[Entry]:
    """An entry for each document of which there is something to do for `model`."""
    page = list(page)
    older = {
        stored["id"]: run_record(client.collection(DOCUMENTS).document(stored["id"]), stored["published_run"])
        for stored in page
        if stored["published_run"] not in {None, stored["run"]}
    }
    found_runs = client.get_all(list(older.values())) if older else ()
    runs = {found.reference.path: found.to_dict() for found in found_runs}
    for stored in page:
        published: Mapping[str, Any] | None = None
        if stored["published_run"] == stored["run"]:
            published = stored
        elif stored["published_run"] is not None:
            published = runs.get(older[stored["id"]].path)
        if (entry := entry_of(stored, published)) and (model is None or entry.model != model):
            yield entry


def entry_of(stored: Mapping[str, Any], published: Mapping[str, Any] | None) -> Entry | None:
    """What a document is listed as; None where there is nothing to be done for it.

    Args:
        stored: the document.
        published: `generation` and `model` of its published run; None where there is none.
    """
    if stored["state"] == "superseded":  # it is being erased
        return None
    passages = shown(stored)["passages"]
    document, generation = stored["id"], stored["generation"]
    if published is None or published["generation"] != generation:
        if stored["state"] in {"failed", "rejected"}:
            return Entry(document=document, generation=generation, published_run=None)
        if published is None:  # its first run is on its way
            return None
    elif not passages:  # an archive, which says nothing itself
        return None
    return Entry(
        document=document,
        generation=generation,
        published_run=stored["published_run"],
        model=published["model"],
        passages=passages,
    )


def _pages(client: firestore.Client, wanted: Wanted) -> Iterator[list[dict[str, Any]]]:
    """Documents that are wanted, as far as their own fields say.

    Firestore is asked for one range only, which needs no index of our own; the rest is decided here.
    """
    from google.cloud.firestore_v1.base_query import FieldFilter

    query: Any = client.collection(DOCUMENTS)
    if wanted.prefix:
        query = query.where(filter=FieldFilter("name", ">=", wanted.prefix))
        query = query.where(filter=FieldFilter("name", "<", wanted.prefix + LAST_CHARACTER)).order_by("name")
    else:
        if wanted.since:
            query = query.where(filter=FieldFilter("created_at", ">=", wanted.since))
        if wanted.until:
            query = query.where(filter=FieldFilter("created_at", "<", wanted.until))
        query = query.order_by("created_at")
    query = query.select(FIELDS).limit(PAGE)
    page = list(query.stream())
    while page:
        yield [stored for found in page if _is_wanted(stored := found.to_dict(), wanted)]
        page = list(query.start_after(page[-1]).stream())


def _is_wanted(stored: Mapping[str, Any], wanted: Wanted) -> bool:
    created = stored["created_at"]
    return (
        wanted.state in {None, stored["state"]}
        and (wanted.since is None or created >= wanted.since)
        and (wanted.until is None or created < wanted.until)
    )
