"""Readers of PDFs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks.ingest.readers import Reading, headrace

if TYPE_CHECKING:
    from benchmarks.ingest.readers import Load, Read


def pypdf() -> Read:
    library = import_module("pypdf")

    def read(path: str) -> Reading:
        pages = library.PdfReader(path).pages
        return Reading(sum(len(page.extract_text()) for page in pages), len(pages))

    return read


def pdfminer() -> Read:
    library = import_module("pdfminer.high_level")
    return lambda path: Reading(len(library.extract_text(path)))


def markitdown() -> Read:
    converter = import_module("markitdown").MarkItDown()
    return lambda path: Reading(len(converter.convert(path).markdown))


def pdfium() -> Read:
    """What Headrace builds on: the pages parsed and their characters put in order, nothing made of them."""
    library = import_module("pypdfium2.raw")

    def read(path: str) -> Reading:
        document = library.FPDF_LoadDocument(path.encode(), None)
        pages, characters = library.FPDF_GetPageCount(document), 0
        for at in range(pages):
            page = library.FPDF_LoadPage(document, at)
            text = library.FPDFText_LoadPage(page)
            characters += library.FPDFText_CountChars(text)
            library.FPDFText_ClosePage(text)
            library.FPDF_ClosePage(page)
        library.FPDF_CloseDocument(document)
        return Reading(characters, pages)

    return read


READERS: dict[str, Load] = {
    "Headrace": headrace,
    "pypdf": pypdf,
    "pdfminer.six": pdfminer,
    "markitdown": markitdown,
    "pdfium alone": pdfium,
}
