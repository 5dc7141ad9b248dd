"""Tables of PDFs: cells of several lines are whole and in their row, and prose stays out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.test_extract_pdf import column, draw, read

if TYPE_CHECKING:
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
