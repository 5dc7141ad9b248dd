"""Find the tables of a PDF page: by the lines and fills around their cells, and by how their text is aligned.

Lines that lie above each other make a frame, which says where a table ends and where its rows begin. Inside,
gaps that no row covers separate columns. Rows of numbers that no frame holds are tables too, where their
columns are aligned. What is found goes to `settle` as a grid; the rest of the page stays lines.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from shared.extract.pdf.frames import drawn_on, find_frames, order
from shared.extract.pdf.grid import MAX_HEAD_ROWS, columns_in, make_grid, unspaced
from shared.extract.pdf.lines import Line
from shared.extract.pdf.pieces import (
    STEP,
    Row,
    box_of,
    goes_on,
    is_close,
    is_label,
    is_value,
    is_year,
    pieces_of,
    text_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.extract.pdf.columns import Columns
    from shared.extract.pdf.frames import Drawn, Frame
    from shared.extract.pdf.grid import Join
    from shared.extract.pdf.lines import Page
    from shared.extract.pdf.pieces import Piece
    from shared.extract.tables import Grid

MAX_PIECES = 4_000
"""Pieces of text of a page; on a page with more no table is looked for."""
MAX_TABLES = 40
"""Tables of a page."""
_MAX_NOTE_LINES = 40
_MAX_LABEL_LINES = 4
_UPWARDS = 4  # characters of a line that is written upwards, if it is higher than wide
_FEW_LEVELS = 2  # lines of a frame: a box
_MAX_HEAD_WORDS = 8  # of a head of a column
_HEAD_STEP = 1.6  # line heights between the heads and the line below them


@dataclass(slots=True)
class Found:
    """A table, its lines on the page and the lines of its notes."""

    grid: Grid
    lines: set[int] = field(default_factory=set)
    notes: set[int] = field(default_factory=set)
    used: list[Piece] = field(default_factory=list)
    pieces: dict[int, list[Piece]] = field(default_factory=dict)
    """All pieces of its lines."""


def with_tables(page: Page, join: Join) -> list[Line]:
    """Return the page's lines with a line in place of each table, and the lines of notes marked."""
    found = find_tables(page, join)
    if not found:
        return page.lines
    lines: list[Line] = list(page.lines)
    owner = {at: one for one in found for at in one.lines}
    placed: set[int] = set()
    kept: list[Line] = []
    for at, line in enumerate(lines):
        one = owner.get(at)
        if one is not None and id(one) not in placed:
            placed.add(id(one))
            kept.append(_place(one, line))
        left = _left(line, at, found) if one is not None else line
        if left is not None:
            left.note = any(at in other.notes for other in found)
            kept.append(left)
    return kept


def _place(found: Found, line: Line) -> Line:
    x0, y0, x1, y1 = found.grid.box or (line.x0, line.y0, line.x1, line.y1)
    text = " ".join(cell.text for cells in found.grid.rows for cell in cells)
    return Line(text, x0, y0, x1, y1, fonts=line.fonts, height=line.height, base=y1, tables=[found.grid])


def _left(line: Line, at: int, found: Sequence[Found]) -> Line | None:
    """Return what a line has beside the tables."""
    used = {id(piece) for one in found for piece in one.used if piece.line == at}
    rest = [piece for one in found for piece in one.pieces.get(at, ()) if id(piece) not in used]
    unique = list({id(piece): piece for piece in rest}.values())
    if not unique:
        return None
    cells = tuple(piece.text for piece in unique) if len(unique) > 1 else ()
    return replace(
        line,
        text=" ".join(piece.text for piece in unique),
        x0=unique[0].x0,
        x1=unique[-1].x1,
        cells=cells,
        spans=tuple((piece.x0, piece.x1) for piece in unique) if cells else (),
        edges=None,
    )


def find_tables(page: Page, join: Join) -> list[Found]:
    """Return the page's tables from top to bottom, as grids."""
    if all(line.edges is None for line in page.lines):
        return []  # it has too few numbers and rows
    pieces = [
        piece
        for at, line in enumerate(page.lines)
        if len(line.text) < _UPWARDS or line.y1 - line.y0 <= 2 * (line.x1 - line.x0)
        for piece in pieces_of(line, at)
    ]
    if not pieces or len(pieces) > MAX_PIECES:
        return []
    search = _Search(pieces)
    drawn = drawn_on(page)
    height = median(piece.height for piece in pieces)
    frames = sorted(find_frames(drawn, text_rows(pieces), height), key=order)
    for frame in frames:
        others = [other for other in frames if other.levels > _FEW_LEVELS and other.is_apart(frame)]
        search.take(_framed(search.free, frame, others, drawn, join))
    prose = _prose(page, search.free)
    for wordy in (False, True):
        loose = [piece for piece in search.free if piece.line not in prose]
        for rows in _chains(loose, page if wordy else None):
            search.take(_unframed(rows, drawn, join, wordy=wordy))
    for one in search.found:
        one.pieces = {at: [] for at in one.lines}
        for piece in pieces:
            if piece.line in one.pieces:
                one.pieces[piece.line].append(piece)
        _add_caption(one, search.free, join)
        _add_notes(one, page, search.free, join)
    return sorted(search.found, key=lambda one: (one.grid.box or (0, 0, 0, 0))[1])


class _Search:
    """Collects the tables of a page; `free` is what belongs to none yet."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.free = pieces
        self.found: list[Found] = []

    def take(self, found: Found | None) -> None:
        if found is not None and len(self.found) < MAX_TABLES:
            used = set(map(id, found.used))
            self.free = [piece for piece in self.free if id(piece) not in used]
            self.found.append(found)


def _framed(
    free: list[Piece], frame: Frame, others: Sequence[Frame], drawn: Drawn, join: Join
) -> Found | None:
    inside = [piece for piece in free if frame.holds(piece)]
    if len(inside) < 3:  # noqa: PLR2004 - fewer are no table
        return None
    rows = text_rows(inside)
    columns = columns_in(rows, (frame.x0, frame.y0, frame.x1, frame.y1), drawn)
    if columns is None:
        return None
    taken = set(map(id, inside))
    outside = [
        p
        for p in free
        if id(p) not in taken
        and frame.x0 - 3 <= p.middle <= frame.x1 + 3
        and not any(other.holds(p) for other in others)
    ]
    above = _above(text_rows(p for p in outside if p.center < frame.y0 - 1), frame, columns)
    below = _below(text_rows(p for p in outside if p.center > frame.y1 - 1), rows, frame, columns)
    rows = [*above, *rows, *below]
    box = (
        frame.x0,
        min([frame.y0, *(p.y0 for row in above for p in row.pieces)]),
        frame.x1,
        max([frame.y1, *(p.y1 for row in below for p in row.pieces)]),
    )
    if above or below:
        columns = columns_in(rows, box, drawn) or columns
    grid = make_grid(rows, columns, box, drawn, join)
    if grid is None or not _is_table(grid):
        return None
    used = [piece for row in rows for piece in row.pieces]
    return Found(grid, {p.line for p in used}, used=used)


def _above(rows: list[Row], frame: Frame, columns: Columns) -> list[Row]:
    """Return the heads above the frame's first line."""
    taken: list[Row] = []
    edge = frame.y0
    for row in reversed(rows):
        low = max(p.base for p in row.pieces)
        if len(taken) >= MAX_HEAD_ROWS or edge - low > _HEAD_STEP * row.height or _is_note(row):
            break
        places = [columns.of(piece) for piece in row.pieces]
        if all(place[0] == 0 for place in places) or any(place[0] == 0 < place[1] for place in places):
            break  # a title
        if any(
            len(piece.text.split()) > _MAX_HEAD_WORDS
            for piece, place in zip(row.pieces, places, strict=True)
            if place[0]
        ):
            break  # prose
        taken.append(row)
        edge = min(p.base - p.height for p in row.pieces)
    return taken[::-1]


def _below(rows: list[Row], held: list[Row], frame: Frame, columns: Columns) -> list[Row]:
    """Return rows of the table below the frame's last line."""
    taken: list[Row] = []
    steps = [two.base - one.base for one, two in pairwise(held)]
    step = max(2.0 * held[-1].height, 1.25 * median(steps) if steps else 0.0)
    last = held[-1].base
    waiting: list[Row] = []
    for row in rows:
        if row.base - max(last, frame.y1 if not taken else 0.0) > step or len(taken) > 200:  # noqa: PLR2004
            break
        last = row.base
        if abs(row.height - held[-1].height) > 0.2 * held[-1].height:
            break
        values = [p for p in row.pieces if p.value and columns.of(p)[0] in columns.values - {0}]
        words = [p for p in row.pieces if not p.value]
        fit = all(columns.of(p)[0] == columns.of(p)[1] for p in row.pieces)
        if values and words and fit and columns.of(words[0])[0] == 0:
            taken += [*waiting, row]
            waiting = []
        elif not values and len(row.pieces) == 1 and fit and len(waiting) < 2:  # noqa: PLR2004
            waiting.append(row)
        else:
            break
    return taken


def _is_table(grid: Grid) -> bool:
    """Whether the cells look like a table: several rows with several cells, and few of them long."""
    several = sum(len(cells) > 1 for cells in grid.rows)
    if several < 1 or len(grid.rows) < 2:  # noqa: PLR2004 - a head and a row
        return False
    texts = [cell.text for cells in grid.rows for cell in cells]
    values = sum(is_value(text) for text in texts)
    valued = [
        cells
        for cells in grid.rows
        if any(is_value(cell.text) and not is_year(cell.text) for cell in cells) and len(cells) > 1
    ]
    labelled = sum(is_label(cells[0].text) for cells in valued)
    if labelled < 0.6 * len(valued):
        return False
    words = [len(text.split()) for text in texts]
    if values >= 2 and several >= 2:  # noqa: PLR2004
        return True
    if several >= 2 and several >= 0.5 * len(grid.rows):  # noqa: PLR2004
        return sum(words) <= 30 * len(words)
    return values >= 1 and max(words) <= 40  # noqa: PLR2004


# Tables without lines


def _prose(page: Page, pieces: Sequence[Piece]) -> set[int]:
    """Return the lines that belong to running text: some long lines, one step below the other."""
    prose: set[int] = set()
    run: list[int] = []
    values = sorted((piece for piece in pieces if piece.value), key=lambda piece: piece.center)
    for at, line in enumerate(page.lines):
        last = page.lines[run[-1]] if run else None
        flows = (
            last is not None
            and not line.cells
            and 0 < line.base - last.base <= 1.9 * line.height
            and abs(line.x0 - last.x0) < 3 * line.height
            and abs(line.height - last.height) <= 0.15 * line.height
        )
        if not flows:
            _keep_prose(page, run, values, prose)
            run = []
        if line.cells or (not run and _goes_on_in_cell(page, at)):
            run = []
        else:
            run.append(at)
    _keep_prose(page, run, values, prose)
    return prose


def _goes_on_in_cell(page: Page, at: int) -> bool:
    """Whether the line stands one step below a cell that is not its row's first."""
    line = page.lines[at]
    return any(
        abs(x0 - line.x0) <= 0.5 * line.height and 0 < line.base - row.base <= STEP * line.height
        for row in page.lines[max(0, at - _MAX_LABEL_LINES) : at]
        for x0, _ in row.spans[1:]
    )


def _keep_prose(page: Page, run: Sequence[int], values: Sequence[Piece], prose: set[int]) -> None:
    lines = [page.lines[at] for at in run]
    words = [len(line.text.split()) for line in lines]
    if not lines or not (
        (len(run) >= 3 and median(words) >= 5) or (len(run) == 2 and words[0] >= 8) or words[0] >= 14  # noqa: PLR2004
    ):
        return
    if len(run) <= _MAX_LABEL_LINES:
        right = max(line.x1 for line in lines)
        low = bisect_left(values, lines[0].y0, key=lambda piece: piece.center)
        high = bisect_right(values, lines[-1].y1, key=lambda piece: piece.center)
        if any(piece.x0 > right for piece in values[low:high]):
            return  # a label of several lines beside its values
    prose.update(run)


def _chains(pieces: Sequence[Piece], page: Page | None) -> Iterator[list[Row]]:
    """Yield lines that follow each other and have values, or with `page` words, in the same columns."""
    rows = text_rows(pieces)
    seeds = [row for row in rows if (_is_seed(row) if page is None else _is_wordy(row, page))]
    aligned = _aligned if page is None else _aligned_words
    chains: list[list[Row]] = []
    for seed in seeds:
        for chain in reversed(chains[-6:]):
            last = chain[-1]
            if (
                0 < seed.base - last.base <= (5.5 if page is None else 8.0) * seed.height
                and abs(seed.height - last.height) <= 0.35 * last.height
                and any(aligned(seed, other) for other in chain[-3:])
            ):
                chain.append(seed)
                break
        else:
            chains.append([seed])
    used: set[int] = set()
    for chain in sorted(chains, key=len, reverse=True):
        if len(chain) < 2 or any(id(row) in used for row in chain):  # noqa: PLR2004 - one line is no table
            continue
        x0 = min(p.x0 for row in chain for p in row.pieces) - 2
        x1 = max(p.x1 for row in chain for p in row.pieces) + 2
        if page is not None:  # what goes on below may be longer than what it begins with
            longer = (p for row in rows for p in row.pieces if p.x1 > x1)
            x1 = max([x1, *(p.x1 for p in longer if _begins_with(p, chain))])
        top, bottom = chain[0].base, chain[-1].base
        high = chain[0].height
        inside = [
            row
            for row in rows
            if top - 3.2 * high <= row.base <= bottom + 6 * high
            and x0 <= row.pieces[0].x0
            and row.pieces[-1].x1 <= x1
            and id(row) not in used
        ]
        own = [row for row in inside if top <= row.base <= bottom]
        heads = _heads_over(own, [row for row in inside if row.base < top])
        tail = _tail([row for row in inside if row.base > bottom], own)
        used.update(map(id, (*heads, *own, *tail)))
        yield [*heads, *own, *tail]


def _begins_with(piece: Piece, chain: Sequence[Row]) -> bool:
    """Whether a piece begins where one of the chain's does, and stands among its rows."""
    return any(
        abs(piece.x0 - other.x0) <= 2 and 0 <= piece.base - row.base <= 8 * row.height  # noqa: PLR2004 - points
        for row in chain
        for other in row.pieces[1:]
    )


def _is_wordy(row: Row, page: Page) -> bool:
    """Whether cells of words stand on one line, far apart."""
    return len(row.pieces) > 1 and any(page.lines[piece.line].cells for piece in row.pieces)


def _aligned_words(one: Row, other: Row) -> bool:
    near = 0.5 * one.height
    same = sum(any(abs(p.x0 - q.x0) <= near for q in other.pieces) for p in one.pieces)
    return same > 1


def _tail(rows: list[Row], own: list[Row]) -> list[Row]:
    """Return the lines on which cells of the last row go on."""
    taken: list[Row] = []
    for row in rows:
        before = (taken or own)[-1]
        near = 0.5 * row.height
        edges = [
            max([p.x1, *(q.x1 for one in own for q in one.pieces if abs(q.x0 - p.x0) <= near)])
            for p in before.pieces
        ]
        if not is_close(before, row) or not all(
            any(
                abs(piece.x0 - above.x0) <= near
                and piece.bold == above.bold
                and not piece.value
                and goes_on(above, piece, edge)
                for above, edge in zip(before.pieces, edges, strict=True)
            )
            for piece in row.pieces
        ):
            break
        taken.append(row)
    return taken


def _heads_over(own: list[Row], rows: list[Row]) -> list[Row]:
    """Return the lines of heads above the first row."""
    taken: list[Row] = []
    last = own[0]
    first = min((p.x0 for row in own for p in row.pieces[1:]), default=0.0)
    for row in reversed(rows):
        if last.base - row.base > 2.4 * row.height or len(taken) >= MAX_HEAD_ROWS:
            break
        if not any(p.x1 > first for p in row.pieces) or any(
            len(p.text.split()) > _MAX_HEAD_WORDS for p in row.pieces
        ):
            break
        if len(row.pieces) == 1 and row.pieces[0].x0 < first - 2 * row.height:
            break
        taken.append(row)
        last = row
    return taken[::-1]


def _is_seed(row: Row) -> bool:
    values = sum(p.value for p in row.pieces)
    if len(row.pieces) < 2:  # noqa: PLR2004 - no label beside a value
        return False
    return values >= 2 or (values >= 1 and not row.pieces[0].value)  # noqa: PLR2004


def _aligned(one: Row, other: Row) -> bool:
    near = 0.5 * one.height + 1
    return any(
        min(abs(p.x0 - q.x0), abs(p.x1 - q.x1), abs(p.middle - q.middle)) <= near
        for p in one.pieces[1 if not one.pieces[0].value else 0 :]
        if p.value
        for q in other.pieces
        if q.value or is_year(q.text)
    )


def _unframed(rows: list[Row], drawn: Drawn, join: Join, *, wordy: bool) -> Found | None:
    used = [piece for row in rows for piece in row.pieces]
    box = box_of(used)
    rows = text_rows(used)
    columns = columns_in(rows, box, drawn)
    grid = make_grid(rows, columns, box, drawn, join) if columns is not None else None
    if grid is None:
        return None
    valued = [cells for cells in grid.rows if any(is_value(cell.text) for cell in cells)]
    labelled = sum(len(cells) > 1 and not is_value(cells[0].text) for cells in valued)
    values = sum(is_value(cell.text) for cells in grid.rows for cell in cells)
    if wordy:
        labelled = values = (
            3 if sum(len(cells) > 1 for cells in grid.rows) >= max(2, 0.6 * len(grid.rows)) else 0
        )
    if labelled < 2 or values < 3 or labelled < max(0.34 * len(grid.rows), 0.6 * len(valued)):  # noqa: PLR2004
        return None
    return Found(grid, {p.line for p in used}, used=used)


# What stands around a table


def _is_note(row: Row) -> bool:
    """Whether a line is a note below a table."""
    return _NOTE.match(" ".join(piece.text for piece in row.pieces)) is not None and not row.pieces[0].value


_CALLED = re.compile(r"(?i)\s*(?:table|tabelle|tab\.|tableau|tabella|tabla|figure|abbildung|figura)\b")
_NOTE = re.compile(
    r"(?i)\s*(?:\(?\*+|\(?\d{1,2}\)|\d{1,2}\s+\S|[\u00b9\u00b2\u00b3\u2070-\u2079]|\(?[ivx]{1,5}[.)]|\(?[a-h][.)]\s"
    r"|\u2020|\u2021|notes?\b|nota\b|note\s?:|anm\.|anmerkung|hinweis|source|quelle|fonte)"
)
_CAPTION_STEP = 3.6  # line heights
_MAX_CAPTION_WORDS = 24


def _add_caption(found: Found, free: Sequence[Piece], join: Join) -> None:
    grid = found.grid
    if grid.box is None:
        return
    x0, y0, x1, _ = grid.box
    above = [
        piece
        for piece in free
        if piece.center < y0
        and y0 - piece.base < 12 * piece.height
        and min(x1 + 6, piece.x1) - max(x0 - 6, piece.x0) > 0.5 * (piece.x1 - piece.x0)
    ]
    taken: list[Row] = []
    edge = y0
    for row in text_rows(above)[:-7:-1]:
        text = " ".join(p.text for p in row.pieces)
        if edge - row.base > _CAPTION_STEP * row.height or len(taken) >= 3:  # noqa: PLR2004 - lines
            break
        if (
            taken
            and abs(row.base - taken[-1].base) > 0.4 * row.height
            and (
                not is_close(row, taken[-1])
                or row.pieces[0].bold != taken[-1].pieces[0].bold
                or abs(row.height - taken[-1].height) > 0.1 * row.height
            )
        ):
            break
        if len(text.split()) > _MAX_CAPTION_WORDS or (
            text.endswith((".", ",", ";")) and not _CALLED.match(text)
        ):
            break
        if (is_value(text) and not is_year(text)) or len(row.pieces) > 2:  # noqa: PLR2004 - a title and a unit
            break
        taken.append(row)
        edge = row.base - row.height
    if taken:
        grid.caption = unspaced(join([" ".join(p.text for p in row.pieces) for row in reversed(taken)]))


def _add_notes(found: Found, page: Page, free: Sequence[Piece], join: Join) -> None:
    grid = found.grid
    if grid.box is None:
        return
    x0, _, x1, y1 = grid.box
    below = sorted(
        {p.line for p in free if p.base > y1 and p.y0 - y1 < 25 * p.height and x0 - 12 <= p.x0 <= x1},
        key=lambda at: (page.lines[at].base, page.lines[at].x0),
    )
    notes: list[list[str]] = []
    last = y1
    size: float | None = None
    for at in below[:_MAX_NOTE_LINES]:
        line = page.lines[at]
        if line.base - last > (3.0 if not notes else 2.2) * line.height:
            break
        if size is not None and abs(line.height - size) > 0.12 * size:
            break
        if _NOTE.match(line.text):
            notes.append([line.text])
        elif notes:
            notes[-1].append(line.text)
        else:
            break
        size = line.height
        last = line.base
        found.notes.add(at)
    grid.notes = [join(lines) for lines in notes]
