"""What every reader makes of a table: the cells as it found them become heads, labels, groups and rows."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.platform.tables import Cell, Row, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.platform.tables import Box


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
    """Depth of the text in its cell, in any unit that is the same for the table."""
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


def settle(grid: Grid) -> list[Table]:
    """Return the table of a grid, in parts where it is too large or its heads change half-way."""
    columns = max((cell.column + cell.column_span for row in grid.rows for cell in row), default=0)
    rows = [
        Row(
            kind="head" if at == 0 else "row",
            cells=tuple(
                Cell(
                    text=cell.text,
                    column=cell.column,
                    row_span=cell.row_span,
                    column_span=cell.column_span,
                    box=cell.box,
                )
                for cell in row
            ),
        )
        for at, row in enumerate(grid.rows)
    ]
    table = Table(
        rows=tuple(rows),
        columns=columns,
        page=grid.page,
        box=grid.box,
        caption=grid.caption,
        notes=tuple(grid.notes),
        continues=grid.continues,
    )
    return [table]


def heads_of(table: Table, column: int, above: Table | None = None) -> tuple[str, ...]:
    """Return the heads over a column, top level first.

    `above` is the table that this one continues: its heads count where this one has none.
    """
    rows = [row for row in table.rows if row.kind == "head"]
    if not rows and above is not None:
        rows = [row for row in above.rows if row.kind == "head"]
    heads = (_at(row.cells, column) for row in rows)
    return tuple(dict.fromkeys(cell.text for cell in heads if cell))


def parents_of(table: Table, at: int) -> tuple[str, ...]:
    """Return the labels of the groups and rows that the row `at` is a part of, outermost first."""
    parents: list[str] = []
    level = table.rows[at].level
    for above in reversed(range(at)):
        row = table.rows[above]
        if row.kind != "head" and row.level < level:
            parents.append(label_of(table, above))
            level = row.level
    return tuple(filter(None, reversed(parents)))


def label_of(table: Table, at: int) -> str:
    """Return what names the row `at`, its unit in brackets where a column of its own states it."""
    row = table.rows[at]
    labels = row.cells if row.kind == "group" else [cell for cell in row.cells if cell.column < table.labels]
    return " ".join(cell.text for cell in labels)


def row_text(table: Table, at: int, above: Table | None = None) -> str:
    """Return what is read and shown of a row: "Energy > Electricity (MWh) | 2023: 4,746; 2022: 4,404".

    `above` is the table whose heads count, where this one continues another.
    """
    label = " > ".join(filter(None, (*parents_of(table, at), label_of(table, at))))
    values = []
    for cell in table.rows[at].cells:
        if cell.column >= table.labels:
            head = ", ".join(heads_of(table, cell.column, above))
            values.append(f"{head}: {cell.text}" if head else cell.text)
    return " | ".join(filter(None, (label, "; ".join(values))))


def _at(cells: Sequence[Cell], column: int) -> Cell | None:
    """Return the cell over a column."""
    at = bisect_right(cells, column, key=lambda cell: cell.column) - 1
    return cells[at] if at >= 0 and column < cells[at].column + cells[at].column_span else None
