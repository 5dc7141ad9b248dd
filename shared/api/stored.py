"""Read what the pipeline stored, one page at a time."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from shared.api.models import FigurePage, Initiative, InitiativePage, TablePage
from shared.api.requests import Fault, Problem, invalid, not_found
from shared.documents import catalogue
from shared.documents.catalogue import BadCursor, Filters
from shared.documents.figures import figures_of, known, matches, of_document, read_cursor, tables_of
from shared.documents.outcomes import organisation_key
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import fields_of
from shared.documents.views import PASSAGE_FIELDS, document_view, passage_view
from shared.platform.clients import where
from shared.platform.errors import Superseded
from shared.platform.records import PassageResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import firestore

    from shared.api.models import (
        DocumentsQuery,
        FiguresQuery,
        InitiativesQuery,
        PassagesQuery,
        TablesQuery,
    )

SECONDS = 20.0
"""Timeout of one query."""
MARGIN = 3
"""Initiatives looked at for each that is asked for: some are of other documents, or of older runs."""
MAX_LOOKED = 300
"""Initiatives that are looked at for one page, which may then be short."""


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
    identifier, run = stored["id"], stored["published_run"]
    start = None
    if asked.page_token is not None:
        of_run, start = map(int, asked.page_token.split("-"))
        if of_run != run:
            raise _stale("The document was analyzed again since the page before.")
    page = {"document": identifier, "run": run, "passages": [], "next_page_token": None}
    if run is None:
        return page
    collection = client.collection(DOCUMENTS).document(identifier).collection(PASSAGES)
    query = where(
        collection,
        ("run", "==", run),
        asked.topic and ("topic_names", "array_contains", asked.topic),
        asked.sentiment and ("sentiment.label", "==", asked.sentiment),
        asked.action and ("action.label", "==", asked.action),
        None if asked.initiative is None else ("initiative", "==", asked.initiative),
    )
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


def list_initiatives(client: firestore.Client, asked: InitiativesQuery) -> InitiativePage:
    """Return a page of initiatives; its token is the document, run and index of the last that was looked at.

    Raises:
        Problem: 409, the passage that the page follows is gone.
    """
    query = where(
        client.collection_group(PASSAGES),
        ("initiative", "==", True),
        asked.topic and ("topic_names", "array_contains", asked.topic),
        asked.action and ("action.label", "==", asked.action),
    ).order_by("salience", direction="DESCENDING")
    document, run, index = read_cursor(asked.page_token)
    if document is not None:
        passages = client.collection(DOCUMENTS).document(document).collection(PASSAGES)
        last = passages.document(f"{run}-{index}").get(timeout=SECONDS)
        if not last.exists:
            raise _stale("The passage that this page follows is gone.")
        query = query.start_after(last)
    fields = ("document", "run", *(field for field in PASSAGE_FIELDS if field != "embedding"))
    size = min(MARGIN * asked.page_size, MAX_LOOKED)
    looked = [each.to_dict() for each in query.select(fields).limit(size).get(timeout=SECONDS)]
    shown, last_looked = _published_initiatives(client, looked, asked)
    more = len(looked) == size or last_looked is not looked[-1] if looked else False
    token = f"{last_looked['document']}-{last_looked['run']}-{last_looked['index']}" if more else None
    return InitiativePage(initiatives=shown, next_page_token=token)


def _published_initiatives(
    client: firestore.Client, looked: Sequence[dict[str, Any]], asked: InitiativesQuery
) -> tuple[list[Initiative], dict[str, Any]]:
    """Return a page of what is of published runs and of the documents asked for, and the last looked at."""
    about = ("published_run", "name", "title", "organisation", "year")
    documents = fields_of(client, (each["document"] for each in looked), about, timeout=SECONDS)
    key = organisation_key(asked.organisation)
    shown: list[Initiative] = []
    last: dict[str, Any] = {}
    for last in looked:
        stored = documents.get(last["document"], {})
        if stored.get("published_run") != last["run"] or asked.year not in {None, stored["year"]}:
            continue
        if key not in {None, organisation_key(stored["organisation"])}:
            continue
        facts = {name: stored[name] for name in ("name", "title", "organisation", "year")}
        passage = PassageResult.model_validate(passage_view(last))
        shown.append(Initiative(document=last["document"], run=last["run"], passage=passage, **facts))
        if len(shown) == asked.page_size:
            break
    return shown, last


def _stale(detail: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, "stale-page", f"{detail} Begin again with the first page.")
