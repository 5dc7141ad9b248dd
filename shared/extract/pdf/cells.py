"""Put text beside a table's row back into the row's cells.

Rows are found line by line, so two lines of a cell of three come as paragraphs. Their place shows where they
belong: in the cell's column, one step above or below, or between this row and the next.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.extract.pdf.paragraphs import Paragraph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shared.extract.pdf.lines import Line

    Join = Callable[[Sequence[str]], str]

_STEP = 1.4  # of the line height, from one line of a cell to the next
_WITHIN = 6.0  # the same, from the row's line to the last one of a cell, or to the next row of the table
_SAME_LINE = 0.35  # of the line height
_ALIGNED = 0.5  # of the line height: two pieces begin at one edge
_SIZE = 0.15  # relative difference of line heights
_MAX_LINES = 8  # of what goes into a cell: more is prose beside a table
_MAX_ROWS = 300  # of a page; more are no table that somebody reads
_MAX_PARTS = 500  # paragraphs and tables of a page


def with_whole_cells(paragraphs: list[Paragraph], join: Join) -> list[Paragraph]:
    """Return the page's paragraphs, with parts of cells moved into them; `join` makes one text of lines."""
    rows = sorted(
        (line for paragraph in paragraphs if paragraph.kind == "table" for line in paragraph.lines),
        key=lambda line: line.base,
    )
    if not rows or len(rows) > _MAX_ROWS or len(paragraphs) > _MAX_PARTS:
        return paragraphs
    table = _Table(rows, paragraphs, join)
    loose = [part for part in paragraphs if part.kind == "text" and _is_cell(part)]
    taken = {id(part) for part in table.pair(loose)}
    loose = [part for part in loose if part.kind == "text"]
    for take in (table.take_beside, table.take_below, table.take_above):
        taken.update(id(part) for part in loose if id(part) not in taken and take(part))
    rest = [paragraph for paragraph in paragraphs if id(paragraph) not in taken]
    between = [paragraph for paragraph in rest if paragraph.kind != "table"]
    return [piece for paragraph in rest for piece in _pieces(paragraph, between)]


def _pieces(paragraph: Paragraph, between: Sequence[Paragraph]) -> Iterator[Paragraph]:
    """Yield a table in pieces, cut by the paragraphs that stand between two of its rows."""
    if paragraph.kind != "table" or len(paragraph.lines) == 1:
        yield paragraph
        return
    inside = [other for other in between if paragraph.y0 < other.y0 < paragraph.y1]
    piece = Paragraph("table")
    for row in paragraph.lines:
        last = piece.lines[-1] if piece.lines else None
        if last and any(last.y0 < other.y0 and other.y1 < row.y1 for other in inside):
            yield piece
            piece = Paragraph("table")
        piece.add(row)
    yield piece


class _Table:
    """The rows of a page, from top to bottom."""

    def __init__(self, rows: list[Line], paragraphs: Sequence[Paragraph], join: Join) -> None:
        self._rows = rows
        self._bases = [row.base for row in rows]
        self._join = join
        self._ends = {id(row): [row.base] * len(row.cells) for row in rows}
        """The place of each cell's last line."""
        self._edges = [span for row in rows for span in row.spans]
        self._edges += [
            (line.x0, line.x1) for part in paragraphs if part.kind == "text" for line in part.lines
        ]

    def pair(self, parts: Sequence[Paragraph]) -> Iterator[Paragraph]:
        """Make rows of a label and the cells on its line, if a row nearby has such cells; yield the cells."""
        for label in parts:
            text = label.lines[0].text
            if label.kind == "text" and any(map(str.isalpha, text)) and not text[:1].islower():
                cells = self._cells_of(label, parts)
                if cells:
                    self._make_row(label, cells)
                    yield from cells

    def _cells_of(self, label: Paragraph, parts: Sequence[Paragraph]) -> list[Paragraph]:
        height = label.lines[0].height
        beside = [
            cell for cell in parts if cell.kind == "text" and label.x1 < cell.x0 and _on_one_line(label, cell)
        ]
        found: list[Paragraph] = []
        if beside:
            for row, _ in self._near(label.lines[0].base, _WITHIN * height):
                if row.spans and _aligned(label, row.spans[0], height) and _alike(label.lines[0], row):
                    for cell in sorted(beside, key=lambda cell: cell.x0):
                        free = not found or found[-1].x1 < cell.x0
                        if free and any(_aligned(cell, span, height) for span in row.spans[1:]):
                            found.append(cell)
                if found:
                    break
        return found

    def _make_row(self, label: Paragraph, cells: Sequence[Paragraph]) -> None:
        parts = (label, *cells)
        texts = tuple(map(self._text, parts))
        ends = [part.lines[-1].base for part in parts]
        row = replace(
            label.lines[0],
            text=" ".join(texts),
            cells=texts,
            spans=tuple((part.x0, part.x1) for part in parts),
            y1=max(part.y1 for part in parts),
        )
        for part in parts:
            part.kind = "table"
        label.lines = [row]
        at = bisect_left(self._bases, row.base)
        self._rows.insert(at, row)
        self._bases.insert(at, row.base)
        self._ends[id(row)] = ends

    def take_beside(self, part: Paragraph) -> bool:
        """Take a cell on the row's line that was drawn apart, if other rows have one in its column."""
        first = part.lines[0]
        for row, after in self._near(first.base, _SAME_LINE * first.height):
            at = sum(x0 < part.x0 for x0, _ in row.spans)
            free = (at == 0 or row.spans[at - 1][1] < part.x0) and (
                at == len(row.spans) or part.x1 < row.spans[at][0]
            )
            known = any(
                _aligned(part, span, first.height)
                for other, _ in self._near(first.base, _WITHIN * first.height)
                if other is not row
                for span in other.spans
            )
            ends = after is None or part.y1 <= after.y0 + part.lines[-1].height / 2
            if free and known and ends and _alike(first, row):
                row.cells = (*row.cells[:at], self._text(part), *row.cells[at:])
                row.spans = (*row.spans[:at], (part.x0, part.x1), *row.spans[at:])
                self._ends[id(row)].insert(at, part.lines[-1].base)
                return True
        return False

    def take_below(self, part: Paragraph) -> bool:
        """Take the continuation of a cell above it."""
        first = part.lines[0]
        if not any(map(str.isalpha, first.text)):
            return False
        for row, _ in self._near(first.base - _WITHIN * first.height / 2, _WITHIN * first.height / 2):
            for at, (x0, x1) in enumerate(row.spans):
                ends = self._ends[id(row)]
                if (
                    abs(part.x0 - x0) < _ALIGNED * first.height
                    and _SAME_LINE < (first.base - ends[at]) / first.height <= _STEP
                    and _alike(first, row)
                    and (at + 1 == len(row.spans) or part.x1 < row.spans[at + 1][0])
                    and self._goes_on(x0, x1, first)
                ):
                    self._put(row, at, (row.cells[at], self._text(part)), (part.x0, part.x1))
                    ends[at] = part.lines[-1].base
                    return True
        return False

    def take_above(self, part: Paragraph) -> bool:
        """Take the beginning of a label whose last line stands in the row."""
        last = part.lines[-1]
        for row, _ in self._near(last.base + _STEP * last.height / 2, _STEP * last.height / 2):
            if len(row.spans) < 2:  # noqa: PLR2004 - one cell is no label of another
                continue
            step = (row.base - last.base) / last.height
            if (
                abs(part.x0 - row.spans[0][0]) < _ALIGNED * last.height
                and _SAME_LINE < step <= _STEP
                and _alike(last, row)
                and part.x1 < row.spans[1][0]
                and self._goes_on(last.x0, last.x1, row)
            ):
                self._put(row, 0, (self._text(part), row.cells[0]), (part.x0, part.x1))
                return True
        return False

    def _goes_on(self, x0: float, x1: float, line: Line) -> bool:
        """Whether the line begins in mid-sentence, or its first word did not fit above, from x0 to x1."""
        text = line.cells[0] if line.cells else line.text
        if text[:1].islower() or text[:1] == "(":
            return True
        width = line.spans[0][1] - line.spans[0][0] if line.spans else line.x1 - line.x0
        word = width * len(text.split(None, 1)[0]) / len(text)
        edge = max(right for left, right in self._edges if abs(left - x0) < _ALIGNED * line.height)
        return x1 + word > edge

    def _near(self, base: float, distance: float) -> Iterator[tuple[Line, Line | None]]:
        """Yield the rows within `distance`, the lowest first, each with the next row."""
        start, end = bisect_left(self._bases, base - distance), bisect_right(self._bases, base + distance)
        for at in reversed(range(start, end)):
            yield self._rows[at], self._rows[at + 1] if at + 1 < len(self._rows) else None

    def _put(self, row: Line, at: int, texts: Sequence[str], span: tuple[float, float]) -> None:
        x0, x1 = row.spans[at]
        row.cells = (*row.cells[:at], self._join(texts), *row.cells[at + 1 :])
        row.spans = (*row.spans[:at], (min(x0, span[0]), max(x1, span[1])), *row.spans[at + 1 :])

    def _text(self, part: Paragraph) -> str:
        return self._join([line.text for line in part.lines])


def _aligned(part: Paragraph, span: tuple[float, float], height: float) -> bool:
    """Whether left edges, right edges or middles are aligned."""
    left, right = part.x0 - span[0], part.x1 - span[1]
    return min(abs(left), abs(right), abs(left + right) / 2) < _ALIGNED * height


def _is_cell(part: Paragraph) -> bool:
    """Whether this may be a cell: neither prose nor a column of figures, which belong to one row each."""
    lines = len(part.lines)
    return lines == 1 or (lines <= _MAX_LINES and any(map(str.isalpha, part.text)))


def _alike(line: Line, row: Line) -> bool:
    return abs(line.height - row.height) <= _SIZE * row.height


def _on_one_line(one: Paragraph, other: Paragraph) -> bool:
    """Whether they begin on one line, or their middles are at one height."""
    near = _SAME_LINE * one.lines[0].height
    return (
        abs(one.lines[0].base - other.lines[0].base) < near
        or abs(one.y0 + one.y1 - other.y0 - other.y1) / 2 < near
    )
