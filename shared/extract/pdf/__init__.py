"""Read PDFs: pdfium reads characters and boxes, pure code makes lines and paragraphs of them."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean
from typing import TYPE_CHECKING

from shared.extract.pdf.blocks import body_style, build_blocks, find_title
from shared.extract.pdf.furniture import without_furniture
from shared.extract.pdf.lines import Page
from shared.extract.pdf.reader import find_garbled, read_document
from shared.extract.pdf.recognition import as_seen, lay_out
from shared.extract.refusals import needs_ocr, no_text
from shared.extract.shapes import LOW_CONFIDENCE, Extracted, Recognition
from shared.extract.tidy import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from shared.extract.shapes import Block, ExtractOptions, RecognisedPage
    from shared.platform.tables import Box, Row, Table

_LEAST_WORDS = 10  # beside pages that cannot be read: less is no document


def read_pdf(path: Path, options: ExtractOptions) -> Extracted:
    """Return paragraphs, headings and table rows of a PDF, in reading order, each with its page.

    Recognized pages replace the document's own. Raises Rejected(`encrypted`, `unreadable_pdf`, `no_pages`,
    `too_many_pages`, `too_many_characters`, `no_text`, `needs_ocr`).
    """
    document = read_document(path, options)
    looked_at = [
        options.recognised[page.number] for page in document.pages if page.number in options.recognised
    ]
    seen = {page.page for page in looked_at if page.problem is None}
    scans = document.scans - seen
    garbled = find_garbled(document.pages) - document.scans - seen
    unread = scans | garbled
    own = [page for page in document.pages if page.number not in unread | seen]
    recognised = lay_out(looked_at, body_style(own).height) if looked_at else {}
    pages = [
        Page(page.number, page.width, page.height, [])
        if page.number in unread
        else recognised.get(page.number, page)
        for page in document.pages
    ]
    # Where everything repeats, as in copies of one page, nothing is furniture.
    blocks, tables = build_blocks(without_furniture(pages), document.outline, options.limits)
    if not blocks:
        blocks, tables = build_blocks(pages, {}, options.limits)
    if recognised:
        blocks, tables = _as_seen(blocks, tables, options.recognised, recognised)
    if unread and sum(len(block.text.split()) for block in blocks) < _LEAST_WORDS:
        if not options.defer_ocr:
            raise needs_ocr(scanned=len(scans) >= len(garbled), tried=bool(options.recognised))
        blocks, tables = [], []
    if not blocks and not unread:
        raise no_text("No page of this PDF holds any text.", "Check that the right file was uploaded.")
    empty = {page.number for page in pages if not page.lines} - unread
    warnings = [
        *_named(
            "pages that are scans, whose text has yet to be recognised", scans - options.recognised.keys()
        ),
        *_named("pages whose fonts do not say which letters they draw", garbled - options.recognised.keys()),
        *_outcome(looked_at),
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
        recognised=[
            Recognition(page.page, page.confidence)
            for page in looked_at
            if page.problem is None and page.confidence is not None
        ],
        tables=tables,
    )


def _as_seen(
    blocks: list[Block],
    tables: list[Table],
    recognised: Mapping[int, RecognisedPage],
    laid_out: Mapping[int, Page],
) -> tuple[list[Block], list[Table]]:
    """Return blocks and tables with the boxes of those on recognised pages as the pages are seen."""

    def seen(box: Box | None, page: int | None) -> Box | None:
        if box is None or page is None or page not in laid_out:
            return box
        return as_seen(box, recognised[page], laid_out[page])

    def row(row: Row, page: int | None) -> Row:
        cells = tuple(replace(cell, box=seen(cell.box, page)) for cell in row.cells)
        return replace(row, cells=cells, box=seen(row.box, page))

    def whole(table: Table) -> Table:
        rows = tuple(row(each, table.page) for each in table.rows)
        return replace(table, rows=rows, box=seen(table.box, table.page))

    return [replace(block, box=seen(block.box, block.page)) for block in blocks], list(map(whole, tables))


def _outcome(pages: Sequence[RecognisedPage]) -> Iterator[str]:
    """Yield the warnings about recognized pages."""
    if sure := [page.confidence for page in pages if page.confidence is not None]:
        yield f"pages whose text was recognised, not read: {len(sure):,}, mean confidence {mean(sure):.2f}"
    low = [page.page for page in pages if page.confidence is not None and page.confidence < LOW_CONFIDENCE]
    yield from _named(f"recognised with a confidence below {LOW_CONFIDENCE}, so with wrong letters", low)
    problems: dict[str, list[int]] = {}
    for page in pages:
        if page.problem is not None:
            problems.setdefault(page.problem.rstrip("."), []).append(page.page)
    for problem, numbers in problems.items():
        yield from _named(f"pages that could not be recognised ({problem})", numbers)


def _named(what: str, numbers: Collection[int]) -> list[str]:
    return [f"{what}: {listed(sorted(numbers))}"] if numbers else []
