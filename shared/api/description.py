"""Describe the API in OpenAPI 3.1, from its endpoints and the shapes of what they take and return."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from shared.api.endpoints import ENDPOINTS, EVENTS, PATTERNS, VERSION
from shared.api.keys import Scope
from shared.api.models import AnalyzeRequest, AskRequest, text_schema
from shared.api.requests import CONTENT_TYPE, KEY_HEADER, MEDIA_TYPE, ProblemDocument

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode

    from shared.api.endpoints import Endpoint
    from shared.platform.settings import Settings

DESCRIBED = tuple(endpoint for endpoint in ENDPOINTS if endpoint.scope)
SCHEME = "ApiKey"
_REF = "#/components/schemas/{model}"


def describe(settings: Settings, topics: Sequence[str]) -> dict[str, Any]:
    """Describe the API with the limits of these settings and the topics of its model."""
    schemas = _schemas()
    schemas[AnalyzeRequest.__name__]["properties"]["texts"] |= {
        "maxItems": settings.api_max_texts,
        "items": text_schema(settings),
    }
    if topics:
        code, nothing = schemas[AskRequest.__name__]["properties"]["topic"]["anyOf"]
        schemas[AskRequest.__name__]["properties"]["topic"]["anyOf"] = [
            code | {"enum": list(topics)},
            nothing,
        ]
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in DESCRIBED:
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
    for endpoint in DESCRIBED:
        if endpoint.answer:
            wanted.append((endpoint.answer, "serialization"))
        if endpoint.body:
            wanted.append((endpoint.body, "validation"))
    _, schemas = models_json_schema(wanted, ref_template=_REF)
    found: dict[str, Any] = schemas["$defs"]
    return found


def _operation(endpoint: Endpoint, settings: Settings, topics: Sequence[str]) -> dict[str, Any]:
    scope = endpoint.scope.value if endpoint.scope else ""
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": f"Needs a key with the scope `{scope}`.",
        "security": [{SCHEME: [scope]}],
        "responses": dict(_answers(endpoint))
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


def _answers(endpoint: Endpoint) -> Iterator[tuple[str, dict[str, Any]]]:
    shape = {"schema": _reference(endpoint.answer)} if endpoint.answer else {}
    answer: dict[str, Any] = {
        "description": "The answer.",
        "content": dict.fromkeys(endpoint.produces, shape),
    }
    if endpoint.tagged:
        answer["headers"] = {"ETag": {"description": "Its version.", "schema": {"type": "string"}}}
        yield "304", {"description": "You have this version."}
    for status in endpoint.bare:
        yield str(int(status)), {"description": status.phrase}
    yield str(int(endpoint.status)), answer


def _statuses(endpoint: Endpoint) -> Iterator[HTTPStatus]:
    yield HTTPStatus.UNAUTHORIZED
    yield HTTPStatus.FORBIDDEN
    yield HTTPStatus.TOO_MANY_REQUESTS
    if endpoint.body:
        yield HTTPStatus.BAD_REQUEST
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if endpoint.body or endpoint.query or endpoint.scope is not Scope.READ:
        yield HTTPStatus.UNPROCESSABLE_ENTITY
    if "{" in endpoint.path or endpoint.missing:
        yield HTTPStatus.NOT_FOUND
    if endpoint.conflicts:
        yield HTTPStatus.CONFLICT
    if endpoint.guarded:
        yield HTTPStatus.PRECONDITION_FAILED
    yield HTTPStatus.INTERNAL_SERVER_ERROR
    yield HTTPStatus.SERVICE_UNAVAILABLE


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _parameters(endpoint: Endpoint, settings: Settings, topics: Sequence[str]) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", endpoint.path):
        schema = {"type": "string", "pattern": PATTERNS[name].pattern}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    yield from _headers(endpoint)
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


def _headers(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    if endpoint.tagged:
        about = "ETags of versions that you have."
        yield {"name": "If-None-Match", "in": "header", "description": about, "schema": {"type": "string"}}
    if endpoint.guarded:
        schema = {"type": "string", "pattern": '^(\\*|"[0-9]{1,9}")$'}
        yield {
            "name": "If-Match",
            "in": "header",
            "description": "What you saw.",
            "schema": schema,
        }
    if EVENTS in endpoint.produces:
        about = "Id of the last event that you have."
        yield {"name": "Last-Event-ID", "in": "header", "description": about, "schema": {"type": "string"}}
