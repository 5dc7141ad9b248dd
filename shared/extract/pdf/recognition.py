"""Make lines of recognized text: words, columns and sizes of type are estimated.

Recognition gives pieces of lines with a box each, in no reliable order. Then a recognized page is like any
other: the same code makes lines, furniture, headings, tables and paragraphs of it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from shared.extract.pdf.lines import Page, Word, cut_line, keep_words
from shared.extract.tidy import squeeze

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shared.extract.pdf.lines import Line
    from shared.extract.shapes import RecognisedPage
    from shared.platform.tables import Box

_WIDTHS = (
    dict.fromkeys("iljI.,:;'|!\u2019 ", 0.26)
    | dict.fromkeys('ftr()[]-"/', 0.33)
    | dict.fromkeys("mwMW@%", 0.84)
    | dict.fromkeys("&", 0.68)
)
_CAPITAL, _OTHER = 0.68, 0.54
_LINE = 1.2  # ems: the height of a line as the reader gives it; of the samples' fonts 0.95 to 1.4
_STEP = 1.02
_NEAR = 4  # steps around a size of type: lines of one font in the samples stay within 3
_MARGIN = 0.3  # of a box's height: what it is wider than its text
_LONG = 8  # letters: fewer do not tell a size by their width
_ALIKE = 0.35  # relative difference in height between boxes of one size of type
_ONE_LINE = 0.4  # of the lower of two pieces: they stand on one line if they share so much of its height
_GUTTER = 0.7  # of the line height: the least space between columns
_COLUMN_LINES = 3  # that a column has at least
_COLUMN_WORDS = 3  # that half of a column's lines have at least; less is a table's


@dataclass(slots=True)
class _Piece:
    """A recognized piece of a line; points from the top left corner, y downwards."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float = 0.0
    """Line height of its type, in points."""


def lay_out(recognised: Iterable[RecognisedPage], body: float = 0.0) -> dict[int, Page]:
    """Return the pages as the reader would, by number; pages with a problem are left out.

    `body` is the line height of text on the document's other pages, if any. Scans have every scale, so
    recognized pages are scaled until their most common type has that height.
    """
    read = [page for page in recognised if page.problem is None]
    pieces = {page.page: _pieces(page) for page in read}
    commonest = _set_sizes([piece for found in pieces.values() for piece in found])
    scale = body / commonest if body and commonest else 1.0
    pages = {
        page.page: Page(
            page.page, page.width * scale, page.height * scale, list(_lines(pieces[page.page], scale))
        )
        for page in read
    }
    for page in pages.values():
        keep_words(page.lines)
    return pages


def as_seen(box: Box, page: RecognisedPage, laid_out: Page) -> Box:
    """Return a box of a laid-out page in points of the page in its file, which may lie on its side there."""
    scale = page.width / laid_out.width
    x0, y0, x1, y1 = (side * scale for side in box)
    wide, high = page.width, page.height
    for _ in range(round(page.rotation / 90) % 4):  # it was turned clockwise as often
        x0, y0, x1, y1 = y0, wide - x1, y1, wide - x0
        wide, high = high, wide
    return round(x0, 1), round(y0, 1), round(x1, 1), round(y1, 1)


def _pieces(page: RecognisedPage) -> list[_Piece]:
    found = []
    for line in page.lines:
        text = "".join(filter(str.isprintable, squeeze(line.text)))
        left, bottom, right, top = line.box
        if text and right > left and top > bottom:
            found.append(_Piece(text, left, page.height - top, right, page.height - bottom))
    return found


def _set_sizes(pieces: Sequence[_Piece]) -> float:
    """Give pieces of similar type one size; return the most common size, by letters."""
    weights: Counter[int] = Counter()
    for piece in pieces:
        weights[_step(piece)] += len(piece.text)
    sizes: dict[int, float] = {}
    commonest = 0.0
    while left := weights.keys() - sizes.keys():
        middle = max(
            left,
            key=lambda step: sum(weights[near] for near in left if abs(near - step) <= _NEAR),
        )
        size = _LINE * _STEP**middle
        commonest = commonest or size
        sizes.update(dict.fromkeys((step for step in left if abs(step - middle) <= _NEAR), size))
    for piece in pieces:
        piece.size = sizes[_step(piece)]
    _set_short_sizes(pieces, commonest)
    return commonest


def _set_short_sizes(pieces: Sequence[_Piece], commonest: float) -> None:
    """Set the size of short pieces by their boxes' heights, because few letters say little by their width.

    They get the most common size if it fits, else that of pieces whose boxes are as high.
    """
    heights: dict[float, list[float]] = {}
    for piece in pieces:
        if len(piece.text) >= _LONG:
            heights.setdefault(piece.size, []).append(piece.y1 - piece.y0)
    typical = {size: median(found) for size, found in heights.items()}
    for piece in pieces:
        if len(piece.text) < _LONG and typical:
            high = piece.y1 - piece.y0
            nearest = min(typical, key=lambda size: abs(typical[size] - high))
            fitting = (
                size
                for size in (commonest, nearest)
                if abs(typical.get(size, 0.0) - high) <= _ALIKE * typical.get(size, 0.0)
            )
            piece.size = next(fitting, nearest * high / typical[nearest])


def _step(piece: _Piece) -> int:
    """Return the size of type in steps of a few hundredths, by the width of its letters.

    The boxes of lines differ in height by half, depending on their letters; the sum of the letters' widths
    differs by a few hundredths.
    """
    wide, high = piece.x1 - piece.x0, piece.y1 - piece.y0
    written = max(wide / 2, wide - _MARGIN * high)
    return round(math.log(written / sum(map(_width, piece.text))) / math.log(_STEP))


def _width(letter: str) -> float:
    """Return a letter's width in most fonts, in ems."""
    known = _WIDTHS.get(letter)
    if known is not None:
        return known
    return _CAPITAL if letter.isupper() else _OTHER


def _lines(pieces: list[_Piece], scale: float) -> Iterator[Line]:
    for row in _in_order(pieces):
        yield from cut_line([word for piece in row for word in _words(piece, scale)])


def _words(piece: _Piece, scale: float) -> Iterator[Word]:
    """Yield the words at the places that they would have in an average font."""
    width = scale * (piece.x1 - piece.x0) / sum(map(_width, piece.text))
    middle = scale * (piece.y0 + piece.y1) / 2
    half = scale * piece.size / 2
    at = scale * piece.x0
    for word in piece.text.split(" "):
        end = at + width * sum(map(_width, word))
        yield Word(word, at, middle - half, end, middle + half, 0)
        at = end + width * _width(" ")


def _in_order(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    """Yield the rows from top to bottom, and columns of prose one after the other."""
    rows = _rows(pieces)
    at = 0
    while at < len(rows):
        end, columns = _band(rows, at)
        if columns:
            for column in columns:
                yield from _in_order(column)
        else:
            yield rows[at]
        at = end


def _rows(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Return pieces side by side, from left to right; the rows from top to bottom."""
    rows: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.y0 + piece.y1) / 2):
        home = next((row for row in rows[-3:] if _stands_beside(piece, row)), None)
        if home is None:
            rows.append([piece])
        else:
            home.append(piece)
    return [sorted(row, key=lambda piece: piece.x0) for row in rows]


def _stands_beside(piece: _Piece, row: Sequence[_Piece]) -> bool:
    first = row[0]
    shared = min(piece.y1, first.y1) - max(piece.y0, first.y0)
    return shared >= _ONE_LINE * min(piece.y1 - piece.y0, first.y1 - first.y0) and not any(
        min(piece.x1, other.x1) - max(piece.x0, other.x0) > first.size / 2 for other in row
    )


def _band(rows: Sequence[list[_Piece]], start: int) -> tuple[int, list[list[_Piece]]]:
    """Return the end of the longest run of rows in columns, and the columns; none: the next row."""
    spans: list[tuple[float, float]] = []
    runs: dict[int, tuple[int, list[tuple[float, float]]]] = {}
    for at in range(start, len(rows)):
        sides = ((piece.x0, piece.x1) for piece in rows[at])
        spans = _merged([*spans, *sides], _GUTTER * rows[at][0].size)
        if len(spans) == 1 and at > start:
            break
        runs[len(spans)] = at + 1, spans
    for end, found in sorted(runs.values(), reverse=True):
        columns = _columns(rows[start:end], found)
        if len(found) > 1 and _are_columns(columns):
            return end, columns
    return start + 1, []


def _merged(spans: Iterable[tuple[float, float]], gutter: float) -> list[tuple[float, float]]:
    """Merge spans that are closer than the gutter."""
    merged: list[tuple[float, float]] = []
    for left, right in sorted(spans):
        if merged and left - merged[-1][1] < gutter:
            merged[-1] = merged[-1][0], max(merged[-1][1], right)
        else:
            merged.append((left, right))
    return merged


def _columns(rows: Sequence[Sequence[_Piece]], spans: Sequence[tuple[float, float]]) -> list[list[_Piece]]:
    pieces = [piece for row in rows for piece in row]
    return [[piece for piece in pieces if left <= piece.x0 <= right] for left, right in spans]


def _are_columns(columns: Sequence[Sequence[_Piece]]) -> bool:
    for column in columns:
        words = [sum(any(map(str.isalpha, word)) for word in piece.text.split()) for piece in column]
        if len(words) < _COLUMN_LINES or median(words) < _COLUMN_WORDS:
            return False
    return True
