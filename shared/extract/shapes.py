"""What extraction takes and gives, whatever the format: limits in, blocks of text in reading order out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

BlockKind = Literal["text", "heading", "table", "row"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits; a file beyond one of them is rejected with a code named after it."""

    bytes: int = 200 * 1024 * 1024
    pages: int = 3_000
    rows: int = 200_000
    characters: int = 20_000_000
    """Code points of extracted text, counted while extracting."""


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """`text_column` names the column (CSV, TSV) or field (JSONL) that holds the text; None: find it."""

    text_column: str | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, table row or data row; inside a block lines are joined by single spaces.

    `page` counts from 1 and is None where the format has no pages; `row` is the data row of a CSV (from 1,
    the header not counted) or the line of a JSONL (from 1), and None elsewhere. Cells of a table row are
    joined by " | ".
    """

    text: str
    kind: BlockKind = "text"
    page: int | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Extracted:
    """A file's text: blocks in reading order, furniture (running heads, page numbers) already left out."""

    media_type: str
    title: str | None
    pages: int | None
    blocks: list[Block]
    warnings: list[str] = field(default_factory=list)
