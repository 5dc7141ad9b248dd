"""Tables of PDFs: cells of several lines are whole and in their row, and prose stays out of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from shared.extract.pdf import columns, frames, grid, pieces, rulings, tables
from tests.unit.test_extract_pdf import column, draw, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reportlab.pdfgen.canvas import Canvas

X = (60, 300, 380)
FLOOD = (
    "High water of the river may reach the store of",
    "bark and the boiler house, and stop the mill in",
    "April.",
)
WIDE = "Mills that were certified by the end of the"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


def row(canvas: Canvas, y: float, *cells: str) -> None:
    for x, cell in zip(X, cells, strict=False):
        if cell:
            canvas.drawString(x, y, cell)


def rows(path: Path) -> list[list[str]]:
    """Return the cells of all tables, row by row."""
    return [[cell.text for cell in row.cells] for table in read(path).tables for row in table.rows]


def others(path: Path) -> list[tuple[str, str]]:
    """Return the blocks that are no rows of tables."""
    return [(block.kind, block.text) for block in read(path).blocks if block.kind != "table"]


def test_a_label_that_ends_in_the_row_is_whole(file: Path) -> None:
    """Its first line stands above the figures, and is drawn after them."""

    def page(canvas: Canvas) -> None:
        row(canvas, 700, "Indicator", "2023", "2024")
        row(canvas, 680, "Sites", "14", "15")
        row(canvas, 648, "year", "7", "9")
        row(canvas, 628, "Bark burnt", "1,200", "1,100")
        canvas.drawString(X[0], 660, WIDE)

    draw(file, page)
    assert rows(file) == [
        ["Indicator", "2023", "2024"],
        ["Sites", "14", "15"],
        [f"{WIDE} year", "7", "9"],
        ["Bark burnt", "1,200", "1,100"],
    ]
    assert others(file) == []


def test_a_cell_that_goes_on_below_its_row_is_whole(file: Path) -> None:
    """In the last column too, and whether the next line begins in lower case or had no room above."""

    def page(canvas: Canvas) -> None:
        row(canvas, 700, "Risk", "Meaning", "")
        row(canvas, 680, "Flood", FLOOD[0])
        column(canvas, FLOOD[1:], x=X[1], y=668)
        row(canvas, 636, "Drought", "Low water may bring the mill to a stand")

    draw(file, page)
    assert rows(file) == [
        ["Risk", "Meaning"],
        ["Flood", " ".join(FLOOD)],
        ["Drought", "Low water may bring the mill to a stand"],
    ]


def test_a_cell_in_the_middle_of_its_row_is_in_it(file: Path) -> None:
    """The figures stand between the two lines of the label."""

    def page(canvas: Canvas) -> None:
        row(canvas, 700, "Sites", "14", "15")
        canvas.drawString(X[0], 686, WIDE)
        canvas.drawString(X[0], 674, "year")
        canvas.setFont("Times-Roman", 10)
        row(canvas, 680, "", "7", "9")
        canvas.setFont("Helvetica", 10)
        row(canvas, 660, "Bark burnt", "1,200", "1,100")

    draw(file, page)
    assert [f"{WIDE} year", "7", "9"] in rows(file)


def test_what_stands_above_a_row_and_is_no_part_of_it_is_kept_apart(file: Path) -> None:
    """A short label leaves room for the next word: it did not break there."""

    def page(canvas: Canvas) -> None:
        column(canvas, ["All figures are those of the mills at the end of a year."], y=724)
        row(canvas, 700, "Emissions and waste of the mills", "2023", "2024")
        canvas.drawString(X[0], 688, "Emissions")
        row(canvas, 676, "Carbon dioxide", "14", "15")
        row(canvas, 664, "Ash", "7", "9")
        column(canvas, ["Figures are in tonnes."], y=652)

    draw(file, page)
    assert rows(file) == [
        ["Emissions and waste of the mills", "2023", "2024"],
        ["Emissions"],
        ["Carbon dioxide", "14", "15"],
        ["Ash", "7", "9"],
    ]
    assert others(file) == [
        ("text", "All figures are those of the mills at the end of a year."),
        ("text", "Figures are in tonnes."),
    ]


def lines(canvas: Canvas, ys: tuple[float, ...], x0: float = 55, x1: float = 440) -> None:
    for y in ys:
        canvas.line(x0, y, x1, y)


def test_lines_between_rows_make_rows_of_several_lines_whole(file: Path) -> None:
    """The values stand at half the height of their label, and a group has a row of its own."""

    def page(canvas: Canvas) -> None:
        lines(canvas, (712, 694, 650, 632, 600))
        row(canvas, 699, "Indicator", "2023", "2024")
        column(
            canvas,
            [
                "Accidents of the mills' own people that were",
                "Reported, and those of people",
                "Sent by others",
            ],
            x=X[0],
            y=683,
        )
        row(canvas, 670, "", "7", "-")
        canvas.setFont("Helvetica-Bold", 10)
        row(canvas, 638, "Water")
        canvas.setFont("Helvetica", 10)
        row(canvas, 613, "Water drawn", "1,200", "1,100")

    draw(file, page)
    assert rows(file) == [
        ["Indicator", "2023", "2024"],
        [
            "Accidents of the mills' own people that were Reported, and those of people Sent by others",
            "7",
            "-",
        ],
        ["Water"],
        ["Water drawn", "1,200", "1,100"],
    ]


def test_heads_span_the_columns_that_the_line_below_them_covers(file: Path) -> None:
    def page(canvas: Canvas) -> None:
        lines(canvas, (700, 684, 668, 652))
        for x0, head in ((200, "Mills"), (330, "Stores")):
            canvas.line(x0, 718, x0 + 110, 718)
            canvas.drawString(x0 + 80, 722, head)
        for at, text in enumerate(("2023", "2024", "2023", "2024")):
            canvas.drawString((200, 270, 330, 400)[at], 704, text)
        for y, label in ((688, "Water"), (672, "Waste"), (656, "Noise")):
            canvas.drawString(60, y, label)
            for at in range(4):
                canvas.drawString((200, 270, 330, 400)[at], y, str(11 + at))

    draw(file, page)
    (found,) = read(file).tables
    assert [(cell.text, cell.column, cell.column_span) for cell in found.rows[0].cells] == [
        ("Mills", 1, 2),
        ("Stores", 3, 2),
    ]


def test_heads_centered_over_groups_of_heads_span_them(file: Path) -> None:
    """The groups repeat their heads; between both lines stands the head of the labels."""

    def page(canvas: Canvas) -> None:
        lines(canvas, (731, 700, 684, 668, 652), x1=500)
        for x, head in ((270, "2024"), (420, "2023")):
            canvas.drawCentredString(x, 724, head)
        canvas.drawString(60, 716, "Leavers")
        for at, head in enumerate(("Women", "Men", "All") * 2):
            canvas.drawCentredString(220 + 50 * at, 708, head)
        for y, label in ((688, "Mills"), (672, "Stores"), (656, "Offices")):
            canvas.drawString(60, y, label)
            for at in range(6):
                canvas.drawCentredString(220 + 50 * at, y, str(11 + at))

    draw(file, page)
    (found,) = read(file).tables
    assert [row.kind for row in found.rows] == ["head", "head", "row", "row", "row"]
    assert [(cell.text, cell.column, cell.column_span) for cell in found.rows[0].cells] == [
        ("Leavers", 0, 1),
        ("2024", 1, 3),
        ("2023", 4, 3),
    ]
    assert [cell.text for cell in found.rows[1].cells] == ["Women", "Men", "All"] * 2


def test_brackets_of_ages_name_rows(file: Path) -> None:
    """The label of several rows stands in a cell of its own, at half their height."""
    ages = ("< 30 years old", "30 < x < 50", "> 50 years old")

    def page(canvas: Canvas) -> None:
        for y in (720, 704, 688, 640, 592):
            lines(canvas, (y,))
        for y in (672, 656, 624, 608):
            lines(canvas, (y,), x0=130)
        for at, x0 in enumerate((55, 130, 240, 290, 340, 390, 440)):
            canvas.line(x0, 592, x0, 704 if at in {3, 5} else 720)
        for x, head in ((60, "Grade"), (135, "Age"), (278, "2023"), (378, "2024")):
            canvas.drawString(x, 709, head)
        for at in range(4):
            canvas.drawString(245 + 50 * at, 693, ("Women", "Men")[at % 2])
        for y, label in ((661, "Managers"), (613, "Millers")):
            canvas.drawString(60, y, label)
            for place, age in enumerate(ages):
                canvas.drawString(135, y + 16 - 16 * place, age)
                for at in range(4):
                    canvas.drawString(245 + 50 * at, y + 16 - 16 * place, f"{10 * place + at}%")

    draw(file, page)
    (found,) = read(file).tables
    assert found.labels == 2
    assert [row.kind for row in found.rows] == ["head", "head", *["row"] * 6]
    assert [(cell.text, cell.column_span) for cell in found.rows[0].cells[2:]] == [("2023", 2), ("2024", 2)]
    named = [cell for row in found.rows[2:] for cell in row.cells if cell.column == 0]
    assert [(cell.text, cell.row_span) for cell in named] == [("Managers", 3), ("Millers", 3)]
    assert [row.cells[row.cells[0].column == 0].text for row in found.rows[2:]] == [*ages, *ages]


def test_tables_side_by_side_are_two(file: Path) -> None:
    """So are a table and the prose beside it."""

    def box(canvas: Canvas, x: float, label: str) -> None:
        for y in (700, 680, 660):
            canvas.rect(x, y, 90, 20)
            canvas.rect(x + 90, y, 60, 20)
        for y, cells in ((706, ("Mill", "2024")), (686, (label, "14")), (666, ("All", "15"))):
            canvas.drawString(x + 5, y, cells[0])
            canvas.drawString(x + 100, y, cells[1])

    def page(canvas: Canvas) -> None:
        box(canvas, 60, "Aulder")
        box(canvas, 300, "Brennick")

    def beside(canvas: Canvas) -> None:
        box(canvas, 60, "Aulder")
        column(
            canvas,
            [
                "The mill on the river burns bark",
                "instead of gas since the spring",
                "of 2023, and all of it is dry.",
            ],
            x=300,
            y=706,
        )

    draw(file, page, beside)
    found = read(file)
    assert [[cell.text for cell in table.rows[1].cells] for table in found.tables] == [
        ["Aulder", "14"],
        ["Brennick", "14"],
        ["Aulder", "14"],
    ]
    assert (
        found.blocks[-1].text
        == "The mill on the river burns bark instead of gas since the spring of 2023, and all of it is dry."
    )


def test_blanks_between_thousands_part_no_cells_and_signs_do(file: Path) -> None:
    def page(canvas: Canvas) -> None:
        row(canvas, 700, "Indicateur", "2023", "2024")
        for y, label, text in ((684, "Eau", "12 345"), (668, "Gaz", "4 027 000"), (652, "Bois", "980")):
            row(canvas, y, label, text)
            canvas.drawRightString(390, y, "7 035")
            canvas.drawString(410, y, "- 0,9 %")

    draw(file, page)
    assert rows(file)[1:] == [
        ["Eau", "12 345", "7 035", "- 0,9 %"],
        ["Gaz", "4 027 000", "7 035", "- 0,9 %"],
        ["Bois", "980", "7 035", "- 0,9 %"],
    ]


def test_a_table_that_goes_on_over_the_page_says_so_and_keeps_its_notes(file: Path) -> None:
    def page(first: int) -> Callable[[Canvas], None]:
        def draw_page(canvas: Canvas) -> None:
            lines(canvas, (715, 695, 675, 655))
            for at in range(3):
                row(canvas, 700 - 20 * at, f"Mill {'ABCDEF'[first + at]}", str(100 + at), str(200 + at))
            if first:
                canvas.setFont("Helvetica", 8)
                canvas.drawString(60, 640, "* Without the stores of bark.")

        return draw_page

    draw(file, page(0), page(3))
    extracted = read(file)
    assert [(table.page, table.continues) for table in extracted.tables] == [(1, False), (2, True)]
    assert extracted.tables[1].notes == ("* Without the stores of bark.",)
    assert [(block.kind, block.page) for block in extracted.blocks] == [
        *[("table", 1)] * 3,
        *[("table", 2)] * 3,
        ("note", 2),
    ]


def test_a_page_of_drawings_is_read_within_its_limits(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more objects, lines and frames are looked at than the limits say, and all text stays."""
    monkeypatch.setattr(rulings, "MAX_OBJECTS", 50)
    monkeypatch.setattr(rulings, "MAX_RULINGS", 20)
    monkeypatch.setattr(frames, "MAX_FRAMES", 2)

    def page(canvas: Canvas) -> None:
        for at in range(500):
            canvas.rect(60 + at % 40, 100 + at, 200 + at % 60, 5)
        for at in range(5):
            row(canvas, 600 - 90 * at, f"Mill {at}", str(100 + at), str(200 + at))

    draw(file, page)
    text = " ".join(block.text for block in read(file).blocks)
    assert all(str(number) in text for number in (100, 104, 200, 204))


@pytest.mark.parametrize(
    ("module", "limit", "most"),
    [
        (tables, "MAX_PIECES", 5),
        (tables, "MAX_TABLES", 0),
        (grid, "MAX_CELLS", 5),
        (columns, "MAX_COLUMNS", 2),
    ],
)
def test_what_exceeds_a_limit_is_no_table_and_stays_as_fragments(
    file: Path, monkeypatch: pytest.MonkeyPatch, module: Any, limit: str, most: int
) -> None:
    monkeypatch.setattr(module, limit, most)

    def page(canvas: Canvas) -> None:
        for at in range(4):
            row(canvas, 700 - 16 * at, f"Mill {at}", str(100 + at), str(200 + at))

    draw(file, page)
    extracted = read(file)
    assert extracted.tables == []
    assert [(block.kind, block.text) for block in extracted.blocks] == [
        ("fragment", f"Mill {at} {100 + at} {200 + at}") for at in range(4)
    ]


def test_a_row_of_thousands_of_numbers_is_read_in_time(file: Path) -> None:
    def page(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 1)
        for at in range(30):
            canvas.drawString(20, 700 - 3 * at, "  ".join(str(number) for number in range(200)))

    draw(file, page)
    started = time.process_time()
    text = " ".join(block.text for block in read(file).blocks)
    assert time.process_time() - started < 8
    assert "199" in text


def test_words_between_a_label_and_its_next_line_part_nothing() -> None:
    """A letter-spaced label is closed up."""
    assert grid.unspaced("E m i s s i o n s of 2024") == "Emissions of 2024"
    assert grid.unspaced("A b c") == "A b c"
    assert pieces.is_value("< 1 %")
    assert not pieces.is_value("3.1 Purchased goods and services")


def test_lines_written_upwards_are_in_no_table(file: Path) -> None:
    """They stay lines, whose words keep their order."""

    def page(canvas: Canvas) -> None:
        canvas.rotate(90)
        for at in range(4):
            for x, text in ((100, f"Mill {at} of the river"), (300, f"{at},200"), (400, f"{at},100")):
                canvas.drawString(x, -100 - 16 * at, text)

    draw(file, page)
    extracted = read(file)
    assert extracted.tables == []
    text = " ".join(block.text for block in extracted.blocks)
    assert all(f"{at},200 {at},100" in text for at in range(4))
