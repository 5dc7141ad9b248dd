"""Which documents a backfill is for: listed once, and again as far as something failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.documents.published import shown
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import run_record
from shared.jobs import backfills
from shared.jobs.backfills import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from google.cloud import firestore

    from shared.jobs.backfills import Backfill, Wanted

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
            batch.set(backfills.entries(client, backfill.id).document(entry.document), entry.model_dump())
        batch.commit()
        total += len(found)
    backfills.update(client, backfill.id, state="running", total=total)
    return total


def list_again(client: firestore.Client, backfill: Backfill) -> int:
    """Take up again what failed, or was busy, as it stands now; how many documents."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    listed = backfills.entries(client, backfill.id)
    query = listed.where(filter=FieldFilter("outcome", "in", list(backfills.AGAIN))).limit(backfills.PAGE)
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
    backfills.update(client, backfill.id, state="running", error=None, report=None)
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
    query = query.select(FIELDS).limit(backfills.PAGE)
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
