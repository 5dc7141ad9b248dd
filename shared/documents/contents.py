"""Gather what is exported of stored documents, and write it in a format; all of it in bounded memory."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Literal

from shared.documents import catalogue
from shared.documents.export import ROWS, Content, csv_lines, json_lines, write_parquet, write_workbook
from shared.documents.figures import figures_of, tables_of
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import Documents, in_pages
from shared.documents.views import PASSAGE_FIELDS, document_view, object_link, passage_view
from shared.platform.clients import emulator, firestore_client, where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.documents.catalogue import Filters, Sort

Format = Literal["xlsx", "csv", "parquet", "jsonl"]
RowKind = Literal["figures", "initiatives", "passages"]
MEDIA_TYPES: dict[Format, str] = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/jsonl",
}
DOCUMENTS_AT_ONCE = 100
PASSAGES_AT_ONCE = 1_000
"""Passages of one query, whose answer would break off if they were written slowly."""
BLOCK = 64 * 1024
"""Characters of lines that are written together."""


def selected(filters: Filters, sort: Sort = "newest") -> Iterator[dict[str, Any]]:
    """Yield the documents of a list, as people read them."""
    cursor = None
    while True:
        page = catalogue.list_documents(
            firestore_client(), filters, sort=sort, cursor=cursor, limit=DOCUMENTS_AT_ONCE, fields=None
        )
        yield from map(document_view, page.rows)
        if (cursor := page.cursor) is None:
            return


def published_passages(shown: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every passage of a document's published run, in order, without vectors."""
    run = shown["published_run"]
    if run is None:
        return
    passages = Documents(firestore_client()).reference(shown["id"]).collection(PASSAGES)
    query = where(passages, ("run", "==", run)).order_by("index")
    shown_fields = query.select([field for field in PASSAGE_FIELDS if field != "embedding"])
    for snapshot in chain.from_iterable(in_pages(shown_fields, PASSAGES_AT_ONCE)):
        yield passage_view(snapshot.to_dict())


def passages_of(shown: dict[str, Any]) -> Content:
    """Return a document with its passages alone, which are read as they are asked for."""
    return Content(document=shown, figures=(), tables=(), passages=published_passages(shown))


def content(shown: dict[str, Any]) -> Content:
    """Return a document with all that its published run found; tables and passages are read when needed."""
    client, host = firestore_client(), emulator("STORAGE_EMULATOR_HOST")
    identifier, run = shown["id"], shown["published_run"]

    def tables() -> Iterator[dict[str, Any]]:
        yield from map(asdict, tables_of(client, identifier, run) if run else ())

    return Content(
        document=shown,
        figures=[asdict(figure) for figure in figures_of(client, identifier, run)] if run else (),
        tables=tables(),
        passages=published_passages(shown),
        link=lambda page: object_link(shown["bucket"], shown["name"], page, host),
    )


def write(contents: Iterable[Content], form: Format, rows: RowKind, file: IO[bytes]) -> list[str]:
    """Write documents to a file; return a sentence for each limit that left something out.

    Args:
        contents: what is written.
        form: the file's format.
        rows: what csv and parquet hold.
        file: is written from its beginning on.
    """
    if form == "xlsx":
        return write_workbook(contents, file)
    if form == "parquet":
        write_parquet(contents, ROWS[rows], file)
    else:
        file.writelines(blocks(contents, form, rows))
    return []


def blocks(contents: Iterable[Content], form: Literal["csv", "jsonl"], rows: RowKind) -> Iterator[bytes]:
    """Yield the lines of an export, many at a time."""
    held: list[str] = []
    size = 0
    for line in json_lines(contents) if form == "jsonl" else csv_lines(contents, ROWS[rows]):
        held.append(line)
        size += len(line)
        if size >= BLOCK:
            yield "".join(held).encode("utf-8", "replace")
            held, size = [], 0
    if held:
        yield "".join(held).encode("utf-8", "replace")
