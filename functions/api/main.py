"""The HTTP API: analyze texts at once, and read and search what the pipeline stored."""

from __future__ import annotations

import json
import threading
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import flask
import functions_framework
from werkzeug.exceptions import HTTPException, InternalServerError

from shared.api import operations, reading
from shared.api.ask import Answer
from shared.api.ask import ask as answer
from shared.api.assistants import Library
from shared.api.batcher import Batcher
from shared.api.endpoints import MCP
from shared.api.models import (
    AnalyzeRequest,
    AnalyzeResponse,
    AskRequest,
    ComparisonQuery,
    DocumentsQuery,
    FigurePage,
    FiguresQuery,
    InitiativePage,
    InitiativesQuery,
    PassagesQuery,
    SearchQuery,
    SearchResponse,
    SimilarQuery,
    SimilarResponse,
    TablePage,
    TablesQuery,
)
from shared.api.serving import Call, Handler, Versioned, refuse, respond
from shared.api.stored import (
    get_document,
    list_documents,
    list_figures,
    list_initiatives,
    list_passages,
    list_tables,
    version_of_passages,
)
from shared.documents.compare import compare, parse_side
from shared.documents.search import similar as like_one
from shared.documents.views import document_view
from shared.inference.engine import CACHED_TEXTS, Engine
from shared.inference.session import cpu_limit
from shared.platform.clients import firestore_client
from shared.platform.settings import settings

if TYPE_CHECKING:
    from flask import Request
    from werkzeug.wrappers import Response

_LOADING = threading.Lock()


@functions_framework.http
def api(request: Request) -> Response:
    """The entry point: every path and method."""
    if request.path == MCP:
        return converse(request)
    return respond(request, HANDLERS)


def converse(request: Request) -> Response:
    """Answer a message of the Model Context Protocol."""
    from shared.api.mcp_server import exchange  # the SDK takes a second to load, and few requests need it

    return exchange(request, Library(firestore_client(), model))


# What the framework refuses before this function is asked, and what fails in the framework itself.
for kind in (HTTPException, InternalServerError):
    functions_framework.errorhandler(kind)(partial(refuse, flask.request))


def analyze(call: Call) -> AnalyzeResponse:
    """Return each text's result, in order."""
    assert isinstance(call.body, AnalyzeRequest)
    return reading.analyze(model, call.body)


def documents(call: Call) -> dict[str, Any]:
    """Return a page of documents."""
    assert isinstance(call.query, DocumentsQuery)
    return list_documents(firestore_client(), call.query)


def document(call: Call) -> Versioned:
    """Return a document."""
    shown = document_view(get_document(firestore_client(), call.arguments["id"]))
    return Versioned(json.dumps(shown), lambda: shown)


def passages(call: Call) -> Versioned:
    """Return a page of a document's passages."""
    asked = call.query
    assert isinstance(asked, PassagesQuery)
    client = firestore_client()
    stored = get_document(client, call.arguments["id"])
    return Versioned(version_of_passages(stored), lambda: list_passages(client, stored, asked))


def tables(call: Call) -> TablePage:
    """Return a page of a document's tables."""
    assert isinstance(call.query, TablesQuery)
    return list_tables(firestore_client(), call.arguments["id"], call.query)


def figures(call: Call) -> FigurePage:
    """Return a page of figures."""
    assert isinstance(call.query, FiguresQuery)
    return list_figures(firestore_client(), call.query)


def initiatives(call: Call) -> InitiativePage:
    """Return a page of initiatives."""
    assert isinstance(call.query, InitiativesQuery)
    return list_initiatives(firestore_client(), call.query)


def comparisons(call: Call) -> dict[str, Any]:
    """Return sides beside each other."""
    assert isinstance(call.query, ComparisonQuery)
    sides = [parse_side(side) for side in call.query.side]
    return compare(firestore_client(), sides).model_dump(mode="json")


def search(call: Call) -> SearchResponse:
    """Return figures that answer a question, and the passages nearest to it."""
    assert isinstance(call.query, SearchQuery)
    return reading.search(firestore_client(), model, call.query)


def similar(call: Call) -> SimilarResponse:
    """Return the passages nearest to one."""
    assert isinstance(call.query, SimilarQuery)
    place = call.arguments["id"], int(call.arguments["index"])
    _, hits = like_one(firestore_client(), *place, limit=call.query.limit, topic=call.query.topic)
    return SimilarResponse(hits=hits)


def ask(call: Call) -> Answer:
    """Return an answer to a question."""
    assert isinstance(call.body, AskRequest)
    library = Library(firestore_client(), model)
    return answer(library, **call.body.model_dump())


READING: tuple[Handler, ...] = (
    *(analyze, ask, documents, document, passages, tables, figures, initiatives, comparisons),
    *(search, similar),
)
HANDLERS: dict[str, Handler] = {**{each.__name__: each for each in READING}, **operations.HANDLERS}
"""Handlers by the names of their endpoints."""


def model() -> tuple[Engine, Batcher]:
    """Return the model and the queue before it, made on the first request that needs them, once."""
    with _LOADING:
        return _load()


@lru_cache(maxsize=1)
def _load() -> tuple[Engine, Batcher]:
    workers = settings().analyze_workers or cpu_limit()
    engine = Engine(
        settings().model_dir, workers=workers, digest=settings().model_digest, cached_texts=CACHED_TEXTS
    )
    return engine, Batcher(engine.run, slots=workers)
