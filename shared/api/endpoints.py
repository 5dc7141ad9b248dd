"""Every path that the API answers.

Routing and the OpenAPI 3.1 description are both made from one list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from shared.api import models
from shared.api.ask import Answer
from shared.api.keys import Scope
from shared.api.models import AnalyzeRequest, text_schema
from shared.api.requests import CONTENT_TYPE, KEY_HEADER, MEDIA_TYPE, Problem, ProblemDocument, not_found
from shared.documents.compare import Comparison
from shared.documents.views import DocumentView
from shared.platform.records import DOCUMENT_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode

    from shared.platform.settings import Settings


OPENAPI = "/openapi.json"
"""The only path that needs no key."""
MCP = "/mcp"
"""The path at which assistants use the tools of `shared.api.assistants`."""


@dataclass(frozen=True)
class Endpoint:
    """A method on a path."""

    name: str
    """Name of the handler, and the operationId in the description."""
    method: str
    path: str
    """The path as OpenAPI writes it."""
    summary: str
    answer: type[BaseModel]
    body: type[BaseModel] | None = None
    query: type[models.Query] | None = None
    scope: Scope = Scope.READ
    """What a key must let its holder do."""
    pages: bool = False
    """Whether it takes a page token, which may be out of date."""


ENDPOINTS = (
    Endpoint(
        "analyze",
        "POST",
        "/v1/analyze",
        "Sentiment, topics, action, figures and, if asked, the embedding of each text.",
        models.AnalyzeResponse,
        body=models.AnalyzeRequest,
    ),
    Endpoint(
        "ask",
        "POST",
        "/v1/ask",
        "An answer to a question, every sentence with its sources; the best figures and passages.",
        Answer,
        body=models.AskRequest,
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
        "tables",
        "GET",
        "/v1/documents/{id}/tables",
        "The tables of a document's published run.",
        models.TablePage,
        query=models.TablesQuery,
        pages=True,
    ),
    Endpoint(
        "figures",
        "GET",
        "/v1/figures",
        "Figures of published runs: of one document, or with a data point of all.",
        models.FigurePage,
        query=models.FiguresQuery,
        pages=True,
    ),
    Endpoint(
        "comparisons",
        "GET",
        "/v1/comparisons",
        "Years of an organisation beside each other, or organisations: data points, topics, plans.",
        Comparison,
        query=models.ComparisonQuery,
    ),
    Endpoint(
        "search",
        "GET",
        "/v1/search",
        "Figures that answer a question, and the passages of published runs nearest to it in meaning.",
        models.SearchResponse,
        query=models.SearchQuery,
    ),
)
_MAP = Map(
    [
        *(
            Rule(each.path.replace("{", "<").replace("}", ">"), endpoint=each, methods=[each.method])
            for each in ENDPOINTS
        ),
        Rule(OPENAPI, methods=["GET"]),
    ],
    merge_slashes=False,
    redirect_defaults=False,
).bind("")


def route(method: str, path: str) -> tuple[Endpoint | None, dict[str, str]]:
    """Return the endpoint of a request, which is None for the description, and the path's parameters.

    Raises:
        Problem: 404 or, with the methods that the path has, 405.
    """
    endpoint: Any
    try:
        endpoint, arguments = _MAP.match(path, method)
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
    return endpoint, dict(arguments)


VERSION = "1"
SCHEME = "ApiKey"
_REF = "#/components/schemas/{model}"


def describe(settings: Settings, topics: Sequence[str]) -> dict[str, Any]:
    """Describe the API with the limits of these settings and the topics of its model."""
    schemas = _schemas()
    schemas[AnalyzeRequest.__name__]["properties"]["texts"] |= {
        "maxItems": settings.api_max_texts,
        "items": text_schema(settings),
    }
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, settings, topics)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Headrace",
            "version": VERSION,
            "description": "What the passages of documents say: topic, sentiment, action, and their meaning.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {SCHEME: {"type": "apiKey", "in": "header", "name": KEY_HEADER}},
        },
    }


def _schemas() -> dict[str, Any]:
    """The schemas of all bodies and answers, by name."""
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ProblemDocument, "serialization")]
    for endpoint in ENDPOINTS:
        wanted.append((endpoint.answer, "serialization"))
        if endpoint.body:
            wanted.append((endpoint.body, "validation"))
    _, schemas = models_json_schema(wanted, ref_template=_REF)
    found: dict[str, Any] = schemas["$defs"]
    return found


def _operation(endpoint: Endpoint, settings: Settings, topics: Sequence[str]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": f"Needs a key with the scope `{endpoint.scope.value}`.",
        "security": [{SCHEME: [endpoint.scope.value]}],
        "responses": {
            "200": {
                "description": "The answer.",
                "content": {MEDIA_TYPE: {"schema": _reference(endpoint.answer)}},
            }
        }
        | {
            str(int(status)): {
                "description": status.phrase,
                "content": {CONTENT_TYPE: {"schema": _reference(ProblemDocument)}},
            }
            for status in _statuses(endpoint)
        },
    }
    if endpoint.body:
        content = {MEDIA_TYPE: {"schema": _reference(endpoint.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    if parameters := list(_parameters(endpoint, settings, topics)):
        operation["parameters"] = parameters
    return operation


def _statuses(endpoint: Endpoint) -> Iterator[HTTPStatus]:
    yield HTTPStatus.UNAUTHORIZED
    yield HTTPStatus.FORBIDDEN
    yield HTTPStatus.TOO_MANY_REQUESTS
    if endpoint.body:
        yield HTTPStatus.BAD_REQUEST
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if endpoint.body or endpoint.query:
        yield HTTPStatus.UNPROCESSABLE_ENTITY
    if "{" in endpoint.path:
        yield HTTPStatus.NOT_FOUND
    if endpoint.pages:
        yield HTTPStatus.CONFLICT
    yield HTTPStatus.INTERNAL_SERVER_ERROR
    yield HTTPStatus.SERVICE_UNAVAILABLE


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _parameters(endpoint: Endpoint, settings: Settings, topics: Sequence[str]) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", endpoint.path):
        schema = {"type": "string", "pattern": DOCUMENT_ID}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if endpoint.query is None:
        return
    shape = endpoint.query.model_json_schema()
    for name, schema in shape["properties"].items():
        # In the model an omitted parameter is null, which a query string cannot express.
        [plain] = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
        plain = {key: value for key, value in plain.items() if key not in {"title", "description"}}
        if schema.get("default") is not None:
            plain["default"] = schema["default"]
        if name == "q":
            plain |= text_schema(settings)
        if name == "topic" and endpoint.name == "search" and topics:
            plain["enum"] = list(topics)
        parameter = {"name": name, "in": "query", "required": name in shape.get("required", ())}
        if description := schema.get("description"):
            parameter["description"] = description
        yield parameter | {"schema": plain}
