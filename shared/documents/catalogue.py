"""List documents: filtered, sorted, page by page.

Firestore merges the indexes of several equalities, as long as each ends with the same order; that makes an
index for each filter and order, instead of one for each combination (infra/indexes.tf). Of what a document
has several (words, topics, tags) a query can ask for one alone; the others are checked on what comes back.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from shared.documents.model import MAX_PREFIX, words
from shared.documents.outcomes import organisation_key
from shared.documents.store import COLLECTION
from shared.platform.clients import number_of, where
from shared.platform.errors import Permanent
from shared.platform.records import DOCUMENT_ID, INT64_MAX, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import firestore

Sort = Literal["newest", "name", "year", "initiatives"]
ORDERS: dict[Sort, tuple[str, str]] = {
    "newest": ("created_at", "DESCENDING"),
    "name": ("name", "ASCENDING"),
    "year": ("year", "DESCENDING"),
    "initiatives": ("initiatives", "DESCENDING"),
}
"""The field and the direction of each sort; documents without a value come last. Ids break ties."""
ROW = (
    *("id", "name", "title", "organisation", "year", "tags", "language", "state", "run", "published_run"),
    *("pages", "passages", "members", "tables", "figures", "sentiment", "topics", "initiatives", "size"),
    *("media_type", "batches", "progress", "route", "duplicate_of", "error", "created_at", "updated_at"),
)
"""What a row of a list shows: a document's sentences stay unread."""
MAX_LOOKED = 2_000
"""Documents that are read to fill a page; a page is cut short there, and its cursor goes on."""
MAX_COUNTED = 6
"""Words, tags and topics of which the rarest is looked for."""
MAX_TEXT = 200
"""Limit on a filter in characters."""
SECONDS = 20.0
"""Timeout of one query."""


class BadCursor(Permanent):
    """A cursor that no page of this list has."""


class Filters(BaseModel):
    """What documents are listed; None: whatever."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    state: State | None = None
    organisation: str | None = Field(default=None, max_length=MAX_TEXT)
    """Compared without case and punctuation."""
    year: int | None = Field(default=None, ge=1, le=9999)
    topic: str | None = Field(default=None, max_length=64)
    tag: str | None = Field(default=None, max_length=MAX_TEXT)
    """Compared without case."""
    language: str | None = Field(default=None, max_length=8)
    text: str | None = Field(default=None, max_length=MAX_TEXT)
    """Words, or beginnings of them, that name, title or organisation have, all of them."""
    prefix: str | None = Field(default=None, max_length=1024)
    """How names begin; such a list is always sorted by name."""

    def facets(self) -> list[str]:
        """Return what is asked of `Document.facets`, the rarest first."""
        asked = [
            f"word:{word[:MAX_PREFIX]}" for word in sorted(words(self.text or ""), key=len, reverse=True)
        ]
        if self.tag:
            asked.append(f"tag:{self.tag.casefold()}")
        if self.topic:
            asked.append(f"topic:{self.topic}")
        return asked


class Page(NamedTuple):
    """A part of a list."""

    rows: list[dict[str, Any]]
    """Documents as they are stored, with the fields that were asked for."""
    cursor: str | None
    """Where the next page begins; None: there is none. A page may be short although others follow."""


def list_documents(  # noqa: PLR0913 - a list
    client: firestore.Client,
    filters: Filters,
    *,
    sort: Sort = "newest",
    cursor: str | None = None,
    limit: int = 50,
    fields: Sequence[str] | None = ROW,
) -> Page:
    """Return a page of documents.

    A cursor holds the place itself, so it stays valid when the document it was made at is erased.

    Args:
        client: of Firestore.
        filters: which documents.
        sort: their order.
        cursor: that of the page before, of the same filters and sort.
        limit: most documents of the page.
        fields: which fields are read; None: all.

    Raises:
        BadCursor: the cursor is of another sort, or of no list.
    """
    sort = _order(filters, sort)
    field, _ = ORDERS[sort]
    first, *others = _rarest_first(client, filters.facets()) or [""]
    query = _query(client, filters, sort, first)
    if fields is not None:
        query = query.select(sorted({*fields, field, "id", *(["facets"] if others else [])}))
    if cursor is not None:
        query = query.start_after(_read(client, cursor, sort))
    rows: list[dict[str, Any]] = []
    looked = 0
    size = limit + 1 if not others else max(limit + 1, 200)
    while True:
        chunk = query.limit(size).get(timeout=SECONDS)
        for snapshot in chunk:
            row = snapshot.to_dict()
            if set(others) <= set(row.get("facets") or ()):
                rows.append(row)
                if len(rows) > limit:
                    return Page(rows[:limit], _cursor(rows[limit - 1], sort))
        looked += len(chunk)
        if len(chunk) < size:
            return Page(rows, None)
        if looked >= MAX_LOOKED:
            return Page(rows, _cursor(chunk[-1].to_dict(), sort))
        query = query.start_after(chunk[-1])


def _rarest_first(client: firestore.Client, facets: list[str]) -> list[str]:
    """Put the facet first that the fewest documents have: what has it is read, and checked for the others."""
    if len(facets) < 2:  # noqa: PLR2004 - nothing to choose
        return facets
    found = {}
    for facet in facets[:MAX_COUNTED]:
        found[facet] = number_of(_where(client, Filters(), facet).limit(MAX_LOOKED), timeout=SECONDS)
    return sorted(facets, key=lambda facet: found.get(facet, MAX_LOOKED))


def count(client: firestore.Client, filters: Filters) -> int | None:
    """Return how many documents pass; None where Firestore cannot count them: see `facets`."""
    asked = filters.facets()
    if len(asked) > 1 or filters.prefix is not None:
        return None
    return number_of(_where(client, filters, *asked[:1]), timeout=SECONDS)


def _order(filters: Filters, sort: Sort) -> Sort:
    if filters.prefix is not None:
        return "name"
    return "newest" if sort == "year" and filters.year is not None else sort


def _query(client: firestore.Client, filters: Filters, sort: Sort, facet: str) -> Any:  # noqa: ANN401 - untyped
    query = _where(client, filters, facet)
    if filters.prefix is not None:
        query = where(query, ("name", ">=", filters.prefix), ("name", "<", filters.prefix + "\U0010ffff"))
    field, direction = ORDERS[sort]
    return query.order_by(field, direction=direction).order_by("__name__", direction=direction)


def _where(client: firestore.Client, filters: Filters, facet: str = "") -> Any:  # noqa: ANN401 - untyped
    key = organisation_key(filters.organisation)
    return where(
        client.collection(COLLECTION),
        filters.state and ("state", "==", filters.state),
        key and ("organisation_key", "==", key),
        filters.year and ("year", "==", filters.year),
        filters.language and ("language", "==", filters.language),
        facet and ("facets", "array_contains", facet),
    )


def _cursor(row: dict[str, Any], sort: Sort) -> str:
    value = row.get(ORDERS[sort][0])
    place = [sort, value.isoformat() if isinstance(value, datetime) else value, row["id"]]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _read(client: firestore.Client, cursor: str, sort: Sort) -> dict[str, Any]:
    field, _ = ORDERS[sort]
    try:
        of_sort, value, identifier = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if field == "created_at":
            value = datetime.fromisoformat(value)
        place = {field: value, "__name__": client.collection(COLLECTION).document(identifier)}
    except (ValueError, TypeError, RecursionError):
        of_sort, value, identifier, place = None, None, None, {}
    # Firestore has neither such an id, nor such a number.
    is_place = re.fullmatch(DOCUMENT_ID, str(identifier)) and not (
        isinstance(value, int) and abs(value) > INT64_MAX
    )
    if of_sort != sort or not is_place or not isinstance(value, str | int | datetime | None):
        raise BadCursor("bad_cursor", "The cursor is not one of this list.", "Begin with the first page.")
    return place
