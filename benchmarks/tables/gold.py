"""The gold: numbers with their meaning, as people read them off page images, in `gold.tsv`."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GOLD = HERE / "gold.tsv"
REPORTS = Path(os.environ.get("HEADRACE_SHARED", ROOT.parent / "shared")) / "data" / "samples" / "pdf"
PARTLY_READ = {("ntt_data_csr_2014", 31)}
"""Pages of which one table of several was read: a number that is not in the gold may be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A number on a page; what the page does not state is empty."""

    report: str
    """Name of the PDF without its suffix."""
    page: int
    """Counted from 1."""
    where: str
    """table, prose or chart (a drawing or box)."""
    label: str
    """Label of the row, or what the number counts, as printed."""
    parents: str
    """Headings above that the label needs, " > " between them."""
    column: str
    """Head of the column, as printed."""
    period: str
    printed: str
    """Without unit and footnote mark."""
    value: float | None
    """As printed, the scale of the unit not applied; None for a dash."""
    unit: str
    """As printed, wherever it stands."""
    qualifier: str
    datapoint: str
    """Code of the ESRS data point."""
    x: float | None = None
    """Where the number begins, in points from the page's left edge."""
    y: float | None = None
    """Its middle, in points from the page's top edge."""


def load(path: Path = GOLD) -> list[Value]:
    """Return the values of a file, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_value(row) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


Gold = dict[str, dict[int, list[Value]]]
"""Values by report and page."""


def by_page(values: Iterable[Value]) -> Gold:
    """Group values by report and page."""
    pages: Gold = {}
    for value in values:
        pages.setdefault(value.report, {}).setdefault(value.page, []).append(value)
    return pages


def save(values: Iterable[Value], path: Path = GOLD) -> None:
    """Write values to a file that `load` reads."""
    names = [field.name for field in fields(Value)]
    with path.open("w", encoding="utf-8", newline="") as file:
        print(*names, sep="\t", file=file)
        for value in values:
            print(*(_printed(getattr(value, name)) for name in names), sep="\t", file=file)


def _value(row: dict[str, str]) -> Value:
    numbers = {name: float(row[name]) if row.get(name) else None for name in ("value", "x", "y")}
    return Value(**row | numbers | {"page": int(row["page"])})  # type: ignore[arg-type]


def _printed(field: object) -> str:
    return "" if field is None else f"{field:.12g}" if isinstance(field, float) else str(field)
