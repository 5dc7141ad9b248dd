"""Draw found tables over page images, for people to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pypdfium2 as pdfium
from PIL import ImageDraw

from benchmarks.tables.gold import REPORTS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from benchmarks.tables.gold import Value
    from shared.platform.records import Passage
    from shared.platform.tables import Box, Table

FOLDER = ROOT / "build" / "bench-tables"
SCALE = 2.0
TABLE, HEAD, GROUP, LABEL, CELL, FRAGMENT, LOST = (
    "black", "red", "orange", "green", "blue", "purple", "magenta",
)  # fmt: skip
"""Outlines: the table; cells of heads; groups; labels; other cells; passages outside of tables that are no prose; and
a cross for each value of the gold that stands in no cell and no such passage."""


def draw(
    report: str, page: int, tables: Iterable[Table], passages: Iterable[Passage], values: Sequence[Value]
) -> Path:
    """Write a page with its tables as an image, and return its path."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with pdfium.PdfDocument(REPORTS / f"{report}.pdf") as document:
        image = document[page - 1].render(scale=SCALE).to_pil().convert("RGB")
    pen = ImageDraw.Draw(image)
    boxes: list[Box] = []

    def outline(box: Box | None, color: str, width: int = 1) -> None:
        if box:
            pen.rectangle([side * SCALE for side in box], outline=color, width=width)

    for table in tables:
        outline(table.box, TABLE, 2)
        for row in table.rows:
            for cell in row.cells:
                is_label = cell.column < table.labels
                color = {"head": HEAD, "group": GROUP}.get(row.kind, LABEL if is_label else CELL)
                outline(cell.box, color)
                boxes += [cell.box] if cell.box else []
    for passage in passages:
        if passage.kind in {"fragment", "note", "heading"}:
            outline(passage.box, FRAGMENT)
            boxes += [passage.box] if passage.box else []
    for value in values:
        if value.where != "prose" and value.x is not None and value.y is not None:
            x, y = value.x, value.y
            if not any(a - 2 <= x <= c + 2 and b - 2 <= y <= d + 2 for a, b, c, d in boxes):
                pen.line([(x - 6) * SCALE, y * SCALE, (x + 20) * SCALE, y * SCALE], fill=LOST, width=3)
    path = FOLDER / f"{report}-{page}.png"
    image.save(path)
    return path
