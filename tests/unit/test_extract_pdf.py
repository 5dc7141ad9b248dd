"""PDF: reading order, furniture, hyphens, tables, headings, and every PDF that cannot be used."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from shared.extract.core import extract
from shared.extract.pdf.lines import Line, Page
from shared.extract.pdf.reader import find_garbled
from shared.extract.shapes import Extracted, ExtractOptions, Limits
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

WIDTH, HEIGHT = A4
LEFT = (
    "The mill on the river burns bark instead of gas since",
    "the spring of this year and needs far less of it than",
    "before; the ash goes back to the forest that the bark",
    "came from, which the state forester has asked for and",
)
WORDS = ("one", "two", "three", "four", "five")
RIGHT = (
    "pays for in part. In the other column the fishing club",
    "says that the water has been warmer since the summer.",
    "The works council has agreed to the new shifts, which",
    "begin in autumn and end a dispute of more than a year.",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


def draw(path: Path, *pages: Callable[[Canvas], None], **options: Any) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, **options)
    for page in pages:
        canvas.setFont("Helvetica", 10)
        page(canvas)
        canvas.showPage()
    canvas.save()
    path.write_bytes(buffer.getvalue())


def column(canvas: Canvas, lines: Sequence[str], x: float = 60, y: float = 700) -> None:
    for place, line in enumerate(lines):
        canvas.drawString(x, y - 13 * place, line)


def read(path: Path, **limits: int) -> Extracted:
    return unlock(path, None, Limits(**limits))


def unlock(path: Path, password: str | None, limits: Limits | None = None) -> Extracted:
    options = ExtractOptions(password=password, limits=limits or Limits())
    return extract(path, name="r.pdf", content_type=None, options=options)


def test_two_columns_are_read_one_after_the_other(file: Path) -> None:
    """A sentence that runs on in the next column stays one block, under the title across both."""

    def page(canvas: Canvas) -> None:
        column(canvas, LEFT)
        column(canvas, RIGHT, x=320)
        canvas.setFont("Helvetica-Bold", 20)
        canvas.drawString(60, 740, "Two columns")

    draw(file, page)
    assert [(block.kind, block.text) for block in read(file).blocks] == [
        ("heading", "Two columns"),
        ("text", " ".join(LEFT + RIGHT)),
    ]


def test_columns_written_line_by_line_across_the_page_are_told_apart(file: Path) -> None:
    """Some programs draw a line of each column in turn; the gutter says what belongs together."""

    def page(canvas: Canvas) -> None:
        for place, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True)):
            canvas.drawString(60, 700 - 13 * place, left)
            canvas.drawString(340, 700 - 13 * place, right)

    draw(file, page)
    assert [block.text for block in read(file).blocks] == [" ".join(LEFT + RIGHT)]


def test_running_heads_footers_and_page_numbers_are_dropped(file: Path) -> None:
    """What repeats at the edges, numbers aside, is no text; what stands there once is."""

    def page(number: int) -> Callable[[Canvas], None]:
        def draw_page(canvas: Canvas) -> None:
            canvas.drawString(60, 800, "Tarnholm Mills Report 2025")
            canvas.drawString(60, 30, f"Chapter {'ABCDE'[number]} {number + 7}")
            canvas.drawString(500, 45, f"{number + 7}")
            canvas.drawString(60, 785, "Tarnholm Mills of the River")
            canvas.drawString(400, 785, f"On {WORDS[number]}")
            column(canvas, [f"Text of page number {WORDS[number]} alone."])
            if number == 2:
                canvas.drawString(60, 50, "A remark that stands at the foot of one page only.")

        return draw_page

    draw(file, *map(page, range(5)))
    extracted = read(file)
    assert extracted.pages == 5
    assert [(block.page, block.text) for block in extracted.blocks] == [
        (1, "Text of page number one alone."),
        (2, "Text of page number two alone."),
        (3, "Text of page number three alone."),
        (3, "A remark that stands at the foot of one page only."),
        (4, "Text of page number four alone."),
        (5, "Text of page number five alone."),
    ]


def test_words_broken_at_line_ends_are_whole_again(file: Path) -> None:
    """The typesetter's hyphen goes, the compound's stays."""
    draw(
        file,
        lambda canvas: column(
            canvas,
            [
                "The long-term plan of the mill is to reduce its emis-",
                "sions, and the new contract with the state is a long-",
                "term one.",
            ],
        ),
    )
    assert read(file).blocks[0].text == (
        "The long-term plan of the mill is to reduce its emissions, and the new contract with the state is a "
        "long-term one."
    )


def test_table_rows_stay_rows(file: Path) -> None:
    """Cells are kept apart, rows are not glued into a sentence, and the prose around them is whole."""

    def page(canvas: Canvas) -> None:
        column(canvas, ["The table shows what the mills emit in each year."], y=730)
        table = [("Mill", "2023", "2024"), ("Aulder works", "1,200", "1,100"), ("Brennick", "900", "950")]
        for place, row in enumerate(table):
            for x, cell in zip((60, 250, 350), row, strict=True):
                canvas.drawString(x, 690 - 14 * place, cell)
        column(canvas, ["All figures are in tonnes."], y=600)

    draw(file, page)
    extracted = read(file)
    (found,) = extracted.tables
    assert [[cell.text for cell in row.cells] for row in found.rows] == [
        ["Mill", "2023", "2024"],
        ["Aulder works", "1,200", "1,100"],
        ["Brennick", "900", "950"],
    ]
    assert [(block.kind, block.table, block.at) for block in extracted.blocks] == [
        ("text", None, None),
        ("table", 0, 1),
        ("table", 0, 2),
        ("text", None, None),
    ]
    assert extracted.blocks[-1].text == "All figures are in tonnes."


def test_what_is_drawn_late_and_stands_above_is_read_first(file: Path) -> None:
    """Titles are often drawn after the text they head."""

    def page(canvas: Canvas) -> None:
        column(canvas, LEFT, y=700)
        column(canvas, RIGHT, y=560)
        canvas.setFont("Helvetica-Bold", 14)
        canvas.drawString(60, 600, "Between the paragraphs")
        canvas.drawString(60, 740, "Above them")

    draw(file, page)
    assert [block.text.split()[0] for block in read(file).blocks] == ["Above", "The", "Between", "pays"]


def test_a_bold_line_is_a_heading_and_a_bold_sentence_is_not(file: Path) -> None:
    """Type set apart heads what follows, unless it is prose."""

    def page(canvas: Canvas) -> None:
        canvas.setFont("Helvetica-Bold", 10)
        canvas.drawString(60, 713, "Water")
        canvas.drawString(60, 640, "The council of the town has asked for a second measuring station.")
        canvas.setFont("Helvetica", 10)
        column(canvas, LEFT)

    draw(file, page)
    assert [block.kind for block in read(file).blocks] == ["heading", "text", "text"]


def test_a_turned_page_is_read_as_one_sees_it(file: Path) -> None:
    """Lines of a page with /Rotate keep their order and stay lines."""

    def page(canvas: Canvas) -> None:
        canvas.setPageRotation(90)
        canvas.rotate(90)
        column(canvas, LEFT, x=60, y=-100)

    draw(file, page)
    assert read(file).blocks[0].text == " ".join(LEFT)


def test_the_title_is_the_declared_one_or_the_largest_type(file: Path) -> None:
    """File names that programs leave in the metadata are no titles."""

    def page(canvas: Canvas) -> None:
        column(canvas, LEFT)
        canvas.setFont("Helvetica", 30)
        canvas.drawString(60, 760, "A Year of Water")

    def declare(name: str) -> Callable[[Canvas], None]:
        return lambda canvas: canvas.setTitle(name)

    draw(file, declare("draft_v3.indd"), page)
    assert read(file).title == "A Year of Water"
    draw(file, declare("Sustainability 2025"), page)
    assert read(file).title == "Sustainability 2025"


def test_pages_without_text_are_named_in_a_warning(file: Path) -> None:
    """One blank page does not spoil a document."""
    draw(file, lambda canvas: column(canvas, LEFT), lambda canvas: column(canvas, []))
    extracted = read(file)
    assert extracted.pages == 2
    assert extracted.warnings == ["pages without text: 2"]


def rejection(path: Path, **limits: int) -> str:
    with pytest.raises(Rejected) as caught:
        read(path, **limits)
    return caught.value.code


def test_a_pdf_that_cannot_be_used_is_rejected_with_its_code(file: Path) -> None:
    """Without text, truncated, too many pages, too much text."""
    draw(file, lambda canvas: canvas.rect(50, 50, 100, 100, fill=1))
    assert rejection(file) == "no_text"
    file.write_bytes(b"%PDF-1.4\n%%EOF\n")
    assert rejection(file) == "unreadable_pdf"
    draw(file, *[lambda canvas: column(canvas, LEFT)] * 3)
    assert rejection(file, pages=2) == "too_many_pages"
    assert rejection(file, characters=300) == "too_many_characters"


@pytest.mark.parametrize("strength", [40, 128])
def test_a_protected_pdf_opens_with_its_password_alone(file: Path, strength: int) -> None:
    """Without it, or with another, the hint tells what the operator can do and never what was tried."""
    locked = StandardEncryption("s\u00e9same", strength=strength)
    draw(file, lambda canvas: column(canvas, LEFT), encrypt=locked)
    assert unlock(file, "s\u00e9same").blocks[0].text == " ".join(LEFT)
    for password in (None, "", "mellon"):
        with pytest.raises(Rejected) as caught:
            unlock(file, password)
        assert caught.value.code == "encrypted"
        assert "docpw-" in caught.value.hint
        assert "mellon" not in caught.value.message + caught.value.hint
    assert "mellon" not in repr(ExtractOptions(password="mellon"))


def page_of(text: str) -> list[Page]:
    return [Page(1, 100, 100, [Line(text, 0, 0, 1, 1)])]


@pytest.mark.parametrize(
    "text",
    [
        "Sus\ufffdainabili\ufffdy repor\ufffds abou\ufffd wa\ufffder",  # no mapping for one letter
        "a\u0110ti\u01c0el\u01c7 suppo\u018cts the \u0175issio\u0176 of the Co\u0175\u0175u\u0176it\u01c7",
        "w\u0561ter \u0561nd cl\u056bmate",  # Armenian inside Latin words
        "\x19\x12",  # no mapping at all
        "7KH PLOO RQ WKH ULYHU " * 10,  # every letter shifted
    ],
)
def test_fonts_that_lie_are_found_out(text: str) -> None:
    """Words that no language writes give a broken ToUnicode table away."""
    assert find_garbled(page_of(text)) == {1}


@pytest.mark.parametrize(
    "text",
    [
        "Die Größe der Flüsse, naïve Façade, Łódź, Žižkov, İstanbul, Đà Nẵng",
        "\u0394T of 1.5 K, 20 \u00b5g per m\u00b3 and \u03b1-particles \u2022 CO\u2082",
        "\u041e\u0442\u0447\u0451\u0442 \u043e \u0432\u043e\u0434\u0435",
        "\u062a\u0642\u0631\u064a\u0631 \u0627\u0644\u0645\u064a\u0627\u0647",
        "McDonald's and iPhone in one sentence",
    ],
)
def test_sound_text_of_any_script_is_not_taken_for_nonsense(text: str) -> None:
    """Accents, Greek symbols and whole texts in another script are what they are."""
    assert not find_garbled(page_of(text))
