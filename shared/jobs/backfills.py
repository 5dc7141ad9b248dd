"""A backfill: the same passages through another model, a new run for each document that was listed.

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
from shared.documents.store import now
from shared.platform.records import TERMINAL, ErrorInfo, Record, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
