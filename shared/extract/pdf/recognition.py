"""Recognised lines in the place of a page's own text: words, columns and sizes of type estimated from them.

Recognition gives pieces of lines with a box each, in no order to rely on. From there a recognised page is
like any other: the same code makes lines, furniture, headings, tables and paragraphs of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from shared.extract.pdf.lines import Page, Word, cut_line
from shared.extract.tidy import squeeze

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shared.extract.pdf.lines import Line
    from shared.extract.recognised import RecognisedPage

_SIZE = 0.22  # relative difference between boxes around one size of type: they depend on the letters in them
_ONE_LINE = 0.4  # of the lower of two pieces: they stand on one line if they share so much of its height
_GUTTER = 0.7  # of the line height: the least space between columns
_COLUMN_LINES = 3  # that a column has at least
_COLUMN_WORDS = 3  # that half of a column's lines have at least; less is a table's


@dataclass(slots=True)
class _Piece:
    """As `Line`: points from the top left corner, y downwards."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float = 0.0
    """The height of its type, that of its kin."""


def lay_out(recognised: Iterable[RecognisedPage]) -> dict[int, Page]:
    """The pages as the reader would give them, by number; those with a problem are left out."""
    read = [page for page in recognised if page.problem is None]
    pieces = {page.page: _pieces(page) for page in read}
    _set_sizes([piece for found in pieces.values() for piece in found])
    return {
        page.page: Page(page.page, page.width, page.height, list(_lines(pieces[page.page]))) for page in read
    }


def _pieces(page: RecognisedPage) -> list[_Piece]:
    found = []
    for line in page.lines:
        text = "".join(filter(str.isprintable, squeeze(line.text)))
        left, bottom, right, top = line.box
        if text and right > left and top > bottom:
            found.append(_Piece(text, left, page.height - top, right, page.height - bottom))
    return found


def _set_sizes(pieces: Sequence[_Piece]) -> None:
    """Give all pieces of about one height the same: the commonest first, counted in letters."""
    counts: Counter[float] = Counter()
    for piece in pieces:
        counts[_height(piece)] += len(piece.text)
    sizes: dict[float, float] = {}
    for height, _ in counts.most_common():
        if height not in sizes:
            near = [other for other in counts if other not in sizes and abs(other - height) <= _SIZE * height]
            sizes.update(dict.fromkeys(near, height))
    for piece in pieces:
        piece.size = sizes[_height(piece)]


def _height(piece: _Piece) -> float:
    return max(0.1, round(piece.y1 - piece.y0, 1))


def _lines(pieces: list[_Piece]) -> Iterator[Line]:
    for row in _in_order(pieces):
        yield from cut_line([word for piece in row for word in _words(piece)])


def _words(piece: _Piece) -> Iterator[Word]:
    """Its words at the places they would have if all letters were of one width."""
    width = (piece.x1 - piece.x0) / len(piece.text)
    middle = (piece.y0 + piece.y1) / 2
    at = 0
    for word in piece.text.split(" "):
        end = at + len(word)
        yield Word(
            word,
            piece.x0 + at * width,
            middle - piece.size / 2,
            piece.x0 + end * width,
            middle + piece.size / 2,
            0,
        )
        at = end + 1


def _in_order(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    """The rows from top to bottom; where columns of prose stand side by side, one column after the other."""
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
    """Pieces side by side, from left to right; the rows from top to bottom."""
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
    """Where the longest run of rows in columns ends that begins here, and the columns; none: the next row."""
    spans: list[tuple[float, float]] = []
    end, found = start + 1, list[tuple[float, float]]()
    for at in range(start, len(rows)):
        gutter = _GUTTER * rows[at][0].size
        before = spans
        spans = _merged([*spans, *((piece.x0, piece.x1) for piece in rows[at])], gutter)
        if len(before) > 1 and len(spans) == 1:
            break
        if len(spans) > 1 and _are_columns(_columns(rows[start : at + 1], spans)):
            end, found = at + 1, spans
    return end, _columns(rows[start:end], found) if found else []


def _merged(spans: Iterable[tuple[float, float]], gutter: float) -> list[tuple[float, float]]:
    """The spans, those closer than the gutter as one."""
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
    return all(
        len(column) >= _COLUMN_LINES and median(_count_words(piece.text) for piece in column) >= _COLUMN_WORDS
        for column in columns
    )


def _count_words(text: str) -> int:
    return sum(any(map(str.isalpha, word)) for word in text.split())
