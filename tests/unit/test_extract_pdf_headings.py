"""Headings and words of PDFs: tables of contents, titles drawn as rows, marks of footnotes, turned pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.test_extract_pdf import HEIGHT, LEFT, WIDTH, column, draw, read

if TYPE_CHECKING:
    from pathlib import Path

    from reportlab.pdfgen.canvas import Canvas


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


def large(canvas: Canvas, text: str, y: float, x: float = 60, size: float = 14) -> None:
    canvas.setFont("Helvetica-Bold", size)
    canvas.drawString(x, y, text)
    canvas.setFont("Helvetica", 10)


def headings(path: Path) -> list[str]:
    return [block.text for block in read(path).blocks if block.kind == "heading"]


def prose(canvas: Canvas, y: float = 300) -> None:
    column(canvas, LEFT, y=y)


ENTRIES = (
    "Water of the river",
    "Bark and ash",
    "People at the mill",
    "Rules of conduct",
    "Figures of the year",
)


def test_entries_below_contents_head_nothing(file: Path) -> None:
    """They name the headings of other pages; what stands above prose is a heading here too."""

    def page(canvas: Canvas) -> None:
        large(canvas, "Contents", 760, size=20)
        for place, entry in enumerate(ENTRIES):
            large(canvas, entry, 720 - 40 * place)
            canvas.drawString(60, 706 - 40 * place, "what is said on it")
        large(canvas, "About this report", 318)
        prose(canvas)

    draw(file, page)
    assert headings(file) == ["Contents", "About this report"]


def test_entries_are_known_by_their_page_numbers(file: Path) -> None:
    """Where nothing says that it is a table of contents, its numbers ascend; those of sections count on."""

    def listed(numbers: tuple[int, ...]) -> None:
        def page(canvas: Canvas) -> None:
            for place, (entry, number) in enumerate(zip(ENTRIES, numbers, strict=True)):
                large(canvas, f"{number} {entry}", 720 - 40 * place)
                canvas.drawString(60, 706 - 40 * place, "what is said on it")
            prose(canvas, y=480)

        draw(file, page)

    listed((4, 9, 12, 12, 30))
    assert headings(file) == []
    listed((1, 2, 3, 4, 5))
    assert len(headings(file)) == len(ENTRIES)


def test_a_title_with_its_number_far_to_the_right_is_a_heading(file: Path) -> None:
    """At the head of a page; the same in a table's first row is none."""

    def title(canvas: Canvas) -> None:
        large(canvas, "Own workforce", 780, size=18)
        large(canvas, "S1", 780, x=500, size=18)
        prose(canvas, y=740)

    def table(canvas: Canvas) -> None:
        for place, (left, right) in enumerate([("Site", "Tonnes"), ("Aulder", "12"), ("Brennick", "14")]):
            large(canvas, left, 780 - 22 * place)
            large(canvas, right, 780 - 22 * place, x=500)
        prose(canvas, y=640)

    draw(file, title, table)
    extracted = read(file)
    assert [(block.kind, block.text) for block in extracted.blocks[:1]] == [("heading", "Own workforce S1")]
    (found,) = extracted.tables
    assert [[cell.text for cell in row.cells] for row in found.rows] == [
        ["Site", "Tonnes"],
        ["Aulder", "12"],
        ["Brennick", "14"],
    ]


@pytest.mark.parametrize(
    ("word", "mark", "rise", "size", "text"),
    [
        ("electricity", "2", 4, 6, "Use of electricity rose."),
        ("electricity,", "1,2", 4, 6, "Use of electricity, rose."),
        ("electricity", "(3)", 4, 6, "Use of electricity rose."),
        ("CO", "2", -2, 6, "Use of CO2 rose."),  # a formula, set low
        ("Model", "2", 0, 10, "Use of Model2 rose."),  # a name, set like the rest
        ("km", "2", 4, 6, "Use of km2 rose."),  # a unit
    ],
)
def test_the_mark_of_a_footnote_is_no_part_of_its_word(
    file: Path, word: str, mark: str, rise: float, size: float, text: str
) -> None:
    """It is small and high, and stands behind a word."""

    def page(canvas: Canvas) -> None:
        line = canvas.beginText(60, 700)
        line.textOut(f"Use of {word}")
        line.setFont("Helvetica", size)
        line.setRise(rise)
        line.textOut(mark)
        line.setFont("Helvetica", 10)
        line.setRise(0)
        line.textOut(" rose.")
        canvas.drawText(line)

    draw(file, page)
    assert [block.text for block in read(file).blocks] == [text]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_page_turned_in_any_way_keeps_its_rows_and_their_order(file: Path, turn: int) -> None:
    """Cells are apart in the direction in which one reads."""

    def page(canvas: Canvas) -> None:
        canvas.setPageRotation(turn)
        canvas.translate(*{0: (0, 0), 90: (WIDTH, 0), 180: (WIDTH, HEIGHT), 270: (0, HEIGHT)}[turn])
        canvas.rotate(turn)
        canvas.drawString(60, 300, "Mill")
        canvas.drawString(300, 300, "Tonnes")
        canvas.drawString(60, 280, "Aulder works")
        canvas.drawString(300, 280, "1,200")
        column(canvas, LEFT[:2], y=240)

    draw(file, page)
    extracted = read(file)
    (found,) = extracted.tables
    assert [[cell.text for cell in row.cells] for row in found.rows] == [
        ["Mill", "Tonnes"],
        ["Aulder works", "1,200"],
    ]
    assert [block.kind for block in extracted.blocks] == ["table", "text"]
    assert extracted.blocks[1].text == " ".join(LEFT[:2])
