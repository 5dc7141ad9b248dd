"""Field paths: `a.b`, `` `odd name`.c ``, and what they point at inside a document's fields.

Source: https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#document
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, TypeAlias

from local.serving import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.message import Message as Fields

    from local.firestore.protos import Value

FieldPath: TypeAlias = tuple[str, ...]
NAME: FieldPath = ("__name__",)
"""The document's own name, in filters, orders and projections."""

MAX_PATH_BYTES = 1500
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z_0-9]*\Z")
_SEGMENT = re.compile(r"([A-Za-z_][A-Za-z_0-9]*)|`((?:[^`\\]|\\.)+)`", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse(text: str) -> FieldPath:
    """Split a field path into its segments, quotes and escapes taken off.

    Raises:
        Refused: INVALID_ARGUMENT where it is empty, too long or malformed.
    """
    if len(text.encode()) > MAX_PATH_BYTES:
        raise invalid(f"Property path is longer than {MAX_PATH_BYTES} bytes.")
    segments: list[str] = []
    at = 0
    while match := _SEGMENT.match(text, at):
        segments.append(match[1] or _ESCAPED.sub(r"\1", match[2]))
        at = match.end()
        if at == len(text):
            return tuple(segments)
        if text[at] != ".":
            break
        at += 1
    raise invalid(f'Invalid property path "{text}".')


def render(path: Sequence[str]) -> str:
    """The inverse of `parse`: quotes every segment that needs it."""
    return ".".join(
        part if _SIMPLE.match(part) else "`" + part.replace("\\", "\\\\").replace("`", "\\`") + "`"
        for part in path
    )


def parse_mask(texts: Iterable[str]) -> list[FieldPath]:
    """The paths of a mask of things to read; of a field and one inside it the wider is enough.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    asked = {parse(text) for text in texts} - {NAME}
    return [path for path in sorted(asked) if not any(path[:n] in asked for n in range(1, len(path)))]


def parse_update_mask(texts: Iterable[str]) -> list[FieldPath]:
    """The paths of a mask of things to write, none of which may contain another.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    parsed = sorted({parse(text) for text in texts})
    for outer, inner in itertools.pairwise(parsed):
        if inner[: len(outer)] == outer:
            raise invalid(f'Field paths "{render(outer)}" and "{render(inner)}" overlap in one mask.')
    return parsed


def get(fields: Fields, path: FieldPath) -> Value | None:
    """The value at `path`, or None where any part of it is missing or not a map."""
    for part in path[:-1]:
        value = fields.get(part)
        if value is None or value.WhichOneof("value_type") != "map_value":
            return None
        fields = value.map_value.fields
    return fields.get(path[-1])


def put(fields: Fields, path: FieldPath, value: Value) -> None:
    """Set the value at `path`; whatever is in the way becomes a map, as the real service does it."""
    for part in path[:-1]:
        inner = fields[part]
        if inner.WhichOneof("value_type") != "map_value":
            inner.map_value.SetInParent()
        fields = inner.map_value.fields
    fields[path[-1]].CopyFrom(value)


def remove(fields: Fields, path: FieldPath) -> None:
    """Delete the value at `path`; nothing happens where it is missing."""
    for part in path[:-1]:
        value = fields.get(part)
        if value is None or value.WhichOneof("value_type") != "map_value":
            return
        fields = value.map_value.fields
    if path[-1] in fields:
        del fields[path[-1]]


def project(source: Fields, target: Fields, mask: Sequence[FieldPath]) -> None:
    """Copy what `mask` names from `source` into the empty `target`."""
    for path in mask:
        value = get(source, path)
        if value is not None:
            put(target, path, value)
