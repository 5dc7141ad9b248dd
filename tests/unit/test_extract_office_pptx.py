"""Presentations: slides in their order, each with its title first and its notes last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.extract.office.powerpoint import read_pptx
from shared.extract.shapes import Extracted, ExtractOptions, Limits
from shared.platform.errors import Rejected
from tests.unit.office_files import NAMESPACES, OFFICE, line, pptx, relations, shape, slide

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, data: bytes, **limits: int) -> Extracted:
    path.write_bytes(data)
    return read_pptx(path, ExtractOptions(limits=Limits(**limits)))


def said(extracted: Extracted) -> list[tuple[int | None, str, str]]:
    return [(block.page, block.kind, block.text) for block in extracted.blocks]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload.pptx"


def test_slides_come_in_the_order_of_the_presentation(file: Path) -> None:
    """Not in that of their names; the page is the slide's place."""
    slides = {name: slide(shape(line(f"This is {name}."))) for name in ("slide3", "slide1", "slide10")}
    extracted = read(file, pptx(slides))
    assert said(extracted) == [
        (1, "text", "This is slide3."),
        (2, "text", "This is slide1."),
        (3, "text", "This is slide10."),
    ]
    assert (extracted.pages, extracted.title) == (3, None)


def test_a_title_comes_first_and_is_a_heading(file: Path) -> None:
    """Wherever in the file its shape stands; the first slide's is the presentation's."""
    content = slide(
        shape(line("A subtitle"), kind="subTitle"), shape(line("Water"), line("in 2024"), kind="ctrTitle")
    )
    extracted = read(file, pptx({"s": content}))
    assert said(extracted) == [(1, "heading", "Water in 2024"), (1, "text", "A subtitle")]
    assert extracted.title == "Water in 2024"


def test_paragraphs_of_lists_are_items(file: Path) -> None:
    """A body's paragraphs have bullets unless they say otherwise; a text box's have none unless they do."""
    content = slide(
        shape(line("less water"), line("less coal"), line("plainly", "<a:buNone/>"), kind=""),
        shape(line("alone"), kind="body"),
        shape(line("in a box"), line("first", "<a:buAutoNum/>"), line("- dash", '<a:buChar char="-"/>')),
    )
    assert [text for _, _, text in said(read(file, pptx({"s": content})))] == [
        "• less water",
        "• less coal",
        "plainly",
        "alone",
        "in a box",
        "• first",
        "- dash",
    ]


def test_furniture_is_left_out(file: Path) -> None:
    """Dates, footers and numbers of slides say nothing of the slide."""
    furniture = (shape(line("Mill plc"), kind=kind) for kind in ("dt", "ftr", "sldNum", "hdr"))
    assert said(read(file, pptx({"s": slide(*furniture, shape(line("Text.")))}))) == [(1, "text", "Text.")]


def test_notes_follow_their_slide(file: Path) -> None:
    """The speaker's words alone, not the picture of the slide or the page's number."""
    notes = slide(
        shape(kind="sldImg"),
        shape(line("Say that it rained."), line("And pause."), kind="body"),
        shape(line("1"), kind="sldNum"),
        element="notes",
    )
    slides = {"a": slide(shape(line("Rain."))), "b": slide(shape(line("Sun.")))}
    assert said(read(file, pptx(slides, notes={"a": notes}))) == [
        (1, "text", "Rain."),
        (1, "text", "Say that it rained."),
        (1, "text", "And pause."),
        (2, "text", "Sun."),
    ]


def test_tables_and_groups_are_read(file: Path) -> None:
    """Rows are rows; shapes in groups are shapes; a line break is a space."""

    def cell(text: str) -> str:
        return f"<a:tc><a:txBody>{line(text)}</a:txBody></a:tc>"

    rows = "".join(f"<a:tr>{''.join(map(cell, row))}</a:tr>" for row in [("Site", "Water"), ("Mill", "12")])
    broken = "<a:p><a:r><a:t>Two</a:t></a:r><a:br/><a:r><a:t>lines.</a:t></a:r></a:p>"
    content = slide(
        f"<p:graphicFrame><a:tbl>{rows}</a:tbl></p:graphicFrame>", f"<p:grpSp>{shape(broken)}</p:grpSp>"
    )
    assert said(read(file, pptx({"s": content}))) == [
        (1, "table", "Site > Mill | Water: 12"),
        (1, "text", "Two lines."),
    ]


def test_a_table_keeps_spans_heads_and_its_slides_title(file: Path) -> None:
    """A first row that is made to stand out holds heads; spanned cells are there, and empty."""

    def cell(text: str, attributes: str = "", mark: str = "") -> str:
        raised = f'<a:r><a:rPr baseline="30000"/><a:t>{mark}</a:t></a:r>'
        run = f'<a:p><a:pPr marL="0"/><a:r><a:rPr b="0"/><a:t>{text}</a:t></a:r>{raised}</a:p>'
        return f"<a:tc {attributes}><a:txBody>{run}</a:txBody></a:tc>"

    wide, over, tall, under = 'gridSpan="2"', 'hMerge="1"', 'rowSpan="2"', 'vMerge="1"'
    written = [
        [cell(""), cell("Water", wide), cell("", over)],
        [cell(""), cell("2023"), cell("2022")],
        [cell("Mill", tall), cell("1,200", mark="1"), cell("900")],
        [cell("", under), cell("12"), cell("9")],
    ]
    rows = "".join(f"<a:tr>{''.join(row)}</a:tr>" for row in written)
    frame = f'<p:graphicFrame><a:tbl><a:tblPr firstRow="1"/>{rows}</a:tbl></p:graphicFrame>'
    extracted = read(file, pptx({"s": slide(shape(line("Our rivers"), kind="title"), frame)}))
    assert said(extracted) == [
        (1, "heading", "Our rivers"),
        (1, "table", "Our rivers > Mill | Water, 2023: 1,200¹; Water, 2022: 900"),
        (1, "table", "Our rivers > Mill | Water, 2023: 12; Water, 2022: 9"),
    ]
    (table,) = extracted.tables
    assert (table.page, table.caption, table.rows[2].cells[0].row_span) == (1, "Our rivers", 2)


def series(name: str, heads: list[str], values: list[str], code: str = "General") -> str:
    def cache(points: list[str]) -> str:
        return "".join(f'<c:pt idx="{at}"><c:v>{point}</c:v></c:pt>' for at, point in enumerate(points))

    return (
        f"<c:ser><c:tx><c:strRef><c:strCache>{cache([name])}</c:strCache></c:strRef></c:tx>"
        "<c:dLbls><c:dLbl><c:v>7</c:v></c:dLbl></c:dLbls>"
        f"<c:cat><c:strRef><c:strCache>{cache(heads)}</c:strCache></c:strRef></c:cat>"
        f"<c:val><c:numRef><c:numCache><c:formatCode>{code}</c:formatCode>{cache(values)}</c:numCache>"
        "</c:numRef></c:val></c:ser>"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            series("Scope 1", ["2022", "2023"], ["1200.5", "900"], "#,##0.0")
            + series("Scope 2", ["2022", "2023"], ["7", "8"]),
            [
                "Emissions (t) > Scope 1 | 2022: 1,200.5; 2023: 900.0",
                "Emissions (t) > Scope 2 | 2022: 7; 2023: 8",
            ],
        ),
        (
            series("Share", ["Women", "Men"], ["0.45", "0.55"], "0%"),
            ["Emissions (t) > Women | Share: 45%", "Emissions (t) > Men | Share: 55%"],
        ),
        ('<c:ser><c:val><c:pt idx="99999999999"><c:v>1</c:v></c:pt></c:val></c:ser>', []),
    ],
)
def test_charts_are_the_tables_they_are_drawn_from(file: Path, content: str, expected: list[str]) -> None:
    """With the format of their numbers, years as heads, and the title of the axis as unit."""
    space = f'xmlns:c="{OFFICE}/drawingml/2006/chart" xmlns:a="{OFFICE}/drawingml/2006/main"'
    title = "<c:title><c:tx><c:rich><a:p><a:r><a:t>{}</a:t></a:r></a:p></c:rich></c:tx></c:title>"
    part = (
        f"<c:chartSpace {space}><c:chart>{title.format('Emissions')}<c:plotArea><c:barChart>{content}"
        f"</c:barChart><c:catAx>{title.format('Year')}</c:catAx><c:valAx>{title.format('t')}</c:valAx>"
        "</c:plotArea></c:chart></c:chartSpace>"
    )
    frame = f'<p:graphicFrame><c:chart xmlns:c="{OFFICE}/drawingml/2006/chart" r:id="c1"/></p:graphicFrame>'
    extra = {
        "ppt/charts/chart1.xml": part,
        "ppt/slides/_rels/s.xml.rels": relations(chart_c1="../charts/chart1.xml"),
    }
    extracted = read(file, pptx({"s": slide(shape(line("Our air")), frame)}, extra=extra))
    assert [block.text for block in extracted.blocks] == ["Our air", *expected]
    assert len(extracted.tables) == bool(expected)


def test_diagrams_are_read_point_by_point(file: Path) -> None:
    """The text of SmartArt is in a part of its own, which the slide names, and may name twice."""
    frame = '<p:graphicFrame><dgm:relIds r:dm="d1"/></p:graphicFrame>'
    points = "".join(f"<dgm:pt><dgm:t>{line(text)}</dgm:t></dgm:pt>" for text in ("Collect", "Clean", ""))
    extra = {
        "ppt/slides/_rels/s.xml.rels": relations(diagramData_d1="../diagrams/data1.xml"),
        "ppt/diagrams/data1.xml": f"<dgm:dataModel {NAMESPACES}>{points}</dgm:dataModel>",
    }
    extracted = read(file, pptx({"s": slide(frame, frame, shape(line("Cycle")))}, extra=extra))
    assert [text for _, _, text in said(extracted)] == ["Cycle", "• Collect", "• Clean"]


def test_hidden_slides_are_left_out_with_a_warning(file: Path) -> None:
    """They keep their number, so that the others have the one that people see."""
    slides = {
        "a": slide(shape(line("Draft.")), attributes='show="0"'),
        "b": slide(shape(line("Shown."))),
    }
    extracted = read(file, pptx(slides))
    assert said(extracted) == [(2, "text", "Shown.")]
    assert extracted.warnings == ["hidden slides, left out: 1"]
    assert extracted.pages == 2


def test_slides_are_limited(file: Path) -> None:
    """Before the first of them is read."""
    data = pptx({f"s{number}": slide(shape(line("Text."))) for number in range(5)})
    assert read(file, data, pages=5).pages == 5
    with pytest.raises(Rejected) as caught:
        read(file, data, pages=4)
    assert caught.value.code == "too_many_pages"


def test_slides_of_pictures_are_refused(file: Path) -> None:
    """With what can be done about it."""
    with pytest.raises(Rejected) as caught:
        read(file, pptx({"s": slide(shape(line("")))}))
    assert caught.value.code == "no_text"
    assert "OCR" in caught.value.hint


def test_a_slide_that_is_missing_is_passed_over(file: Path) -> None:
    """The list of slides names one that has no part."""
    data = pptx({"a": slide(shape(line("There.")))})
    broken = data.replace(b"slides/b.xml", b"slides/c.xml")
    assert said(read(file, broken)) == [(1, "text", "There.")]
