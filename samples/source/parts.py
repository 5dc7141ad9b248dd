"""What several pages are made of: running header and footer, coloured head, facts, tiles, tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from reportlab.platypus import Flowable, Paragraph, Table

from samples.source.design import (
    BODY,
    BOLD_SLAB,
    COLUMN,
    COPPER,
    CREAM,
    FOREST,
    FULL,
    GREY,
    GUTTER,
    HEIGHT,
    INK,
    LIGHT_SLAB,
    MARGIN,
    PINE,
    RIGHT,
    RULE,
    SAND,
    SLATE,
    STRONG,
    WHITE,
    WIDTH,
    Box,
    Face,
    line,
    pour,
    style,
)

if TYPE_CHECKING:
    from reportlab.lib.colors import Color
    from reportlab.pdfgen.canvas import Canvas

    from samples.source.content import Grid, Report

HEAD = 150.0
"""Height of a chapter's coloured head, its wave not counted."""


def furniture(canvas: Canvas, report: Report, number: int, section: str, colour: Color = GREY) -> None:
    """The running header and footer."""
    line(canvas, (MARGIN, HEIGHT - 32), f"{report.company}  |  {report.title}", Face(BODY, 7.4, colour))
    line(canvas, (RIGHT, HEIGHT - 32), section, Face(BODY, 7.4, colour), align="right")
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.6)
    canvas.line(MARGIN, 38, RIGHT, 38)
    line(canvas, (MARGIN, 25), "www.example.com/sustainability", Face(BODY, 7.4, GREY))
    line(canvas, (RIGHT, 25), str(number), Face(STRONG, 8.4, INK), align="right")


class Wave(NamedTuple):
    """An edge across the page: `level` and `swing` in points, `phase` in radians."""

    colour: Color
    level: float
    swing: float
    phase: float

    def draw(self, canvas: Canvas, base: float = 0.0) -> None:
        """Fill the page from `base` up, or down, to the edge."""
        path = canvas.beginPath()
        path.moveTo(0, base)
        for step in range(61):
            x = WIDTH * step / 60
            ripple = math.sin(self.phase + x / 118) + 0.35 * math.sin(self.phase + x / 47)
            path.lineTo(x, self.level + self.swing * ripple)
        path.lineTo(WIDTH, base)
        path.close()
        canvas.setFillColor(self.colour)
        canvas.drawPath(path, stroke=0, fill=1)


def head(canvas: Canvas, colour: Color, title: str, standfirst: str, codes: str) -> None:
    """The coloured head of a page, which ends in a wave."""
    Wave(SAND, HEIGHT - HEAD - 8, 7, 2.4).draw(canvas, base=HEIGHT)
    Wave(colour, HEIGHT - HEAD, 8, 0.6).draw(canvas, base=HEIGHT)
    line(canvas, (RIGHT, HEIGHT - 82), codes, Face(LIGHT_SLAB, 26, SAND), align="right")
    words = [
        Paragraph(title, style(Face(LIGHT_SLAB, 23.5, WHITE), 28, after=5)),
        Paragraph(standfirst, style(Face(BODY, 10.6, CREAM), 15)),
    ]
    pour(canvas, Box(MARGIN, HEIGHT - HEAD, FULL - 98, HEAD - 54), words)


def facts(canvas: Canvas, top: float, values: list[tuple[str, str]], colour: Color) -> float:
    """Three figures in large type, side by side; returns the y at which text may go on."""
    width = FULL / len(values)
    for index, (value, label) in enumerate(values):
        x = MARGIN + index * width
        line(canvas, (x, top - 20), value, Face(LIGHT_SLAB, 25, colour))
        line(canvas, (x, top - 35), label, Face(BODY, 8.4, GREY))
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.6)
    canvas.line(MARGIN, top - 48, RIGHT, top - 48)
    return top - 56


def columns(
    canvas: Canvas, left: list[Flowable], right: list[Flowable], top: float, bottom: float
) -> tuple[float, float]:
    """Two columns of text; returns the y at which each ends."""
    second = MARGIN + COLUMN + GUTTER
    return (
        pour(canvas, Box(MARGIN, bottom, COLUMN, top - bottom), left),
        pour(canvas, Box(second, bottom, COLUMN, top - bottom), right),
    )


def tiles(canvas: Canvas, top: float, values: list[tuple[str, str, Literal["up", "down"]]]) -> float:
    """Coloured tiles side by side, copper for bad news; returns the y of their lower edge."""
    gap, height = 12.0, 84.0
    width = (FULL - gap * (len(values) - 1)) / len(values)
    y = top - height
    for index, (value, label, direction) in enumerate(values):
        x = MARGIN + index * (width + gap)
        canvas.setFillColor(FOREST if direction == "up" else COPPER)
        canvas.roundRect(x, y, width, height, radius=5, stroke=0, fill=1)
        line(canvas, (x + 11, y + height - 34), value, Face(LIGHT_SLAB, 23, WHITE))
        box = Box(x + 11, y + 6, width - 20, height - 48)
        pour(canvas, box, [Paragraph(label, style(Face(BODY, 8.2, WHITE), 10.8))])
    return y


def grid(table: Grid, widths: list[float], height: float, colour: Color, numbers: slice) -> Table:
    """A table with hair lines; `numbers` names the first and the last column that is set flush right."""
    first, last = numbers.start, numbers.stop
    cells = [table.columns, *([*row, *[""] * (len(table.columns) - len(row))] for row in table.rows)]
    flowable = Table(cells, colWidths=widths, rowHeights=height)
    marks = [(row, cells[row].index("worse")) for row in range(len(cells)) if "worse" in cells[row]]
    good = [(row, cells[row].index("better")) for row in range(len(cells)) if "better" in cells[row]]
    titles = [index for index, row in enumerate(table.rows, start=1) if len(row) == 1]
    flowable.setStyle(
        [
            ("FONT", (0, 0), (-1, -1), BODY, 8.4),
            ("TEXTCOLOR", (0, 0), (-1, -1), INK),
            ("FONT", (0, 0), (-1, 0), STRONG, 8.4),
            ("FONT", (last, 1), (last, -1), STRONG, 8.4),
            ("ALIGN", (first, 0), (last, -1), "RIGHT"),
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("LINEBELOW", (0, 0), (-1, -1), 0.5, RULE),
            ("LINEBELOW", (0, 0), (-1, 0), 1.0, colour),
            *(("FONT", (0, row), (0, row), BOLD_SLAB, 8.8) for row in titles),
            *(("TEXTCOLOR", (0, row), (0, row), colour) for row in titles),
            *(("TEXTCOLOR", (column, row), (column, row), COPPER) for row, column in marks),
            *(("TEXTCOLOR", (column, row), (column, row), PINE) for row, column in good),
        ]
    )
    return flowable


def signature(canvas: Canvas, x: float, y: float) -> None:
    """A pen stroke that could be anybody's."""
    canvas.setStrokeColor(SLATE)
    canvas.setLineWidth(1.3)
    canvas.setLineCap(1)
    path = canvas.beginPath()
    path.moveTo(x + 4, y)
    path.curveTo(x + 10, y + 44, x + 20, y + 30, x + 14, y + 4)
    path.curveTo(x + 24, y + 30, x + 34, y + 22, x + 32, y + 6)
    path.curveTo(x + 42, y + 26, x + 50, y + 16, x + 50, y + 6)
    path.curveTo(x + 64, y + 40, x + 74, y + 30, x + 62, y + 8)
    path.curveTo(x + 84, y + 22, x + 92, y + 4, x + 136, y + 14)
    canvas.drawPath(path)
