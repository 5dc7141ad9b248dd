"""Serve the tools of assistants by the Model Context Protocol, over HTTP and over standard input and output.

Over HTTP every message is answered by itself, with JSON: no session, no stream. So any instance of the
function can answer any message, and none has to stay. The SDK speaks asyncio, the function WSGI: each request
runs a loop of its own in its thread, which takes some milliseconds and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import replace
from functools import lru_cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import anyio
from mcp import types
from mcp.server import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema

from shared.api.assistants import INSTRUCTIONS, TOOLS, Library, Tool
from shared.api.endpoints import MCP, VERSION
from shared.api.keys import Scope, check
from shared.api.requests import KEY_HEADER, Problem, read_bytes
from shared.api.serving import UNKNOWN, as_problem, build_response, logged
from shared.platform.errors import HeadraceError
from shared.platform.logs import get_logger
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from werkzeug.wrappers import Request, Response

MAX_FAULTS = 5
"""Faults of arguments that are named."""
_BEARER = "Bearer "
_NO_TOOL = "There is no such tool; there are"

# It would quote what is asked and found.
logging.getLogger("mcp").setLevel(logging.CRITICAL)


def exchange(request: Request, library: Library) -> Response:
    """Answer a message over HTTP."""

    def answer(facts: dict[str, Any]) -> Response:
        facts["route"] = MCP
        key = check(_key(request), Scope.READ)
        facts["key"] = key.id
        allowed = replace(library, scopes=frozenset(key.scopes), by=f"assistant with the key {key.name}")
        if request.method != "POST":  # no stream is kept open, and there is no session to end
            allow = {"Allow": "POST"}
            raise Problem(
                HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "This path answers POST.", headers=allow
            )
        body = read_bytes(request, settings().api_max_bytes)
        return asyncio.run(_answered(request, body, allowed))

    return logged(request, answer)


def _key(request: Request) -> str | None:
    """Return the key that a request brings; as a bearer token where an assistant sets no other header."""
    given = request.headers.get("Authorization", "")
    bearer = given.removeprefix(_BEARER) if given.startswith(_BEARER) else None
    return request.headers.get(KEY_HEADER, bearer)


async def _answered(request: Request, body: bytes, library: Library) -> Response:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.items()]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "path": MCP,
        "query_string": b"",
        "headers": headers,
    }
    manager = StreamableHTTPSessionManager(app=build(library), json_response=True, stateless=True)
    async with manager.run():
        await manager.handle_request(scope, receive, send)
    status = next(message["status"] for message in sent if "status" in message)
    names = dict(next(message.get("headers", ()) for message in sent if "status" in message))
    content = b"".join(message.get("body", b"") for message in sent)
    kind = names.get(b"content-type", b"application/json").decode("latin-1")
    return build_response(content, status, kind, {})


def serve(library: Library) -> None:
    """Answer messages on standard input until it ends."""

    async def talk() -> None:
        server = build(library)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(talk)


def build(library: Library) -> Server:
    """Return a server with the tools that the library's scopes allow."""
    return Server(
        "headrace",
        version=VERSION,
        title="Headrace",
        instructions=INSTRUCTIONS,
        on_list_tools=partial(_list_tools, library),
        on_call_tool=partial(_call_tool, library),
    )


async def _list_tools(library: Library, _: object, __: object) -> types.ListToolsResult:
    return types.ListToolsResult(tools=_described(library.scopes))


class _Schema(GenerateJsonSchema):
    """A schema without a title for each field, which would only repeat its name to the assistant."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


@lru_cache(maxsize=8)
def _described(scopes: frozenset[Scope]) -> list[types.Tool]:
    return [
        types.Tool(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            input_schema=tool.asked.model_json_schema(schema_generator=_Schema),
            # As for validation: a field that has its default is left out of an answer.
            output_schema=tool.answer.model_json_schema(schema_generator=_Schema),
            annotations=types.ToolAnnotations(
                read_only_hint=tool.scope == Scope.READ, destructive_hint=False, open_world_hint=False
            ),
        )
        for tool in _allowed(scopes).values()
    ]


def _allowed(scopes: frozenset[Scope]) -> dict[str, Tool]:
    return {name: tool for name, tool in TOOLS.items() if tool.scope in scopes}


async def _call_tool(library: Library, _: object, asked: types.CallToolRequestParams) -> types.CallToolResult:
    started = time.monotonic()
    tools = _allowed(library.scopes)
    facts: dict[str, Any] = {"tool": asked.name if asked.name in tools else UNKNOWN}
    try:
        tool = tools[asked.name]
        arguments = tool.asked.model_validate(asked.arguments or {})
        found = await anyio.to_thread.run_sync(tool.run, library, arguments)
        answer = found.model_dump(mode="json", exclude_defaults=True)
        result = types.CallToolResult(
            content=[_text(json.dumps(answer, ensure_ascii=False))], structured_content=answer
        )
    except Exception as error:  # noqa: BLE001 - an assistant gets a sentence, and tries again or says so
        facts["problem"] = type(error).__name__
        sentence = _sentence(error, facts) if asked.name in tools else f"{_NO_TOOL}: {', '.join(tools)}."
        result = types.CallToolResult(content=[_text(sentence)], is_error=True)
    elapsed = round((time.monotonic() - started) * 1000, 1)
    get_logger("mcp").info("tool called", elapsed_ms=elapsed, **facts)
    return result


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)


def _sentence(error: Exception, facts: dict[str, Any]) -> str:
    """Return an error as an assistant may read it, without what was given as arguments."""
    if isinstance(error, ValidationError):
        faults = error.errors(include_input=False, include_url=False)[:MAX_FAULTS]
        return "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}" for each in faults
        )
    if isinstance(error, HeadraceError):
        return error.message
    problem = as_problem(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        facts["error"] = error
    return problem.detail
