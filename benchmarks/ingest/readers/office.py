"""Readers of Office documents. Each keeps all the text until the file is read, as Headrace does."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks.ingest.readers import Reading, headrace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.ingest.readers import Load, Read


def _reading(texts: Iterable[str]) -> Reading:
    return Reading(sum(map(len, list(texts))))


def _cells(table: Any) -> Iterator[str]:  # noqa: ANN401 - of python-docx or python-pptx
    for row in table.rows:
        for cell in row.cells:
            yield cell.text


def python_docx() -> Read:
    library = import_module("docx")
    table = import_module("docx.table").Table

    def texts(path: str) -> Iterator[str]:
        for item in library.Document(path).iter_inner_content():
            if isinstance(item, table):
                yield from _cells(item)
            else:
                yield item.text

    return lambda path: _reading(texts(path))


def docx2python() -> Read:
    library = import_module("docx2python")

    def read(path: str) -> Reading:
        with library.docx2python(path) as document:
            return Reading(len(document.text))

    return read


def python_pptx() -> Read:
    library = import_module("pptx")

    def texts(path: str) -> Iterator[str]:
        for slide in library.Presentation(path).slides:
            for shape in slide.shapes:
                if shape.has_text_frame:
                    yield shape.text_frame.text
                if shape.has_table:
                    yield from _cells(shape.table)
            if slide.has_notes_slide:
                yield slide.notes_slide.notes_text_frame.text

    return lambda path: _reading(texts(path))


def openpyxl() -> Read:
    library = import_module("openpyxl")

    def texts(path: str) -> Iterator[str]:
        workbook = library.load_workbook(path, read_only=True)
        for sheet in workbook.worksheets:
            yield from map(_row, sheet.iter_rows(values_only=True))
        workbook.close()

    return lambda path: _reading(texts(path))


def calamine() -> Read:
    library = import_module("python_calamine")

    def texts(path: str) -> Iterator[str]:
        workbook = library.CalamineWorkbook.from_path(path)
        for name in workbook.sheet_names:
            yield from map(_row, workbook.get_sheet_by_name(name).iter_rows())

    return lambda path: _reading(texts(path))


def _row(values: Iterable[object]) -> str:
    return " | ".join(str(value) for value in values if value not in {None, ""})


OFFICE = ("word", "powerpoint", "excel")
READERS: dict[str, Load] = {
    "Headrace": lambda: headrace(
        *(f"shared.extract.office.{name}" for name in ("word", "powerpoint", "excel"))
    ),
    "python-docx": python_docx,
    "docx2python": docx2python,
    "python-pptx": python_pptx,
    "openpyxl": openpyxl,
    "calamine": calamine,
}
