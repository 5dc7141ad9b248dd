"""Pages of PDFs drawn for tests, and their text."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from shared.extract.core import extract
from shared.extract.shapes import Extracted, ExtractOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


PROSE = (
    "The mill on the river burns bark instead of gas since",
    "the spring of this year and needs far less of it than",
    "before; the ash goes back to the forest that the bark",
    "came from, which the state forester has asked for.",
)


def draw(path: Path, *pages: Callable[[Canvas], None]) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for page in pages:
        canvas.setFont("Helvetica", 10)
        page(canvas)
        canvas.showPage()
    canvas.save()
    path.write_bytes(buffer.getvalue())


def read(path: Path) -> Extracted:
    return extract(path, name="r.pdf", content_type=None, options=ExtractOptions())


def blocks(path: Path) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in read(path).blocks]


def prose(canvas: Canvas, lines: Sequence[str] = PROSE, *, x: float = 60, y: float = 700) -> None:
    for place, line in enumerate(lines):
        canvas.drawString(x, y - 13 * place, line)
