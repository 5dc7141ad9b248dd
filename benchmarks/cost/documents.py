"""The classes of documents that are measured, all made from samples/."""

from __future__ import annotations

import io
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pypdfium2
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from local.services import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAMPLES = ROOT / "samples"
REPORT = SAMPLES / "tarnholm_sustainability_report_2025.pdf"
SCALE = 200 / 72
"""Of a scan of 200 dots an inch."""
LINE, WIDTH, TOP, LEFT, LINES = 14, 92, 780, 60, 32
COLUMNS, ROWS = (60, 300, 390, 480), 5
"""A table below the lines of a page. With it a page has some 15 passages, of which five are rows; the reports
of `docs/cost.md` have 13, of which four are rows."""


@dataclass(frozen=True)
class Sample:
    """A document to drop."""

    kind: str
    path: Path
    by_job: bool = False


def samples(folder: Path) -> Iterator[Sample]:
    """One of each class, in the order in which they are dropped."""
    yield Sample("press release", SAMPLES / "velmora_press_release.txt")
    yield Sample("table of reviews", SAMPLES / "hobb_larkin_reviews.csv")
    yield Sample("sample report", REPORT)
    yield Sample("48-page report", written(folder / "report.pdf", 48))
    yield Sample("4-page scan", scanned(folder / "scan.pdf", 4), by_job=True)
    yield Sample("200-page report", written(folder / "long.pdf", 200), by_job=True)


def sentences() -> list[str]:
    """Of the sample report."""
    document = pypdfium2.PdfDocument(REPORT)
    text = " ".join(page.get_textpage().get_text_range() for page in document)
    found = re.split(r"(?<=[.!?])\s+", " ".join(text.split()))
    return [sentence for sentence in found if 40 < len(sentence) < 400]


def written(path: Path, pages: int) -> Path:
    """A report of so many pages. No sentence or row comes twice: what was met before is not computed."""
    known = sentences()
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    number = 0
    for _ in range(pages):
        line = 0
        while line < LINES:
            said = known[number % len(known)]
            wrapped = textwrap.wrap(f"At site {number + 1} this holds: {said}", WIDTH)
            for each in wrapped:
                canvas.drawString(LEFT, TOP - LINE * line, each)
                line += 1
            line += 1
            number += 1
        _table(canvas, TOP - LINE * (line + 1), number)
        canvas.showPage()
    canvas.save()
    return path


def _table(canvas: Canvas, top: float, number: int) -> None:
    rows = [[f"Tonnes up to site {number}", "2023", "2024", "2025"]]
    for row in range(ROWS):
        values = (f"{(number * 37 + row * 911 + year * 53) % 9000 + 1000:,}" for year in range(3))
        rows.append([f"Waste of works {number * ROWS + row}", *values])
    for at, cells in enumerate(rows):
        for left, text in zip(COLUMNS, cells, strict=True):
            canvas.drawString(left, top - LINE * at, text)


def scanned(path: Path, pages: int) -> Path:
    """The first pages of the sample report as pictures."""
    document = pypdfium2.PdfDocument(REPORT)
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    for number in range(pages):
        buffer = io.BytesIO()
        document[number].render(scale=SCALE, grayscale=True).to_pil().save(buffer, "PNG")
        canvas.drawImage(ImageReader(buffer), 0, 0, *A4)
        canvas.showPage()
    canvas.save()
    return path
