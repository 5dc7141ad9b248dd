"""Office documents that mean harm, or are damaged: refused, in bounded time and memory, and nothing else."""

from __future__ import annotations

import io
import re
import time
import zipfile
from typing import TYPE_CHECKING

import pytest

from shared.extract.office.excel import read_xlsx
from shared.extract.office.powerpoint import read_pptx
from shared.extract.office.word import read_docx
from shared.extract.shapes import Extracted, ExtractOptions
from tests.unit.office_files import (
    NAMESPACES,
    OFFICE,
    docx,
    line,
    pack,
    para,
    pptx,
    shape,
    slide,
    xlsx,
)
from tests.unit.office_harm import READERS, code, documents, word
from tests.unit.peaks import stays_below

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Reader = Callable[[Path, ExtractOptions], Extracted]


MEGABYTE = 1024 * 1024
HEAD = f"<w:document {NAMESPACES}><w:body>"


LAUGHS = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE w [<!ENTITY l0 "lol">{LAUGHS}]>',
        '<!DOCTYPE w [<!ENTITY l9 SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE w SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE w [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd">%p;]>',
        f'<!DOCTYPE w [<!ENTITY l9 "{"x" * 900_000}">]>',
    ],
    ids=["a billion laughs", "a local file", "a remote type", "a parameter", "a long entity"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused(file: Path, doctype: str, encoding: str) -> None:
    """And with them all entities, before one is expanded or anything is fetched."""
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>{doctype}'
        f"{HEAD}<w:p><w:r><w:t>{'&l9;' * 1_000}</w:t></w:r></w:p></w:body></w:document>"
    )
    started = time.process_time()
    assert code(read_docx, file, word(text.encode(encoding))) == "unreadable_document"
    assert time.process_time() - started < 10


def test_entities_without_a_document_type_are_damage(file: Path) -> None:
    """Those of XML itself are read."""
    assert code(read_docx, file, docx(para("").replace("<w:t></w:t>", "<w:t>&nbsp;x</w:t>"))) == (
        "unreadable_document"
    )
    file.write_bytes(docx("<w:p><w:r><w:t>&lt;a&gt; &amp; &#252;</w:t></w:r></w:p>"))
    assert read_docx(file, ExtractOptions()).blocks[0].text == "<a> & ü"


@READERS
def test_elements_nested_too_deep_are_refused(file: Path, reader: Reader) -> None:
    """At the limit they are read; a million of them take no recursion."""
    parts_of: dict[Reader, str] = {
        read_docx: "word/document.xml",
        read_pptx: "ppt/presentation.xml",
        read_xlsx: "xl/styles.xml",
    }
    part = parts_of[reader]
    with zipfile.ZipFile(io.BytesIO(documents()[reader])) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for depth, expected in [(250, "read"), (257, "unreadable_document"), (1_000_000, "unreadable_document")]:
        close = parts[part].rindex(b"</")
        nested = parts[part][:close] + b"<x>" * depth + b"</x>" * depth + parts[part][close:]
        assert code(reader, file, pack(parts | {part: nested}), inflation=10_000) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<w:p><w:r><w:t>x</w:t></w:r></w:p>", "too_many_rows"),
        ("<w:p/>", "no_text"),
        ("<w:other><w:thing/></w:other>", "no_text"),
        ("<w:tbl><w:tr><w:tc><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc></w:tr></w:tbl>", "too_many_rows"),
    ],
    ids=["paragraphs", "empty paragraphs", "other elements", "tables"],
)
def test_many_elements_take_no_memory(file: Path, content: str, expected: str) -> None:
    """As a tree, a megabyte of them would be fifteen, and 500 would be gigabytes."""
    many = f"{HEAD}{content * (MEGABYTE // len(content))}</w:body></w:document>"
    data = word(many)

    def read() -> None:
        assert code(read_docx, file, data, inflation=10_000, rows=2_000) == expected

    assert stays_below(3 * MEGABYTE, read)


def test_a_bomb_is_refused_by_what_comes_out_of_it(file: Path) -> None:
    """By its ratio long before its size; and by its size where a sly one keeps the ratio."""
    text = word(f"{HEAD}<w:p><w:r><w:t>{'x' * 60 * MEGABYTE}</w:t></w:r></w:p></w:body></w:document>")
    assert code(read_docx, file, text) == "inflates_too_much"
    assert code(read_docx, file, text, inflation=10_000, inflated_bytes=30 * MEGABYTE) == "inflates_too_much"


@pytest.mark.parametrize(
    "long",
    ["<!--{}-->", "<w:p w:x='{}'/>", "<?x {}?>", "<{}/>"],
    ids=["comment", "attribute", "instruction", "name"],
)
def test_endless_tokens_are_refused(file: Path, long: str) -> None:
    """A parser that reads an unfinished token again with every step would take minutes over 100 MB."""
    data = word(f"{HEAD}{long.format('x' * 30 * MEGABYTE)}</w:body></w:document>")
    started = time.process_time()
    assert code(read_docx, file, data, inflation=10_000) == "unreadable_document"
    assert time.process_time() - started < 10


def test_an_endless_text_is_refused(file: Path) -> None:
    """One element or many, pieces of a cell or names in a style: characters are counted as they come."""
    text = "x" * MEGABYTE
    limits = {"characters": MEGABYTE, "inflation": 10_000}
    assert code(read_docx, file, docx(para(text * 3)), **limits) == "too_many_characters"
    assert code(read_docx, file, docx(f"<w:p>{'<w:r><w:t>xxxx</w:t></w:r>' * 300_000}</w:p>"), **limits) == (
        "too_many_characters"
    )
    assert code(read_pptx, file, pptx({"s": slide(shape(line(text), line(text)))}), **limits) == (
        "too_many_characters"
    )
    pieces = f'<row><c t="inlineStr"><is>{"<r><t>xxxx</t></r>" * 300_000}</is></c></row>'
    assert code(read_xlsx, file, xlsx({"S": pieces}), **limits) == "too_many_characters"
    assert code(read_xlsx, file, xlsx({"S": ""}, strings=[f"<t>{text}</t>"]), **limits) == (
        "too_many_characters"
    )


def test_one_part_in_many_places_is_counted_in_each(file: Path) -> None:
    """A slide that the presentation lists a thousand times inflates a thousand times."""
    data = pptx({f"s{number}": slide(shape(line("x" * 20_000))) for number in range(1_000)})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if "slides/" not in name}
        parts["ppt/slides/s.xml"] = archive.read("ppt/slides/s0.xml")
    rels = parts["ppt/_rels/presentation.xml.rels"]
    parts["ppt/_rels/presentation.xml.rels"] = re.sub(rb"slides/s\d+", b"slides/s", rels)
    data = pack(parts)
    assert code(read_pptx, file, data, inflated_bytes=10 * MEGABYTE) == "inflates_too_much"
    assert code(read_pptx, file, data, characters=MEGABYTE) == "too_many_characters"


def test_a_note_that_is_referred_to_often_is_printed_once(file: Path) -> None:
    """A long note under a million marks would be a bomb."""
    note = f'<w:footnote w:id="2">{para("x" * 10_000)}</w:footnote>'
    marks = '<w:p><w:r><w:t>a</w:t><w:footnoteReference w:id="2"/></w:r></w:p>' * 10_000
    file.write_bytes(docx(marks, footnotes=note))
    assert sum(len(block.text) for block in read_docx(file, ExtractOptions()).blocks) == 20_000


def test_parts_that_refer_to_themselves_end(file: Path) -> None:
    """Styles based on one another, relations in circles or out of the package, to the net or to nothing."""
    circle = f"{OFFICE}/officeDocument/2006/relationships"
    root = f'<Relationships xmlns="{OFFICE}/package/2006/relationships">{{}}</Relationships>'
    office = '<Relationship Id="1" Type="{}/officeDocument" Target="{}" {}/>'
    for target, mode in [
        ("_rels/.rels", ""),
        ("../../../etc/passwd", ""),
        ("http://127.0.0.1:9/doc.xml", 'TargetMode="External"'),
        ("http://127.0.0.1:9/doc.xml", ""),
        ("", ""),
        ("%00", ""),
    ]:
        data = pack({"_rels/.rels": root.format(office.format(circle, target, mode))})
        assert code(read_docx, file, data) in {"unreadable_document", "no_text"}
