"""The readers: each returns for some pages of a PDF, by view, what it makes of them.

A peer's libraries are imported when it is chosen: they are in an environment of their own.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks.tables.found import of_cells, of_figure, of_passage, of_tables
from benchmarks.tables.gold import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from benchmarks.tables.found import Cells
    from shared.platform.records import Passage
    from shared.platform.tables import Table

    Pages = dict[int, dict[str, list[dict[str, Any]]]]
    """Page, view, and `Piece` (or, of the view "figures", `Found`) as a dictionary."""
    Read = Callable[[Path, Sequence[int]], Pages]


def _peer(tables: Callable[[Path, Sequence[int]], Iterator[tuple[int, Cells]]]) -> Read:
    def read(path: Path, pages: Sequence[int]) -> Pages:
        found: Pages = {page: {"tables": []} for page in pages}
        for page, cells in tables(path, pages):
            found[page]["tables"].extend(asdict(piece) for piece in of_cells(cells))
        return found

    return read


def pdfplumber() -> Read:
    """Pdfplumber by ruled lines, and by the alignment of words where a page has no ruled table."""
    library = import_module("pdfplumber")

    def tables(path: Path, pages: Sequence[int]) -> Iterator[tuple[int, Cells]]:
        with library.open(path, pages=list(pages)) as document:
            for page in document.pages:
                found = page.extract_tables() or page.extract_tables(
                    {"vertical_strategy": "text", "horizontal_strategy": "text"}
                )
                for table in found:
                    yield page.page_number, table
                page.close()

    return _peer(tables)


def camelot() -> Read:
    """Camelot by ruled lines, and by the alignment of words where a page has no ruled table."""
    library = import_module("camelot")

    def tables(path: Path, pages: Sequence[int]) -> Iterator[tuple[int, Cells]]:
        for page in pages:
            found = library.read_pdf(str(path), pages=str(page), flavor="lattice", backend="pdfium")
            found = found or library.read_pdf(str(path), pages=str(page), flavor="stream")
            for table in found:
                yield page, table.data

    return _peer(tables)


def img2table() -> Read:
    """img2table with the text of the PDF instead of recognition, borderless tables included."""
    library = import_module("img2table.document")

    def tables(path: Path, pages: Sequence[int]) -> Iterator[tuple[int, Cells]]:
        document = library.PDF(str(path), pages=[page - 1 for page in pages], pdf_text_extraction=True)
        for page, found in document.extract_tables(implicit_rows=True, borderless_tables=True).items():
            for table in found:
                rows = [[cell.value for cell in row] for row in table.content.values()]
                yield page + 1, [[None if text is None else str(text) for text in row] for row in rows]

    return _peer(tables)


def headrace() -> Read:
    """Headrace, as it reads an upload."""
    from shared.platform.settings import Settings

    settings = Settings.from_environment({"GOOGLE_CLOUD_PROJECT": "bench", "HEADRACE_EXTRACT_SECONDS": "600"})
    tokenizer = ROOT / settings.model_dir / "tokenizer.json"

    def read(path: Path, pages: Sequence[int]) -> Pages:
        from shared.intake.read import read_file

        reading = read_file(
            path,
            name=path.name,
            content_type=None,
            metadata={},
            tokenizer=tokenizer,
            redaction_key=b"bench",
            settings=settings,
        )
        return _meanings(reading.passages, path, pages)

    return read


def _meanings(passages: Sequence[Passage], path: Path, pages: Sequence[int]) -> Pages:
    """Return what passages, tables and figures say of the numbers on some pages."""
    found: Pages = {page: {"passages": [], "tables": [], "figures": []} for page in pages}
    tables = [table for passage in passages for table in passage.tables] or _tables(path)
    for page, piece in of_tables(tables):
        if page in found:
            found[page]["tables"].append(asdict(piece))
    for passage in passages:
        if passage.page in found:
            pieces = of_passage(passage.text, passage.kind, passage.section)
            found[passage.page]["passages"].extend(map(asdict, pieces))
    for page, figure in ((passage.page, figure) for passage in passages for figure in passage.figures):
        if page in found and figure.kind != "year":
            found[page]["figures"].append(asdict(of_figure(figure, tables)))
    return found


def _tables(path: Path) -> list[Table]:
    """Return the tables, as long as passages do not carry them."""
    from shared.extract.core import extract
    from shared.extract.shapes import ExtractOptions

    return extract(path, name=path.name, content_type=None, options=ExtractOptions()).tables


READERS = {"Headrace": headrace, "pdfplumber": pdfplumber, "camelot": camelot, "img2table": img2table}
