"""Is a page a picture of text? However its image is stored, and whatever stands beside it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

import pytest
from PIL import Image, ImageOps
from reportlab.lib.utils import ImageReader

from shared.extract.pdf.pixels import sample
from tests.unit.test_extract_pdf_pages import (
    HEIGHT,
    WIDTH,
    draw,
    photograph,
    picture,
    prose,
    read,
    scan_of_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reportlab.pdfgen.canvas import Canvas

    Page = Callable[[Canvas], None]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("reportlab.rl_config.useA85", 0)  # images as other programs write them
    return tmp_path / "upload"


def jpeg(image: Image.Image) -> Page:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)

    def page(canvas: Canvas) -> None:
        canvas.drawImage(ImageReader(buffer), 0, 0, WIDTH, HEIGHT)

    return page


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("store", [picture, jpeg])
def test_scans_are_told_from_photographs_and_covers(
    file: Path, store: Callable[[Image.Image], Page], mode: Literal["L", "RGB"]
) -> None:
    """Grey or in colour, as JPEG or packed without loss."""
    cover = Image.new("RGB", (620, 877), (20, 60, 120))
    images = (scan_of_text(), photograph(), cover)
    draw(file, prose, *(page for image in images for page in (store(image.convert(mode)), prose)))
    assert read(file).ocr_pages == [2]


def test_letters_that_a_mask_cuts_out_of_black_are_seen(file: Path) -> None:
    """The image alone is black all over."""
    black = Image.new("RGB", (620, 877))
    black.putalpha(ImageOps.invert(scan_of_text(paper=255, ink=0)))

    def page(canvas: Canvas) -> None:
        canvas.drawImage(ImageReader(black), 0, 0, WIDTH, HEIGHT, mask="auto")

    draw(file, prose, page, prose)
    assert read(file).ocr_pages == [2]


def test_a_photograph_between_two_scans_is_taken_for_one(file: Path) -> None:
    """It belongs to what was scanned; one before the first scan, or apart, does not."""
    scan, photo = picture(scan_of_text()), picture(photograph())
    draw(file, photo, scan, photo, scan, photo, prose, photo, prose)
    assert read(file).ocr_pages == [2, 3, 4]


def test_curves_over_an_image_are_looked_at(file: Path) -> None:
    """A page of letters in outline upon a picture of paper is a page of text."""

    def page(canvas: Canvas) -> None:
        picture(Image.new("RGB", (620, 877), (250, 250, 245)))(canvas)
        letters = canvas.beginPath()
        for row in range(40):
            for place in range(60):
                letters.moveTo(60 + 8 * place, 700 - 14 * row)
                letters.lineTo(63 + 8 * place, 708 - 14 * row)
                letters.lineTo(65 + 8 * place, 700 - 14 * row)
        canvas.drawPath(letters, stroke=1, fill=0)

    draw(file, prose, page, prose)
    assert read(file).ocr_pages == [2]


def test_the_pixels_of_an_image_are_a_few_rows_of_it_in_grey(file: Path) -> None:
    """As one sees it: a light and a dark half."""
    import pypdfium2.raw as pdfium

    image = Image.new("RGB", (600, 900), (250, 250, 250))
    image.paste((200, 30, 30), (0, 450, 600, 900))
    for store in (picture, jpeg):
        draw(file, store(image))
        document = pdfium.FPDF_LoadDocument(str(file).encode(), None)
        page = pdfium.FPDF_LoadPage(document, 0)
        shown = [pdfium.FPDFPage_GetObject(page, at) for at in range(pdfium.FPDFPage_CountObjects(page))]
        found = next(item for item in shown if pdfium.FPDFPageObj_GetType(item) == pdfium.FPDF_PAGEOBJ_IMAGE)
        rows = sample(page, found)
        pdfium.FPDF_ClosePage(page)
        pdfium.FPDF_CloseDocument(document)
        assert rows is not None
        assert {len(row) for row in rows} == {200}
        assert len(rows) == 100
        assert abs(rows[10][50] - 250) <= 3
        assert abs(rows[90][50] - (0.299 * 200 + 0.701 * 30)) <= 5
