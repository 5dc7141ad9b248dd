"""Read what the pipeline stored, one page at a time."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from shared.api.models import FigurePage, TablePage
from shared.api.requests import Fault, Problem, invalid, not_found
from shared.documents import catalogue
from shared.documents.catalogue import BadCursor, Filters
from shared.documents.figures import figures_of, known, matches, of_document, read_cursor, tables_of
from shared.documents.outcomes import organisation_key
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.views import PASSAGE_FIELDS, document_view, passage_view
from shared.platform.errors import Superseded

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.api.models import DocumentsQuery, FiguresQuery, PassagesQuery, TablesQuery

SECONDS = 20.0
"""Timeout of one query."""


def list_documents(client: firestore.Client, asked: DocumentsQuery) -> dict[str, Any]:
    """Return a `DocumentPage`.

    Raises:
        Problem: 422, the page token is of another list.
    """
    filters = Filters(**{name: getattr(asked, name) for name in Filters.model_fields})
    try:
        page = catalogue.list_documents(
            client, filters, sort=asked.sort, cursor=asked.page_token, limit=asked.page_size, fields=None
        )
    except BadCursor as error:
        raise invalid([Fault(detail=error.message, parameter="page_token")]) from None
    return {"documents": [document_view(row) for row in page.rows], "next_page_token": page.cursor}


def get_document(client: firestore.Client, identifier: str) -> dict[str, Any]:
    """Return a document as it is stored.

    Raises:
        Problem: 404.
    """
    record: dict[str, Any] | None
    record = client.collection(DOCUMENTS).document(identifier).get(timeout=SECONDS).to_dict()
    if record is not None:
        return record
    raise not_found("There is no document with this id.")


def version_of_passages(stored: dict[str, Any]) -> str:
    """Return the version of a document's passages: they change with its published run, or by corrections."""
    return f"{stored['id']}-{stored['published_run'] or 0}-{stored.get('corrections', 0)}"


def list_passages(client: firestore.Client, stored: dict[str, Any], asked: PassagesQuery) -> dict[str, Any]:
    """Return a `PassagePage` of a stored document; its token is the run and the index of its last passage.

    Raises:
        Problem: 409 if another run was published since the previous page.
    """
    from google.cloud.firestore_v1.base_query import FieldFilter

    identifier, run = stored["id"], stored["published_run"]
    start = None
    if asked.page_token is not None:
        of_run, start = map(int, asked.page_token.split("-"))
        if of_run != run:
            raise _stale("The document was analyzed again since the page before.")
    page = {"document": identifier, "run": run, "passages": [], "next_page_token": None}
    if run is None:
        return page
    filters = (
        FieldFilter("run", "==", run),
        asked.topic and FieldFilter("topic_names", "array_contains", asked.topic),
        asked.sentiment and FieldFilter("sentiment.label", "==", asked.sentiment),
        asked.action and FieldFilter("action.label", "==", asked.action),
        None if asked.initiative is None else FieldFilter("initiative", "==", asked.initiative),
    )
    collection = client.collection(DOCUMENTS).document(identifier).collection(PASSAGES)
    query: Any = collection
    for each in filter(None, filters):
        query = query.where(filter=each)
    if asked.order == "salience":
        query = query.order_by("salience", direction="DESCENDING")
    else:
        query = query.order_by("index")
    if start is not None:
        # By salience the place of a passage is known from its record alone.
        by_index = asked.order == "document"
        last = {"index": start} if by_index else collection.document(f"{run}-{start}").get(timeout=SECONDS)
        query = query.start_after(last)
    fields = [field for field in PASSAGE_FIELDS if asked.embeddings or field != "embedding"]
    passages = [
        passage_view(snapshot.to_dict())
        for snapshot in query.select(fields).limit(asked.page_size + 1).get(timeout=SECONDS)
    ]
    page["passages"] = shown = passages[: asked.page_size]
    if len(passages) > len(shown):
        page["next_page_token"] = f"{run}-{shown[-1]['index']}"
    return page


def list_tables(client: firestore.Client, identifier: str, asked: TablesQuery) -> TablePage:
    """Return a page of tables; its token is the run and the number of its last table.

    Raises:
        Problem: 404; 409 if another run was published since the previous page.
    """
    run = get_document(client, identifier)["published_run"]
    after = -1
    if asked.page_token is not None:
        of_run, after = map(int, asked.page_token.split("-"))
        if of_run != run:
            raise _stale("The document was analyzed again since the page before.")
    found = tables_of(client, identifier, run) if run is not None else []
    left = [table for table in found if table.number > after]
    shown = left[: asked.page_size]
    token = f"{run}-{shown[-1].number}" if len(left) > len(shown) else None
    return TablePage(document=identifier, run=run, tables=shown, next_page_token=token)


def list_figures(client: firestore.Client, asked: FiguresQuery) -> FigurePage:
    """Return a page of figures; an unknown document has none.

    Raises:
        Problem: 409 if another run was published since the previous page.
    """
    filters = {name: getattr(asked, name) for name in ("datapoint", "topic", "period", "unit")}
    if asked.document is None:
        try:
            page = known(
                client,
                **filters,
                organisation=asked.organisation,
                cursor=asked.page_token,
                limit=asked.page_size,
            )
        except Superseded:
            raise _stale("A document was analyzed again since the page before.") from None
        return FigurePage(figures=page.figures, next_page_token=page.cursor)
    stored = client.collection(DOCUMENTS).document(asked.document).get(timeout=SECONDS).to_dict()
    if stored is None:
        return FigurePage(figures=[], next_page_token=None)
    run = stored["published_run"]
    *place, skipped = read_cursor(asked.page_token)
    if asked.page_token is not None and place != [asked.document, run]:
        raise _stale("The document was analyzed again since the page before.")
    is_asked = organisation_key(asked.organisation) in {None, organisation_key(stored["organisation"])}
    found = figures_of(client, asked.document, run) if is_asked and run is not None else []
    left = [figure for figure in found if matches(figure, **filters)][skipped:]
    shown = of_document(stored, left[: asked.page_size])
    token = f"{asked.document}-{run}-{skipped + len(shown)}" if len(left) > len(shown) else None
    return FigurePage(figures=shown, next_page_token=token)


def _stale(detail: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, "stale-page", f"{detail} Begin again with the first page.")
