"""Every path that the API answers: routing and description are both made from this list."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from shared.api import models
from shared.api.problems import Problem, not_found
from shared.documents.views import DocumentView

if TYPE_CHECKING:
    from pydantic import BaseModel

OPENAPI = "/openapi.json"
"""The one path that needs no key."""


@dataclass(frozen=True)
class Endpoint:
    """A method of a path."""

    name: str
    """Of its handler, and the description's operationId."""
    method: str
    path: str
    """As OpenAPI writes it."""
    summary: str
    answer: type[BaseModel]
    body: type[models.AnalyzeRequest] | None = None
    query: type[models.Query] | None = None
    pages: bool = False
    """Whether a page token may be out of date."""


ENDPOINTS = (
    Endpoint(
        "analyze",
        "POST",
        "/v1/analyze",
        "Sentiment, topics, action and, if asked, the embedding of each text.",
        models.AnalyzeResponse,
        body=models.AnalyzeRequest,
    ),
    Endpoint(
        "documents",
        "GET",
        "/v1/documents",
        "The documents that were dropped.",
        models.DocumentPage,
        query=models.DocumentsQuery,
        pages=True,
    ),
    Endpoint("document", "GET", "/v1/documents/{id}", "One document.", DocumentView),
    Endpoint(
        "passages",
        "GET",
        "/v1/documents/{id}/passages",
        "The passages of a document's published run.",
        models.PassagePage,
        query=models.PassagesQuery,
        pages=True,
    ),
    Endpoint(
        "search",
        "GET",
        "/v1/search",
        "The passages of published runs that are nearest in meaning to a question.",
        models.SearchResponse,
        query=models.SearchQuery,
    ),
)
_BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


@dataclass(frozen=True)
class Route:
    """Where a request leads: an endpoint and what its path names, or the description (None)."""

    endpoint: Endpoint | None
    template: str
    arguments: dict[str, str]


def _rules() -> Map:
    rules = [
        Rule(
            endpoint.path.replace("{", "<").replace("}", ">"),
            endpoint=endpoint.name,
            methods=[endpoint.method],
        )
        for endpoint in ENDPOINTS
    ]
    rules.append(Rule(OPENAPI, endpoint=OPENAPI, methods=["GET"]))
    return Map(rules, merge_slashes=False, redirect_defaults=False)


_MAP = _rules().bind("")


def route(method: str, path: str) -> Route:
    """The endpoint of a request.

    Raises:
        Problem: 404 or, with the methods that the path has, 405.
    """
    found: Any
    try:
        found, arguments = _MAP.match(path, method)
    except NotFound:
        raise not_found(f"There is nothing at this path; the API is described at {OPENAPI}.") from None
    except MethodNotAllowed as error:
        allowed = ", ".join(sorted(error.valid_methods or ()))
        raise Problem(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "method-not-allowed",
            f"This path answers {allowed}.",
            headers={"Allow": allowed},
        ) from None
    if found == OPENAPI:
        return Route(None, OPENAPI, {})
    return Route(_BY_NAME[found], _BY_NAME[found].path, dict(arguments))
