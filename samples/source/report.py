"""Typesets samples/tarnholm_sustainability_report_2025.pdf: `python -m samples.source.report`.

The same words and fonts give the same bytes, so the committed file can be checked against its source.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reportlab import rl_config
from reportlab.pdfgen.canvas import Canvas

from samples.source import content, design, pages

if TYPE_CHECKING:
    from samples.source.content import Report

OUTPUT = Path(__file__).parents[1] / "tarnholm_sustainability_report_2025.pdf"


def typeset(report: Report) -> bytes:
    """The whole report as a PDF.

    Raises:
        DoesNotFit: the words of a page need more room than it has.
    """
    design.register_fonts()
    canvas = Canvas(
        "",
        pagesize=(design.WIDTH, design.HEIGHT),
        pageCompression=1,
        invariant=1,
        lang="en-GB",
        initialFontName=design.BODY,
    )
    canvas.setTitle(f"{report.company}: {report.title}")
    canvas.setAuthor(report.author)
    canvas.setSubject(report.subject)
    canvas.setCreator("Headrace samples")
    for number, (title, draw) in enumerate(pages.plan(report), start=1):
        canvas.bookmarkPage(f"page-{number}")
        canvas.addOutlineEntry(title, f"page-{number}")
        draw(canvas, number)
        canvas.showPage()
    # Text encoding of binary streams is a relic, and makes the file a quarter larger.
    encoded, rl_config.useA85 = rl_config.useA85, 0
    try:
        data: bytes = canvas.getpdfdata()
    finally:
        rl_config.useA85 = encoded  # other files of the same process are not ours to decide on
    return data


if __name__ == "__main__":
    OUTPUT.write_bytes(typeset(content.load()))
