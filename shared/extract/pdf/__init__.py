"""PDF: pdfium reads characters and boxes, pure code makes lines, furniture and paragraphs of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.extract.pdf.blocks import build_blocks, find_title
from shared.extract.pdf.furniture import without_furniture
from shared.extract.pdf.garble import refuse_garbled
from shared.extract.pdf.reader import read_pages
from shared.extract.refusals import no_text
from shared.extract.shapes import Extracted

if TYPE_CHECKING:
    from pathlib import Path

    from shared.extract.shapes import ExtractOptions


def read_pdf(path: Path, options: ExtractOptions) -> Extracted:
    """Paragraphs, headings and table rows of a PDF, in reading order, each with its page.

    Raises Rejected(`encrypted`, `unreadable_pdf`, `no_pages`, `too_many_pages`, `too_many_characters`,
    `no_text`, `unreadable_text`).
    """
    title, pages = read_pages(path, options)
    if not any(line.text for page in pages for line in page.lines):
        raise no_text(
            "No page of this PDF holds any text; it may be a scan.",
            "Run it through a program that recognises text (OCR) and upload the result.",
        )
    refuse_garbled(pages)
    empty = [page.number for page in pages if not page.lines]
    blocks = build_blocks(without_furniture(pages))
    warnings = [f"pages without text: {_shown(empty)}"] if empty else []
    return Extracted("application/pdf", title or find_title(pages), len(pages), blocks, warnings)


def _shown(numbers: list[int], most: int = 10) -> str:
    return ", ".join(map(str, numbers[:most])) + (" ..." if len(numbers) > most else "")
