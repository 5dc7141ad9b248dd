"""Answer a request and log it, whatever happens in between."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from shared.api.endpoints import OPENAPI, describe, route
from shared.api.keys import Key, check
from shared.api.models import AnalyzeRequest, Query
from shared.api.requests import (
    CONTENT_TYPE,
    KEY_HEADER,
    MEDIA_TYPE,
    Problem,
    read_body,
    read_query,
)
from shared.inference.manifest import read_manifest
from shared.platform.errors import SetupError
from shared.platform.logs import get_logger
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Request

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer: no cache may keep it, no browser run it."""
RETRY_SECONDS = 5
UNKNOWN = "(none)"
"""Route template of an unknown path, in the log."""
_TRACE = re.compile(r"([0-9a-f]{32})(?:/|$)")


@dataclass(frozen=True)
class Call:
    """A request that passed the checks, as its handler gets it."""

    arguments: Mapping[str, str]
    """Parameters in the path."""
    body: BaseModel | None
    query: Query | None
    key: Key
    """Who calls."""


Handler = Callable[[Call], BaseModel | dict[str, Any]]


def respond(request: Request, handlers: Mapping[str, Handler]) -> Response:
    """Answer a request by its endpoint's handler, or by a problem document; never raises."""
    return logged(request, lambda facts: _answer(request, handlers, facts))


def refuse(request: Request, error: HTTPException) -> Response:
    """Answer a request that the framework itself refuses, by a problem document too."""

    def answer(_: dict[str, Any]) -> dict[str, Any]:
        raise error

    return logged(request, answer)


def logged(
    request: Request, answer: Callable[[dict[str, Any]], BaseModel | dict[str, Any] | Response]
) -> Response:
    """Answer a request, by a problem document where `answer` raises, and log it.

    `answer` gets the facts that are logged, and may add to them.
    """
    started = time.monotonic()
    facts: dict[str, Any] = {"method": request.method, "route": UNKNOWN}
    try:
        answered = answer(facts)
        response = answered if isinstance(answered, Response) else _json(answered)
    except Exception as error:  # noqa: BLE001 - a caller never gets a stack trace
        problem = as_problem(error)
        facts |= {"problem": problem.code, "instance": problem.instance}
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            facts["error"] = error
        response = build_response(problem.body(), problem.status, CONTENT_TYPE, problem.headers)
    if trace := _TRACE.match(request.headers.get("X-Cloud-Trace-Context", "")):
        facts["trace_id"] = trace[1]
    elapsed = round((time.monotonic() - started) * 1000, 1)
    log = get_logger("api")
    write = log.warning if "error" in facts else log.info
    write("request handled", status=response.status_code, elapsed_ms=elapsed, **facts)
    return response


def as_problem(error: Exception) -> Problem:
    """The problem document of an error; of an internal error it says only whether to try again."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException) and error.code is not None:
        status = HTTPStatus(error.code)
        return Problem(status, status.phrase.lower().replace(" ", "-"), f"{status.phrase}.")
    from google.api_core.exceptions import GoogleAPIError  # here: most requests raise nothing

    if isinstance(error, (GoogleAPIError, SetupError)):
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "unavailable",
            "Something that this service needs does not answer. Try again in a moment.",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "The request failed; this is our fault.")


def _json(answer: BaseModel | dict[str, Any]) -> Response:
    if isinstance(answer, BaseModel):
        # Fields that were not asked for are not set.
        body = answer.model_dump_json(exclude_unset=True)
    else:
        body = json.dumps(answer, ensure_ascii=False)
    return build_response(body.encode(), HTTPStatus.OK, MEDIA_TYPE, {})


def build_response(body: bytes, status: int, content_type: str, headers: Mapping[str, str]) -> Response:
    """Return a response with the headers of every answer."""
    # An iterator makes it a stream. Otherwise the framework would read the request's whole body into memory,
    # even one that was refused or that no endpoint asks for.
    sent = {**HEADERS, **headers, "Content-Length": str(len(body))}
    return Response(iter([body]), status, sent, content_type=content_type)


def _answer(
    request: Request, handlers: Mapping[str, Handler], facts: dict[str, Any]
) -> BaseModel | dict[str, Any]:
    try:
        endpoint, arguments = route(request.method, request.path)
    except Problem:
        check(request.headers.get(KEY_HEADER), None)  # without a key, nobody learns which paths exist
        raise
    facts["route"] = endpoint.path if endpoint else OPENAPI
    if endpoint is None:
        return _description()
    key = check(request.headers.get(KEY_HEADER), endpoint.scope)
    facts["key"] = key.id
    query = read_query(request.args, endpoint.query or Query)
    body = read_body(request, endpoint.body, settings().api_max_bytes) if endpoint.body else None
    if isinstance(body, AnalyzeRequest):
        facts["texts"] = len(body.texts)
    return handlers[endpoint.name](Call(arguments, body, query, key))


@lru_cache(maxsize=1)
def _description() -> dict[str, Any]:
    return describe(settings(), read_manifest(settings().model_dir, settings().model_digest).topics)
