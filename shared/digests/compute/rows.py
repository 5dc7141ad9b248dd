"""Read many records of Firestore in pages, and choose those that a filter means.

The client wraps every value of a record in an object before it decodes it, which takes 0.45 ms of a processor
for a record of counts. Decoding the messages as they come takes 0.2 ms.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.digests.records import Filter, Window
from shared.documents.outcomes import organisation_key
from shared.platform.clients import number_of, where
from shared.platform.records import Record
from shared.platform.transaction import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from google.cloud import firestore

    from shared.platform.clients import Condition


PAGE = 10_000
"""Records of one query: it may take a minute at most (`shared.platform.retry.QUERY_SECONDS`)."""
CHUNK = 64
"""Records asked for by their ids at once; one may have a megabyte."""

Row = dict[str, Any]


class Request(Record):
    """A digest that is to be made."""

    id: str
    schedule: str
    zone: str
    window: Window
    filter: Filter
    earlier: list[Window]
    """Newest first; the first is the previous one."""


class Rows:
    """Reads, over one client."""

    def __init__(self, client: firestore.Client) -> None:
        self.client = client
        self.reads = 0

    def range(  # noqa: PLR0913 - the parts of a query
        self,
        collection: str,
        by: str,
        conditions: Sequence[Condition],
        fields: Sequence[str],
        *,
        limit: int,
        descending: bool = False,
    ) -> Iterator[Row]:
        """Yield at most `limit` records in the order of a field and of their ids; each has its id in `""`."""
        direction = "DESCENDING" if descending else "ASCENDING"
        selected = fields if by in fields or by.partition(".")[0] in fields else [*fields, by]
        query = where(self.client.collection(collection), *conditions).select(selected)
        query = query.order_by(by, direction).order_by("__name__", direction)
        left, page = limit, query
        while left > 0:
            asked = min(left, PAGE)
            row: Row | None = None
            count = 0
            for row in self._run(page.limit(asked)):
                count += 1
                yield row
            if row is None or count < asked:
                return
            left -= count
            last = self.client.collection(collection).document(row[""])
            page = query.start_after({by: _at(row, by), "__name__": last})

    def named(self, collection: str, ids: Sequence[str], fields: Sequence[str]) -> Iterator[Row]:
        """Yield records by their ids, in that order, but for those that are gone.

        While some are worked on, the next ones are on their way.
        """
        chunks = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
        with ThreadPoolExecutor(max_workers=1) as ahead:
            coming = ahead.submit(self._fetch, collection, chunks[0], fields) if chunks else None
            for at, chunk in enumerate(chunks, start=1):
                assert coming is not None
                records = coming.result()
                if at < len(chunks):
                    coming = ahead.submit(self._fetch, collection, chunks[at], fields)
                self.reads += len(chunk)
                for identifier in chunk:
                    if identifier in records:
                        yield records.pop(identifier)

    def _fetch(self, collection: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Row]:
        references = self.client.collection(collection)
        request = {
            "database": self.client._database_string,  # noqa: SLF001 - the client has no public name of it
            "documents": [references.document(identifier)._document_path for identifier in ids],  # noqa: SLF001 - nor of a reference's
            "mask": {"field_paths": list(fields)},
        }
        answers = self.client._firestore_api.batch_get_documents(  # noqa: SLF001 - nor a way to messages
            request=request,
            metadata=self.client._rpc_metadata,  # noqa: SLF001 - as its own calls have
        )
        return {row[""]: row for answer in answers if (row := _row(type(answer).pb(answer).found))}

    def count(self, collection: str, conditions: Sequence[Condition]) -> int:
        """Return how many there are, which Firestore counts itself: a read for each thousand."""
        counted = number_of(where(self.client.collection(collection), *conditions))
        self.reads += 1 + counted // 1000
        return counted

    def matching(self, collection: str, conditions: Sequence[Condition], fields: Sequence[str]) -> list[Row]:
        """Return a few records."""
        rows = self._run(where(self.client.collection(collection), *conditions).select(fields))
        return sorted(rows, key=lambda row: str(row[""]))

    def _run(self, query: Any) -> Iterator[Row]:  # noqa: ANN401 - the client's query is not typed
        request, _, _ = query._prep_stream()  # noqa: SLF001 - as its own `stream` begins
        answers = self.client._firestore_api.run_query(  # noqa: SLF001 - no public way to the messages
            request=request,
            metadata=self.client._rpc_metadata,  # noqa: SLF001 - as its own calls have
        )
        for answer in answers:
            row = _row(type(answer).pb(answer).document)
            if row:
                self.reads += 1
                yield row


def _row(document: Any) -> Row:  # noqa: ANN401 - a message without stubs
    """Return a document's fields, and its id in `""`; nothing if an answer has no document."""
    if not document.name:
        return {}
    row = {name: plain(value) for name, value in document.fields.items()}
    row[""] = document.name.rpartition("/")[2]
    return row


def _at(row: Row, path: str) -> Any:  # noqa: ANN401 - a field's value
    value: Any = row
    for part in path.split("."):
        value = value[part]
    return value


class Doc(NamedTuple):
    """A document with results of its own: what has to be known of it to quote it and to compare it."""

    document: str
    bucket: str
    name: str
    title: str | None
    organisation: str | None
    organisation_key: str | None
    year: int | None
    completed_at: datetime
    space: str | None

    @property
    def owner(self) -> tuple[str, str]:
        """Key and name of whom a digest reports on: the organisation, or the document if it names none."""
        if self.organisation and self.organisation_key:
            return self.organisation_key, self.organisation
        return self.document, self.title or self.name.rpartition("/")[2] or self.name


def doc(row: Mapping[str, Any]) -> Doc:
    """Return the document of an outcome that has completed."""
    return Doc(*(row.get(name) for name in Doc._fields))  # type: ignore[arg-type]


def fits(row: Mapping[str, Any], asked: Filter) -> bool:
    """Return whether an outcome, or a document's record, is of a document that the filter means."""
    key = organisation_key(asked.organisation)
    return (
        str(row["name"]).startswith(asked.prefix)
        and (key is None or organisation_key(row.get("organisation")) == key)
        and (asked.language is None or row.get("language") == asked.language)
    )


def counts(row: Mapping[str, Any]) -> bool:
    """Return whether passages count: an archive has none of its own, a copy has those of another document."""
    return row.get("members") is None and row.get("duplicate_of") is None


def between(field: str, start: datetime, end: datetime) -> list[Condition]:
    """Return the conditions that a moment lies in [start, end)."""
    return [(field, ">=", start), (field, "<", end)]


def of_organisation(asked: Filter) -> list[Condition]:
    """Return the part of a filter that Firestore applies to `outcomes`; `fits` applies the rest."""
    key = organisation_key(asked.organisation)
    return [("organisation_key", "==", key)] if key else []


def everything(asked: Filter) -> bool:
    """Return whether a filter leaves no document out."""
    return not (asked.prefix or asked.language or organisation_key(asked.organisation))


def fingerprint(asked: Filter) -> str:
    """Return a hash that is equal for filters that mean the same, whose windows can be compared."""
    same = asked.model_copy(update={"organisation": organisation_key(asked.organisation)})
    return hashlib.sha256(same.model_dump_json().encode()).hexdigest()[:16]
