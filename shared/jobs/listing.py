"""Backfill: which documents are to be analyzed again with another model, and what became of each.

`jobs/{id}/documents/{document}` is a listed document. The list is made once, before the job starts, because
documents stop matching as they are worked on. It holds no text and no names: what is erased stays erased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field, NonNegativeInt, PositiveInt

from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import fields_of, in_pages, run_record
from shared.jobs.record import Job, reference, update
from shared.jobs.record import State as JobState
from shared.platform.clients import number_of, where
from shared.platform.records import TERMINAL, ErrorInfo, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from google.cloud import firestore

    from shared.documents.model import Document, Run
    from shared.documents.store import Documents
    from shared.platform.transaction import ShortTransaction

PAGE = 300
"""Documents read, and records written, at once."""
Outcome = Literal[
    "completed",  # the other model's run is published
    "restarted",  # nothing of this content was published: ingest starts anew
    "failed",  # the new run did not complete; the old result stays
    "already",  # published by this model meanwhile
    "busy",  # another run was under way
    "moved_on",  # there is a newer generation, or another run was published
    "erased",
]
AGAIN: tuple[Outcome, ...] = ("failed", "busy")
"""Outcomes that `resume` tries again."""


class Wanted(Record):
    """Conditions that a document must meet; none of them is required."""

    prefix: str | None = None
    """Beginning of the object's name."""
    from_model: str | None = None
    """Digest of the model whose result is published."""


class Entry(Record):
    """A listed document."""

    document: str
    generation: str
    published_run: PositiveInt | None
    """The run to be repeated; None if there is none, and ingest is to read the file again."""
    model: str | None = None
    """The model of that run."""
    passages: NonNegativeInt | None = None
    retry_run: PositiveInt | None = None
    """A failed run of this backfill, to be replaced by another."""
    settled: bool = False
    outcome: Outcome | None = None
    error: ErrorInfo | None = None
    new_run: PositiveInt | None = None
    comparison: dict[str, Any] | None = None


class Backfill(Job):
    """Analyze documents again with another model."""

    kind: Literal["backfill"] = "backfill"
    state: JobState = "listing"
    wanted: Wanted
    model: str | None
    """Digest of the model; None until the job has said which one it has."""
    total: NonNegativeInt = 0
    counts: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """Documents by outcome."""


def entries(client: firestore.Client, backfill: str) -> firestore.CollectionReference:
    """Return where the documents of a backfill are listed."""
    listed: firestore.CollectionReference = reference(client, backfill).collection(DOCUMENTS)
    return listed


def counts(client: firestore.Client, backfill: str) -> dict[str, int]:
    """Return the number of documents by outcome."""
    by_outcome: dict[str, int] = {}
    for outcome in get_args(Outcome):
        if number := number_of(where(entries(client, backfill), ("outcome", "==", outcome))):
            by_outcome[outcome] = number
    return by_outcome


def pages(client: firestore.Client, backfill: str, *, unsettled: bool = False) -> Iterator[list[Entry]]:
    """Yield the listed documents in the order of their ids, some at a time."""
    query = where(entries(client, backfill), ("settled", "==", False) if unsettled else None)
    for page in in_pages(query.order_by("__name__"), PAGE):
        yield [Entry.model_validate(snapshot.to_dict()) for snapshot in page]


def settle(documents: Documents, backfill: str, document: str, outcome: Outcome, **more: Any) -> None:  # noqa: ANN401 - of any type
    """Write what became of a document, once."""
    entry = entries(documents.client, backfill).document(document)

    def step(transaction: ShortTransaction) -> None:
        [stored] = transaction.read(entry)
        if stored and not stored["settled"]:
            transaction.update(entry, {"settled": True, "outcome": outcome, **more})

    documents.run(step)


def standing(
    document: Document | None, last_run: Run | None, entry: Entry, backfill: str
) -> Outcome | Literal["begin", "begun"]:
    """Return what a backfill has still to do for a listed document, or what became of it.

    `document` and the record of its newest run are as they are now.
    """
    if document is None or document.state == "erasing":
        return "erased"
    if str(document.generation) != entry.generation:
        return "moved_on"
    if last_run is not None and last_run.backfill == backfill and document.run != entry.retry_run:
        return "begun"
    if document.state not in TERMINAL:
        return "busy"
    return "begin" if document.published_run == entry.published_run else "moved_on"


LAST_CHARACTER = "\U0010ffff"
FIELDS = (
    "id", "name", "generation", "run", "state", "published_run", "model", "passages",
)  # fmt: skip
"""Fields of a document that decide whether it is listed."""


def list_documents(client: firestore.Client, backfill: Backfill) -> int:
    """List every wanted document, before the job starts; return how many. It may be done again."""
    total = 0
    for page in _pages(client, backfill.wanted.prefix):
        batch = client.batch()
        for entry in considered(client, page, backfill.model):
            if backfill.wanted.from_model in {None, entry.model}:
                batch.set(entries(client, backfill.id).document(entry.document), entry.model_dump())
                total += 1
        batch.commit()
    update(client, backfill.id, {"state": "running", "total": total})
    return total


def list_again(client: firestore.Client, backfill: Backfill) -> int:
    """List again what failed or was busy, as it is now; return how many documents."""
    listed = entries(client, backfill.id)
    query = where(listed, ("outcome", "in", list(AGAIN))).limit(PAGE)
    total = 0
    while page := [Entry.model_validate(snapshot.to_dict()) for snapshot in query.stream()]:
        documents = list(fields_of(client, (entry.document for entry in page), FIELDS).values())
        fresh = {entry.document: entry for entry in considered(client, documents, backfill.model)}
        runs = {document["id"]: document["run"] for document in documents}
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
    update(client, backfill.id, {"state": "running", "error": None, "report": None})
    return total


def considered(
    client: firestore.Client, page: Iterable[Mapping[str, Any]], model: str | None
) -> Iterator[Entry]:
    """Yield an entry for each document that `model` has something to do for."""
    page = list(page)
    # A document does not say which generation is published; it matters where a newer run failed.
    runs = {
        stored["id"]: run_record(client.collection(DOCUMENTS).document(stored["id"]), stored["published_run"])
        for stored in page
        if stored["state"] == "failed" and stored["published_run"] not in {None, stored["run"]}
    }
    snapshots = client.get_all(list(runs.values()), ["generation"]) if runs else ()
    published = {
        snapshot.reference.path: (snapshot.to_dict() or {}).get("generation") for snapshot in snapshots
    }
    for stored in page:
        run = runs.get(stored["id"])
        generation = published.get(run.path) if run else stored["generation"]
        if (entry := entry_of(stored, generation)) and (model is None or entry.model != model):
            yield entry


def entry_of(stored: Mapping[str, Any], published: str | None) -> Entry | None:
    """Return the entry of a document of which this generation is published; None: there is nothing to do."""
    state, document, generation = stored["state"], stored["id"], stored["generation"]
    if state in {"failed", "rejected"} and (stored["published_run"] is None or published != generation):
        return Entry(document=document, generation=generation, published_run=None)
    # It is being erased, its first run is under way, or it is an archive, which has no text of its own.
    if state == "erasing" or stored["published_run"] is None or not stored["passages"]:
        return None
    return Entry(
        document=document,
        generation=generation,
        published_run=stored["published_run"],
        model=stored["model"],
        passages=stored["passages"],
    )


def _pages(client: firestore.Client, prefix: str | None) -> Iterator[list[dict[str, Any]]]:
    """Yield documents whose names begin with the prefix, some at a time."""
    query: Any = client.collection(DOCUMENTS)
    if prefix:
        query = where(query, ("name", ">=", prefix), ("name", "<", prefix + LAST_CHARACTER))
    for page in in_pages(query.order_by("name").select(FIELDS), PAGE):
        yield [snapshot.to_dict() for snapshot in page]
