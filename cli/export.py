"""Passages as CSV, for spreadsheets: a row a passage, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

COLUMNS = (
    "document", "index", "page", "row", "section", "language", "sentiment", "topics", "action", "label",
    "figures", "text",
)  # fmt: skip
_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula, in full width too (OWASP, "CSV Injection")."""


def csv_lines(name: str, passages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The header and a line for each passage of the document called `name`, with their line ends."""
    yield _line(COLUMNS)
    for passage in passages:
        sentiment, action = passage["sentiment"] or {}, passage["action"] or {}
        yield _line(
            (
                name,
                passage["index"],
                passage["page"],
                passage["row"],
                passage.get("section"),
                passage.get("language"),
                sentiment.get("label"),
                " ".join(topic["name"] for topic in passage["topics"]),
                action.get("label"),
                passage.get("label"),
                "; ".join(figure["text"] for figure in passage["figures"]),
                passage["text"],
            )
        )


def harmless(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula: an apostrophe in front makes it text."""
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip(" ").startswith(_RUNS) else cell


def _line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(map(harmless, cells))
    return line.getvalue()
