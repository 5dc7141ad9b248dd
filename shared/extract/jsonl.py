"""JSON Lines, and a JSON array of objects: every record is a row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared.errors import Rejected
from shared.extract.columns import SAMPLE_ROWS, find_text_column
from shared.extract.refusals import no_text, too_many
from shared.extract.rows import row_blocks
from shared.extract.shapes import Extracted

if TYPE_CHECKING:
    from shared.extract.shapes import ExtractOptions

_SUFFIXES = {".jsonl", ".ndjson", ".json"}
_SHOWN_BAD_LINES = 10


def looks_like_jsonl(text: str, suffix: str, content_type: str) -> bool:
    """True where the first line is a JSON object, or name or type say JSON and the text begins like it."""
    start = text.lstrip()[:1]
    if suffix in _SUFFIXES or "json" in content_type:
        return start in {"{", "["}
    return start == "{" and _object(text.lstrip().partition("\n")[0]) is not None


def read_jsonl(text: str, options: ExtractOptions) -> Extracted:
    """One block a record, with the line it stands on (in an array: its place, from 1).

    Lines that are not JSON objects are left out and named in a warning.
    Raises Rejected(`invalid_json`, `too_many_rows`, `text_column_not_found`, `no_text`).
    """
    records, bad = _records(text, options.limits.rows)
    if not records:
        raise Rejected(
            "invalid_json",
            "The file looks like JSON, but no line of it is a JSON object.",
            "Write one JSON object per line, or one array of objects.",
        )
    columns: dict[str, list[str]] = {}
    for _, record in records[:SAMPLE_ROWS]:
        for name, value in record.items():
            if isinstance(value, str):
                columns.setdefault(name, []).append(value)
    column = find_text_column(options.text_column, columns)
    blocks = [
        block
        for row, record in records
        if isinstance(value := record.get(column), str)
        for block in row_blocks(value, row)
    ]
    if not blocks:
        raise no_text(
            f'The field "{column}" is empty in every record.', "Check that the right file was uploaded."
        )
    return Extracted("application/jsonl", None, None, blocks, _warnings(bad))


def _warnings(bad: list[int]) -> list[str]:
    if not bad:
        return []
    shown = ", ".join(map(str, bad[:_SHOWN_BAD_LINES])) + (" ..." if len(bad) > _SHOWN_BAD_LINES else "")
    return [f"{len(bad)} lines are not JSON objects and were left out: {shown}"]


def _records(text: str, limit: int) -> tuple[list[tuple[int, dict[str, Any]]], list[int]]:
    """The records with their rows, and the rows that are no JSON object."""
    numbered: list[tuple[int, Any]]
    if text.lstrip().startswith("["):
        numbered = list(enumerate(_array(text), 1))
    else:
        numbered = [(row, _object(line)) for row, line in enumerate(text.split("\n"), 1) if line.strip()]
        if all(value is None for _, value in numbered):
            numbered = [(1, _object(text))]  # a single object, written over several lines
    if len(numbered) > limit:
        raise too_many("rows", f"{len(numbered):,} rows", limit)
    good = [(row, value) for row, value in numbered if isinstance(value, dict)]
    return good, [row for row, value in numbered if not isinstance(value, dict)]


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _array(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return value if isinstance(value, list) else []
