"""Workbooks: data sets give data rows, other sheets table rows, and cells read as they are shown."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from shared.extract.office.excel import read_xlsx
from shared.extract.shapes import Block, Extracted, ExtractOptions, Limits
from shared.platform.errors import Rejected
from tests.unit.office_files import grid, xlsx

if TYPE_CHECKING:
    from pathlib import Path

SHARED_STRING = '<c t="s"><v>0</v></c>'
REVIEW = "The mill was closed on the day we came, and nobody had told us about it before."


def read(path: Path, data: bytes, text_column: str | None = None, **limits: int) -> Extracted:
    path.write_bytes(data)
    return read_xlsx(path, ExtractOptions(text_column, limits=Limits(**limits)))


def refusal(path: Path, data: bytes, text_column: str | None = None, **limits: int) -> str:
    with pytest.raises(Rejected) as caught:
        read(path, data, text_column, **limits)
    return caught.value.code


def shown(path: Path, rows: str, **book: object) -> list[str]:
    return [block.text for block in read(path, xlsx({"Sheet 1": rows}, **book)).blocks[1:]]  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload.xlsx"


def test_a_sheet_of_figures_gives_table_rows(file: Path) -> None:
    """Under the sheet's name and the title above; a lone cell is a heading, or text if it is a sentence."""
    rows = grid(
        ["Environment"],
        ["Indicator", "Unit", 2023, 2024],
        [],
        ["Water withdrawn at all sites", "m³", 1200, 900.5],
        ["Energy", None, None, 17],
        ["All figures were measured at the weir."],
    )
    extracted = read(file, xlsx({"ESG": rows}))
    assert extracted.blocks == [
        Block("ESG", "heading", 1),
        Block("Environment", "heading", 1),
        Block(
            "Environment > Water withdrawn at all sites (m³) | 2023: 1200; 2024: 900.5",
            "table",
            1,
            table=0,
            at=1,
        ),
        Block("Environment > Energy | 2024: 17", "table", 1, table=0, at=2),
        Block("All figures were measured at the weir.", "text", 1),
    ]
    assert (extracted.pages, extracted.title) == (1, None)


def test_a_sheet_keeps_merged_cells_bold_type_and_indents(file: Path) -> None:
    """Several tables on a sheet have heads and titles of their own."""
    rows = (
        '<row r="1"><c r="B1"><v>2023</v></c><c r="D1"><v>2024</v></c></row><row><c/>'
        + "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in ["Men", "Women"] * 2)
        + '</row><row><c t="inlineStr" s="1"><is><t>Staff</t></is></c><c><v>1</v></c><c><v>2</v></c>'
        + '<c><v>3</v></c><c><v>4</v></c></row><row><c t="inlineStr" s="2"><is><t>Trainees</t></is></c>'
        + "<c><v>5</v></c><c><v>6</v></c><c><v>7</v></c><c><v>8</v></c></row>"
        + '<row r="7"><c t="inlineStr"><is><t>Rivers</t></is></c></row>'
        + grid(["Site", "Water"], ["Mill", 9])
    )
    styles = (
        '<fonts><font/><font><b/></font></fonts><cellXfs><xf/><xf fontId="1"/>'
        '<xf><alignment indent="1"/></xf></cellXfs>'
    )
    merged = "".join(f'<mergeCell ref="{ref}"/>' for ref in ["B1:C1", "D1:E1", "A900:XFD9", "Z9"])
    extracted = read(file, xlsx({"People": rows}, styles=styles, after=f"<mergeCells>{merged}</mergeCells>"))
    assert [block.text for block in extracted.blocks] == [
        "People",
        "People > Staff | 2023, Men: 1; 2023, Women: 2; 2024, Men: 3; 2024, Women: 4",
        "People > Staff > Trainees | 2023, Men: 5; 2023, Women: 6; 2024, Men: 7; 2024, Women: 8",
        "People \u2013 Rivers",
        "People \u2013 Rivers > Site > Mill | Water: 9",
    ]
    assert [table.columns for table in extracted.tables] == [5, 2]


def test_tables_side_by_side_are_two(file: Path) -> None:
    """Where labels begin again behind an empty column; a column of notes is no table."""
    rows = grid(
        ["Water", 2023, None, "Energy", 2023, None, "Notes"],
        ["Mill", 1, None, "Gas", 3, None, "measured"],
        ["Farm", 2, None, "Oil", 4, None, "estimated"],
    )
    assert [block.text for block in read(file, xlsx({"Sheet1": rows})).blocks[1:]] == [
        "Water > Mill | 2023: 1",
        "Water > Farm | 2023: 2",
        "Energy > Gas | 2023: 3; Notes: measured",
        "Energy > Oil | 2023: 4; Notes: estimated",
    ]


def test_a_sheet_of_too_many_cells_is_refused(file: Path) -> None:
    """As they come: a data set may have them."""
    assert refusal(file, xlsx({"S": grid(*[[1, 2, 3]] * 1_000)}), cells=2_999) == "too_many_cells"
    reviews = grid(["id", "text"], *([number, f"{number} {REVIEW}"] for number in range(1_000)))
    assert len(read(file, xlsx({"S": reviews}), cells=1_100).blocks) == 1_001


def test_a_data_set_gives_data_rows_with_their_labels(file: Path) -> None:
    """Numbered from the row below the header, wherever in the sheet that stands."""
    rows = grid(
        ["Visitors of the mill"],
        [],
        ["id", "review", "stars"],
        *([number, f"{REVIEW} {number}", number % 5 + 1] for number in range(1, 9)),
        [9, None, 3],
        [10, REVIEW, None],
    )
    extracted = read(file, xlsx({"Data": rows}))
    assert extracted.blocks[:3] == [
        Block("Data", "heading", 1),
        Block("Visitors of the mill", "heading", 1),
        Block(f"{REVIEW} 1", "row", 1, 1, "2"),
    ]
    assert [(block.row, block.label) for block in extracted.blocks[-2:]] == [(8, "4"), (10, None)]


def test_a_data_set_longer_than_the_sample_is_read_to_its_end(file: Path) -> None:
    """What is held to decide is written first, what follows as it comes."""
    rows = grid(["n", "text"], *([number, f"{number} {REVIEW}"] for number in range(1, 1_203)))
    blocks = read(file, xlsx({"Data": rows})).blocks[1:]
    assert [block.row for block in blocks] == list(range(1, 1_203))
    assert all(block.text.startswith(f"{block.row} ") for block in blocks)


@pytest.mark.parametrize(
    ("name", "text", "others", "expected"),
    [
        ("Review", REVIEW, ["DE"], "row"),
        ("Remark", REVIEW, ["DE"], "row"),  # 79 bytes are a text
        ("comment", "Nice mill, will come again", ["DE"], "row"),  # 26 bytes are one under a telling name
        ("Remark", "Nice mill, will come again", ["DE"], "table"),
        ("comment", "Nice", ["DE"], "table"),
        ("Description", REVIEW, [1, 2, 3], "table"),  # a name of 79 bytes beside figures
        ("Description", f"{REVIEW} {REVIEW}", [1, 2, 3], "row"),
        ("評価", "水車小屋は閉まっていて、誰も前もって教えてくれませんでした。", ["DE"], "row"),
    ],
)
def test_what_makes_a_data_set(
    file: Path, name: str, text: str, others: list[str | float], expected: str
) -> None:
    """A column of sentences, or of shorter texts under a telling name; beside figures it takes more."""
    header = ["site", name, *(f"of {at}" for at in range(len(others)))]
    rows = grid(header, *([f"s{number}", f"{text}{number}", *others] for number in range(5)))
    assert read(file, xlsx({"S": rows})).blocks[-1].kind == expected


def test_a_list_of_texts_without_a_header_is_a_data_set(file: Path) -> None:
    """Its rows are numbered as in the sheet."""
    rows = grid(*([f"{REVIEW} {number}"] for number in range(4)))
    assert [block.row for block in read(file, xlsx({"S": rows})).blocks[1:]] == [1, 2, 3, 4]


def test_a_column_that_is_asked_for_is_taken(file: Path) -> None:
    """On the sheets that have it, whatever it holds; where none has it, the refusal lists what there is."""
    data = xlsx({"A": grid(["key", "Note"], ["a", "short words"], ["b", "more"]), "B": grid(["x", "y"])})
    blocks = read(file, data, "note").blocks
    assert [block.text for block in blocks if block.kind == "row"] == ["short words", "more"]
    assert blocks[-1].kind == "table"
    with pytest.raises(Rejected, match='"key", "Note"'):
        read(file, data, "reviews")
    assert refusal(file, data, "reviews") == "text_column_not_found"


def test_a_long_text_in_a_cell_is_read_as_a_document(file: Path) -> None:
    """Its lines make paragraphs, and all of them keep the row."""
    text = "\n\n".join(f"Paragraph {number}. {REVIEW * 3}" for number in range(20))
    blocks = read(file, xlsx({"S": grid(["id", "text"], *([n, text] for n in range(3)))})).blocks[1:]
    assert len(blocks) == 60
    assert {block.row for block in blocks} == {1, 2, 3}


@pytest.mark.parametrize(
    ("code", "value", "expected"),
    [
        ("General", "0.30000000000000004", "0.3"),
        ("General", "1234567", "1234567"),
        ("General", "1e+20", "1e+20"),
        ("0", "7.6", "8"),
        ("#,##0.00", "1234567.891", "1,234,567.89"),
        ("0%", "0.125", "12%"),
        ("0.0%", "0.1234", "12.3%"),
        ('"€" #,##0;[Red]-"€" #,##0', "1234", "€ 1,234"),
        ("#,##0.00\\ [$€-407]", "-12.5", "-12.50 €"),
        ('_-* #,##0 "t CO2e"_-', "12.3", "12 t CO2e"),
        ('0.0,,"M"', "12345678", "12.3M"),
        ("# ?/?", "1.5", "1.5"),
        ("0.00E+00", "12345.6", "12345.6"),
        ("yyyy-mm-dd", "45382", "2024-03-31"),
        ("[$-409]d\\-mmm\\-yy;@", "45382", "2024-03-31"),
        ("mmm yyyy", "45382", "2024-03"),
        ("yyyy", "45382", "2024"),
        ("dd/mm/yyyy hh:mm", "45382.75", "2024-03-31 18:00"),
        ("h:mm AM/PM", "0.75", "18:00"),
        ("hh:mm:ss", "0.7500116", "18:00:01"),
        ("[h]:mm", "1.0625", "25:30"),
        ("yyyy-mm-dd", "-1", "-1"),
        ("yyyy-mm-dd", "99999999", "99999999"),
        ("yyyy-mm-dd", "2958465.5", "2958465.5"),
        ("0.00", "nan", "nan"),
        ("0.00", "inf", "inf"),
        ("0.00", "1e300", "1e+300"),
        ("0.00", "n.a.", "n.a."),
        ("@", "5", "5"),
        (";;;", "5", "5"),
        ('"', "5", "5"),
    ],
)
def test_numbers_read_as_they_are_shown(file: Path, code: str, value: str, expected: str) -> None:
    """Decimals, shares, units and currencies by the cell's format; dates and times as ISO writes them."""
    rows = f'<row><c t="inlineStr"><is><t>A</t></is></c><c s="1"><v>{value}</v></c></row>'
    assert shown(file, rows, formats=[code]) == [f"A | {expected}"]


def test_a_workbook_of_an_old_mac_counts_from_1904(file: Path) -> None:
    """Its dates would be four years early otherwise; the last day of time is no crash."""
    rows = (
        '<row><c s="1"><v>43920</v></c><c s="1"><v>2957002.9999999</v></c><c s="1"><v>2957003</v></c></row>'
    )
    for flag, expected in [
        ("1", "2024-03-31 | 9999-12-31; 2957003"),
        ("0", "2020-03-30 | 9995-12-30; 2957003"),
    ]:
        properties = f'<workbookPr date1904="{flag}"/>'
        assert shown(file, rows, formats=["yyyy-mm-dd"], properties=properties) == [expected]


def test_every_kind_of_cell_is_read(file: Path) -> None:
    """Shared, rich and inline text, formulas by their last value, booleans, dates; errors say nothing."""
    rows = (
        '<row r="3"><c r="B3" t="s"><v>0</v></c><c r="D3" t="s"><v>1</v></c><c t="s"><v>9</v></c>'
        '<c t="str"><f>CONCAT("a","b")</f><v>ab</v></c><c><f>1+1</f><v>2</v></c><c t="b"><v>1</v></c>'
        '<c t="e"><v>#N/A</v></c><c t="d"><v>2024-03-31T00:00:00</v></c><c t="s"><v>2</v></c>'
        '<c t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c><c><f>1/0</f></c></row>'
    )
    strings = [
        "<t>shared</t>",
        "<r><rPr/><t>ri</t></r><r><t>ch</t></r><rPh><t>reading</t></rPh>",
        "<t>a_x000D_b _x0041_ _xyz_</t>",
    ]
    expected = "shared > rich > ab | 2; TRUE; 2024-03-31; a b A _xyz_; inline"
    assert shown(file, rows, strings=strings) == [expected]


def test_cells_stand_in_the_order_of_their_columns(file: Path) -> None:
    """Even where the file has them otherwise."""
    rows = '<row><c r="AB1"><v>28</v></c><c r="B1"><v>2</v></c><c r="Z1"><v>26</v></c><c><v>27</v></c></row>'
    assert shown(file, rows) == ["2 | 26; 27; 28"]


def test_empty_and_hidden_sheets_are_left_out(file: Path) -> None:
    """Sheets keep their number; what is hidden is named in a warning."""
    data = xlsx(
        {"Empty": "", "Lists": grid(["secret"]), "Shown": grid(["a", "b"])}, hidden=["Lists"]
    )  # fmt: skip
    extracted = read(file, data)
    assert extracted.blocks == [
        Block("Shown", "heading", 3),
        Block("Shown > a | b", "table", 3, table=0, at=0),
    ]
    assert extracted.warnings == ["hidden sheets, left out: Lists"]
    assert extracted.pages == 3


@pytest.mark.parametrize("rows", ["", grid([None, None])])
def test_a_workbook_without_text_is_refused(file: Path, rows: str) -> None:
    """Nothing in it, or only formatted cells."""
    assert refusal(file, xlsx({"S": rows})) == "no_text"


def test_rows_columns_characters_and_sheets_are_limited(file: Path) -> None:
    """At the limit a workbook is read; beyond it the refusal names the limit."""
    data = xlsx({"A": grid(*[["ab", "cd"]] * 5), "B": grid(["ab", "cd"])})
    assert len(read(file, data, rows=6, columns=2, characters=70, pages=2).blocks) == 8
    assert refusal(file, data, rows=5) == "too_many_rows"
    assert refusal(file, data, columns=1) == "too_many_columns"
    assert refusal(file, data, characters=20) == "too_many_characters"
    assert refusal(file, data, pages=1) == "too_many_pages"


def test_a_million_columns_do_not_hurt(file: Path) -> None:
    """Empty ones are nothing; the first filled one beyond the limit ends it."""
    empty = xlsx({"S": f"<row><c><v>1</v></c>{'<c/>' * 1_000_000}</row>"})
    filled = xlsx({"S": f"<row>{'<c><v>1</v></c>' * 1_000_000}</row>"})
    corners = xlsx(
        {"S": '<row><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'}
    )
    started = time.process_time()
    assert len(read(file, empty, inflation=10_000).blocks) == 2
    assert refusal(file, filled, inflation=10_000) == "too_many_columns"
    assert refusal(file, corners) == "too_many_columns"
    assert time.process_time() - started < 20


def test_one_long_text_in_many_cells_is_counted_in_each(file: Path) -> None:
    """A string of a megabyte that ten thousand cells share would be ten gigabytes of rows."""
    rows = f"<row>{SHARED_STRING * 100}</row>" * 100
    data = xlsx({"S": rows}, strings=[f"<t>{'x' * 1_000_000}</t>"])
    assert refusal(file, data) == "too_many_characters"
