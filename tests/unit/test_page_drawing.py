"""Pages of PDFs are drawn as they are seen, and the boxes of a passage hold its words there."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import pypdfium2
import pytest
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from shared.intake.drawing import MAX_BOXES, draw, place, size
from shared.platform.errors import Rejected
from tests.unit.pdf_pages import PROSE, prose
from tests.unit.pdf_pages import draw as write

if TYPE_CHECKING:
    from pathlib import Path

PASSAGE = " ".join(PROSE)
PIXELS = 1_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "report.pdf"


def image(path: Path, **asked: Any) -> Image.Image:
    arguments = {"page": 1, "width": 400, "pixels": PIXELS, "password": None} | asked
    [[columns, rows, text]] = draw(path, **arguments)
    opened = Image.open(io.BytesIO(base64.b64decode(text)))
    assert (opened.format, opened.size) == ("JPEG", (columns, rows))
    return opened.convert("L")


def boxes(path: Path, *passages: list[Any], read: bool = True) -> list[list[list[float]]]:
    return list(place(path, page=1, password=None, read=read, passages=list(passages)))


def is_written(picture: Image.Image, box: list[float]) -> bool:
    """Whether a part of a picture has anything dark in it."""
    sides = [picture.width, picture.height] * 2
    part = picture.crop(tuple(round(share * side) for share, side in zip(box, sides, strict=True)))  # type: ignore[arg-type]
    return part.getextrema()[0] < 128  # type: ignore[operator]


def turned(path: Path, quarters: int) -> None:
    document = pypdfium2.PdfDocument(path.read_bytes())
    document[0].set_rotation(90 * quarters)
    document[0].set_cropbox(30, 400, 500, 800)
    document.save(path)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_boxes_stand_on_the_image_where_the_words_do(file: Path, quarters: int) -> None:
    """Also where the page is turned, and shown in part: each box has ink in it, and nothing else has."""
    write(file, prose)
    turned(file, quarters)
    [found] = boxes(file, [PASSAGE, None, False])
    assert len(found) == len(PROSE)
    picture = image(file)
    assert picture.width / picture.height == pytest.approx(400 / 470 if quarters % 2 else 470 / 400, rel=0.01)
    for box in found:
        assert is_written(picture, box)
        sides = [picture.width, picture.height] * 2
        part = [round(share * side) for share, side in zip(box, sides, strict=True)]
        picture.paste(255, (part[0] - 1, part[1] - 1, part[2] + 1, part[3] + 1))
    assert picture.getextrema()[0] > 128  # type: ignore[operator]


def test_a_row_has_its_box_and_so_has_a_recognised_passage(file: Path) -> None:
    """In shares of the page, and within it: what the row's text says is not on the page as such."""
    write(file, prose)
    wide, high = A4
    around = [wide / 4, high / 2, wide / 2, 2 * high]
    [row] = boxes(file, [None, around, False])
    [recognised] = boxes(file, [PASSAGE, around, False], read=False)
    assert row == recognised == [[0.25, 0.5, 0.5, 1.0]]


def test_a_passage_that_is_not_found_has_the_box_of_its_paragraph(file: Path) -> None:
    """Without such a box it has none."""
    write(file, prose)
    text = "Of something else."
    [known, unknown] = boxes(file, [text, [0, 0, *A4], False], [text, None, False])
    assert (known, unknown) == ([[0, 0, 1, 1]], [])


def test_scattered_letters_have_one_box(file: Path) -> None:
    """Each of them is a line of its own."""

    def scattered(canvas: Canvas) -> None:
        for at, letter in enumerate(PASSAGE):
            canvas.drawString(60 + 100 * (at % 5), 60 + 3 * at, letter)

    write(file, scattered)
    [found] = boxes(file, [PASSAGE, None, False])
    assert len(PASSAGE) > MAX_BOXES
    assert len(found) == 1


def test_what_the_page_does_not_show_has_no_box(file: Path) -> None:
    """A page may be a part of a spread, and hold the other one beyond its edge."""
    write(file, prose)
    assert boxes(file, [None, [-90, 10, -20, 20], False]) == [[]]


def test_an_encrypted_file_is_opened_by_its_password(file: Path) -> None:
    """Without it, or by another one, the refusal is the one of ingest."""
    canvas = Canvas(str(file), pagesize=A4, encrypt="mill")
    prose(canvas)
    canvas.save()
    assert image(file, password="mill").getextrema()[0] < 128  # type: ignore[operator]
    for password in (None, "gate"):
        with pytest.raises(Rejected, match="password") as caught:
            image(file, password=password)
        assert caught.value.code == "encrypted"


def test_a_page_that_is_not_there_is_refused(file: Path) -> None:
    write(file, prose)
    for page in (0, 2):
        with pytest.raises(Rejected) as caught:
            image(file, page=page)
        assert caught.value.code == "no_such_page"


@pytest.mark.parametrize(
    ("wide", "high", "expected"),
    [
        (600, 800, (400, 533)),
        (800, 600, (400, 300)),
        (10, 14_400, (26, 37_947)),  # 400 pixels of width would be 230 million
        (14_400, 1, (400, 1)),  # a row of pixels at least
        (1e-6, 1e6, (1, PIXELS)),
    ],
)
def test_an_image_has_at_most_so_many_pixels(wide: float, high: float, expected: tuple[int, int]) -> None:
    """A page like a ribbon is drawn narrower."""
    columns, rows = size(wide, high, 400, PIXELS)
    assert (columns, rows) == expected
    assert columns * rows <= PIXELS


@pytest.mark.parametrize("sides", [(0.0, 10.0), (10.0, float("inf")), (float("nan"), 1.0)])
def test_a_page_without_a_size_cannot_be_drawn(sides: tuple[float, float]) -> None:
    with pytest.raises(Rejected) as caught:
        size(*sides, 400, PIXELS)
    assert caught.value.code == "unreadable_pdf"
