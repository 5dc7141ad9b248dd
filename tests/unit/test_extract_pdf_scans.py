"""Scans, pictures, and fonts that lie: which pages have to be recognised."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageDraw
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader

from shared.platform.errors import Rejected
from tests.unit.pdf_pages import PROSE, blocks, draw, prose, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = A4


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


def blank(canvas: Canvas) -> None:
    prose(canvas, ())


def scan_of_text(*, paper: int = 245, ink: int = 40) -> Image.Image:
    """A page as a scanner sees it: lines of small dark strokes on light paper."""
    image = Image.new("L", (620, 877), paper)
    pen = ImageDraw.Draw(image)
    chance = random.Random(7)
    for y in range(80, 800, 14):
        x = 60
        while x < 560:
            word = chance.randrange(10, 50)
            for stroke in range(x, x + word, 4):
                pen.line((stroke, y, stroke + chance.randrange(3), y + 8), fill=ink)
            x += word + 8
    return image


def photograph() -> Image.Image:
    """Every tone, without a background."""
    return Image.radial_gradient("L").resize((620, 877))


def picture(image: Image.Image, caption: str = "", strips: int = 1) -> Callable[[Canvas], None]:
    def page(canvas: Canvas) -> None:
        high = image.height // strips
        for strip in range(strips):
            part = image.crop((0, strip * high, image.width, (strip + 1) * high))
            canvas.drawImage(
                ImageReader(part), 0, HEIGHT * (1 - (strip + 1) / strips), WIDTH, HEIGHT / strips
            )
        canvas.drawString(60, 40, caption)

    return page


def test_three_scanned_pages_leave_a_report_one_document(file: Path) -> None:
    """They are listed and named in a warning; the other pages are read, the blank one is no scan."""
    scan = picture(scan_of_text(), "Annex, page 3")
    draw(file, prose, scan, scan, prose, picture(scan_of_text(), strips=5), blank)
    extracted = read(file)
    assert extracted.ocr_pages == [2, 3, 5]
    assert [block.page for block in extracted.blocks] == [1, 4]
    assert extracted.warnings == [
        "pages that are scans, whose text has yet to be recognised: 2, 3, 5",
        "pages without text: 6",
    ]


def test_covers_photographs_and_blank_pages_are_no_scans(file: Path) -> None:
    """They have as little text under as large an image, and nothing to recognise."""
    plain = Image.new("L", (620, 877), 250)
    dark = Image.new("L", (620, 877), 30)
    cover = picture(photograph(), "A Year of Water")
    draw(file, cover, prose, *(picture(image) for image in (photograph(), plain, dark)))
    assert read(file).ocr_pages == []


def test_text_over_a_full_picture_is_text(file: Path) -> None:
    """A scan whose text was recognised already carries it; it is not sent again."""

    def page(canvas: Canvas) -> None:
        picture(scan_of_text())(canvas)
        prose(canvas)

    draw(file, page)
    assert read(file).ocr_pages == []
    assert blocks(file) == [("text", " ".join(PROSE))]


@pytest.mark.parametrize("paper", [200, 245])
def test_a_pdf_of_scans_alone_needs_ocr(file: Path, paper: int) -> None:
    """The refusal says in a sentence that it is a scan, and what to do."""
    draw(file, *[picture(scan_of_text(paper=paper), "7")] * 3)
    with pytest.raises(Rejected) as caught:
        read(file)
    assert caught.value.code == "needs_ocr"
    assert "scan" in caught.value.message
    assert "OCR" in caught.value.hint


def test_where_nothing_has_text_a_picture_may_hold_a_few_words(file: Path) -> None:
    """A scan of one line looks like a cover; where no page can be read, it is recognised all the same."""
    image = Image.new("L", (620, 877), 245)
    pen = ImageDraw.Draw(image)
    for x in range(60, 200, 4):
        pen.line((x, 82, x, 88), fill=40)
    draw(file, picture(image), blank)
    with pytest.raises(Rejected) as caught:
        read(file)
    assert caught.value.code == "needs_ocr"
    draw(file, picture(image), prose)
    assert read(file).ocr_pages == []


@pytest.mark.parametrize("image", [photograph(), Image.new("L", (620, 877), 250)], ids=["photo", "paper"])
def test_a_picture_of_nothing_written_holds_no_text(file: Path, image: Image.Image) -> None:
    """Recognising it would be in vain."""
    draw(file, picture(image))
    with pytest.raises(Rejected) as caught:
        read(file)
    assert caught.value.code == "no_text"


def test_letters_drawn_as_curves_need_ocr(file: Path) -> None:
    """Some programs turn text into outlines; a page has then hundreds of small shapes and no letters."""

    def page(canvas: Canvas) -> None:
        for row in range(40):
            for column in range(60):
                canvas.rect(60 + 7 * column, 760 - 15 * row, 2 + column % 3, 8, stroke=0, fill=1)

    draw(file, page)
    with pytest.raises(Rejected) as caught:
        read(file)
    assert caught.value.code == "needs_ocr"


def test_of_many_scans_a_sample_is_looked_at(file: Path) -> None:
    """A hundred pages are all found, though only some are drawn to look at them."""
    image = ImageReader(scan_of_text())
    draw(file, *[lambda canvas: canvas.drawImage(image, 0, 0, WIDTH, HEIGHT)] * 100, prose)
    assert read(file).ocr_pages == list(range(1, 101))


def shifted() -> list[str]:
    """Prose as it comes out where a font numbers its letters from 0 up."""
    return [
        "".join(chr(ord(letter) - 29) if letter.isalpha() else letter for letter in line) for line in PROSE
    ]


def test_pages_whose_letters_are_shifted_are_left_out(file: Path) -> None:
    """One page of nonsense goes to recognition, its text nowhere else; the others are read."""
    draw(file, prose, lambda canvas: prose(canvas, shifted()), prose)
    extracted = read(file)
    assert extracted.ocr_pages == [2]
    assert {block.page for block in extracted.blocks} == {1, 3}
    assert extracted.warnings == ["pages whose fonts do not say which letters they draw: 2"]


def test_a_pdf_of_shifted_letters_says_that_its_fonts_lie(file: Path) -> None:
    """It is refused with a sentence of its own: it is no scan."""
    draw(file, lambda canvas: prose(canvas, shifted()))
    with pytest.raises(Rejected) as caught:
        read(file)
    assert caught.value.code == "needs_ocr"
    assert "fonts" in caught.value.message
