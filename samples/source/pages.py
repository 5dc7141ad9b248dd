"""The pages of the report: cover, contents, letter, chapters, key figures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from reportlab.lib.colors import HexColor
from reportlab.platypus import Paragraph

from samples.source import charts, parts
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
    LEAD,
    LIGHT_SLAB,
    MARGIN,
    MOSS,
    PINE,
    QUOTE,
    RIGHT,
    RULE,
    SAND,
    SLANTED,
    SLATE,
    STRONG,
    WATER,
    WHITE,
    WIDTH,
    Box,
    Face,
    line,
    pour,
    running_text,
    style,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from reportlab.lib.colors import Color
    from reportlab.pdfgen.canvas import Canvas

    from samples.source.content import Chapter, Report

FLOOR = 54.0
"""Nothing but the footer stands below."""
LOWEST_CHART, HIGHEST_CHART = 120.0, 212.0
HILLS = (
    parts.Wave(PINE, 330, 34, 0.0),
    parts.Wave(MOSS, 262, 28, 1.7),
    parts.Wave(SAND, 196, 24, 3.1),
    parts.Wave(CREAM, 132, 18, 4.6),
)
COLOURS: dict[str, tuple[Color, ...]] = {
    "E1": (FOREST, MOSS, SAND),
    "E2": (WATER, MOSS, SAND),
    "E4": (PINE, MOSS, SAND),
    "S1": (COPPER, INK, SAND),
    "S2": (HexColor("#8A4A3C"), SAND, MOSS),
    "S4": (SLATE, SAND, MOSS),
}


def plan(report: Report) -> list[tuple[str, Callable[[Canvas, int], None]]]:
    """Each page's title in the bookmarks, and what draws it on a canvas, given its number."""
    return [
        ("Cover", partial(_cover, report)),
        ("Contents", partial(_contents, report)),
        (report.letter.title, partial(_letter, report)),
        *((f"{c.codes} {c.title}", partial(_chapter, report, c)) for c in report.chapter),
        (report.figures.title, partial(_figures, report)),
    ]


def _cover(report: Report, canvas: Canvas, _number: int) -> None:
    canvas.setFillColor(FOREST)
    canvas.rect(0, 0, WIDTH, HEIGHT, stroke=0, fill=1)
    canvas.setFillColor(COPPER)
    canvas.circle(WIDTH - 150, 372, 78, stroke=0, fill=1)
    for hill in HILLS:
        hill.draw(canvas)
    line(canvas, (MARGIN, HEIGHT - 84), report.company, Face(BOLD_SLAB, 13, CREAM))
    canvas.setFillColor(COPPER)
    canvas.rect(MARGIN, HEIGHT - 102, 46, 3, stroke=0, fill=1)
    name, _, year = report.title.rpartition(" ")
    title = Paragraph(name.replace(" ", "<br/>"), style(Face(LIGHT_SLAB, 45, WHITE), 52))
    pour(canvas, Box(MARGIN, HEIGHT - 330, FULL, 190), [title])
    line(canvas, (MARGIN, HEIGHT - 304), year, Face(BOLD_SLAB, 45, SAND))
    line(canvas, (MARGIN, 62), report.motto, Face(SLANTED, 12.5, FOREST))


def _contents(report: Report, canvas: Canvas, number: int) -> None:
    glance = report.glance
    parts.furniture(canvas, report, number, "Contents")
    line(canvas, (MARGIN, HEIGHT - 92), "Contents", Face(LIGHT_SLAB, 30, FOREST))
    entries = [
        ("", report.letter.title),
        *((c.codes, c.title) for c in report.chapter),
        ("", report.figures.title),
    ]
    y = HEIGHT - 130
    for page, (codes, title) in enumerate(entries, start=3):
        colour = COLOURS[codes[:2]][0] if codes else INK
        line(canvas, (MARGIN, y), codes, Face(BOLD_SLAB, 10.5, colour))
        line(canvas, (MARGIN + 62, y), title, Face(BODY, 10.5, INK))
        line(canvas, (RIGHT, y), str(page), Face(STRONG, 10.5, colour), align="right")
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.6)
        canvas.line(MARGIN, y - 9.5, RIGHT, y - 9.5)
        canvas.linkRect("", f"page-{page}", (MARGIN, y - 9, RIGHT, y + 16), relative=0, thickness=0)
        y -= 27
    y -= 14
    line(canvas, (MARGIN, y), glance.heading, Face(LIGHT_SLAB, 19, FOREST))
    y = parts.tiles(canvas, y - 14, glance.tiles)
    about = running_text(glance.about)
    y = pour(canvas, Box(MARGIN, FLOOR, FULL, y - 20 - FLOOR), [Paragraph(about[0].text, LEAD), *about[1:]])
    line(canvas, (MARGIN, y - 26), glance.sites.heading, Face(LIGHT_SLAB, 19, FOREST))
    sites = parts.grid(glance.sites, [92, FULL - 240, 58, 90], 21, FOREST, numbers=slice(2, 3))
    pour(canvas, Box(MARGIN, 44, FULL, y - 38 - 44), [sites])


def _letter(report: Report, canvas: Canvas, number: int) -> None:
    letter = report.letter
    parts.furniture(canvas, report, number, "Letter")
    line(canvas, (MARGIN, HEIGHT - 96), letter.title, Face(LIGHT_SLAB, 30, FOREST))
    canvas.setFillColor(COPPER)
    canvas.rect(MARGIN, HEIGHT - 194, 3, 70, stroke=0, fill=1)
    pour(canvas, Box(MARGIN + 18, HEIGHT - 200, FULL - 60, 80), [Paragraph(letter.quote, QUOTE)])
    text = style(Face(BODY, 10.4, INK), 16.2, after=10)
    left, right = (running_text(body, text=text) for body in (letter.left, letter.right))
    y = parts.columns(canvas, left, right, HEIGHT - 226, 130)[1]
    x = MARGIN + COLUMN + GUTTER
    parts.signature(canvas, x, y - 40)
    line(canvas, (x, y - 60), letter.signature, Face(BOLD_SLAB, 10.5, INK))
    line(canvas, (x, y - 74), letter.role, Face(BODY, 8.4, GREY))


def _chapter(report: Report, chapter: Chapter, canvas: Canvas, number: int) -> None:
    colours = COLOURS[chapter.code]
    parts.head(canvas, colours[0], chapter.title, chapter.standfirst, chapter.codes)
    parts.furniture(canvas, report, number, f"{chapter.codes}  {chapter.title}", CREAM)
    top = parts.facts(canvas, HEIGHT - parts.HEAD - 34, chapter.facts, colours[0])
    left, right = (running_text(body, colours[0]) for body in (chapter.left, chapter.right))
    ends = parts.columns(canvas, left, right, top, FLOOR + LOWEST_CHART)
    room = min(ends) - 12 - FLOOR
    chart = Box(MARGIN, FLOOR, FULL, min(room, HIGHEST_CHART))
    charts.panel(canvas, chart, report.charts[chapter.figure], colours)


def _figures(report: Report, canvas: Canvas, number: int) -> None:
    figures = report.figures
    parts.head(canvas, FOREST, figures.title, figures.standfirst, "")
    parts.furniture(canvas, report, number, figures.title, CREAM)
    grid = parts.grid(figures.grid, [168, 62, 48, 48, 48, 52, FULL - 426], 20, FOREST, numbers=slice(2, 4))
    top = HEIGHT - parts.HEAD - 24
    bottom = pour(canvas, Box(MARGIN, 150, FULL, top - 150), [grid])
    left, right = (
        running_text(body, FOREST, style(Face(BODY, 9, INK), 12.6, after=5))
        for body in (figures.left, figures.right)
    )
    parts.columns(canvas, left, right, bottom - 12, 46)
