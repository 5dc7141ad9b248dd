"""Read JSON Lines, and JSON that is an array of objects, holds one, or is one object: an object is a row."""

from __future__ import annotations

import json
import re
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.extract.refusals import no_text, too_many
from shared.extract.shapes import Extracted
from shared.extract.table import (
    SAMPLE_ROWS,
    WELL_KNOWN,
    as_label,
    find_label_column,
    find_text_column,
    fold,
    row_blocks,
)
from shared.extract.tidy import lines_of, listed
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.extract.shapes import Block, ExtractOptions, Limits

_SUFFIXES = {".jsonl", ".ndjson", ".json"}
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]')  # a text or a bracket
_BETWEEN = re.compile(r"[\s,]*")
_MOST_DIGITS = 4_000

Record = dict[str, Any]
_Place = tuple[int, Record | None]
"""A row from 1, and the object there, if there is one."""


def looks_like_jsonl(text: str, suffix: str, content_type: str) -> bool:
    """Whether the first line is a JSON object, or name or type say JSON and the text begins like it."""
    if suffix in _SUFFIXES or "json" in content_type:
        return text.startswith(("{", "["), _begin(text, 0))
    line = _first_line(text) if text.startswith("{", _begin(text, 0)) else ""
    return _object(line, len(line)) is not None


def read_jsonl(text: str, options: ExtractOptions) -> Extracted:
    """Return one block per object, with its line (in an array: its place, from 1).

    Records are read again rather than kept: most of a record is often in fields that are not used. Lines that
    are not JSON objects, or are nested too deeply, are left out and named in a warning.

    Raises Rejected(`invalid_json`, `too_many_rows`, `too_many_columns`, `text_column_not_found`, `no_text`).
    """
    places = _places(text, options.limits)
    good = (record for _, record in places() if record is not None)
    sample = list(islice(good, SAMPLE_ROWS))
    if not sample:
        raise Rejected(
            "invalid_json",
            "The file looks like JSON, but no line of it is a JSON object.",
            "Write one JSON object per line, or one array of objects.",
        )
    texts, scalars = _fields(sample, options.limits)
    column = find_text_column(options.text_column, texts)
    label = find_label_column(scalars, column)
    blocks: list[Block] = []
    bad: list[int] = []
    for row, record in places():
        if record is None:
            bad.append(row)
        elif isinstance(value := record.get(column), str):
            blocks += row_blocks(value, row, as_label(_scalar(record.get(label))) if label else None)
    if not blocks:
        raise no_text(
            f'The field "{column}" is empty in every record.', "Check that the right file was uploaded."
        )
    warning = f"{len(bad)} lines are not JSON objects and were left out: {listed(bad)}"
    return Extracted("application/jsonl", None, None, blocks, [warning] if bad else [])


def _fields(records: list[Record], limits: Limits) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return a sample of every field's texts, and of its texts, numbers and truth values."""
    texts: dict[str, list[str]] = {}
    scalars: dict[str, list[str]] = {}
    for record in records:
        for name, value in record.items():
            if isinstance(value, str):
                texts.setdefault(name, []).append(value)
            scalars.setdefault(name, []).append(_scalar(value))
        if len(scalars) > limits.columns:
            raise too_many("columns", f"{len(scalars):,} different fields", limits.columns)
    return texts, scalars


def _scalar(value: object) -> str:
    """Return a text, number or truth value as text; "" for anything else."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, int | float) else ""


def _places(text: str, limits: Limits) -> Callable[[], Iterator[_Place]]:
    """Return a function that reads the rows from the first on."""
    start = _begin(text, 0)
    if text.startswith("[", start):
        read = partial(_stream, text, start + 1, limits.depth)
    elif _object(_first_line(text), limits.depth) is None and all(
        record is not None for _, record in _stream(text, 0, limits.depth)
    ):
        read = partial(_stream, text, start, limits.depth)  # objects that are written over several lines
    else:
        read = partial(_lines, text, limits.depth)
    first = [record for _, record in islice(read(), 2)]
    if len(first) == 1 and first[0] is not None:
        inside = list(islice(_unwrapped(first[0]), limits.rows + 1))
        return lambda: _within(iter(inside), limits)
    return lambda: _within(read(), limits)


def _within(places: Iterator[_Place], limits: Limits) -> Iterator[_Place]:
    for count, place in enumerate(places, 1):
        if count > limits.rows:
            raise too_many("rows", f"more than {limits.rows:,} rows", limits.rows)
        yield place


def _lines(text: str, depth: int) -> Iterator[_Place]:
    return ((row, _object(line, depth)) for row, line in enumerate(lines_of(text), 1) if line.strip())


def _stream(text: str, at: int, depth: int) -> Iterator[_Place]:
    """Yield values in sequence, with or without commas, up to the end or a closing bracket.

    An unreadable value is the last, because the beginning of the next is unknown.
    """
    row = 0
    while (at := _begin(text, at)) < len(text) and text[at] != "]":
        row += 1
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield row, None
            return
        sound = isinstance(value, dict) and not _too_deep(text[at:end], depth)
        yield row, value if sound else None
        at = end


def _begin(text: str, at: int) -> int:
    """Return the position of the next value."""
    between = _BETWEEN.match(text, at)
    return between.end() if between else at


def _first_line(text: str) -> str:
    """Return the first line that is not blank."""
    start = _begin(text, 0)
    end = text.find("\n", start)
    return text[start:] if end < 0 else text[start:end]


def _unwrapped(record: Record) -> Iterator[tuple[int, Record]]:
    """Yield the objects of the longest array in a single object, as many programs export; else the object."""
    arrays = [value for value in record.values() if isinstance(value, list) and len(value) > 1]
    longest = max(arrays, key=len, default=[])
    inside = [(row, value) for row, value in enumerate(longest, 1) if isinstance(value, dict)]
    has_text = any(fold(name) in WELL_KNOWN and isinstance(value, str) for name, value in record.items())
    yield from [(1, record)] if has_text or not inside else inside


def _object(line: str, depth: int) -> Record | None:
    try:
        value = _DECODER.decode(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and not _too_deep(line, depth) else None


def _too_deep(source: str, depth: int) -> bool:
    if source.count("{") + source.count("[") <= depth:
        return False
    level = 0
    for found in _TOKEN.finditer(source):
        level += (found[0] in "[{") - (found[0] in "]}")
        if level > depth:
            return True
    return False


# Python refuses to read longer whole numbers.
_DECODER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) <= _MOST_DIGITS else None)
