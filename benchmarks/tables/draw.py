"""Draw found tables over page images, for people to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pypdfium2 as pdfium
from PIL import ImageDraw

from benchmarks.tables.gold import REPORTS, ROOT
from benchmarks.tables.readers import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from benchmarks.tables.gold import Gold, Value
    from shared.platform.records import Passage
    from shared.platform.tables import Box, Table

FOLDER = ROOT / "build" / "bench-tables"
SCALE = 2.0
TABLE, HEAD, GROUP, LABEL, CELL, FRAGMENT, LOST = (
    "black", "red", "orange", "green", "blue", "purple", "magenta",
)  # fmt: skip
"""Outlines of the table, of cells of heads, groups, labels and others, and of fragments, notes and headings;
a line through each value of the gold that stands in none of them."""

_COLORS = {"head": HEAD, "group": GROUP, "row": CELL}


def draw_some(gold: Gold, count: int) -> Iterator[Path]:
    """Draw so many pages of the gold, spread over the reports, and yield the paths of the images."""
    pages = [(report, page) for report, values in gold.items() for page in values]
    chosen = set(pages[:: max(1, len(pages) // count)][:count])
    for report, values in gold.items():
        numbers = [page for page in values if (report, page) in chosen]
        if not numbers:
            continue
        passages = read_whole(REPORTS / f"{report}.pdf").passages
        for page in numbers:
            here = [passage for passage in passages if passage.page == page]
            tables = [table for passage in passages for table in passage.tables if table.page == page]
            yield draw(report, page, tables, here, values[page])


def draw(
    report: str, page: int, tables: Iterable[Table], passages: Iterable[Passage], values: Sequence[Value]
) -> Path:
    """Write a page with its tables as an image, and return its path."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with pdfium.PdfDocument(REPORTS / f"{report}.pdf") as document:
        image = document[page - 1].render(scale=SCALE).to_pil().convert("RGB")
    pen = ImageDraw.Draw(image)
    boxes = [*_boxes(tables, passages)]
    for box, color, width in boxes:
        pen.rectangle([side * SCALE for side in box], outline=color, width=width)
    inside = [box for box, color, _ in boxes if color != TABLE]
    for value in values:
        if value.where != "prose" and value.x is not None and value.y is not None:
            x, y = value.x, value.y
            if not any(a - 2 <= x <= c + 2 and b - 2 <= y <= d + 2 for a, b, c, d in inside):
                pen.line([(x - 6) * SCALE, y * SCALE, (x + 20) * SCALE, y * SCALE], fill=LOST, width=3)
    path = FOLDER / f"{report}-{page}.png"
    image.save(path)
    return path


def _boxes(tables: Iterable[Table], passages: Iterable[Passage]) -> Iterator[tuple[Box, str, int]]:
    """Yield what is outlined, with its color and the width of the line."""
    for table in tables:
        if table.box:
            yield table.box, TABLE, 3
        for row in table.rows:
            for cell in row.cells:
                color = LABEL if row.kind == "row" and cell.column < table.labels else _COLORS[row.kind]
                if cell.box:
                    yield cell.box, color, 1
    for passage in passages:
        if passage.kind in {"fragment", "note", "heading"} and passage.box:
            yield passage.box, FRAGMENT, 1
