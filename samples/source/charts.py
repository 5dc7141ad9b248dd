"""The report's charts, drawn as vectors straight onto the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportlab.platypus import Paragraph

from samples.source.design import (
    BODY,
    BOLD_SLAB,
    CREAM,
    GREY,
    INK,
    RULE,
    SMALL,
    STRONG,
    WHITE,
    Box,
    Face,
    line,
    pour,
    style,
)

if TYPE_CHECKING:
    from reportlab.lib.colors import Color
    from reportlab.pdfgen.canvas import Canvas

    from samples.source.content import Chart

LABEL, VALUE = 7.2, 7.6
CAPTION_WIDTH = 132.0
PADDING = 14.0
DARK = 0.55
"""Below this luma, figures on a bar are white."""


def panel(canvas: Canvas, box: Box, chart: Chart, colours: tuple[Color, ...]) -> None:
    """A cream panel with title, caption and key on its left, and the chart on its right."""
    canvas.setFillColor(CREAM)
    canvas.roundRect(*box, radius=5, stroke=0, fill=1)
    caption = Box(box.x + PADDING, box.y + PADDING, CAPTION_WIDTH, box.height - 2 * PADDING)
    words = [
        Paragraph(chart.title, style(Face(BOLD_SLAB, 10.2, INK), 13.4, after=4)),
        Paragraph(chart.caption, SMALL),
    ]
    y = pour(canvas, caption, words) - 14
    if len(chart.series) > 1:
        for series, colour in zip(chart.series, colours, strict=False):
            canvas.setFillColor(colour)
            canvas.roundRect(caption.x, y, 8, 8, radius=1.5, stroke=0, fill=1)
            line(canvas, (caption.x + 13, y + 1), series.name, Face(BODY, LABEL + 0.3, INK))
            y -= 13
    left = caption.x + CAPTION_WIDTH + 22
    plot = Box(left, box.y + PADDING + 12, box.x + box.width - PADDING - left, box.height - 2 * PADDING - 24)
    {"columns": _columns, "bars": _bars, "line": _line}[chart.kind](canvas, plot, chart, colours)


def _number(value: float) -> str:
    return f"{value:g}"


def _target_line(canvas: Canvas, plot: Box, y: float, words: str, colour: Color) -> None:
    canvas.saveState()
    canvas.setStrokeColor(colour)
    canvas.setDash(3, 2.5)
    canvas.setLineWidth(0.9)
    canvas.line(plot.x, y, plot.x + plot.width, y)
    canvas.restoreState()
    line(canvas, (plot.x + plot.width, y + 3), words, Face(STRONG, LABEL, colour), align="right")


def _columns(canvas: Canvas, plot: Box, chart: Chart, colours: tuple[Color, ...]) -> None:
    totals = [sum(values) for values in zip(*(s.values for s in chart.series), strict=True)]
    scale = plot.height / max(totals)
    step = plot.width / len(totals)
    width = step * 0.56
    for index, (label, total) in enumerate(zip(chart.labels, totals, strict=True)):
        x = plot.x + step * (index + 0.5) - width / 2
        y = plot.y
        target = chart.last_is_target and index == len(totals) - 1
        for series, colour in zip(chart.series, colours, strict=False):
            height = series.values[index] * scale
            canvas.setFillColor(WHITE if target else colour)
            canvas.setStrokeColor(colour)
            canvas.setDash([2, 2] if target else [])
            canvas.rect(x, y, width, height, stroke=int(target), fill=1)
            y += height
        canvas.setDash([])
        line(canvas, (x + width / 2, y + 3.5), _number(total), Face(STRONG, VALUE, INK), align="centre")
        line(canvas, (x + width / 2, plot.y - 11), label, Face(BODY, LABEL, GREY), align="centre")
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.8)
    canvas.line(plot.x, plot.y, plot.x + plot.width, plot.y)
    if chart.target is not None:
        height = plot.y + chart.target * scale
        # Beyond the columns, so that the words do not stand on one.
        wide = plot._replace(width=plot.width + PADDING - 4)
        _target_line(canvas, wide, height, _number(chart.target), colours[1])


def _bars(canvas: Canvas, plot: Box, chart: Chart, colours: tuple[Color, ...]) -> None:
    totals = [sum(values) for values in zip(*(s.values for s in chart.series), strict=True)]
    scale = (plot.width - 30) / max(totals)
    step = (plot.height + 18) / len(totals)
    height = min(step * 0.62, 34.0)
    for index, label in enumerate(chart.labels):
        y = plot.y + plot.height + 6 - step * (index + 0.5) - height / 2
        line(canvas, (plot.x, y + height / 2 - 2.6), label, Face(BODY, LABEL + 0.4, GREY))
        x = plot.x + 30
        for series, colour in zip(chart.series, colours, strict=False):
            width = series.values[index] * scale
            canvas.setFillColor(colour)
            canvas.rect(x, y, width, height, stroke=0, fill=1)
            luma = 0.299 * colour.red + 0.587 * colour.green + 0.114 * colour.blue
            ink = WHITE if luma < DARK else INK
            middle = (x + width / 2, y + height / 2 - 2.7)
            line(canvas, middle, _number(series.values[index]), Face(STRONG, VALUE, ink), align="centre")
            x += width


def _line(canvas: Canvas, plot: Box, chart: Chart, colours: tuple[Color, ...]) -> None:
    values = chart.series[0].values
    low, high = 12.0, 20.0
    step = plot.width / len(chart.labels)
    points = [
        (plot.x + step * (index + 0.5), plot.y + plot.height * (value - low) / (high - low))
        for index, value in enumerate(values)
    ]
    canvas.setLineWidth(0.5)
    for grid in (12, 14, 16, 18, 20):
        y = plot.y + plot.height * (grid - low) / (high - low)
        canvas.setStrokeColor(RULE)
        canvas.line(plot.x, y, plot.x + plot.width, y)
        line(canvas, (plot.x - 5, y - 2.5), str(grid), Face(BODY, LABEL, GREY), align="right")
    for index, label in enumerate(chart.labels):
        line(
            canvas,
            (plot.x + step * (index + 0.5), plot.y - 12),
            label,
            Face(BODY, LABEL, GREY),
            align="centre",
        )
    assert chart.target is not None
    goal = (
        plot.x + step * (len(chart.labels) - 0.5),
        plot.y + plot.height * (chart.target - low) / (high - low),
    )
    canvas.setStrokeColor(colours[0])
    canvas.setLineWidth(1.8)
    canvas.setDash([3, 3])
    canvas.line(*points[-1], *goal)
    canvas.setDash([])
    path = canvas.beginPath()
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    canvas.drawPath(path)
    for (x, y), value in zip(points, values, strict=True):
        canvas.setFillColor(colours[0])
        canvas.circle(x, y, 2.8, stroke=0, fill=1)
        line(canvas, (x, y + 6), f"{value:.1f}", Face(STRONG, VALUE, INK), align="centre")
    canvas.setFillColor(CREAM)
    canvas.setStrokeColor(colours[0])
    canvas.circle(*goal, 3, stroke=1, fill=1)
    line(canvas, (goal[0], goal[1] + 7), _number(chart.target), Face(STRONG, VALUE, INK), align="centre")
