"""Rows and cells of a table: lines between level rulings, or around the values of a row, are one row."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from shared.extract.pdf.columns import find_columns
from shared.extract.pdf.frames import TOUCH
from shared.extract.pdf.pieces import STEP, box_of, goes_on, is_close, is_value, is_year, text_rows
from shared.extract.tables import Grid, GridCell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.extract.pdf.columns import Columns
    from shared.extract.pdf.frames import Drawn
    from shared.extract.pdf.pieces import Piece, Row
    from shared.platform.tables import Box

    Join = Callable[[Sequence[str]], str]
    Span = tuple[float, float]

MAX_CELLS = 4_000
"""Pieces of text of a table."""
MAX_HEAD_ROWS = 5
_LONG = 0.4  # of a table's height: a shorter upright line is no column's edge
_LEADING = 0.35  # of a line's height: what may be between two lines of one label


@dataclass(slots=True, eq=False)
class _Band:
    """Lines that are one row of a table."""

    rows: list[Row]
    top: float = 0.0
    bottom: float = 0.0

    @property
    def pieces(self) -> list[Piece]:
        return [piece for row in self.rows for piece in row.pieces]


def _is_anchor(row: Row, columns: Columns) -> bool:
    """Whether this line holds a row's values: its other lines go with it."""
    if columns.values - {0}:
        return any(
            p.value and columns.of(p)[0] in columns.values and columns.of(p)[0] > 0 for p in row.pieces
        )
    return len({columns.of(p)[0] for p in row.pieces}) > 1


def _label(row: Row, columns: Columns) -> list[Piece]:
    first = min(columns.values - {0}, default=len(columns.texts))
    return [piece for piece in row.pieces if columns.of(piece)[0] < first and not piece.value]


def _bands(rows: Sequence[Row], columns: Columns, borders: Sequence[float]) -> list[_Band]:
    """Return the rows of the table: lines between two borders, cut where they hold several rows."""
    slots: dict[int, list[Row]] = {}
    for row in rows:
        slots.setdefault(bisect_right(borders, row.pieces[0].center), []).append(row)
    bands: list[_Band] = []
    for slot, held in sorted(slots.items()):
        top = borders[slot - 1] if slot else held[0].pieces[0].y0
        bottom = borders[slot] if slot < len(borders) else max(p.y1 for p in held[-1].pieces)
        closed = 0 < slot < len(borders)
        groups = _split(held, columns, closed=closed)
        bands += [
            _Band(
                group,
                top if group is groups[0] else min(p.y0 for p in group[0].pieces),
                bottom if group is groups[-1] else max(p.y1 for p in group[-1].pieces),
            )
            for group in groups
        ]
    return bands


def _split(rows: list[Row], columns: Columns, *, closed: bool) -> list[list[Row]]:
    """Cut lines into rows of the table; `closed`: there is a border above and below."""
    anchors = [at for at, row in enumerate(rows) if _is_anchor(row, columns)]
    if not anchors:
        return _split_heads(rows, columns, closed=closed)
    edge = max((p.x1 for row in rows for p in _label(row, columns)), default=0.0)
    owner: list[int | None] = [at if at in anchors else None for at in range(len(rows))]
    _take_centered(rows, columns, anchors, owner)
    lone = closed and len(anchors) == 1
    for at in range(len(rows)):  # downwards: what continues a row above
        if (
            owner[at] is None
            and at
            and owner[at - 1] is not None
            and _continues(rows, at, columns, edge, lone=lone)
        ):
            owner[at] = owner[at - 1]
    for at in reversed(range(len(rows) - 1)):  # upwards: what begins the row below
        if owner[at] is None and owner[at + 1] is not None and _begins(rows, at, columns, edge, lone=lone):
            owner[at] = owner[at + 1]
    groups: list[list[Row]] = []
    before: int | None = None
    for at, row in enumerate(rows):
        if (groups and owner[at] is not None and owner[at] == before) or (
            groups and owner[at] is None and before is None and _same_text(groups[-1][-1], row, edge)
        ):
            groups[-1].append(row)
        else:
            groups.append([row])
        before = owner[at]
    return groups


def _same_text(one: Row, other: Row, edge: float) -> bool:
    return (
        is_close(one, other)
        and one.pieces[-1].bold == other.pieces[0].bold
        and goes_on(one.pieces[-1], other.pieces[0], edge)
    )


def _take_centered(
    rows: list[Row], columns: Columns, anchors: Sequence[int], owner: list[int | None]
) -> None:
    """Give lines around values that stand at half their height to the row of these values."""
    for at in anchors:
        if _label(rows[at], columns):
            continue
        above, below = _free_lines(rows, at, -1, owner), _free_lines(rows, at, 1, owner)
        # Their middle is the values' middle; without lines on both sides the nearest one is the label.
        lines = min(len(above), len(below))
        around = [*above[:lines], *below[:lines]] if lines else [*above, *below][:1]
        for place in around:
            owner[place] = at


def _free_lines(rows: Sequence[Row], at: int, step: int, owner: Sequence[int | None]) -> list[int]:
    """Return the lines above or below a row that follow closely and belong to no row yet."""
    found: list[int] = []
    place = at + step
    while 0 <= place < len(rows) and owner[place] is None:
        if abs(rows[place].base - rows[place - step].base) > STEP * rows[place].height:
            break
        found.append(place)
        place += step
    return found


def _continues(rows: list[Row], at: int, columns: Columns, edge: float, *, lone: bool) -> bool:
    """Whether a line without values goes on with the cells above it."""
    row, before = rows[at], rows[at - 1]
    if not is_close(before, row):
        return False
    mine = _label(row, columns)
    if not mine:  # a value's second line
        return not _stand_centered(rows[max(0, at - 2) : at], row, columns)
    same = columns.of(mine[0])[0]
    above = _nearest(rows[max(0, at - 3) : at][::-1], same, columns)
    if above is None:
        return lone or (bool(_label(before, columns)) and mine[0].text[:1].islower())
    if above.bold != mine[0].bold:
        return False
    values = [p for p in before.pieces if p.value]
    if values and not lone and all(is_year(p.text) for p in values) and not mine[0].text[:1].islower():
        return False  # a heading of the rows below the heads
    return lone or goes_on(above, mine[0], edge if same == 0 else columns.texts[same][1])


def _begins(rows: list[Row], at: int, columns: Columns, edge: float, *, lone: bool) -> bool:
    """Whether a line without values begins the cells below it."""
    row, after = rows[at], rows[at + 1]
    if not is_close(row, after):
        return False
    mine = _label(row, columns)
    if not mine or (len(mine) < len(row.pieces) and not lone):
        return lone  # heads of the columns
    same = columns.of(mine[0])[0]
    below = _nearest(rows[at + 1 : at + 4], same, columns)
    if below is None:
        return lone or not _label(after, columns)
    if mine[0].bold != below.bold:
        return False
    return lone or goes_on(mine[0], below, edge if same == 0 else columns.texts[same][1])


def _nearest(rows: Sequence[Row], column: int, columns: Columns) -> Piece | None:
    """Return the first label in the column."""
    for row in rows:
        for piece in _label(row, columns):
            if columns.of(piece)[0] == column:
                return piece
    return None


def _split_heads(rows: list[Row], columns: Columns, *, closed: bool) -> list[list[Row]]:
    """Join lines of heads that stand closely one below the other; levels of heads are kept apart."""
    groups: list[list[Row]] = []
    for row in rows:
        if (
            groups
            and is_close(groups[-1][-1], row)
            and not _is_level(groups[-1], row, columns, closed=closed)
        ):
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _is_level(above: Sequence[Row], row: Row, columns: Columns, *, closed: bool) -> bool:
    """Whether the line is a level of its own: it has more heads than the one above, which spans them."""
    places = {columns.of(piece)[0] for piece in row.pieces}
    upper = {columns.of(piece)[0] for one in above for piece in one.pieces}
    texts = [piece.text for piece in row.pieces]
    if not closed and len(texts) > 1 and sum(map(is_year, texts)) > 1:
        return True
    over = [
        sum(min(piece.x1, under.x1) > max(piece.x0, under.x0) for under in row.pieces)
        for one in above
        for piece in one.pieces
    ]
    if max(over) > 1 or _stand_centered(above, row, columns):
        return True
    if closed:
        return False
    wide = len(set(texts)) < len(texts) and sum(over) < len(texts) and not all(over)
    if len(places) == 1 and len(upper) == 1:
        edge = columns.texts[min(places)][1]
        return above[-1].pieces[-1].bold != row.pieces[0].bold or not goes_on(
            above[-1].pieces[-1], row.pieces[0], edge
        )
    return wide and len(places) > len(upper)


def _stand_centered(above: Sequence[Row], row: Row, columns: Columns) -> bool:
    """Whether the line repeats some heads, and the heads of a line above are centered over these groups."""
    first = min(columns.values - {0}, default=1)
    lower = [piece for piece in row.pieces if columns.of(piece)[0] >= first]
    for one in above:
        upper = [piece for piece in one.pieces if columns.of(piece)[0] >= first]
        size, left = divmod(len(lower), max(1, len(upper)))
        if len(upper) < 2 or size < 2 or left:  # noqa: PLR2004
            continue
        groups = [lower[at : at + size] for at in range(0, len(lower), size)]
        words = {tuple(piece.text for piece in group) for group in groups}
        step = (lower[-1].middle - lower[0].middle) / (len(lower) - 1)
        if (
            len(words) == 1
            and len(set(*words)) == size
            and all(
                abs(head.middle - (group[0].middle + group[-1].middle) / 2) <= 0.3 * step
                for head, group in zip(upper, groups, strict=True)
            )
        ):
            return True
    return False


# The table


def columns_in(rows: Sequence[Row], box: Box, drawn: Drawn) -> Columns | None:
    """Return the columns of the lines within a box, by its upright lines and their gaps."""
    x0, y0, x1, y1 = box
    lengths: dict[int, float] = {}
    at: dict[int, float] = {}
    for x, low, high in drawn.uprights:
        inside = min(high, y1) - max(low, y0)
        if x0 < x < x1 and inside > 0:
            key = round(x / TOUCH)
            key = next((near for near in (key, key - 1, key + 1) if near in at), key)
            lengths[key] = lengths.get(key, 0.0) + inside
            at.setdefault(key, x)
    uprights = [at[key] for key in at if lengths[key] >= _LONG * (y1 - y0)]
    return find_columns(rows, uprights, x0, x1)


def make_grid(rows: Sequence[Row], columns: Columns, box: Box, drawn: Drawn, join: Join) -> Grid | None:
    """Return the grid of lines within a box; None if it has less than two rows, or too many cells."""
    if sum(len(row.pieces) for row in rows) > MAX_CELLS:
        return None
    bands = _bands(rows, columns, _borders(columns, box, drawn))
    if len(bands) < 2:  # noqa: PLR2004 - a head and a row
        return None
    made = [_cells(band, columns, join) for band in bands]
    _span_rows(made, bands, columns, drawn)
    _span_heads(made, columns, drawn)
    rows_ = [cells for cells in made if cells]
    for cells, below in pairwise(rows_):
        _join_title(cells, below)
    return Grid(rows=rows_, box=box)


def _join_title(cells: list[GridCell], below: Sequence[GridCell]) -> None:
    """Make one cell of a title and the unit in brackets at its right, above the heads."""
    if len(cells) == 2 and len(below) > 1 and _BRACKETS.fullmatch(cells[1].text):  # noqa: PLR2004
        title, unit = cells
        if (
            title.column == 0
            and unit.column > 0
            and not any(is_value(cell.text) and not is_year(cell.text) for cell in below)
        ):
            title.text = f"{title.text} {unit.text}"
            title.column_span = unit.column + unit.column_span
            cells.remove(unit)


def _borders(columns: Columns, box: Box, drawn: Drawn) -> list[float]:
    """Return the heights of level lines that part rows: those under a column of values, or a good part."""
    x0, y0, x1, y1 = box
    wide: dict[float, float] = {}
    covers: dict[float, bool] = {}
    low = bisect_left(drawn.levels, (y0 - TOUCH, -1e9, -1e9))
    ends = [x0, *columns.cuts, x1]
    middles = [
        ((columns.texts[at][0] + columns.texts[at][1]) / 2, min(ends[at + 1] - ends[at], 90.0))
        for at in sorted(columns.values - {0})
    ]
    places: list[float] = []
    for y, start, end in drawn.levels[low:]:
        if y > y1 + TOUCH:
            break
        left, right = max(start, x0), min(end, x1)
        if right <= left:
            continue
        if not places or y - places[-1] > 1.2:  # noqa: PLR2004 - points
            places.append(y)
        key = places[-1]
        wide[key] = wide.get(key, 0.0) + right - left
        covers[key] = covers.get(key, False) or any(
            left - 1 <= middle <= right + 1 and right - left >= 0.7 * width for middle, width in middles
        )
    return [y for y in places if covers[y] or wide[y] >= 0.5 * (x1 - x0)]


_BRACKETS = re.compile(r"\([^()]{1,40}\)")
_TWO = re.compile(r"(.*\d[%)]?)\s*([-+\u2013\u2212]\s?\d.*)")


def _cut_values(piece: Piece, columns: Columns) -> list[Piece]:
    """Cut a piece in two that is a value of each of two columns: they were written without a space."""
    first, last = columns.of(piece)
    found = _TWO.fullmatch(piece.text) if last == first + 1 and first else None
    if found is None:
        return [piece]
    cut = columns.cuts[first]
    return [replace(piece, text=found[1], x1=cut - 1), replace(piece, text=found[2], x0=cut + 1)]


def _cells(band: _Band, columns: Columns, join: Join) -> list[GridCell]:
    held: dict[tuple[int, int], list[Piece]] = {}
    for row in band.rows:
        for piece in [part for whole in row.pieces for part in _cut_values(whole, columns)]:
            first, last = columns.of(piece)
            key = next((key for key in held if key[0] <= first <= key[1]), None)
            if key is not None and key[1] < last:
                held[key[0], last] = held.pop(key)
                key = key[0], last
            held.setdefault(key or (first, last), []).append(piece)
    cells = []
    for (first, last), pieces in sorted(held.items()):
        cells.append(
            GridCell(
                text=_text(pieces, join),
                column=first,
                column_span=last - first + 1,
                box=box_of(pieces),
                bold=all(piece.bold for piece in pieces),
                indent=max(0.0, min(piece.x0 for piece in pieces) - columns.texts[first][0]),
            )
        )
    return cells


def _text(pieces: Sequence[Piece], join: Join) -> str:
    if len(pieces) == 1:
        return unspaced(pieces[0].text)
    return unspaced(join([" ".join(p.text for p in row.pieces) for row in text_rows(pieces)]))


_SPACES = 3  # in the shortest word that is letter-spaced
_SPACED = re.compile(r"(?:[^\W\d_] ){3,}[^\W\d_](?= |$)")


def unspaced(text: str) -> str:
    """Close letter-spaced words up."""
    if text.count(" ") < _SPACES:  # as most cells
        return text
    return _SPACED.sub(lambda found: found[0].replace(" ", ""), text)


def _span_rows(made: list[list[GridCell]], bands: list[_Band], columns: Columns, drawn: Drawn) -> None:
    """Let labels span the rows below that no line parts from them."""
    first = min(columns.values - {0}, default=0)
    if first < 2:  # noqa: PLR2004 - one column of labels has a label a row
        return
    for column in range(first - 1):
        middle = sum(columns.texts[column]) / 2
        cuts = [y for y, x0, x1 in drawn.levels if x0 - 1 <= middle <= x1 + 1]
        if not cuts:
            continue
        for at, cells in enumerate(made):
            mine = _cell_in(cells, column)
            if mine is None or mine.column_span > 1:
                continue
            top = _first_row(made, bands, cuts, column, at)
            if top < at:
                cells.remove(mine)
                made[top].insert(0, mine)
                mine.row_span = at - top + 1
            for below in range(at + 1, len(made)):
                if _is_cut(cuts, bands[below - 1]) or not _takes(mine, made[below], column):
                    break
                mine.row_span = below - top + 1


def _is_cut(cuts: Sequence[float], band: _Band) -> bool:
    """Whether a level line is at the lower end of a row."""
    low = bisect_left(cuts, band.bottom - 2 * TOUCH)
    return low < len(cuts) and cuts[low] <= band.bottom + 2 * TOUCH


def _first_row(
    made: Sequence[list[GridCell]], bands: Sequence[_Band], cuts: Sequence[float], column: int, at: int
) -> int:
    """Return the first row that a label spans: one above its own, if it stands at half their height."""
    top = at
    while len(made[at]) > 1 and top and not _is_cut(cuts, bands[top - 1]):
        if not made[top - 1] or made[top - 1][0].column <= column:
            return at
        top -= 1
    return top or at


def _cell_in(cells: Sequence[GridCell], column: int) -> GridCell | None:
    return next((cell for cell in cells if cell.column == column), None)


def _takes(label: GridCell, cells: list[GridCell], column: int) -> bool:
    """Whether a label spans the row below; take the text of its own that goes on there."""
    if not cells or cells[0].column_span > 1:
        return False
    other = _cell_in(cells, column)
    if other is None:
        return True
    if len(cells) == 1 or label.box is None or other.box is None:
        return False
    if other.box[1] - label.box[3] > _LEADING * (other.box[3] - other.box[1]):
        return False
    label.text = f"{label.text} {other.text}"
    label.box = (
        min(label.box[0], other.box[0]),
        label.box[1],
        max(label.box[2], other.box[2]),
        other.box[3],
    )
    cells.remove(other)
    return True


def _span_heads(made: list[list[GridCell]], columns: Columns, drawn: Drawn) -> None:
    """Give heads over several columns their span: by the line below them, the uprights, or their number."""
    heads = 0
    for cells in made[:MAX_HEAD_ROWS]:
        if any(is_value(cell.text) and not is_year(cell.text) and cell.column for cell in cells):
            break
        heads += 1
    middles = [(low + high) / 2 for low, high in columns.texts]
    for at in range(min(heads, len(made) - 1)):
        cells = made[at]
        taken = {place for cell in cells for place in range(cell.column, cell.column + cell.column_span)}
        free = set(range(1, len(middles))) - taken
        for cell in cells:
            if cell.box is None or not free:
                continue
            span = _drawn_span(cell, drawn)
            if span is None:
                continue
            over = [place for place, middle in enumerate(middles) if span[0] - 1 <= middle <= span[1] + 1]
            over = [
                place
                for place in over
                if place in free or cell.column <= place < cell.column + cell.column_span
            ]
            if len(over) > cell.column_span and over[-1] - over[0] == len(over) - 1:
                cell.column, cell.column_span = over[0], len(over)
                free -= set(over)
        if free and at + 1 < heads:
            _share(cells, made[at + 1], free, middles)


def _drawn_span(cell: GridCell, drawn: Drawn) -> Span | None:
    if cell.box is None:
        return None
    x0, y0, x1, y1 = cell.box
    middle, high = (x0 + x1) / 2, y1 - y0
    below = [
        (left, right) for y, left, right in drawn.levels if y1 - 0.4 * high <= y <= y1 + 0.8 * high
        and left - 1 <= x0 + 1 and right + 1 >= x1 - 1
    ]  # fmt: skip
    center = (y0 + y1) / 2
    sides = sorted(x for x, low, top in drawn.uprights if low <= center <= top)
    left = max((x for x in sides if x <= middle), default=None)
    right = min((x for x in sides if x > middle), default=None)
    if left is not None and right is not None and left <= x0 + 2 and right >= x1 - 2:
        if below:
            narrow = min(below, key=lambda span: span[1] - span[0])
            return max(left, narrow[0]), min(right, narrow[1])
        return left, right
    return min(below, key=lambda span: span[1] - span[0]) if below else None


def _share(cells: list[GridCell], below: list[GridCell], free: set[int], middles: Sequence[float]) -> None:
    """Share columns without a head evenly among the heads beside them, if the level below has its own."""
    lower = {cell.column for cell in below}
    begin = max(1, min(lower, default=1))
    heads = [(cell, (cell.box[0] + cell.box[2]) / 2) for cell in cells if cell.column >= begin and cell.box]
    wanted = free & lower
    if not heads or not wanted:
        return
    shares = [set(range(cell.column, cell.column + cell.column_span)) for cell, _ in heads]
    for place in wanted:
        distances = [abs(middles[place] - middle) for _, middle in heads]
        shares[distances.index(min(distances))].add(place)
    whole = all(max(places) - min(places) == len(places) - 1 for places in shares)
    if whole and len(set(map(len, shares))) == 1:
        for (cell, _), places in zip(heads, shares, strict=True):
            cell.column, cell.column_span = min(places), len(places)
