"""Read what the pipeline stored, one page at a time."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from shared.api.requests import Problem, not_found
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.views import PASSAGE_FIELDS, document_view, passage_view
from shared.platform.records import DOCUMENT_ID

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.api.models import DocumentsQuery, PassagesQuery

SECONDS = 20.0
"""Timeout of one query."""
LAST_CHARACTER = "\U0010ffff"


def list_documents(client: firestore.Client, asked: DocumentsQuery) -> dict[str, Any]:
    """Return a `DocumentPage`; its token is the id of its last document, whose order never changes.

    Raises:
        Problem: 409, the document that the page token names was erased.
    """
    from google.cloud.firestore_v1.base_query import FieldFilter

    documents = client.collection(DOCUMENTS)
    query: Any = documents
    if asked.state is not None:
        query = query.where(filter=FieldFilter("state", "==", asked.state))
    if asked.prefix is None:
        query = query.order_by("created_at", direction="DESCENDING")
    else:
        query = query.where(filter=FieldFilter("name", ">=", asked.prefix))
        query = query.where(filter=FieldFilter("name", "<", asked.prefix + LAST_CHARACTER)).order_by("name")
    if asked.page_token is not None:
        last = documents.document(asked.page_token).get(timeout=SECONDS)
        if not last.exists:
            raise _stale("The document that this page follows is gone.")
        query = query.start_after(last)
    records = [snapshot.to_dict() for snapshot in query.limit(asked.page_size + 1).get(timeout=SECONDS)]
    shown = [document_view(stored) for stored in records[: asked.page_size]]
    return {
        "documents": shown,
        "next_page_token": shown[-1]["id"] if len(records) > len(shown) else None,
    }


def get_document(client: firestore.Client, identifier: str) -> dict[str, Any]:
    """Return a document as it is stored.

    Raises:
        Problem: 404.
    """
    if re.fullmatch(DOCUMENT_ID, identifier):
        record: dict[str, Any] | None
        record = client.collection(DOCUMENTS).document(identifier).get(timeout=SECONDS).to_dict()
        if record is not None:
            return record
    raise not_found("There is no document with this id.")


def list_passages(client: firestore.Client, identifier: str, asked: PassagesQuery) -> dict[str, Any]:
    """Return a `PassagePage`; its token is the run and the index of its last passage.

    Raises:
        Problem: 404; 409 if another run was published since the previous page.
    """
    from google.cloud.firestore_v1.base_query import FieldFilter

    run = get_document(client, identifier)["published_run"]
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
    )
    query: Any = client.collection(DOCUMENTS).document(identifier).collection(PASSAGES)
    for each in filter(None, filters):
        query = query.where(filter=each)
    query = query.order_by("index")
    if start is not None:
        query = query.start_after({"index": start})
    fields = [field for field in PASSAGE_FIELDS if asked.embeddings or field != "embedding"]
    passages = [
        passage_view(snapshot.to_dict())
        for snapshot in query.select(fields).limit(asked.page_size + 1).get(timeout=SECONDS)
    ]
    page["passages"] = shown = passages[: asked.page_size]
    if len(passages) > len(shown):
        page["next_page_token"] = f"{run}-{shown[-1]['index']}"
    return page


def _stale(detail: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, "stale-page", f"{detail} Begin again with the first page.")
