"""Word documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.ingest.made.parts import OPEN, RELATION, SEED, Author, pack, relations

if TYPE_CHECKING:
    from pathlib import Path

DOCX_BYTES = 3_000_000  # of XML
EMPTY_PARAGRAPHS = 1_000_000
_WORD = f'xmlns:w="{OPEN}/wordprocessingml/2006/main" xmlns:r="{RELATION}"'


def long_docx(path: Path) -> None:
    """Headings, paragraphs of several runs, lists and tables."""
    author = Author(SEED)
    body, size = [], 0
    while size < DOCX_BYTES:
        body.append(_section(author))
        size += len(body[-1])
    _docx(path, "".join(body))


def empty_docx(path: Path) -> None:
    """Empty paragraphs, in two spellings lest they inflate beyond belief, and a sentence at the end."""
    author = Author(SEED)
    empty = author.choices(("<w:p/>", "<w:p></w:p>"), k=EMPTY_PARAGRAPHS)
    _docx(path, "".join(empty) + _paragraph(author, "", 1))


def _section(author: Author) -> str:
    heading = _paragraph(author, '<w:pStyle w:val="Heading1"/>', 1)
    prose = "".join(_paragraph(author, '<w:spacing w:after="120"/>', author.randint(2, 4)) for _ in range(6))
    item = '<w:pStyle w:val="ListParagraph"/><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    items = "".join(_paragraph(author, item, 1) for _ in range(4))
    cell = '<w:tc><w:tcPr><w:tcW w:w="2400" w:type="dxa"/></w:tcPr>{}</w:tc>'
    rows = (
        f"<w:tr>{''.join(cell.format(_paragraph(author, '', 1)) for _ in range(4))}</w:tr>" for _ in range(5)
    )
    columns = '<w:gridCol w:w="2400"/>' * 4
    table = (
        f'<w:tbl><w:tblPr><w:tblW w:w="0" w:type="auto"/></w:tblPr><w:tblGrid>{columns}</w:tblGrid>'
        f"{''.join(rows)}</w:tbl>"
    )
    return heading + prose + items + table


def _paragraph(author: Author, properties: str, runs: int) -> str:
    mark = f"00{author.getrandbits(24):06X}"
    said = "".join(
        f'<w:r w:rsidR="{mark}"><w:rPr><w:lang w:val="en-GB"/></w:rPr>'
        f'<w:t xml:space="preserve">{author.sentence(author.randint(4, 16))} </w:t></w:r>'
        for _ in range(runs)
    )
    return f'<w:p w:rsidR="{mark}" w:rsidRDefault="{mark}"><w:pPr>{properties}</w:pPr>{said}</w:p>'


def _docx(path: Path, body: str) -> None:
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{identifier}"><w:name w:val="{name}"/></w:style>'
        for identifier, name in (("Heading1", "heading 1"), ("ListParagraph", "List Paragraph"))
    )
    numbering = (
        '<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="bullet"/>'
        '<w:lvlText w:val="-"/></w:lvl></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    )
    kinds = {"document": "document.main", "styles": "styles", "numbering": "numbering"}
    pack(
        path,
        {f"word/{part}.xml": f"wordprocessingml.{kind}" for part, kind in kinds.items()},
        {
            "word/document.xml": f"<w:document {_WORD}><w:body>{body}<w:sectPr/></w:body></w:document>",
            "word/styles.xml": f"<w:styles {_WORD}>{styles}</w:styles>",
            "word/numbering.xml": f"<w:numbering {_WORD}>{numbering}</w:numbering>",
            "word/_rels/document.xml.rels": relations(
                {"r1": ("styles", "styles.xml"), "r2": ("numbering", "numbering.xml")}
            ),
        },
    )
