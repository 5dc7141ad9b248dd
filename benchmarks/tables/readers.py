"""The readers: each returns for some pages of a PDF, by view, what it makes of them.

A peer's libraries are imported when it is chosen: they are in an environment of their own.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.tables.found import of_cells, of_figure, of_passage, of_tables
from benchmarks.tables.gold import ROOT

MAX_PASSAGES = 100_000

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.tables.found import Cells
    from shared.intake.read import Reading
    from shared.platform.records import Passage

    Pages = dict[int, dict[str, list[dict[str, Any]]]]
    """Page, view, and `Piece` (or, of the view "figures", `Found`) as a dictionary."""
    Read = Callable[[Path, Sequence[int]], tuple[int, Callable[[], Pages]]]
    """Reads some pages of a PDF, or all of them. Returns how many it read, and a function that returns the
    meanings on those asked for, which is not measured."""


def _peer(tables: Callable[[Path, Sequence[int]], Iterator[tuple[int, Cells]]]) -> Read:
    def read(path: Path, pages: Sequence[int]) -> tuple[int, Callable[[], Pages]]:
        returned = list(tables(path, pages))

        def meanings() -> Pages:
            found: Pages = {page: {"tables": []} for page in pages}
            for page, cells in returned:
                found[page]["tables"].extend(asdict(piece) for piece in of_cells(cells))
            return found

        return len(pages), meanings

    return read


def pdfplumber() -> Read:
    """Tables by pdfplumber: by ruled lines, and by the alignment of words where a page has no ruled table."""
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
    """Tables by camelot: by ruled lines and the alignment of words, its best flavour on these pages.

    It refuses reports that forbid copying, so it gets a copy without that restriction.
    """
    library = import_module("camelot")
    pdfium = import_module("pypdfium2")

    def tables(path: Path, pages: Sequence[int]) -> Iterator[tuple[int, Cells]]:
        with TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            with pdfium.PdfDocument(path) as document:
                document.save(copy, flags=pdfium.raw.FPDF_REMOVE_SECURITY)
            for page in pages:
                for table in library.read_pdf(str(copy), pages=str(page), flavor="hybrid"):
                    yield page, table.data

    return _peer(tables)


def img2table() -> Read:
    """Tables by img2table, with the text of the PDF instead of recognition, borderless tables included."""
    library = import_module("img2table.document")

    def tables(path: Path, pages: Sequence[int]) -> Iterator[tuple[int, Cells]]:
        document = library.PDF(str(path), pages=[page - 1 for page in pages], pdf_text_extraction=True)
        for page, found in document.extract_tables(implicit_rows=True, borderless_tables=True).items():
            for table in found:
                rows = [[cell.value for cell in row] for row in table.content.values()]
                yield page + 1, [[None if text is None else str(text) for text in row] for row in rows]

    return _peer(tables)


def headrace() -> Read:
    """Headrace, as it reads an upload; measured without the process that confines it."""
    from shared.extract.shapes import ExtractOptions
    from shared.intake import confined

    def read(path: Path, pages: Sequence[int]) -> tuple[int, Callable[[], Pages]]:
        described = None
        arguments = confined.arguments(
            name=path.name,
            content_type=None,
            metadata={},
            options=ExtractOptions(),
            tokenizer=_tokenizer(),
            passages=MAX_PASSAGES,
        )
        for piece in confined.read(path, **json.loads(json.dumps(arguments, default=asdict))):
            described = piece.described or described
        assert described
        return described.pages or 0, lambda: _meanings(read_whole(path).passages, pages)

    return read


def read_whole(path: Path) -> Reading:
    """Return what Headrace reads of a file."""
    from shared.intake.read import read_file
    from shared.platform.settings import Settings

    return read_file(
        path,
        name=path.name,
        content_type=None,
        metadata={},
        tokenizer=_tokenizer(),
        redaction_key=b"bench",
        settings=Settings.from_environment(
            {"GOOGLE_CLOUD_PROJECT": "bench", "HEADRACE_EXTRACT_SECONDS": "600"}  # on a busy machine, too
        ),
    )


def _tokenizer() -> Path:
    return ROOT / "build" / "model" / "tokenizer.json"


def _meanings(passages: Sequence[Passage], pages: Sequence[int]) -> Pages:
    """Return what passages, tables and figures say of the numbers on some pages."""
    found: Pages = {page: {"passages": [], "tables": [], "figures": []} for page in pages}
    tables = [table for passage in passages for table in passage.tables]
    for page, piece in of_tables(tables):
        if page in found:
            found[page]["tables"].append(asdict(piece))
    for passage in passages:
        if passage.page in found:
            pieces = of_passage(passage.text, passage.kind, passage.section)
            found[passage.page]["passages"].extend(map(asdict, pieces))
            found[passage.page]["figures"] += [
                asdict(of_figure(figure, tables, passage.section))
                for figure in passage.figures
                if figure.kind != "year"
            ]
    return found


READERS = {"Headrace": headrace, "pdfplumber": pdfplumber, "camelot": camelot, "img2table": img2table}
