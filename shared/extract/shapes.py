"""Input and output of extraction: limits and options in, blocks of text in reading order out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.platform.tables import Box, Table


BlockKind = Literal["text", "heading", "table", "row", "fragment", "note"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits; a file that exceeds one is rejected with a code named after it."""

    bytes: int = 200 * 1024 * 1024
    pages: int = 3_000
    """Slides and sheets count as pages."""
    rows: int = 200_000
    columns: int = 2_000
    cells: int = 400_000
    """Cells of tables that are kept as tables; a data set's are not."""
    characters: int = 20_000_000
    """Code points of extracted text, counted while extracting."""
    members: int = 10_000
    """Files in a ZIP: an archive or an Office document."""
    inflated_bytes: int = 512 * 1024 * 1024
    """All that is unpacked from one file, counted while unpacking."""
    inflation: int = 200
    """Factor to the packed size, beyond the first megabyte."""
    depth: int = 256
    """Nested elements, attached messages or brackets."""


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """How to read a file."""

    text_column: str | None = None
    """The column or field of a data set that holds the text; None: find it."""
    password: str | None = field(default=None, repr=False)
    """Opens an encrypted document; it comes from the operator's secrets, never from the uploader."""
    limits: Limits = field(default_factory=Limits)
    recognised: Mapping[int, RecognisedPage] = field(default_factory=dict, repr=False)
    """Recognized pages of a PDF by number, which replace its own text."""
    defer_ocr: bool = False
    """Return no blocks of a PDF that must be recognized first, instead of rejecting it."""
    archives: bool = False
    """Return an archive's media type without blocks, instead of rejecting it."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """A page whose text was recognized, with the mean confidence of its characters, from 0 to 1."""

    page: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, table row or data row; inside a block lines are joined by single spaces.

    `page` counts from 1 and is None where the format has no pages; `row` is the data row of a CSV (from 1,
    the header not counted) or the line of a JSONL (from 1), and None elsewhere. `tables.row_text` gives the
    text of a table's row.
    """

    text: str
    kind: BlockKind = "text"
    page: int | None = None
    row: int | None = None
    label: str | None = None
    """Label or rating of a data row."""
    box: Box | None = None
    table: int | None = None
    """Which of the document's tables a block of kind `table` is a row of, from 0."""
    at: int | None = None
    """Which row of that table, from 0."""


def has_words(blocks: Iterable[Block]) -> bool:
    """Whether any block holds a letter or a digit."""
    return any(char.isalnum() for block in blocks for char in block.text)


@dataclass(frozen=True, slots=True)
class Extracted:
    """A file's text: blocks in reading order, furniture (running heads, page numbers) already left out.

    `ocr_pages` are the pages whose text must be recognized: scans, and pages with wrong fonts.
    `organisation` and `year` of the report are None if the document does not state them.
    """

    media_type: str
    title: str | None
    pages: int | None
    blocks: list[Block]
    warnings: list[str] = field(default_factory=list)
    ocr_pages: list[int] = field(default_factory=list)
    organisation: str | None = None
    year: int | None = None
    tags: list[str] = field(default_factory=list)
    """As stated at upload."""
    facts_from: dict[str, str] = field(default_factory=dict)
    """Where title, organisation and year come from: "upload", "document", or "name", the file's."""
    recognised: list[Recognition] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    """In reading order; each data row of one is a block of kind `table`."""
    cpu_seconds: float = field(default=0.0, compare=False)
    """Processor seconds of the process that read the file."""


LOW_CONFIDENCE = 0.95
"""A page below it is named in a warning: 7 and more of a hundred letters were wrong on such pages."""


class RecognisedLine(NamedTuple):
    """A recognized line, or a piece of one between wide gaps; `confidence` is from 0 to 1."""

    text: str
    box: tuple[float, float, float, float]
    """left, bottom, right, top in points, from the bottom left corner of the page turned upright."""
    confidence: float


class RecognisedPage(NamedTuple):
    """A page after text recognition; a blank one has neither lines nor a problem."""

    page: int
    """Number, from 1."""
    width: float
    """Points, of the page turned upright."""
    height: float
    lines: tuple[RecognisedLine, ...] = ()
    confidence: float | None = None
    """Mean over the characters; None without lines."""
    rotation: float = 0.0
    """Degrees by which the page was turned clockwise until its lines were level."""
    problem: str | None = None
    """Why it could not be recognized, in a sentence."""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Processor seconds of the thread that read it."""


def from_plain(plain: Iterable[list[Any]]) -> dict[int, RecognisedPage]:
    """Restore trusted pages, by number, from the lists that JSON makes of them."""
    pages = {}
    for number, width, height, lines, *rest in plain:
        restored = tuple(RecognisedLine(text, tuple(box), confidence) for text, box, confidence in lines)
        pages[number] = RecognisedPage(number, width, height, restored, *rest)
    return pages


def to_json(pages: Mapping[int, RecognisedPage]) -> bytes:
    """Encode pages for storage; `from_json` decodes them."""
    plain = list(pages.values())
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def from_json(data: bytes) -> dict[int, RecognisedPage]:
    """Decode pages, by number; raises ValueError for anything else."""
    from pydantic import TypeAdapter  # here, since extraction does without it

    return {page.page: page for page in TypeAdapter(list[RecognisedPage]).validate_json(data)}
