"""What is mutated: a small sound file of every format, made here, and the sample documents where they are."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zipfile
from email.message import EmailMessage
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

SAMPLES = Path(os.environ.get("HEADRACE_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "samples"
_LARGEST = 120_000  # bytes of a sample: what is larger takes seconds a mutation

_LINES = [
    "The pump by the river failed again last night, and nobody was hurt.",
    "Emissions fell by 12 per cent; the second boiler follows in spring, für 5 €.",
    "Мы строим новую станцию на реке.",
    "来年は川のほとりに浄水施設を建設します。",
    "- one item of a list\n- another item of it",
]
_TEXT = "# Water use\n\n" + "\n\n".join(_LINES * 3) + "\n\n| site | m3 |\n|---|---|\n| Aulder | 12 |\n"
_HTML = (
    "<!DOCTYPE html><html><head><title>Water use</title><style>p{color:red}</style></head>"
    "<body><nav><a href='/'>Home</a></nav><main><h1>Water use</h1>{}"
    "<table><tr><th>site</th><td>12</td></tr></table></main></body></html>"
)
_FIGURES = [
    ["Water (m3)", "", "", "", ""],
    ["", "2023", "", "2022", ""],
    ["", "Men", "Women", "Men", "Women"],
    ["Own", "", "", "", ""],
    ["Staff", "1,234", "12.5 %", "(3)", "n/a"],
    ["of which new", "< 1", "7-9", "\u2013", "1.234,5 t"],
    ["* restated", "", "", "", ""],
]
_GRID = (
    "<table><caption>Water</caption><thead><tr><th rowspan=2><th colspan=2>2023<th colspan=2>2022"
    "<tr><th>Men<th>Women<th>Men<th>Women</thead><tr><th colspan=5>Own"
    "<tr><td rowspan=2 style='padding-left: 10px'>Staff<td>1,234<sup>1</sup><td>12.5 %<td>(3)<td>n/a"
    "<tr><td>1<td>2<td><table><tr><td>3<td>4</table><td>5</table>"
)
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


def corpus() -> dict[str, list[bytes]]:
    """Sound files by suffix."""
    files = {
        ".txt": [
            _TEXT.encode(),
            _TEXT.encode("utf-16"),
            "\n".join("".join(f"{cell:<16}" for cell in row) for row in _FIGURES * 9).encode(),
            _LINES[0].encode() * 30,
            _LINES[2].encode("cp1251") * 9,
        ],
        ".md": [_TEXT.encode(), "\n".join(f"|{'|'.join(row)}|" for row in _FIGURES).encode()],
        ".csv": [_table(","), _table(";").replace(b"\n", b"\r\n"), _figures()],
        ".tsv": [_table("\t")],
        ".jsonl": [_records()],
        ".json": [json.dumps({"items": [{"text": line, "stars": 5} for line in _LINES]}, indent=1).encode()],
        ".html": [_HTML.replace("{}", "".join(f"<p>{line}</p>" for line in _LINES * 2) + _GRID).encode()],
        ".eml": [_mail()],
        ".docx": [_docx()],
        ".pptx": [_pptx()],
        ".xlsx": [_xlsx()],
        ".pdf": [_pdf()],
        ".zip": [zipped({"a.txt": _TEXT, "b/ü.csv": _table(",").decode(), "c.html": _HTML})],
        ".gz": [gzip.compress(_table(","), mtime=0)],
    }
    for path in sorted(SAMPLES.rglob("*")):
        if path.is_file() and path.name != "INDEX.tsv" and 0 < path.stat().st_size <= _LARGEST:
            files.setdefault(path.suffix, []).append(path.read_bytes())
    return files


def zipped(members: dict[str, str]) -> bytes:
    """A ZIP of the members, the first of them stored and not deflated."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for at, (name, text) in enumerate(members.items()):
            entry = zipfile.ZipInfo(name)
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED if at else zipfile.ZIP_STORED)
    return buffer.getvalue()


def _table(delimiter: str) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["id", "text", "rating"])
    writer.writerows((n, line, n % 5) for n, line in enumerate(_LINES * 4))
    return buffer.getvalue().encode()


def _figures() -> bytes:
    return "".join(f"{';'.join(row)}\n" for row in [["Site", "2023", "2022"], *_FIGURES[4:6]] * 9).encode()


def _records() -> bytes:
    return "".join(
        json.dumps({"id": n, "text": line, "label": "pos", "more": {"tags": ["a", None, 1.5]}}) + "\n"
        for n, line in enumerate(_LINES * 4)
    ).encode()


def _mail() -> bytes:
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "b@example.org", "Re: water"
    inner.set_content(_LINES[1])
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.org", "b@example.org", "Über water"
    mail["Date"], mail["Message-ID"] = "Tue, 24 Nov 2026 10:00:00 +0000", "<1@example.org>"
    mail.set_content("\n\n".join(_LINES[:2]))
    mail.add_alternative(_HTML.replace("{}", f"<p>{_LINES[0]}</p>"), subtype="html")
    mail.add_attachment(_table(","), maintype="text", subtype="csv", filename="t.csv")
    mail.add_attachment(inner)
    for at, part in enumerate(mail.walk()):
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            part.set_boundary(f"boundary{at}")  # which is random otherwise
    return mail.as_bytes()


def _pdf() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=True)
    for page in range(2):
        canvas.bookmarkPage(str(page))
        canvas.addOutlineEntry(f"Part {page}", str(page))
        for at, line in enumerate(_LINES[:2] * 4):
            canvas.drawString(72, 720 - 20 * at, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _relations(targets: dict[str, str]) -> str:
    """Of a package's part: relations `rId1`, `rId2` ... by target and kind."""
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for n, (target, kind) in enumerate(targets.items(), 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>'


def _package(main: str, kind: str, parts: dict[str, str]) -> bytes:
    office = "application/vnd.openxmlformats-officedocument"
    types = (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="application/xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/{main}" ContentType="{office}.{kind}.main+xml"/></Types>'
    )
    top = _relations({main: "officeDocument"})
    return zipped({"[Content_Types].xml": types, "_rels/.rels": top} | parts)


def _docx() -> bytes:
    paragraphs = "".join(f"<w:p><w:r><w:t>{line}</w:t></w:r></w:p>" for line in _LINES)
    cell = f"<w:tc><w:p><w:r><w:t>{_LINES[0]}</w:t></w:r></w:p></w:tc>"
    document = (
        f'<w:document xmlns:w="{_WORD}"><w:body>'
        '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr>'
        f"<w:r><w:t>Water use</w:t></w:r></w:p>{paragraphs}"
        f"<w:tbl><w:tr>{cell}{cell}</w:tr></w:tbl>{_word_table()}</w:body></w:document>"
    )
    return _package("word/document.xml", "wordprocessingml.document", {"word/document.xml": document})


def _word_table() -> str:
    spans = '<w:gridSpan w:val="2"/><w:vMerge w:val="restart"/>', "<w:vMerge/>", ""
    rows = "".join(
        '<w:tr><w:trPr><w:tblHeader/><w:gridBefore w:val="1"/></w:trPr>'
        + "".join(
            f"<w:tc><w:tcPr>{spans[at % 3]}</w:tcPr><w:p><w:pPr><w:ind w:left='200'/></w:pPr>"
            "<w:r><w:rPr><w:b/><w:vertAlign w:val='superscript'/></w:rPr>"
            f"<w:t>{cell}</w:t></w:r></w:p></w:tc>"
            for at, cell in enumerate(row)
        )
        + "</w:tr>"
        for row in _FIGURES
    )
    return f"<w:tbl>{rows}</w:tbl>".replace("< 1", "&lt; 1")


def _slide_table() -> str:
    rows = "".join(
        "<a:tr>"
        + "".join(
            f'<a:tc gridSpan="{1 + at % 2}" rowSpan="2"><a:txBody><a:p><a:pPr marL="9"/><a:r><a:rPr b="1"/>'
            f"<a:t>{cell}</a:t></a:r></a:p></a:txBody></a:tc>"
            for at, cell in enumerate(row)
        )
        + "</a:tr>"
        for row in _FIGURES
    )
    table = f'<a:tbl><a:tblPr firstRow="1"/>{rows}</a:tbl>'.replace("< 1", "&lt; 1")
    return f"<p:graphicFrame>{table}</p:graphicFrame>"


def _pptx() -> bytes:
    shape = f"<p:sp><p:txBody><a:p><a:r><a:t>{_LINES[0]}</a:t></a:r></a:p></p:txBody></p:sp>"
    tree = f"<p:cSld><p:spTree>{shape}{_slide_table()}</p:spTree></p:cSld>"
    slide = f'<p:sld xmlns:p="{_SLIDE}" xmlns:a="{_DRAWING}">{tree}</p:sld>'
    deck = (
        f'<p:presentation xmlns:p="{_SLIDE}" xmlns:r="{_RELATIONS}">'
        '<p:sldIdLst><p:sldId id="256" r:id="rId1"/></p:sldIdLst></p:presentation>'
    )
    parts = {
        "ppt/presentation.xml": deck,
        "ppt/_rels/presentation.xml.rels": _relations({"slides/slide1.xml": "slide"}),
        "ppt/slides/slide1.xml": slide,
    }
    return _package("ppt/presentation.xml", "presentationml.presentation", parts)


def _xlsx() -> bytes:
    rows = "".join(
        f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="B{n}" t="s"><v>{n % 5}</v></c></row>'
        for n in range(1, 20)
    )
    strings = "".join(f"<si><t>{line}</t></si>" for line in _LINES)
    book = (
        f'<workbook xmlns="{_SHEET}" xmlns:r="{_RELATIONS}">'
        '<sheets><sheet name="Reviews" sheetId="1" r:id="rId1"/>'
        '<sheet name="Water" sheetId="2" r:id="rId3"/></sheets></workbook>'
    )
    figures = "".join(
        "<row>" + "".join(f'<c t="inlineStr" s="1"><is><t>{cell}</t></is></c>' for cell in row) + "</row>"
        for row in _FIGURES
    ).replace("< 1", "&lt; 1")
    merged = '<mergeCells><mergeCell ref="B2:C2"/><mergeCell ref="D2:E2"/></mergeCells>'
    styles = (
        '<numFmts><numFmt numFmtId="200" formatCode="0.0%"/></numFmts><fonts><font/><font><b/></font></fonts>'
        '<cellXfs><xf/><xf fontId="1" numFmtId="200"><alignment indent="1"/></xf></cellXfs>'
    )
    parts = {
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": _relations(
            {
                "worksheets/sheet1.xml": "worksheet",
                "sharedStrings.xml": "sharedStrings",
                "worksheets/sheet2.xml": "worksheet",
                "styles.xml": "styles",
            }
        ),
        "xl/worksheets/sheet2.xml": f'<worksheet xmlns="{_SHEET}"><sheetData>{figures}</sheetData>{merged}'
        "</worksheet>",
        "xl/styles.xml": f'<styleSheet xmlns="{_SHEET}">{styles}</styleSheet>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SHEET}"><sheetData>{rows}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{_SHEET}">{strings}</sst>',
    }
    return _package("xl/workbook.xml", "spreadsheetml.sheet", parts)
