"""Answer a request and log it, whatever happens in between."""

from __future__ import annotations

import hashlib
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

from shared.api.description import describe
from shared.api.endpoints import check_arguments, route
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
from shared.platform.errors import Conflict, Missing, Permanent, Retryable, SetupError, Superseded
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
REVALIDATE = "private, no-cache"
"""Cache-Control of answers with an ETag: the caller may keep them, and asks each time if they are current."""
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
    if_match: str | None = None
    """The header: the version that the caller has seen."""
    last_event: str | None = None
    """The header: id of the last event that the caller has."""


Shown = BaseModel | dict[str, Any]


@dataclass(frozen=True)
class Versioned:
    """An answer that callers may have already: it is made only if they have another version, or none."""

    version: str
    answer: Callable[[], Shown]


Handler = Callable[[Call], Shown | Versioned | Response]


def respond(request: Request, handlers: Mapping[str, Handler]) -> Response:
    """Answer a request by its endpoint's handler, or by a problem document; never raises."""
    return logged(request, lambda facts: _answer(request, handlers, facts))


def refuse(request: Request, error: HTTPException) -> Response:
    """Answer a request that the framework itself refuses, by a problem document too."""

    def answer(_: dict[str, Any]) -> Response:
        raise error

    return logged(request, answer)


def logged(request: Request, answer: Callable[[dict[str, Any]], Response]) -> Response:
    """Answer a request, by a problem document where `answer` raises, and log it.

    `answer` gets the facts that are logged, and may add to them.
    """
    started = time.monotonic()
    facts: dict[str, Any] = {"method": request.method, "route": UNKNOWN}
    try:
        response = answer(facts)
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
    if isinstance(error, Permanent):
        status = HTTPStatus.NOT_FOUND if isinstance(error, Missing) else HTTPStatus.UNPROCESSABLE_ENTITY
        return Problem(status, error.code.replace("_", "-"), f"{error.message} {error.hint}")
    if isinstance(error, (Superseded, Conflict)):
        code = "moved-on" if isinstance(error, Superseded) else "conflict"
        return Problem(HTTPStatus.CONFLICT, code, error.message)
    from google.api_core.exceptions import GoogleAPIError  # here: most requests raise nothing

    if isinstance(error, (GoogleAPIError, SetupError, Retryable)):
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "unavailable",
            "Something that this service needs does not answer. Try again in a moment.",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "The request failed; this is our fault.")


def build_response(body: bytes, status: int, content_type: str, headers: Mapping[str, str]) -> Response:
    """Return a response with the headers of every answer."""
    # An iterator makes it a stream. Otherwise the framework would read the request's whole body into memory,
    # even one that was refused or that no endpoint asks for.
    sent = {**HEADERS, **headers, "Content-Length": str(len(body))}
    return Response(iter([body]), status, sent, content_type=content_type)


def _json(answer: Shown, status: HTTPStatus, headers: Mapping[str, str]) -> Response:
    if isinstance(answer, BaseModel):
        # Fields that were not asked for are not set.
        body = answer.model_dump_json(exclude_unset=True)
    else:
        body = json.dumps(answer, ensure_ascii=False)
    return build_response(body.encode(), status, MEDIA_TYPE, headers)


def _versioned(request: Request, answer: Versioned) -> Response:
    """Answer with an ETag of this version and of what was asked; 304 to whoever has it."""
    asked = f"{answer.version}?{request.query_string.decode()}"
    tag = hashlib.sha256(asked.encode()).hexdigest()[:24]
    headers = {"ETag": f'"{tag}"', "Cache-Control": REVALIDATE}
    if request.if_none_match.contains(tag):
        return Response(iter(()), HTTPStatus.NOT_MODIFIED, {**HEADERS, **headers})
    return _json(answer.answer(), HTTPStatus.OK, headers)


def _answer(request: Request, handlers: Mapping[str, Handler], facts: dict[str, Any]) -> Response:
    try:
        endpoint, arguments = route(request.method, request.path)
    except Problem:
        check(request.headers.get(KEY_HEADER), None)  # without a key, nobody learns which paths exist
        raise
    facts["route"] = endpoint.path
    if endpoint.scope is None:
        return _PUBLIC[endpoint.name]()
    key = check(request.headers.get(KEY_HEADER), endpoint.scope)
    facts["key"] = key.id
    check_arguments(arguments)
    query = read_query(request.args, endpoint.query or Query)
    body = read_body(request, endpoint.body, settings().api_max_bytes) if endpoint.body else None
    if isinstance(body, AnalyzeRequest):
        facts["texts"] = len(body.texts)
    answer = handlers[endpoint.name](
        Call(
            arguments, body, query, key, request.headers.get("If-Match"), request.headers.get("Last-Event-ID")
        )
    )
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, Versioned):
        return _versioned(request, answer)
    return _json(answer, endpoint.status, {})


@lru_cache(maxsize=1)
def _description() -> dict[str, Any]:
    return describe(settings(), read_manifest(settings().model_dir, settings().model_digest).topics)


def _reference() -> Response:
    from shared.api.reference import CSP, page  # few requests need it

    body = page(_description()).encode()
    return build_response(body, HTTPStatus.OK, "text/html; charset=utf-8", {"Content-Security-Policy": CSP})


_PUBLIC: dict[str, Callable[[], Response]] = {
    "openapi": lambda: _json(_description(), HTTPStatus.OK, {}),
    "reference": _reference,
}
"""What needs no key, by the names of the endpoints."""
