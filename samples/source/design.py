"""How the report looks: page, colours, type, and the setting of running text in boxes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Frame, Paragraph

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = A4
MARGIN = 48.0
GUTTER = 24.0
COLUMN = (WIDTH - 2 * MARGIN - GUTTER) / 2
FULL = WIDTH - 2 * MARGIN
RIGHT = WIDTH - MARGIN

INK = HexColor("#22302C")
GREY = HexColor("#6B7672")
RULE = HexColor("#D9D5C9")
CREAM = HexColor("#F7F3EA")
FOREST = HexColor("#143F38")
PINE = HexColor("#2B6A5B")
MOSS = HexColor("#8DB08F")
WATER = HexColor("#2F6F8F")
COPPER = HexColor("#B9572F")
SAND = HexColor("#E3C9A1")
SLATE = HexColor("#3D4658")
WHITE = white

BODY, STRONG, SLANTED = "Roboto-Regular", "Roboto-Medium", "Roboto-Italic"
LIGHT_SLAB, BOLD_SLAB = "RobotoSlab-Light", "RobotoSlab-Bold"


class Box(NamedTuple):
    """A rectangle on the page, in points from its lower left corner."""

    x: float
    y: float
    width: float
    height: float


class Face(NamedTuple):
    """How a single line is set."""

    font: str
    size: float
    colour: Color


Align = Literal["left", "centre", "right"]


class DoesNotFit(Exception):
    """The words need more room than their box has; shorten them or the chart."""


def register_fonts() -> None:
    """Make the subsets in `fonts/` known by their file names."""
    for path in sorted(Path(__file__).with_name("fonts").glob("*.ttf")):
        pdfmetrics.registerFont(TTFont(path.stem, path))


def style(face: Face, leading: float, *, after: float = 0.0, before: float = 0.0) -> ParagraphStyle:
    """A paragraph style, named by its face; all lengths in points."""
    return ParagraphStyle(
        f"{face.font}-{face.size}-{face.colour.hexval()}",
        fontName=face.font,
        fontSize=face.size,
        leading=leading,
        textColor=face.colour,
        spaceBefore=before,
        spaceAfter=after,
    )


TEXT = style(Face(BODY, 9.3, INK), 13.2, after=5.8)
LEAD = style(Face(LIGHT_SLAB, 11.2, INK), 16.2, after=8)
QUOTE = style(Face(LIGHT_SLAB, 15.5, COPPER), 21.5)
SMALL = style(Face(BODY, 7.6, GREY), 10.2)


def heading(accent: Color) -> ParagraphStyle:
    """The style of a heading within a column, in its chapter's colour."""
    return style(Face(BOLD_SLAB, 10.6, accent), 14, before=7.5, after=3)


def running_text(body: str, accent: Color = INK, text: ParagraphStyle = TEXT) -> list[Flowable]:
    """Paragraphs, separated by empty lines; "## " starts a heading, which takes one line."""
    flowables: list[Flowable] = []
    for block in body.strip().split("\n\n"):
        first, _, rest = block.partition("\n")
        if first.startswith("## "):
            flowables.append(Paragraph(first.removeprefix("## "), heading(accent)))
        else:
            rest = block
        if rest:
            flowables.append(Paragraph(rest, text))
    return flowables


def pour(canvas: Canvas, box: Box, flowables: list[Flowable]) -> float:
    """Set the flowables into the box, top down, and return the y at which they end.

    Raises:
        DoesNotFit: something was left over.
    """
    frame = Frame(*box, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)
    left_over = list(flowables)
    frame.addFromList(left_over, canvas)
    if left_over:
        raise DoesNotFit(f"{len(left_over)} paragraphs too many; the first: {left_over[0]!r}")
    return float(frame._y)  # noqa: SLF001 - reportlab has no public name for where a frame stands


def line(canvas: Canvas, at: tuple[float, float], words: str, face: Face, *, align: Align = "left") -> None:
    """One line of text whose left end, centre or right end is at x, and whose base line is at y."""
    canvas.setFont(face.font, face.size)
    canvas.setFillColor(face.colour)
    draw = {
        "left": canvas.drawString,
        "centre": canvas.drawCentredString,
        "right": canvas.drawRightString,
    }[align]
    draw(*at, words)
