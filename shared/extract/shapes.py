"""What extraction takes and gives, whatever the format: limits in, blocks of text in reading order out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


BlockKind = Literal["text", "heading", "table", "row"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits; a file beyond one of them is rejected with a code named after it."""

    bytes: int = 200 * 1024 * 1024
    pages: int = 3_000
    """Slides and sheets count as pages."""
    rows: int = 200_000
    columns: int = 2_000
    characters: int = 20_000_000
    """Code points of extracted text, counted while extracting."""
    members: int = 10_000
    """Files in a ZIP: an archive, an Office document or a book."""
    inflated_bytes: int = 512 * 1024 * 1024
    """Of everything that is unpacked from one file, counted while unpacking."""
    inflation: int = 200
    """Times the packed size, beyond the first megabyte."""
    depth: int = 256
    """Nested elements, attached messages or brackets."""


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """`text_column` names the column (CSV, TSV) or field (JSONL) that holds the text; None: find it.

    `password` opens an encrypted document; it comes from the operator's secrets, never from the uploader.
    `recognised` holds pages of a PDF by number; what was recognised on them is read in place of their text.
    `archives`: of an archive the media type is told, and no blocks; else it is rejected.
    `defer_ocr`: a PDF of which nothing can be read without recognition has no blocks, and is not rejected.
    """

    text_column: str | None = None
    password: str | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
    recognised: Mapping[int, RecognisedPage] = field(default_factory=dict, repr=False)
    defer_ocr: bool = False
    archives: bool = False


@dataclass(frozen=True, slots=True)
class Recognition:
    """A page whose text was recognised, and how sure that is, from 0 to 1: the mean over its characters."""

    page: int
    confidence: float


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
    label: str | None = None
    """Of a data row: what its label or rating column says."""


def has_words(blocks: Iterable[Block]) -> bool:
    """Whether any block holds a letter or a digit."""
    return any(char.isalnum() for block in blocks for char in block.text)


@dataclass(frozen=True, slots=True)
class Extracted:
    """A file's text: blocks in reading order, furniture (running heads, page numbers) already left out.

    `ocr_pages` are the pages whose text can only be had by recognising it: scans, and fonts that lie.
    `organisation` and `year` (of the report) are None where the document does not state them.
    """

    media_type: str
    title: str | None
    pages: int | None
    blocks: list[Block]
    warnings: list[str] = field(default_factory=list)
    ocr_pages: list[int] = field(default_factory=list)
    organisation: str | None = None
    year: int | None = None
    recognised: list[Recognition] = field(default_factory=list)
    cpu_seconds: float = field(default=0.0, compare=False)
    """That reading took, in the process that read."""


LOW_CONFIDENCE = 0.95
"""A page below it is named in a warning: 7 letters of a hundred and more were wrong on such pages."""


@dataclass(frozen=True, slots=True)
class RecognisedLine:
    """A line, or a piece of one between wide gaps; `confidence` is from 0 to 1."""

    text: str
    box: tuple[float, float, float, float]
    """left, bottom, right, top in points, from the bottom left corner of the page turned upright."""
    confidence: float


@dataclass(frozen=True, slots=True)
class RecognisedPage:
    """A page as recognition saw it; one that is blank has neither lines nor a problem."""

    page: int
    """Counts from 1."""
    width: float
    """Points, of the page turned upright."""
    height: float
    lines: tuple[RecognisedLine, ...] = ()
    confidence: float | None = None
    """Mean over the characters; None without lines."""
    rotation: float = 0.0
    """Degrees by which the page was turned clockwise until its lines were level."""
    problem: str | None = None
    """Why it could not be recognised, in a sentence."""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of the thread that read it."""


def to_plain(pages: Mapping[int, RecognisedPage]) -> list[list[Any]]:
    """Lists of numbers and texts, a fraction of the size of a mapping for every line."""
    return [
        [
            page.page,
            page.width,
            page.height,
            [[line.text, *line.box, line.confidence] for line in page.lines],
            page.confidence,
            page.rotation,
            page.problem,
            page.seconds,
            page.cpu_seconds,
        ]
        for page in pages.values()
    ]


def from_plain(plain: Iterable[list[Any]]) -> dict[int, RecognisedPage]:
    """The opposite of `to_plain`, by page; for what this process or its caller wrote itself."""
    pages = (
        RecognisedPage(
            number,
            width,
            height,
            tuple(
                RecognisedLine(text, (left, bottom, right, top), confidence)
                for text, left, bottom, right, top, confidence in lines
            ),
            *rest,
        )
        for number, width, height, lines, *rest in plain
    )
    return {page.page: page for page in pages}


def to_json(pages: Mapping[int, RecognisedPage]) -> bytes:
    """For keeping; see `from_json`."""
    return json.dumps(to_plain(pages), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def from_json(data: bytes) -> dict[int, RecognisedPage]:
    """The opposite of `to_json`; raises ValueError for anything else."""
    from pydantic import TypeAdapter  # here, since extraction does without it

    row = tuple[str, float, float, float, float, float]
    page = tuple[int, float, float, list[row], float | None, float, str | None, float, float]
    checked = TypeAdapter(list[page]).validate_json(data)
    return from_plain([list(values) for values in checked])
