"""Pages that only recognition can read, and headings: what is one, what only looks like one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.pdf_pages import PROSE, blocks, draw, prose, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reportlab.pdfgen.canvas import Canvas


MORE = "the ash that goes back to the forest, in one long line of its own"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


def bold(canvas: Canvas, text: str, *, x: float = 60, y: float, size: float = 10) -> None:
    canvas.setFont("Helvetica-Bold", size)
    canvas.drawString(x, y, text)
    canvas.setFont("Helvetica", 10)


def kinds(path: Path) -> dict[str, str]:
    return {block.text: block.kind for block in read(path).blocks}


def test_labels_of_a_drawing_and_sums_are_no_headings(file: Path) -> None:
    """A heading has below it what it heads, and says something."""

    def page(canvas: Canvas) -> None:
        bold(canvas, "Water of the river", y=715)
        prose(canvas, y=700)
        bold(canvas, "Suppliers", x=80, y=500)
        bold(canvas, "Customers", x=400, y=460)
        bold(canvas, "1,200 m3", y=315)
        prose(canvas, y=300)

    draw(file, page)
    assert {text: kind for text, kind in kinds(file).items() if kind == "heading"} == {
        "Water of the river": "heading"
    }


def test_leads_slogans_and_quotations_are_text(file: Path) -> None:
    """Prose in large type is analyzed like other prose, and on its own."""
    lead = "Since the spring of this year the mill on the river burns"
    quotation = "\u201cWe give back what we take\u201d"

    def page(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 15)
        prose(canvas, (lead,), y=740)
        prose(canvas, ("bark, and so it needs less of the gas.",), y=722)
        canvas.setFont("Helvetica", 10)
        prose(canvas, PROSE[:2], y=680)
        canvas.setFont("Times-Italic", 15)
        canvas.drawString(320, 660, quotation)
        canvas.setFont("Helvetica", 10)
        prose(canvas, PROSE[2:], y=640)

    draw(file, page)
    assert blocks(file) == [
        ("text", lead + " bark, and so it needs less of the gas."),
        ("text", " ".join(PROSE)),
        ("text", quotation),
    ]


def test_a_sentence_that_is_bold_in_part_is_one(file: Path) -> None:
    """Neither a bold first line nor one in the middle heads the rest of its sentence."""

    def page(canvas: Canvas) -> None:
        bold(canvas, PROSE[0], y=700)
        prose(canvas, PROSE[1:], y=687)
        prose(canvas, PROSE[:1], y=500)
        bold(canvas, PROSE[1], y=487)
        prose(canvas, PROSE[2:], y=474)

    draw(file, page)
    assert blocks(file) == [("text", " ".join(PROSE))] * 2


def test_the_head_of_a_table_is_no_heading(file: Path) -> None:
    """Many bold words side by side are columns."""

    def page(canvas: Canvas) -> None:
        for place, word in enumerate(("Mill", "Bark", "Gas", "Water", "Ash", "Staff")):
            bold(canvas, f"{word} used", x=60 + 80 * place, y=700)
            canvas.drawString(60 + 80 * place, 686, "none of it here")
        prose(canvas, y=600)

    draw(file, page)
    assert "heading" not in kinds(file).values()


def test_bookmarks_say_what_is_a_heading(file: Path) -> None:
    """Plain type that the outline names is one, numbered or not; names of files and pages are none."""

    def page(canvas: Canvas) -> None:
        for key, title in enumerate(("2.1 Water of the River", "report_final.indd", "Page 7")):
            canvas.bookmarkPage(str(key))
            canvas.addOutlineEntry(title, str(key))
        canvas.drawString(60, 730, "Water of the river")
        prose(canvas, y=700)

    draw(file, page)
    assert blocks(file) == [("heading", "Water of the river"), ("text", " ".join(PROSE))]


def test_a_title_drawn_as_a_picture_comes_from_the_outline(file: Path) -> None:
    """The page has no heading of its own, so the bookmark stands at its head."""

    def page(canvas: Canvas) -> None:
        canvas.bookmarkPage("water")
        canvas.addOutlineEntry("Water", "water")
        prose(canvas)

    draw(file, page)
    assert blocks(file) == [("heading", "Water"), ("text", " ".join(PROSE))]


def test_an_accented_capital_cuts_no_paragraph(file: Path) -> None:
    """It is higher than other letters, and its line no heading for that."""
    lines = (
        "La soci\u00e9t\u00e9 a choisi de soutenir la fondation qui agit",
        "\u00c0 Lyon et \u00e0 Paris, avec l\u2019aide de l\u2019\u00c9tat, et pour l\u2019\u00c9",
        "cole de la ville, o\u00f9 elle forme les jeunes.",
    )
    draw(file, lambda canvas: prose(canvas, lines))
    assert [kind for kind, _ in blocks(file)] == ["text"]


def test_an_initial_goes_back_to_its_word(file: Path) -> None:
    """A first letter three lines high is drawn apart."""

    def page(canvas: Canvas) -> None:
        prose(canvas, ("he mill burns bark.",), x=90)
        canvas.setFont("Times-Roman", 34)
        canvas.drawString(62, 683, "T")

    draw(file, page)
    assert blocks(file) == [("text", "The mill burns bark.")]


def test_a_sentence_runs_on_behind_a_caption(file: Path) -> None:
    """What stands between two columns in smaller type is not glued into the sentence."""

    def page(canvas: Canvas) -> None:
        prose(canvas, PROSE[:2])
        canvas.setFont("Helvetica", 7)
        canvas.drawString(60, 640, "Bark before it is burnt, seen from the river")
        canvas.setFont("Helvetica", 10)
        prose(canvas, PROSE[2:], x=340)

    draw(file, page)
    assert blocks(file) == [
        ("text", " ".join(PROSE)),
        ("text", "Bark before it is burnt, seen from the river"),
    ]


def test_the_page_number_beside_a_note_is_dropped(file: Path) -> None:
    """It stands on the line of a footnote, and is no cell of a table."""

    def page(number: int) -> Callable[[Canvas], None]:
        def draw_page(canvas: Canvas) -> None:
            prose(canvas, (f"{PROSE[0]} {'abcdef'[number]}.",))
            canvas.drawString(60, 40, f"Note {'abcdef'[number]} on the burning of bark and on {MORE}")
            canvas.drawString(520, 40, str(number + 3))

        return draw_page

    draw(file, *map(page, range(5)))
    assert [block.text for block in read(file).blocks if block.page == 2] == [
        f"{PROSE[0]} b.",
        f"Note b on the burning of bark and on {MORE}",
    ]


def test_labels_of_figures_beside_each_other_are_no_sentence(file: Path) -> None:
    """Each stays with its figure, though all begin in lower case and none has a full stop."""

    def page(canvas: Canvas) -> None:
        prose(canvas)
        for at, (figure, label) in enumerate(
            [
                ("5.8", "lost-time injuries per million hours"),
                ("27%", "of management posts held by women"),
                ("96", "young people began an apprenticeship"),
            ]
        ):
            canvas.setFont("Helvetica", 24)
            canvas.drawString(60 + 170 * at, 400, figure)
            canvas.setFont("Helvetica", 8)
            canvas.drawString(60 + 170 * at, 385, label)

    draw(file, page)
    assert blocks(file)[1:] == [
        ("fragment", "5.8 lost-time injuries per million hours"),
        ("fragment", "27% of management posts held by women"),
        ("fragment", "96 young people began an apprenticeship"),
    ]
