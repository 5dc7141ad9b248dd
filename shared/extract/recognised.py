"""What text recognition found on a page, as it goes from the recogniser to the reader of PDFs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
