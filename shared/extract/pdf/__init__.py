"""PDF: pdfium reads characters and boxes, pure code makes lines, furniture and paragraphs of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.extract.pdf.blocks import build_blocks, find_title
from shared.extract.pdf.furniture import without_furniture
from shared.extract.pdf.garble import find_garbled
from shared.extract.pdf.lines import Page
from shared.extract.pdf.reader import read_document
from shared.extract.refusals import needs_ocr, no_text
from shared.extract.shapes import Extracted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from shared.extract.shapes import ExtractOptions

_LEAST_WORDS = 10  # beside pages that cannot be read: less is no document


def read_pdf(path: Path, options: ExtractOptions) -> Extracted:
    """Paragraphs, headings and table rows of a PDF, in reading order, each with its page.

    Raises Rejected(`encrypted`, `unreadable_pdf`, `no_pages`, `too_many_pages`, `too_many_characters`,
    `no_text`, `needs_ocr`).
    """
    document = read_document(path, options)
    garbled = find_garbled(document.pages) - document.scans
    unread = document.scans | garbled
    pages = [
        Page(page.number, page.width, page.height, []) if page.number in unread else page
        for page in document.pages
    ]
    # Where everything repeats, as in copies of one page, nothing is furniture.
    blocks = build_blocks(without_furniture(pages), document.outline) or build_blocks(pages, {})
    if unread and sum(len(block.text.split()) for block in blocks) < _LEAST_WORDS:
        raise needs_ocr(scanned=len(document.scans) >= len(garbled))
    if not blocks:
        raise no_text("No page of this PDF holds any text.", "Check that the right file was uploaded.")
    empty = {page.number for page in pages if not page.lines} - unread
    warnings = [
        *_named("pages that are scans, whose text has yet to be recognised", document.scans),
        *_named("pages whose fonts do not say which letters they draw", garbled),
        *_named("pages without text", empty),
        *document.remarks,
    ]
    return Extracted(
        "application/pdf",
        document.title or find_title(pages),
        len(pages),
        blocks,
        warnings,
        sorted(unread),
    )


def _named(what: str, numbers: Iterable[int], most: int = 10) -> list[str]:
    shown = sorted(numbers)
    listed = ", ".join(map(str, shown[:most])) + (" ..." if len(shown) > most else "")
    return [f"{what}: {listed}"] if shown else []
