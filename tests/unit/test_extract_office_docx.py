"""Word documents: what a reader of the document sees comes out, in order, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from shared.extract.office.word import read_docx
from shared.extract.shapes import Block, Extracted, ExtractOptions, Limits
from shared.platform.errors import Rejected
from tests.unit.office_files import OFFICE, docx, pack, para, style, styled, table

SAMPLE = (
    Path(os.environ.get("HEADRACE_SHARED", Path(__file__).parents[3] / "shared"))
    / "data/samples/docx/amazon_esg_generated.docx"
)
STYLES = (
    style("Title", "Title")
    + style("Heading1", "heading 1", properties='<w:outlineLvl w:val="0"/>')
    + style("berschrift2", "heading 2")
    + style("Kapitel", "Kapitel", based_on="Heading1")
    + style("Titre3", "Titre 3")
    + style("ListBullet", "List Bullet", properties='<w:numPr><w:numId w:val="4"/></w:numPr>')
    + style("Verzeichnis1", "toc 1")
    + style("Loop", "Loop", based_on="Pool")
    + style("Pool", "Pool", based_on="Loop")
    + style("Body", "Body", based_on="Heading1", properties='<w:outlineLvl w:val="9"/>')
)


def read(path: Path, data: bytes, **limits: int) -> list[Block]:
    return extracted(path, data, **limits).blocks


def extracted(path: Path, data: bytes, **limits: int) -> Extracted:
    path.write_bytes(data)
    return read_docx(path, ExtractOptions(limits=Limits(**limits)))


def said(blocks: list[Block]) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in blocks]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload.docx"


def test_headings_are_known_by_style_in_any_language_and_by_level(file: Path) -> None:
    """By the style's name, by what it is based on, by the outline level; level 9 says that it is none."""
    body = (
        styled("Our year", "Heading1")
        + styled("Unser Wasser", "berschrift2")
        + styled("Die Mühle", "Kapitel")
        + styled("Notre eau", "Titre3")
        + para("By its own level", '<w:outlineLvl w:val="2"/>')
        + styled("Text of the report.", "Body")
        + styled("More text of the report.", "Loop")
        + styled("Text of an unknown style.", "Nowhere")
    )
    kinds = [kind for kind, _ in said(read(file, docx(body, styles=STYLES)))]
    assert kinds == ["heading"] * 5 + ["text"] * 3


def test_short_bold_paragraphs_are_headings(file: Path) -> None:
    """As people make them who know no styles; a bold sentence, or one bold word in a line, is none."""
    bold = "<w:b/>"
    body = (
        para("Water and energy", run=bold)
        + para("We saved water.", run=bold)
        + para("Water and energy", run='<w:b w:val="0"/>')
        + f"<w:p><w:r><w:rPr>{bold}</w:rPr><w:t>Note</w:t></w:r><w:r><w:t> on water</w:t></w:r></w:p>"
        + table([para("Site", run=bold), para("Water", run=bold)])
    )
    kinds = [kind for kind, _ in said(read(file, docx(body)))]
    assert kinds == ["heading", "text", "text", "text", "table"]


def test_the_title_is_that_of_the_properties_or_of_the_style(file: Path) -> None:
    """Names of files and what programs write into the field are no titles."""
    body = styled("Report on the mill", "Title") + para("We saved water.")
    for given, expected in [
        ("Water report 2024", "Water report 2024"),
        ("", "Report on the mill"),
        ("report_v3_final.docx", "Report on the mill"),
        ("Microsoft Word - Draft", "Report on the mill"),
        ("Word Document", "Report on the mill"),
    ]:
        file.write_bytes(docx(body, styles=STYLES, title=given))
        extracted = read_docx(file, ExtractOptions())
        assert extracted.title == expected
        assert extracted.blocks[0] == Block("Report on the mill", "heading")
    file.write_bytes(docx(para("We saved water.")))
    assert read_docx(file, ExtractOptions()).title is None


def test_list_items_have_their_mark(file: Path) -> None:
    """By the paragraph's own numbering or its style's; never twice; a numbering of 0 takes it away."""
    own = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="7"/></w:numPr>'
    body = (
        para("less water", own)
        + styled("less coal", "ListBullet")
        + para("• less waste", own)
        + para("no item", '<w:pStyle w:val="ListBullet"/><w:numPr><w:numId w:val="0"/></w:numPr>')
        + para("Numbered heading", f'<w:pStyle w:val="Heading1"/>{own}')
    )
    assert said(read(file, docx(body, styles=STYLES))) == [
        ("text", "• less water"),
        ("text", "• less coal"),
        ("text", "• less waste"),
        ("text", "no item"),
        ("heading", "Numbered heading"),
    ]


def test_table_rows_are_rows(file: Path) -> None:
    """Cells of several paragraphs are one cell; empty cells leave nothing; heads are read with each row."""
    body = table(
        [para("Site"), para("Water"), para("")],
        [para("Mill"), para("12 m³") + para("(estimated)"), "<w:p/>"],
    )
    assert said(read(file, docx(body))) == [("table", "Site > Mill | Water: 12 m³ (estimated)")]


def test_a_table_keeps_spans_heads_and_levels(file: Path) -> None:
    """Merged cells, rows that are repeated on each page, indents, bold type, and the caption above."""

    def cell(text: str, properties: str = "", paragraph: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{para(text, paragraph)}</w:tc>"

    def row(*cells: str, properties: str = "") -> str:
        return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(cells)}</w:tr>"

    two, heads = '<w:gridSpan w:val="2"/>', "<w:tblHeader/>"
    begin, goes_on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    rows = (
        row(cell("", two), cell("2023", two), cell("Notes", begin), properties=heads)
        + row(cell("", two), cell("Men"), cell("Women"), cell("", goes_on), properties=heads)
        + row(cell("Staff", begin), cell("Total"), cell("7"), cell("8"), cell("(a)"))
        + row(cell("", goes_on), cell("Trainees", "", '<w:ind w:left="240"/>'), cell("3"), cell("4"))
        + row(cell("Sites", two), cell("5", two), properties='<w:gridBefore w:val="0"/>')
    )
    found = extracted(file, docx(para("Table 1: Workforce") + f"<w:tbl>{rows}</w:tbl>"))
    assert [block.text for block in found.blocks if block.kind == "table"] == [
        "Table 1: Workforce > Staff > Total | 2023, Men: 7; 2023, Women: 8; Notes: (a)",
        "Table 1: Workforce > Staff > Total > Trainees | 2023, Men: 3; 2023, Women: 4",
        "Table 1: Workforce > Sites | 2023, Men: 5",
    ]
    (read,) = found.tables
    assert (read.caption, read.labels, read.columns) == ("Table 1: Workforce", 2, 5)
    assert read.rows[2].cells[0].row_span == 2


def test_tables_in_tables_and_spans_that_lie_take_no_time(file: Path) -> None:
    """The innermost table is one, those around it lay it out; spans end with the columns there are."""
    nested = table([para("Site"), para("2023")], [para("Mill"), para("12")])
    for _ in range(60):
        nested = table([para("Around it."), nested])
    wide = f'<w:tc><w:tcPr><w:gridSpan w:val="99999999"/><w:vMerge/></w:tcPr>{para("1")}</w:tc>'
    started = time.process_time()
    found = extracted(
        file, docx(nested + f"<w:tbl>{f'<w:tr>{wide * 20}</w:tr>' * 500}</w:tbl>"), inflation=9_999
    )
    assert [block.text for block in found.blocks].count("Around it.") == 60
    assert found.blocks[60].text == "Site > Mill | 2023: 12"
    assert len(found.tables[0].rows) == 2
    assert max(part.columns for part in found.tables) == 20
    assert time.process_time() - started < 10


def test_a_chart_is_the_table_it_is_drawn_from(file: Path) -> None:
    """Behind the paragraph that holds it, once."""
    points = "".join(f'<c:pt idx="{at}"><c:v>{at + 5}</c:v></c:pt>' for at in range(2))
    chart = (
        f'<c:chartSpace xmlns:c="{OFFICE}/drawingml/2006/chart"><c:ser><c:tx><c:v>Water</c:v></c:tx>'
        '<c:cat><c:pt idx="0"><c:v>Mill</c:v></c:pt><c:pt idx="1"><c:v>Farm</c:v></c:pt></c:cat>'
        f"<c:val>{points}</c:val></c:ser></c:chartSpace>"
    )
    drawn = f'<w:r><w:drawing><c:chart xmlns:c="{OFFICE}/drawingml/2006/chart" r:id="c1"/></w:drawing></w:r>'
    body = f"<w:p><w:r><w:t>See here.</w:t></w:r>{drawn}{drawn}</w:p>" + para("The end.")
    found = extracted(file, docx(body, chart=chart))
    assert said(found.blocks) == [
        ("text", "See here."),
        ("table", "Mill | Water: 5"),
        ("table", "Farm | Water: 6"),
        ("text", "The end."),
    ]


def test_a_mark_behind_a_number_is_no_digit_of_it(file: Path) -> None:
    """Superscript digits stay superscript behind a number or a share, and are plain in units."""

    def raise_(text: str) -> str:
        return f'<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>{text}</w:t></w:r>'

    body = f"<w:p><w:r><w:t>1,234</w:t></w:r>{raise_('1')}<w:r><w:t> of 7 m</w:t></w:r>{raise_('3')}</w:p>"
    assert said(read(file, docx(body))) == [("text", "1,234¹ of 7 m3")]


def test_tables_that_lay_out_a_page_are_no_tables(file: Path) -> None:
    """A box of one cell is its paragraphs; so are cells that hold tables of their own."""
    box = table([styled("Box", "Heading1") + para("Text in a box.")])
    columns = table([para("On the left.") + table([para("a"), para("b")]), para("On the right.")])
    assert said(read(file, docx(box + columns, styles=STYLES))) == [
        ("heading", "Box"),
        ("text", "Text in a box."),
        ("text", "On the left."),
        ("table", "a | b"),
        ("text", "On the right."),
    ]


def test_deleted_moved_and_hidden_text_is_left_out(file: Path) -> None:
    """Inserted text is in; where a paragraph's end was deleted, the next one continues it."""

    def run(text: str, properties: str = "", element: str = "t") -> str:
        return f"<w:r><w:rPr>{properties}</w:rPr><w:{element}>{text}</w:{element}></w:r>"

    body = (
        "<w:p>"
        f"<w:del>{run('500 ', element='delText')}</w:del><w:ins>{run('300 ')}</w:ins>{run('litres a day')}"
        f"<w:moveFrom>{run(' moved away')}</w:moveFrom>{run(' secret', '<w:vanish/>')}"
        + run(" seen.", '<w:vanish w:val="false"/>')
        + "</w:p>"
        + f"<w:p><w:del>{run('All of it gone.', element='delText')}</w:del></w:p>"
        + f"<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr>{run('First half, ')}</w:p>"
        + f"<w:p>{run('second half.')}</w:p>"
        + f"<w:p><w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr>{run('Only the mark is hidden.')}</w:p>"
    )
    assert [text for _, text in said(read(file, docx(body)))] == [
        "300 litres a day seen.",
        "First half, second half.",
        "Only the mark is hidden.",
    ]


def test_notes_follow_the_paragraph_or_row_that_refers_to_them(file: Path) -> None:
    """Once each; neither separators nor notes that nothing refers to are printed."""

    def note(kind: str, identifier: int, text: str, attributes: str = "") -> str:
        return f'<w:{kind} w:id="{identifier}" {attributes}>{para(text)}</w:{kind}>'

    def refer(kind: str, identifier: int) -> str:
        return f'<w:r><w:{kind}Reference w:id="{identifier}"/></w:r>'

    body = (
        f"<w:p><w:r><w:t>Water fell</w:t></w:r>{refer('footnote', 2)}<w:r><w:t>, coal too.</w:t></w:r></w:p>"
        + table([f"<w:p><w:r><w:t>Mill</w:t></w:r>{refer('footnote', 3)}</w:p>", para("12")])
        + f"<w:p><w:r><w:t>The end.</w:t></w:r>{refer('endnote', 2)}{refer('footnote', 2)}</w:p>"
    )
    footnotes = (
        note("footnote", 0, "separator", 'w:type="separator"')
        + note("footnote", 2, "Measured at the weir.")
        + note("footnote", 3, "Old mill.")
        + note("footnote", 9, "Orphan.")
    )
    endnotes = note("endnote", 2, "Final remark.")
    assert said(read(file, docx(body, footnotes=footnotes, endnotes=endnotes))) == [
        ("text", "Water fell, coal too."),
        ("text", "Measured at the weir."),
        ("table", "Mill | 12"),
        ("text", "Old mill."),
        ("text", "The end."),
        ("text", "Final remark."),
    ]


def test_a_text_box_is_read_once_and_after_its_paragraph(file: Path) -> None:
    """Files hold its text twice: once for older programs."""
    box = f"<w:txbxContent>{para('In the box.')}</w:txbxContent>"
    choice = f"<mc:Choice Requires='wps'><wps:txbx>{box}</wps:txbx></mc:Choice>"
    body = (
        f"<w:p><w:r><w:t>Before </w:t></w:r><w:r><mc:AlternateContent>{choice}"
        f"<mc:Fallback><v:textbox>{box}</v:textbox></mc:Fallback></mc:AlternateContent></w:r>"
        "<w:r><w:t>and after.</w:t></w:r></w:p>"
    )
    assert [text for _, text in said(read(file, docx(body)))] == ["Before and after.", "In the box."]


def test_contents_fields_and_readings_are_left_out(file: Path) -> None:
    """Lines of the table of contents, instructions of fields, the small print above Japanese characters."""
    body = (
        styled("1 Water 12", "Verzeichnis1")
        + "<w:p><w:r><w:instrText>PAGEREF _Toc1</w:instrText></w:r>"
        + "<w:r><w:t>Seen on page 3.</w:t></w:r></w:p>"
        + "<w:p><w:r><w:ruby><w:rt><w:r><w:t>みず</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>水</w:t></w:r>"
        + "</w:rubyBase></w:ruby></w:r></w:p>"
    )
    assert [text for _, text in said(read(file, docx(body, styles=STYLES)))] == ["Seen on page 3.", "水"]


def test_characters_that_are_elements_are_read(file: Path) -> None:
    """Tabs and breaks are spaces, the hyphen that does not break is one; tab stops are nothing."""
    body = (
        '<w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr><w:r><w:t>a</w:t><w:tab/>'
        "<w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t><w:softHyphen/><w:t>e</w:t></w:r>"
        "<m:oMath><m:r><m:t> x=2</m:t></m:r></m:oMath></w:p>"
    )
    assert [text for _, text in said(read(file, docx(body)))] == ["a b c-de x=2"]


def test_the_strict_variant_and_other_names_of_parts_are_read(file: Path) -> None:
    """ISO's strict namespaces; other prefixes; a document that is not called document.xml; any case."""
    word = "http://purl.oclc.org/ooxml/wordprocessingml/main"
    root = (
        f'<x:Relationships xmlns:x="{OFFICE}/package/2006/relationships"><x:Relationship Id="a" '
        'Type="http://purl.oclc.org/ooxml/officeDocument/relationships/officeDocument" '
        'Target="/Word/Main.xml"/></x:Relationships>'
    )
    main = (
        f'<document xmlns="{word}"><body><p><pPr><outlineLvl q:val="0" xmlns:q="{word}"/></pPr>'
        "<r><t>Our year</t></r></p></body></document>"
    )
    for encoding in ("utf-8", "utf-16"):
        text = f'<?xml version="1.0" encoding="{encoding}"?>{main}'
        blocks = read(file, pack({"_rels/.rels": root, "word/main.xml": text.encode(encoding)}))
        assert said(blocks) == [("heading", "Our year")]


def test_a_document_without_words_is_refused(file: Path) -> None:
    """A picture of a page, perhaps."""
    with pytest.raises(Rejected) as caught:
        read(file, docx("<w:p/>" + para("...")))
    assert caught.value.code == "no_text"


def test_characters_and_paragraphs_are_limited(file: Path) -> None:
    """At the limit it is read; beyond it the refusal names the limit."""
    data = docx(para("12345") * 10)
    assert len(read(file, data, characters=50, rows=10)) == 10
    for limits, code in [({"characters": 49}, "too_many_characters"), ({"rows": 9}, "too_many_rows")]:
        with pytest.raises(Rejected) as caught:
            read(file, data, **limits)
        assert caught.value.code == code


@pytest.mark.skipif(not SAMPLE.is_file(), reason=f"the sample document is not at {SAMPLE}")
def test_a_real_report_is_read() -> None:
    """Its sections are headings, its lists items, its tables rows."""
    blocks = read_docx(SAMPLE, ExtractOptions()).blocks
    kinds = [block.kind for block in blocks]
    assert (kinds.count("heading"), kinds.count("table")) == (12, 11)
    assert sum(block.text.startswith("• ") for block in blocks) == 13
    assert blocks[0].kind == "heading"
