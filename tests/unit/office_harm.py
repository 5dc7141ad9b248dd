"""Office documents of every kind, to be damaged, and the code of what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.extract.office.excel import read_xlsx
from shared.extract.office.powerpoint import read_pptx
from shared.extract.office.word import read_docx
from shared.extract.shapes import Extracted, ExtractOptions, Limits
from shared.platform.errors import Rejected
from tests.unit.office_files import (
    NAMESPACES,
    docx,
    grid,
    line,
    package,
    para,
    pptx,
    relations,
    shape,
    slide,
    style,
    styled,
    table,
    xlsx,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Reader = Callable[[Path, ExtractOptions], Extracted]


def word(document: str | bytes) -> bytes:
    return package("word/document.xml", {"word/document.xml": document})


def documents() -> dict[Reader, bytes]:
    """One of each kind, with something of everything that is read."""
    note = f'<w:footnote w:id="2">{para("A note.")}</w:footnote>'
    body = (
        styled("Our year", "H")
        + para("less water", '<w:numPr><w:numId w:val="3"/></w:numPr>')
        + '<w:p><w:r><w:t>Grüße</w:t><w:footnoteReference w:id="2"/></w:r></w:p>'
        + table([para("Site"), para("Water")], [para("Mill"), para("12")])
    )
    diagram = f"<dgm:dataModel {NAMESPACES}><dgm:pt>{line('point')}</dgm:pt></dgm:dataModel>"
    slides = {
        "a": slide(shape(line("Water"), kind="title"), '<dgm:relIds r:dm="d"/>'),
        "b": slide(shape(line("one"), line("two"), kind="")),
    }
    extra = {
        "ppt/slides/_rels/a.xml.rels": relations(diagramData_d="../d.xml", notesSlide="../n.xml"),
        "ppt/d.xml": diagram,
        "ppt/n.xml": slide(shape(line("Say so."), kind="body"), element="notes"),
    }
    rows = grid(["id", "text"], *([number, f"{number} mills were closed all day"] for number in range(6)))
    cells = '<row r="9"><c r="B9" s="1"><v>45000.5</v></c><c r="C9" t="s"><v>0</v></c></row>'
    return {
        read_docx: docx(body, styles=style("H", "heading 1"), footnotes=note, title="A title"),
        read_pptx: pptx(slides, extra=extra),
        read_xlsx: xlsx({"A": rows, "B": cells}, strings=["<t>shared</t>"], formats=["yyyy-mm-dd"]),
    }


READERS = pytest.mark.parametrize("reader", documents(), ids=lambda reader: reader.__name__)


def code(reader: Reader, path: Path, data: bytes, **limits: int) -> str:
    path.write_bytes(data)
    try:
        reader(path, ExtractOptions(limits=Limits(**limits)))
    except Rejected as refused:
        return refused.code
    return "read"
