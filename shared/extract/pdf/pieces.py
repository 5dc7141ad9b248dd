"""Pieces of a page's lines: words without a wide gap between them, of which the cells of tables are made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from operator import attrgetter, sub
from typing import TYPE_CHECKING

from shared.extract.cells import kind_of
from shared.extract.pdf.lines import PIECE_GAP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.extract.pdf.lines import Line
    from shared.platform.tables import Box

STEP = 1.4
"""The most, in line heights, from one line of a cell to the next."""
_VALUE_GAP = 0.12  # ... between two numbers
_THOUSANDS = 0.42  # ... unless they are one number, with blanks for thousands
_BASE = 0.3  # of the line height: pieces this close stand on one line
_MAX_VALUE = 30  # characters
_THOUSAND = re.compile(r"\d{3}(?:[.,]\d+)?[%)]?")
_LEADING = re.compile(r"[\W_]*\d{1,3}")


def is_value(text: str) -> bool:
    """Whether a cell says this and nothing else: a number with its unit, a dash, or that there is none."""
    return len(text) <= _MAX_VALUE and kind_of(text) != "text"


def is_year(text: str) -> bool:
    """Whether this is a year or day, as heads of columns have."""
    return len(text) <= _MAX_VALUE and kind_of(text) == "period"


def is_label(text: str) -> bool:
    """Whether this may name a row: words, a year, or a bracket such as "30-50"."""
    return len(text) > _MAX_VALUE or kind_of(text) in {"text", "period", "range"}


@dataclass(slots=True, eq=False)
class Piece:
    """Words of one line without a wide gap between them."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    base: float
    height: float
    bold: bool
    line: int
    value: bool = False
    middle: float = field(init=False)
    """From left to right."""
    center: float = field(init=False)
    """From top to bottom."""

    def __post_init__(self) -> None:
        self.middle = (self.x0 + self.x1) / 2
        self.center = self.base - self.height / 2


@dataclass(slots=True, eq=False)
class Row:
    """Pieces on one line, from left to right."""

    pieces: list[Piece]

    @property
    def base(self) -> float:
        return self.pieces[0].base

    @property
    def height(self) -> float:
        return max(piece.height for piece in self.pieces)


def pieces_of(line: Line, at: int) -> list[Piece]:
    """Return the pieces of a line, whose place on the page is `at`."""
    texts = line.text.split(" ")
    edges = line.edges
    if edges is None or len(edges) != 2 * len(texts):
        cells, spans = (line.cells, line.spans) if line.cells else ((line.text,), ((line.x0, line.x1),))
        return [_piece(line, at, text, x0, x1) for text, (x0, x1) in zip(cells, spans, strict=True)]
    x0s, x1s = edges[: len(texts)], edges[len(texts) :]
    between = list(map(sub, x0s[1:], x1s))
    wide, narrow = PIECE_GAP * line.height, _VALUE_GAP * line.height
    if (
        all(-line.height <= gap <= wide for gap in between)
        and _SIGNS.isdisjoint(texts)
        and not any(map(str.isdigit, line.text))
    ):
        return [_piece(line, at, line.text, x0s[0], x1s[-1])]  # words alone, with nothing to part
    gaps = [0.0, *between, wide + 1]
    figures = [*map(_is_figure, texts), False]
    found: list[Piece] = []
    start = 0
    for end in range(1, len(texts) + 1):
        gap = gaps[end]
        if not -line.height <= gap <= wide or (
            gap > narrow
            and (
                (figures[end - 1] and figures[end] and not _is_one(texts[start : end + 1], gap, line.height))
                or (texts[end] in _SIGNS and texts[end - 1][-1:] in _ENDS_VALUE and gap > 1.5 * gaps[end + 1])
            )
        ):
            text = " ".join(texts[start:end])
            if found and text[:1].isdecimal() and (sign := _ENDS_SIGN.search(found[-1].text)):
                # The sign of this value stands closer to the one before.
                text = sign[0] + text
                found[-1] = _piece(line, at, found[-1].text[:-1], found[-1].x0, found[-1].x1)
            found.append(_piece(line, at, text, x0s[start], x1s[end - 1]))
            start = end
    return found


def _is_one(texts: Sequence[str], gap: float, height: float) -> bool:
    """Whether the last of these words goes on with a number, whose thousands are set apart by blanks."""
    return (
        gap <= _THOUSANDS * height
        and _LEADING.fullmatch(texts[0]) is not None
        and all(map(_THOUSAND.fullmatch, texts[1:]))
    )


_ENDS_VALUE = frozenset("0123456789%)")
_ENDS_SIGN = re.compile(r"(?<=[\d%)])[-+\u2013\u2212]$")
_SIGNS = frozenset("-+\u2013\u2212\u2014")


def _is_figure(word: str) -> bool:
    return any(map(str.isdigit, word)) and not any(map(str.isalpha, word)) and word[:1] not in "([/"


def _piece(line: Line, at: int, text: str, x0: float, x1: float) -> Piece:
    return Piece(text, x0, line.y0, x1, line.y1, line.base, line.height, line.bold, at, is_value(text))


def text_rows(pieces: Iterable[Piece]) -> list[Row]:
    """Return pieces on one line together, from top to bottom."""
    rows: list[list[Piece]] = []
    base = height = 0.0
    for piece in sorted(pieces, key=_lower):
        if rows and piece.base - base <= _BASE * min(height, piece.height):
            rows[-1].append(piece)
        else:
            rows.append([piece])
            base, height = piece.base, piece.height
    for row in rows:
        row.sort(key=_further)
    return [Row(row) for row in rows]


_lower = attrgetter("base")
_further = attrgetter("x0")


def is_close(one: Row, other: Row) -> bool:
    return other.base - one.base <= STEP * max(one.pieces[0].height, other.pieces[0].height)


def goes_on(before: Piece, after: Piece, edge: float) -> bool:
    """Whether a text goes on in the line below: its first word had no room above, or begins small."""
    word = after.text.split(None, 1)[0]
    if after.text[:1].islower() or after.text[:1] in "([&/" or before.text[-1:] in "-/,&(":
        return True
    if before.text.rsplit(None, 1)[-1].lower() in _LINKS:
        return True
    width = (after.x1 - after.x0) * len(word) / max(1, len(after.text))
    return " " in before.text and before.x1 + width + 0.2 * before.height > edge


_LINKS = frozenset(
    [
        "and",
        "of",
        "or",
        "the",
        "in",
        "to",
        "for",
        "by",
        "with",
        "a",
        "an",
        "on",
        "from",
        "as",
        "per",
        "und",
        "der",
        "die",
        "das",
        "von",
        "mit",
        "für",
        "im",
        "zu",
        "oder",
        "et",
        "de",
        "des",
        "du",
        "la",
        "le",
        "les",
        "en",
        "à",
        "pour",
        "par",
        "di",
        "del",
        "della",
        "delle",
        "dei",
        "e",
        "o",
        "con",
        "da",
        "al",
        "y",
        "el",
        "los",
    ]
)
"""Words that no label ends with."""


def box_of(pieces: Sequence[Piece]) -> Box:
    """Return the box around pieces, in tenths of points."""
    if len(pieces) == 1:
        one = pieces[0]
        return round(one.x0, 1), round(one.y0, 1), round(one.x1, 1), round(one.y1, 1)
    return (
        round(min(p.x0 for p in pieces), 1),
        round(min(p.y0 for p in pieces), 1),
        round(max(p.x1 for p in pieces), 1),
        round(max(p.y1 for p in pieces), 1),
    )
