"""Tables of a document, and figures: numbers with their meaning.

Plain dataclasses, since the process that reads a file loads no pydantic; whoever takes them from it, or from
storage, validates them by a `TypeAdapter`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in points from the page's top left corner, y downwards, the page as it is seen."""
RowKind = Literal["head", "group", "row"]
PassageKind = Literal["text", "heading", "row", "fragment", "note"]
"""Prose; a heading; a row of a table, with its label and heads; numbers and labels that are in no table and
no sentence; a footnote, or a note below a table."""
FigureKind = Literal["amount", "percentage", "year", "quantity", "number"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell that is not empty; what it spans begins at `column`, counted from 0."""

    text: str
    column: int
    row_span: int = 1
    column_span: int = 1
    box: Box | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row from top to bottom: heads of columns, a heading of the rows below it, or a row with a label."""

    kind: RowKind
    cells: tuple[Cell, ...]
    """In the order of their columns."""
    level: int = 0
    """Depth of the label: a row or group is a part of the nearest one above it with a smaller level."""
    box: Box | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of one page; what goes on over the page is another one, which `continues` this."""

    rows: tuple[Row, ...]
    columns: int
    labels: int = 1
    """How many of the first columns name the row."""
    page: int | None = None
    box: Box | None = None
    caption: str | None = None
    notes: tuple[str, ...] = ()
    continues: bool = False
    """Whether it continues the table before it, with whose heads it is read where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its meaning, from a cell or a sentence."""

    kind: FigureKind
    value: float
    """In `unit`: "EUR 3.2 million" is 3,200,000 EUR."""
    unit: str | None
    """ISO currency code, "%", "year", or the unit as normalised (t, tCO2e, MWh, m3, people, hours ...)."""
    text: str
    """The number with its unit, as it stands in the passage."""
    printed: str = ""
    """The number alone, as printed."""
    metric: str = ""
    """What is measured: the label with its parents, " > " between them, or words of the sentence."""
    period: str | None = None
    """"2023", "2022/23", "2023-H1", "2023-Q2", or "2023-12-31" where it is as of a day."""
    qualifier: str | None = None
    """"total", "of which ...", "target", "base year", "change", "average" ...; a person's words."""
    change: float | None = None
    """In per cent, against `against`, where the table or sentence says so."""
    against: str | None = None
    box: Box | None = None
    table: int | None = None
    """Which of the document's tables, from 0; None: a sentence's."""
    cell: tuple[int, int] | None = None
    """Row and column of the table, from 0."""
    topic: str | None = None
    datapoint: str | None = None
    """Code of the ESRS data point."""
    confidence: float = 1.0
    """Probability that value, unit, metric and period are right."""


def is_total(qualifier: str | None) -> bool:
    """Return whether the qualifier of a figure says that it is a total."""
    return (qualifier or "").startswith("total")
