"""Show the OpenAPI description as a page: one HTML document without script, and without anything to load."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 1rem; }
code, pre { font: .875em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid var(--line); border-radius: .25rem; }
section { border-top: 1px solid var(--line); padding: .5rem 0; }
h2, h3 { margin: .75rem 0 .25rem; } h3 b { display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; }
tr { border-bottom: 1px solid var(--line); }
summary { cursor: pointer; } nav ul { columns: 20rem; padding-left: 1rem; }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CSP = f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'; base-uri 'none'"
_METHODS = ("get", "post", "put", "delete")


def page(description: dict[str, Any]) -> str:
    """Return the whole page of an OpenAPI description."""
    operations = [
        (method, path, item[method])
        for path, item in description["paths"].items()
        for method in _METHODS
        if method in item
    ]
    links = (
        f'<li><a href="#{escape(each["operationId"])}"><code>{method.upper()} {escape(path)}</code></a>'
        for method, path, each in operations
    )
    info, shapes = description["info"], description["components"]["schemas"]
    return "".join(
        (
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(info['title'])} API</title><style>{STYLE}</style>",
            f"<main><h1>{escape(info['title'])} API, version {escape(info['version'])}</h1>",
            f"<p>{escape(info['description'])} Send your key in the header <code>X-API-Key</code>. ",
            'For programs: <a href="/openapi.json">openapi.json</a>.',
            f'<nav aria-label="Operations"><ul>{"".join(links)}</ul></nav>',
            *(part for operation in operations for part in _operation(*operation)),
            '<h2 id="shapes">Shapes</h2>',
            *(part for name, shape in sorted(shapes.items()) for part in _shape(name, shape)),
            "</main></html>",
        )
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<section id="{escape(operation["operationId"])}"><h3><b>{method.upper()}</b>'
    yield f" <code>{escape(path)}</code></h3><p>{escape(operation['summary'])}<br>"
    yield f"{_with_code(operation['description'])}"
    if parameters := operation.get("parameters"):
        yield "<table><tr><th>Parameter<th>Type<th>"
        for each in parameters:
            about = each.get("description") or each["schema"].get("description", "")
            needed = ", required" if each.get("required") else ""
            yield f"<tr><td><code>{escape(each['name'])}</code><td>{_type(each['schema'])}"
            yield f"<td>{_with_code(about)} <small>{each['in']}{needed}</small>"
        yield "</table>"
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield f"<p>Body: {_type(content['schema'])}"
    responses = operation["responses"]
    problems = [status for status in responses if int(status) >= HTTPStatus.BAD_REQUEST]
    answers = [f"<b>{each}</b> {_bodies(responses[each])}" for each in responses if each not in problems]
    yield f"<p>Answers: {'; '.join(answers)}; "
    yield f"{_link('ProblemDocument')} with {', '.join(problems)}.</section>"


def _bodies(answer: dict[str, Any]) -> str:
    contents = answer.get("content", {}).items()
    bodies = [
        f"{_type(each['schema']) if each else ''} <small>{escape(kind)}</small>" for kind, each in contents
    ]
    return " or ".join(bodies) or "without a body"


def _shape(name: str, shape: dict[str, Any]) -> Iterator[str]:
    yield f'<section id="shape-{escape(name)}"><h3>{escape(name)}</h3>'
    if about := shape.get("description"):
        yield f"<p>{_with_code(about)}"
    if properties := shape.get("properties"):
        yield "<table><tr><th>Field<th>Type<th>"
        for field, each in properties.items():
            yield f"<tr><td><code>{escape(field)}</code><td>{_type(each)}"
            yield f"<td>{_with_code(each.get('description', ''))}"
        yield "</table>"
    else:
        yield f"<p>{_type(shape)}"
    yield "</section>"


def _type(schema: dict[str, Any]) -> str:  # noqa: PLR0911 - a line for each kind
    if reference := schema.get("$ref"):
        return _link(reference.rpartition("/")[2])
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(map(_type, choices))
    if values := schema.get("enum"):
        return " ".join(f"<code>{escape(json.dumps(value))}</code>" for value in values)
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(extra := schema.get("additionalProperties"), dict):
        return f"map to {_type(extra)}"
    return escape(str(schema.get("format") or schema.get("type") or ""))


def _link(name: str) -> str:
    return f'<a href="#shape-{escape(name)}">{escape(name)}</a>'


def _with_code(text: str) -> str:
    """Return a text in HTML, what stands in backticks as code."""
    parts = escape(" ".join(text.split())).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
