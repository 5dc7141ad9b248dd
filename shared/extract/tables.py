"""What every reader makes of a table: the cells as it found them become heads, labels, groups and rows.

A reader fills a `Grid`; `settle` decides what its rows and columns are. Whatever text a grid holds ends in a
row, in the heads, labels and caption that are read with a row, or in a note.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from shared.extract.cells import (
    NOTE,
    NUMBERED,
    PART,
    TOTAL,
    YEARS,
    amount_of,
    is_unit,
    is_unit_head,
    kind_of,
    says_nothing,
)
from shared.extract.refusals import too_many, too_many_characters
from shared.extract.shapes import Block
from shared.extract.tidy import squeeze
from shared.platform.tables import Cell, Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.extract.cells import Kind
    from shared.extract.shapes import Limits
    from shared.platform.tables import Box, RowKind

MAX_COLUMNS = 100
"""Limit on the columns of a table: a wider one is cut into several, each with the labels of the rows."""
MAX_ROWS = 500
"""Limit on the rows of a table: what follows is another table, which continues it."""
MAX_CELLS = 5_000
"""Limit on rows times columns, likewise."""
MAX_CELL = 2_000
"""Limit on a cell's text in characters: a longer one ends in an ellipsis."""
MAX_SPANNED = 100_000
"""Limit on the places that the spanning cells of a grid cover together; cells beyond it span nothing."""
MAX_ROW_SPAN = 100
"""Limit on the rows that a cell spans."""
MAX_HEADS = 8
"""Limit on rows of heads."""
MAX_LABELS = 4
"""Limit on columns that name a row."""
MAX_LEVEL = 8
"""Limit on the depth of a row's label."""
MAX_ROW_TEXT = 4_000
"""Limit on the text of a row in characters."""
_MAX_CAPTION = 120  # characters of a caption that stands before every row
_MAX_TITLE = 200  # characters of a line that may be a title or a heading of rows
_MAX_HEAD = 60  # characters of a head, where nothing but its length tells


@dataclass(slots=True, kw_only=True)
class GridCell:
    """A cell as it is drawn or marked up, before anything is known of its part."""

    text: str
    column: int
    row_span: int = 1
    column_span: int = 1
    box: Box | None = None
    bold: bool = False
    indent: float = 0.0
    """Depth of the text in its cell, in any unit that is the same for the table, without jitter."""
    head: bool | None = None
    """Whether the format says that it is a head; None: it says nothing."""


@dataclass(slots=True, kw_only=True)
class Grid:
    """Rows from top to bottom; cells that are empty or spanned by others are left out."""

    rows: list[list[GridCell]]
    page: int | None = None
    box: Box | None = None
    caption: str | None = None
    notes: list[str] = field(default_factory=list)
    continues: bool = False


class Tables:
    """Collects the tables of a document, and gives the blocks of their rows."""

    def __init__(self, limits: Limits) -> None:
        self.found: list[Table] = []
        self._limits = limits
        self._cells = self._characters = 0

    def add(self, grid: Grid) -> list[Block]:
        """Settle a grid; return its rows, and the titles and notes found in it, in reading order.

        Raises Rejected(`too_many_cells`, `too_many_columns`, `too_many_characters`).
        """
        self._cells += sum(map(len, grid.rows))
        if self._cells > (most := self._limits.cells):
            raise too_many("cells", f"tables with more than {most:,} cells", most)
        blocks: list[Block] = []
        if (columns := len({cell.column for row in grid.rows for cell in row})) > (
            wide := self._limits.columns
        ):
            raise too_many("columns", f"a table with {columns:,} columns", wide)
        for table in settle(grid, self.found):
            above = above_of(self.found, len(self.found)) if table.continues else None
            if table.caption and table.caption != grid.caption and not table.continues:
                blocks.append(Block(table.caption, "heading", table.page))
            for at, row in enumerate(table.rows):
                if row.kind == "row":
                    text = row_text(table, at, above)
                    self._spend(len(text))
                    index = len(self.found)
                    blocks.append(Block(text, "table", table.page, box=row.box, table=index, at=at))
            blocks += [Block(note, "note", table.page) for note in table.notes if note not in grid.notes]
            self.found.append(table)
        return blocks

    def _spend(self, characters: int) -> None:
        """Count text, since heads and groups are repeated with each row."""
        self._characters += characters
        if self._characters > self._limits.characters:
            raise too_many_characters(self._limits)


def above_of(tables: Sequence[Table], index: int) -> Table | None:
    """Return the table whose heads count for the table `index`, which continues it, directly or not."""
    for table in reversed(tables[max(0, index - MAX_ROWS) : index]):
        if not table.continues or _heads(table):
            return table
    return None


# What a table says of a row


def heads_of(table: Table, column: int, above: Table | None = None) -> tuple[str, ...]:
    """Return the heads over a column, top level first.

    `above` is the table that this one continues: its heads count where this one has none.
    """
    heads = _heads(table) or (_heads(above) if above is not None else [])
    found = (_cell_over(row.cells, column) for row in heads)
    return tuple(dict.fromkeys(cell.text for cell in found if cell))


def parents_of(table: Table, at: int, above: Table | None = None) -> tuple[str, ...]:
    """Return the labels of the groups and rows that the row `at` is a part of, outermost first.

    The first is what stands in the corner over the labels, if it says what the rows are.
    """
    corner = [text for text in heads_of(table, 0, above) if table.labels and not says_nothing(text)]
    groups: list[str] = []
    rows: list[str] = []
    level = table.rows[at].level
    for place in reversed(range(at)):
        if not level:
            break
        row = table.rows[place]
        if row.kind != "head" and row.level < level:
            names, label = _labels(table, place)
            if row.kind == "group":
                groups[:0] = [*names, label]
            else:
                rows.insert(0, label)
            level = row.level
    return tuple(filter(None, (*corner, *groups, *_labels(table, at)[0], *rows)))


def label_of(table: Table, at: int) -> str:
    """Return what names the row `at`, its unit in brackets where a column of its own states it."""
    return _labels(table, at)[1]


def _labels(table: Table, at: int) -> tuple[list[str], str]:
    """Return the labels of a row that further ones divide, and the last with number, unit and reference."""
    row = table.rows[at]
    cells = [cell for cell in row.cells if row.kind == "group" or cell.column < table.labels]
    begin = cells[0].column if cells else table.labels
    names = _spanning(table, at, begin) if row.kind == "row" else []
    label = beside = ""
    for cell in cells:
        if label and (is_unit(cell.text) or any(map(is_unit_head, heads_of(table, cell.column)))):
            beside += f" ({cell.text.strip('() ')})"
        elif NUMBERED.fullmatch(label):
            label += f" {cell.text}"
        else:
            names += [label + beside] if label else []
            label, beside = cell.text, ""
    if not label and names:
        label = names.pop()
    return names, label + beside


def _spanning(table: Table, at: int, columns: int) -> list[str]:
    """Return the labels in the first `columns` columns that span the row from above."""
    names = []
    for column in range(columns):
        for place in reversed(range(max(0, at - MAX_ROW_SPAN), at)):
            row = table.rows[place]
            cell = _cell_over(row.cells, column)
            if row.kind != "row":
                break
            if cell is not None:
                names += [cell.text] if at < place + cell.row_span else []
                break
    return names


def row_text(table: Table, at: int, above: Table | None = None) -> str:
    """Return what is read and shown of a row: "Energy > Electricity (MWh) | 2023: 4,746; 2022: 4,404".

    `above` is the table whose heads count, where this one continues another.
    """
    names = [*parents_of(table, at, above), label_of(table, at)]
    if table.caption and len(table.caption) <= _MAX_CAPTION and table.caption not in names:
        names.insert(0, table.caption)
    values = []
    for cell in table.rows[at].cells:
        if cell.column >= table.labels:
            head = _clipped(", ".join(heads_of(table, cell.column, above)), _MAX_TITLE)
            values.append(f"{head}: {cell.text}" if head else cell.text)
    label = " > ".join(_clipped(name, _MAX_TITLE) for name in names[:-1] if name)
    label = " > ".join(filter(None, (label, names[-1])))
    return _clipped(" | ".join(filter(None, (label, "; ".join(values)))), MAX_ROW_TEXT)


def _heads(table: Table) -> list[Row]:
    return list(takewhile(lambda row: row.kind == "head", table.rows))


def _cell_over(cells: Sequence[Cell], column: int) -> Cell | None:
    at = bisect_right(cells, column, key=lambda cell: cell.column) - 1
    return cells[at] if at >= 0 and column < cells[at].column + cells[at].column_span else None


def _clipped(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    return (kept.rpartition(" ")[0] or kept) + "\u2026"


# From a grid to a table


@dataclass(slots=True)
class _Line:
    """A row of a grid in the making."""

    cells: list[GridCell]
    kinds: list[Kind]
    kind: RowKind = "row"
    level: int = 0

    @property
    def label(self) -> str:
        return self.cells[0].text if self.cells and not self.cells[0].column else ""

    @property
    def is_lone(self) -> bool:
        """Whether there is a label alone, or with its unit at the right: a title, a heading, a note."""
        others = self.cells[1:]
        if not self.label or len(others) > 1:
            return False
        return all((cell.column > 1 or cell.column_span > 1) and is_unit(cell.text) for cell in others)

    @property
    def is_title(self) -> bool:
        return self.is_lone and not NOTE.match(self.label)

    @property
    def title(self) -> str:
        """The label, with its unit in brackets."""
        return " ".join([self.label, *(f"({cell.text.strip('() ')})" for cell in self.cells[1:])])

    @property
    def is_bold(self) -> bool:
        return all(cell.bold for cell in self.cells)

    @property
    def is_marked(self) -> bool:
        """Whether the format says that these are heads."""
        return len(self.cells) > 1 and all(cell.head for cell in self.cells)

    def values(self) -> list[Kind]:
        """Return the kinds of the cells beside the first column."""
        return [kind for cell, kind in zip(self.cells, self.kinds, strict=True) if cell.column]

    def of(self, wanted: Kind) -> list[GridCell]:
        """Return the cells of a kind."""
        return [cell for cell, kind in zip(self.cells, self.kinds, strict=True) if kind == wanted]


def settle(grid: Grid, before: Sequence[Table] = ()) -> list[Table]:
    """Return the table of a grid, in parts where it is too large or its heads change half-way.

    `before` are the document's tables so far, the last of which the grid may continue. A title or note that
    stands in a row of its own becomes the caption or a note.
    """
    lines, columns = _tidied(grid.rows)
    _turn_cards(lines)
    above = above_of(before, len(before)) if grid.continues else None
    if above is not None and above.columns == columns:
        _mark_repeated(lines, above)
        lines[:0] = _open_groups(before[-1]) if lines and lines[0].kind != "head" else []
    else:
        above = None
    tables: list[Table] = []
    for section in _sections(lines, continues=grid.continues):
        tables += _Section(section, columns, above).tables(grid, first=not tables)
        above = None
    if tables and grid.notes:
        tables[-1] = replace(tables[-1], notes=(*grid.notes, *tables[-1].notes))
    return tables


def _tidied(rows: Sequence[Sequence[GridCell]]) -> tuple[list[_Line], int]:
    """Return rows and columns that hold text, the columns renumbered, with spans that keep within them."""
    kept = [_merged(cells) for cells in rows]
    columns = sorted({cell.column for row in kept for cell in row})
    places = [at for at, row in enumerate(kept) if row]
    left = MAX_SPANNED
    for at, row in enumerate(kept):
        below = len(places) - bisect_left(places, at)
        for cell, after in zip(row, [*row[1:], None], strict=False):
            end = cell.column + max(1, cell.column_span)
            end = end if after is None else min(end, after.column)
            cell.column = bisect_left(columns, cell.column)
            cell.column_span = max(1, bisect_left(columns, end) - cell.column)
            rest = len(places) - bisect_left(places, at + max(1, cell.row_span))
            cell.row_span = min(below - rest, MAX_ROW_SPAN)
            left -= cell.row_span * cell.column_span - 1
            if left < 0:
                cell.row_span = cell.column_span = 1
    return [_Line(row, [kind_of(cell.text) for cell in row]) for row in kept if row], len(columns)


def _merged(cells: Sequence[GridCell]) -> list[GridCell]:
    """Return copies of the cells that hold text, one for a column."""
    row: list[GridCell] = []
    for cell in sorted(cells, key=lambda cell: cell.column):
        text = squeeze(cell.text)
        if text and row and row[-1].column == cell.column:
            row[-1].text = _clipped(f"{row[-1].text} {text}", MAX_CELL)
        elif text:
            row.append(replace(cell, text=_clipped(text, MAX_CELL)))
    return row


def _mark_repeated(lines: Sequence[_Line], above: Table) -> None:
    """Mark the heads that stand again where a table goes on."""
    known = {(cell.column, cell.text) for row in _heads(above) for cell in row.cells}
    for line in takewhile(lambda line: all((cell.column, cell.text) in known for cell in line.cells), lines):
        line.kind = "head"


def _turn_cards(lines: list[_Line]) -> None:
    """Put names above numbers, where a row of large numbers stands over a row of what they count."""
    if len(lines) == 2 and len(lines[0].cells) > 1:  # noqa: PLR2004 - numbers and names
        numbers, names = lines
        same = [cell.column for cell in numbers.cells] == [cell.column for cell in names.cells]
        if same and set(numbers.kinds) == {"number"} and set(names.kinds) == {"text"}:
            names.kind = "head"
            lines.reverse()


def _sections(lines: list[_Line], *, continues: bool) -> Iterator[list[_Line]]:
    """Yield the rows in pieces that begin with heads of their own, which are marked."""
    begin = 0
    while begin < len(lines):
        start = _mark_heads(lines, begin, continues=continues and not begin)
        heads = _Heads([line for line in lines[begin:start] if line.kind == "head"])
        numeric: set[int] = set()
        end = max(start, begin + 1)
        while end < len(lines) and not heads.end_at(lines[end], lines[end - 1], numeric):
            numeric.update(cell.column for cell in lines[end].of("number"))
            end += 1
        cut = end
        while begin < cut - 1 and end < len(lines) and lines[cut - 1].is_title:
            cut -= 1
        yield [line for line in lines[begin:cut] if line.cells]
        begin = cut


_TITLES = 8  # rows that may stand above the heads
_LOOKED_AT = 20  # rows below a head


def _mark_heads(lines: list[_Line], begin: int, *, continues: bool) -> int:
    """Mark the rows of heads; return where what is below them begins."""
    first = begin
    while first < len(lines) and lines[first].is_lone and first - begin < _TITLES:
        first += 1
    at, labelled = first, False
    while at < min(len(lines) - 1, first + MAX_HEADS):
        line = lines[at]
        if line.is_lone:
            break
        if line.kind != "head" and not _is_head(
            line, lines[at + 1 : at + 1 + _LOOKED_AT], labelled=labelled or continues
        ):
            break
        line.kind = "head"
        labelled |= bool(line.label)
        at += 1
    return at if at > first else begin


def _is_head(line: _Line, below: Sequence[_Line], *, labelled: bool) -> bool:
    """Whether a row above all others holds heads; `labelled`: heads over the labels are there already."""
    kinds = set(line.values())
    if line.is_marked:
        return True
    if not kinds or kinds == {"blank"}:
        return False
    if not line.label:
        filled = [other for other in below if "number" in other.values()] or below
        if "number" in kinds:
            return not labelled and all(other.label for other in filled)
        own = filled[0].kinds[0] == "text" and filled[0].cells[0].column < line.cells[0].column
        return own or bool(filled[0].label)
    return "number" not in kinds and _is_labelled_head(line, below, labelled=labelled)


def _is_labelled_head(line: _Line, below: Sequence[_Line], *, labelled: bool) -> bool:
    """Whether a row without numbers that has a label holds heads."""
    kinds = line.values()
    if line.is_bold and not below[0].is_bold and len(line.cells) > 1:
        return True
    if "period" in kinds:
        return not labelled or len(kinds) > 1
    if labelled:
        return False
    if len({cell.text for cell in line.of("range")}) > 1:
        return set(kinds) <= {"range", "text"}
    numeric = {cell.column for other in below for cell in other.of("number") if cell.column}
    if not numeric:
        return _names_texts(line, below)
    return any(cell.column in numeric for cell in line.of("text"))


def _names_texts(line: _Line, below: Sequence[_Line]) -> bool:
    """Whether short names stand over longer texts."""
    texts = [cell.text for other in below for cell in other.cells]
    longest = max(len(cell.text) for cell in line.cells)
    full = all(len(other.cells) <= len(line.cells) for other in below)
    mean = sum(map(len, texts)) / len(texts)
    return full and len(below) > 1 and longest <= _MAX_HEAD and longest < mean


class _Heads:
    """The heads that hold until others follow."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        self._known = {(cell.column, cell.text) for line in lines for cell in line.cells}
        self._named = any(line.label and not says_nothing(line.label) for line in lines)
        self._plain = not any(line.is_bold or line.is_marked for line in lines)

    def end_at(self, line: _Line, above: _Line, numeric: set[int]) -> bool:
        """Whether a row further down holds other heads; the same ones are taken off the row.

        `numeric` are the columns with numbers above it.
        """
        values = line.values()
        if line.is_lone or "number" in values:
            return False
        beside = [cell for cell in line.cells if cell.column]
        if values and all((cell.column, cell.text) in self._known for cell in beside):
            own = line.label and (0, line.label) not in self._known
            if not (above.is_lone or (own and self._named)):
                line.cells, line.kinds = (line.cells[:1], line.kinds[:1]) if own else ([], [])
                return False
            return True
        if line.is_marked or "blank" in values:
            return line.is_marked
        if "period" in values:
            years = [int(found[0][:4]) for cell in beside if (found := YEARS.search(cell.text))]
            steps = {abs(one - other) for one, other in pairwise(years)}
            return not line.label or (len(values) > 1 and (line.is_bold or steps <= {0, 1}))
        over = [cell.text for cell in beside if cell.column in numeric or (line.is_bold and not line.label)]
        return (self._plain or line.is_bold) and 1 < len(set(over)) == len(beside)


class _Section:
    """Rows under one set of heads, whose parts are settled one after another."""

    def __init__(self, lines: list[_Line], columns: int, above: Table | None) -> None:
        first = next((at for at, line in enumerate(lines) if line.kind == "head"), 0)
        titles = [line.title for line in lines[:first]]
        self._columns = columns
        self._notes = [title for title in titles if len(title) > _MAX_TITLE or NOTE.match(title)]
        self._titles = [title for title in titles if title not in self._notes]
        self._heads = [line for line in lines if line.kind == "head"]
        self._body = [line for line in lines[first:] if line.kind != "head"]
        self._labels = self._find_labels() if above is None else above.labels
        if not self._read_with_heads():
            self._heads, self._body = [], [*self._heads, *self._body]
            for line in self._body:
                line.kind = "row"
            self._labels = self._find_labels()
        self._caption = None if above is None else above.caption
        self._find_groups()
        self._extend_heads()
        self._extend_labels()
        _find_levels(self._body)
        for line, after in zip(self._body, [*self._body[1:], None], strict=True):
            if line.kind == "group" and (after is None or after.level <= line.level):
                line.kind = "row"  # a heading of nothing

    def tables(self, grid: Grid, *, first: bool) -> Iterator[Table]:
        """Yield the table in parts; `first`: the section is the first of its grid."""
        caption = " \u2013 ".join(filter(None, (grid.caption or self._caption, *self._titles)))
        table = Table(
            rows=(),
            columns=min(self._columns, MAX_COLUMNS),
            labels=self._labels,
            page=grid.page,
            box=grid.box,
            caption=caption or None,
        )
        for number, (heads, body) in enumerate(self._pieces()):
            for part, lines in enumerate(_parts(body, self._labels, table.columns)):
                rows = [*heads, *lines] if not part else lines
                yield replace(
                    table,
                    rows=tuple(_row(line, len(rows) - at) for at, line in enumerate(rows)),
                    continues=part > 0 or (grid.continues and first and not number),
                    notes=() if part or number else tuple(self._notes),
                )

    def _pieces(self) -> Iterator[tuple[list[_Line], list[_Line]]]:
        """Yield heads and rows of as many columns as a table may have."""
        if self._columns <= MAX_COLUMNS:
            yield self._heads, self._body
            return
        width = MAX_COLUMNS - self._labels
        last = max(cell.column for line in (*self._heads, *self._body) for cell in line.cells[-1:])
        for start in range(self._labels, max(last, self._labels) + 1, width):
            heads, body = (
                [cut for line in lines if (cut := _cut(line, self._labels, start, start + width))]
                for lines in (self._heads, self._body)
            )
            yield heads, body

    def _find_labels(self) -> int:
        """Count the columns that name the rows: those before the first of numbers, if they are short."""
        kinds: list[Counter[Kind]] = [Counter() for _ in range(min(MAX_LABELS + 1, self._columns))]
        size = [0] * len(kinds)
        for line in self._body:
            for cell, kind in zip(line.cells[: len(kinds)], line.kinds, strict=False):
                if cell.column < len(kinds):
                    kinds[cell.column][kind] += 1
                    size[cell.column] += len(cell.text)
        is_text = [found["text"] > found["number"] + found["range"] + found["period"] for found in kinds]
        over = next((line.kinds[0] for line in reversed(self._heads) if line.label), None)
        if kinds[0]["number"] > kinds[0].total() / 2 and not any(is_text):
            return 0 if over == "period" or (over and len(self._body) == 1) else 1
        last = 0
        for column, found in enumerate(kinds[1:], 1):
            if found and not is_text[column]:
                return last + 1
            if size[column] > _MAX_HEAD * found.total():
                break
            last = column if found else last
        return 1

    def _read_with_heads(self) -> bool:
        """Whether rows have values, and one below each number that stands in a head."""
        below = {cell.column for line in self._body for cell in line.cells if cell.column >= self._labels}
        return bool(below) and all(
            not below.isdisjoint(range(cell.column, cell.column + cell.column_span))
            for line in self._heads
            for cell, kind in zip(line.cells, line.kinds, strict=True)
            if kind in {"number", "range"} and (cell.column or not self._labels)
        )

    def _find_groups(self) -> None:
        """Mark the rows without values that stand over others; set the notes below the last aside."""
        last = len(self._body)
        while last and self._body[last - 1].is_lone and _is_note(self._body[last - 1].label):
            last -= 1
        notes = {
            at
            for at, line in enumerate(self._body)
            if line.is_lone and (at >= last or NOTE.match(line.label))
        }
        if len(notes) < len(self._body):
            self._notes += [line.title for at, line in enumerate(self._body) if at in notes]
            self._body = [line for at, line in enumerate(self._body) if at not in notes]
        for line in self._body:
            named = line.is_lone or line.cells[-1].column < self._labels
            if named and len(line.label) <= _MAX_TITLE:
                line.kind = "group"

    def _extend_heads(self) -> None:
        """Let an upper head span the lower ones, where no head says its span.

        Those between which the lower ones can be divided evenly stand anywhere over their share; another
        spans what is at its right up to the next.
        """
        for line, lower in zip(self._heads, self._heads[1:], strict=False):
            below = [cell.column for cell in lower.cells if cell.column >= self._labels]
            upper = [cell for cell in line.cells if cell.column >= self._labels]
            if any(cell.column_span > 1 for cell in line.cells):
                continue
            share = len(below) // max(1, len(upper))
            shares = [below[at : at + share] for at in range(0, share * len(upper), max(1, share))]
            if share * len(upper) == len(below) and all(
                part[0] <= cell.column <= part[-1] for cell, part in zip(upper, shares, strict=False)
            ):
                for cell, part in zip(upper, shares, strict=False):
                    cell.column, cell.column_span = part[0], part[-1] - part[0] + 1
                continue
            for cell, after in zip(line.cells, [*line.cells[1:], None], strict=True):
                end = self._columns if after is None else after.column
                while cell.column >= self._labels and cell.column + cell.column_span < end:
                    if cell.column + cell.column_span not in below:
                        break
                    cell.column_span += 1

    def _extend_labels(self) -> None:
        """Let a label span the rows below in which its column is empty and the next one is not."""
        for column in range(self._labels - 1):
            begin, spanning = 0, None
            for at, line in enumerate(self._body):
                own = next((cell for cell in line.cells[:MAX_LABELS] if cell.column == column), None)
                if line.kind == "group":
                    spanning = None
                elif own is not None:
                    begin, spanning = at, own
                elif (
                    spanning is not None
                    and line.cells[0].column < self._labels
                    and not is_unit(line.cells[0].text)
                    and not NUMBERED.fullmatch(spanning.text)
                ):
                    spanning.row_span = max(spanning.row_span, at - begin + 1)


def _is_note(label: str) -> bool:
    return bool(NOTE.match(label) or (NUMBERED.match(label) and len(label) > _MAX_HEAD))


@dataclass(slots=True)
class _Open:
    """A group or row that those below it may be parts of."""

    is_group: bool
    indent: float
    bold: bool
    style: tuple[bool, bool]
    """Bold, and in capitals: what stands out more comes later in order."""
    part: bool
    """Whether it says that it is a part: "of which ..."."""
    total: bool
    number: str
    rows: float | None = None
    """Indent of the first row that is a part of this."""
    numbers: bool = False
    """Whether its number begins that of the first row."""
    groups: tuple[bool, bool] | None = None
    """Style of the groups in this."""


_JITTER = 2.0  # points
_ROUNDED = 0.01  # of a sum


def _find_levels(body: Sequence[_Line]) -> None:
    """Find how deep each label is, by indents, numbers, words such as "of which", and bold type."""
    above: list[_Open] = []
    leads = _bold_leads(body)
    for line in body:
        cell = line.cells[0]
        numbered = NUMBERED.match(cell.text)
        entry = _Open(
            is_group=line.kind == "group",
            indent=0 if cell.column_span > 1 else cell.indent,
            bold=cell.bold,
            style=(cell.bold, cell.text.isupper()),
            part=PART.match(cell.text) is not None,
            total=TOTAL.search(cell.text) is not None,
            number=numbered[1] if numbered else "",
        )
        while above and not _holds(above[-1], entry, leads=leads):
            above.pop()
        if above and entry.is_group:
            above[-1].groups = entry.style
        for parent in above:
            if not entry.is_group and parent.rows is None:
                parent.rows = entry.indent
                parent.numbers = entry.number.startswith(f"{parent.number}.")
        line.level = len(above)
        if len(above) < MAX_LEVEL:
            above.append(entry)


def _bold_leads(body: Sequence[_Line]) -> bool:
    """Whether bold rows stand before their parts: several do, or one that is a total or their sum."""
    bold = [line.kind == "row" and line.cells[0].bold for line in body]
    leads = [
        at for at in range(len(body) - 1) if bold[at] and not bold[at + 1] and body[at + 1].kind == "row"
    ]
    if not leads or (leads[0] and body[leads[0] - 1].kind == "row"):
        return False
    end = next(
        (at for at in range(leads[0] + 1, len(body)) if bold[at] or body[at].kind == "group"), len(body)
    )
    whole, parts = body[leads[0]], body[leads[0] + 1 : end]
    return len(leads) > 1 or TOTAL.search(whole.label) is not None or _is_sum(whole, parts)


def _is_sum(whole: _Line, parts: Sequence[_Line]) -> bool:
    """Whether the first number of a row is the sum of those below it, but for rounding."""
    cells = whole.of("number")
    if not cells:
        return False
    below = [
        amount
        for line in parts
        for cell in line.of("number")
        if cell.column == cells[0].column and (amount := amount_of(cell.text)) is not None
    ]
    total = amount_of(cells[0].text)
    return total is not None and abs(sum(below) - total) <= _ROUNDED * abs(total)


def _holds(parent: _Open, entry: _Open, *, leads: bool) -> bool:
    """Whether an entry is a part of one above it; `leads`: bold rows stand before their parts."""
    deeper = entry.indent - parent.indent
    numbers = parent.number and entry.number
    if parent.is_group and not entry.is_group:
        if parent.rows is None:
            return True
        if numbers and parent.numbers:
            return entry.number.startswith(f"{parent.number}.")
        return entry.indent > parent.rows - _JITTER or deeper > _JITTER
    if abs(deeper) > _JITTER:
        fits = entry.style <= parent.style if entry.is_group else parent.is_group or not entry.total
        return deeper > 0 and fits
    if numbers:
        return entry.number.startswith(f"{parent.number}.")
    return _holds_level(parent, entry, leads=leads)


def _holds_level(parent: _Open, entry: _Open, *, leads: bool) -> bool:
    """Whether an entry is a part of a group or row above it that has the same indent."""
    if not parent.is_group:
        bold = leads and parent.bold and not entry.bold and not parent.total
        return not entry.is_group and (not parent.part if entry.part else bold)
    if parent.rows is None:
        return True
    return parent.groups == entry.style if parent.groups else entry.style < parent.style


def _parts(lines: Sequence[_Line], labels: int, columns: int) -> Iterator[list[_Line]]:
    """Yield as many rows as a table may have; the groups that go on are repeated above the next."""
    size = max(1, min(MAX_ROWS, MAX_CELLS // max(1, columns)) - MAX_HEADS - MAX_LEVEL)
    part: list[_Line] = []
    above: list[_Line] = []
    for at, line in enumerate(lines):
        while above and above[-1].level >= line.level:
            above.pop()
        if at and at % size == 0:
            yield part
            part = [repeated for parent in above if (repeated := _as_group(parent, labels))]
        above.append(line)
        part.append(line)
    yield part


def _as_group(line: _Line, labels: int) -> _Line | None:
    cells = [cell for cell in line.cells if line.kind == "group" or cell.column < labels]
    return _Line(cells, line.kinds[: len(cells)], "group", line.level) if cells else None


def _open_groups(table: Table) -> list[_Line]:
    """Return the groups of which the rows on the next page may be parts."""
    groups: list[_Line] = []
    level = MAX_LEVEL + 1
    for row in reversed(table.rows):
        if row.kind == "group" and row.level < level:
            cells = [GridCell(text=cell.text, column=cell.column) for cell in row.cells]
            groups.insert(0, _Line(cells, [kind_of(cell.text) for cell in cells]))
        level = min(level, row.level if row.kind != "head" else level)
    return groups


def _cut(line: _Line, labels: int, start: int, end: int) -> _Line | None:
    """Return the labels of a row and its cells from column `start` to `end`; None if there are none."""
    begin = bisect_left(line.cells, start, key=lambda cell: cell.column)
    stop = bisect_left(line.cells, end, key=lambda cell: cell.column)
    if begin and line.cells[begin - 1].column >= labels:
        begin -= line.cells[begin - 1].column + line.cells[begin - 1].column_span > start
    own = bisect_left(line.cells, labels, key=lambda cell: cell.column)
    if max(begin, own) >= stop and line.kind == "row" and start > labels:
        return None
    cells, kinds = [], []
    for at in (*range(own), *range(max(begin, own), stop)):
        cell = line.cells[at]
        left = max(cell.column, start) if at >= own else cell.column
        right = min(cell.column + cell.column_span, end) if at >= own else left + 1
        shift = start - labels if at >= own else 0
        cells.append(replace(cell, column=left - shift, column_span=max(1, right - left)))
        kinds.append(line.kinds[at])
    return _Line(cells, kinds, line.kind, line.level) if cells else None


def _row(line: _Line, left: int) -> Row:
    """Return a row; its cells span at most the rows that are `left`."""
    cells = tuple(
        Cell(
            text=cell.text,
            column=cell.column,
            row_span=min(cell.row_span, left),
            column_span=cell.column_span,
            box=cell.box,
        )
        for cell in line.cells
    )
    boxes = [cell.box for cell in line.cells if cell.box]
    box = None
    if boxes:
        x0, y0, x1, y1 = zip(*boxes, strict=True)
        box = (min(x0), min(y0), max(x1), max(y1))
    return Row(kind=line.kind, cells=cells, level=line.level, box=box)
