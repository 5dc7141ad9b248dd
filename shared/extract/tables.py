"""What every reader makes of a table: the cells as it found them become heads, labels, groups and rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.platform.tables import Cell, Row, Table

if TYPE_CHECKING:
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


def settle(grid: Grid) -> Table:
    """Return the table of a grid."""
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
    return Table(
        rows=tuple(rows),
        columns=columns,
        page=grid.page,
        box=grid.box,
        caption=grid.caption,
        notes=tuple(grid.notes),
        continues=grid.continues,
    )


def row_text(table: Table, at: int, heads: Table | None = None) -> str:
    """Return what is read and shown of a row: its label with parents, and each cell with its head.

    `heads` is the table whose heads count, where this one continues another.
    """
    cells = table.rows[at].cells
    label = " ".join(cell.text for cell in cells if cell.column < table.labels)
    above = [row for row in (heads or table).rows if row.kind == "head"]
    parts = []
    for cell in cells:
        if cell.column >= table.labels:
            head = " ".join(
                over.text
                for row in above
                for over in row.cells
                if over.column <= cell.column < over.column + over.column_span
            )
            parts.append(f"{head}: {cell.text}" if head else cell.text)
    return f"{label} | {'; '.join(parts)}"
