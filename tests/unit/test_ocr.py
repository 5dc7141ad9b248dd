"""Text recognition, with its engine: pages drawn by the tests as pictures of text."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, cast

import numpy as np
import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from reportlab.lib.pagesizes import A5
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

pytest.importorskip("rapidocr", reason="the engine of text recognition is not installed")

from long_job.ocr.drawing import MAX_PIXELS, Picture, picture_size
from long_job.ocr.page import Illegible, Reader
from long_job.ocr.recogniser import Recogniser
from shared.extract.shapes import ExtractOptions, RecognisedPage
from tests.unit.cuts import read_apart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from long_job.ocr.engine import Engine

WIDTH, HEIGHT = A5
X, Y, STEP, SIZE = 40, 500, 18, 12
TEXT = (
    "The mill on the river burns bark instead of gas since",
    "the spring of 2023 and needs 1,250 MWh less than before;",
    "the ash goes back to the forest that the bark came from,",
    "which the state forester has asked for twice.",
)
DPI = 150


@pytest.fixture(scope="module")
def recogniser() -> Iterator[Recogniser]:
    recogniser = Recogniser(workers=2)
    yield recogniser
    recogniser.close()


def picture(lines: Sequence[str] = TEXT) -> Image.Image:
    """A page of text as a scanner sees it, at `DPI`."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A5)
    canvas.setFont("Helvetica", SIZE)
    for at, line in enumerate(lines):
        canvas.drawString(X, Y - STEP * at, line)
    canvas.save()
    page = pypdfium2.PdfDocument(buffer.getvalue())[0]
    drawn: Image.Image = page.render(scale=DPI / 72, grayscale=True).to_pil()
    return drawn


def scan(path: Path, *pictures: Image.Image, size: tuple[float, float] = A5, password: str = "") -> Path:
    """A PDF with each picture as a page; an upright picture fills it."""
    lock = StandardEncryption(password, canPrint=1) if password else None
    canvas = Canvas(str(path), pagesize=size, encrypt=lock)
    for each in pictures:
        wide, high = size if each.width < each.height else size[::-1]
        canvas.setPageSize((wide, high))
        canvas.drawImage(ImageReader(each), 0, 0, wide, high)
        canvas.showPage()
    canvas.save()
    return path


def read(recogniser: Recogniser, path: Path, *pages: int) -> dict[int, RecognisedPage]:
    return {page.page: page for page in recogniser.recognise(path, pages)}


def texts(page: RecognisedPage) -> list[str]:
    """From top to bottom."""
    return [line.text for line in sorted(page.lines, key=lambda line: -line.box[1])]


def test_a_page_is_read_and_each_line_found_where_it_stands(recogniser: Recogniser, tmp_path: Path) -> None:
    page = read(recogniser, scan(tmp_path / "r.pdf", picture()), 1)[1]
    assert texts(page) == list(TEXT)
    assert (round(page.width), round(page.height)) == (round(WIDTH), round(HEIGHT))
    assert (page.problem, abs(page.rotation) < 0.2) == (None, True)
    assert page.confidence is not None
    assert page.confidence > 0.95
    for at, line in enumerate(sorted(page.lines, key=lambda line: -line.box[1])):
        left, bottom, _, top = line.box
        assert abs(left - X) < 4
        assert bottom < Y - STEP * at + SIZE / 3 < top


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param(1, id="on its side"),
        pytest.param(2, id="upside down"),
        pytest.param(3, id="on its other side", marks=pytest.mark.slow),
    ],
)
def test_a_page_that_is_turned_is_turned_back(recogniser: Recogniser, tmp_path: Path, turns: int) -> None:
    """Its size and boxes are those of the upright page."""
    turned = Image.fromarray(np.rot90(np.asarray(picture()), -turns))
    page = read(recogniser, scan(tmp_path / "r.pdf", turned), 1)[1]
    assert texts(page) == list(TEXT)
    assert page.width < page.height
    assert abs(page.rotation % 360 - (360 - 90 * turns)) < 0.2
    assert all(abs(line.box[0] - X) < 4 for line in page.lines)


@pytest.mark.parametrize("degrees", [pytest.param(-2.0, marks=pytest.mark.slow), 3.0])
def test_a_tilted_page_is_levelled(recogniser: Recogniser, tmp_path: Path, degrees: float) -> None:
    tilted = picture().rotate(-degrees, fillcolor=255, resample=Image.Resampling.BICUBIC)
    page = read(recogniser, scan(tmp_path / "r.pdf", tilted), 1)[1]
    assert texts(page) == list(TEXT)
    assert page.rotation == pytest.approx(-degrees, abs=0.3)
    lefts = [line.box[0] for line in page.lines]
    assert max(lefts) - min(lefts) < 4


def test_a_blank_page_has_no_lines_and_no_problem(recogniser: Recogniser, tmp_path: Path) -> None:
    page = read(recogniser, scan(tmp_path / "r.pdf", picture(())), 1)[1]
    assert (page.lines, page.confidence, page.problem) == ((), None, None)


class Illiterate:
    """An engine that finds lines and reads none of them."""

    batch = 1

    def __init__(self, lines: int) -> None:
        tops = np.arange(lines, dtype=np.float32) * 40
        box = np.asarray([(10, 10), (400, 10), (400, 30), (10, 30)], np.float32)
        self._boxes = box + np.stack([np.zeros_like(tops), tops], axis=1)[:, None]

    def find(self, _: object) -> object:
        return self._boxes

    def upside_down(self, _: object) -> float:
        return 0.0

    def read(self, lines: Sequence[object]) -> Iterator[tuple[str, float]]:
        return iter([("|", 0.3)] * len(lines))


def test_a_page_of_which_no_line_can_be_read_is_not_taken_for_a_blank_one() -> None:
    pixels = np.full((800, 600), 255, np.uint8)
    deadline = time.monotonic() + 60
    with pytest.raises(Illegible):
        Reader(cast("Engine", Illiterate(12)), Picture(pixels, 300, 400), deadline).read()
    assert Reader(cast("Engine", Illiterate(1)), Picture(pixels, 300, 400), deadline).read() == ()


def test_a_page_of_a_wall_is_drawn_within_the_limit(recogniser: Recogniser, tmp_path: Path) -> None:
    """At the resolution of other pages it would have 1,100 million pixels."""
    page = read(recogniser, scan(tmp_path / "r.pdf", picture(), size=(10_000, 14_400)), 1)[1]
    assert texts(page) == list(TEXT)
    assert page.width == pytest.approx(10_000)


@given(width=st.floats(1e-3, 1e6), height=st.floats(1e-3, 1e6))
def test_no_page_is_drawn_with_more_pixels_than_allowed(width: float, height: float) -> None:
    columns, rows = picture_size(width, height)
    assert columns >= 1
    assert rows >= 1
    assert columns * rows <= MAX_PIXELS


def test_what_is_wrong_with_a_page_does_not_end_the_others(recogniser: Recogniser, tmp_path: Path) -> None:
    pages = read(recogniser, scan(tmp_path / "r.pdf", picture(TEXT[:1])), 9, 1)
    assert pages[9].problem == "The page is damaged and cannot be drawn."
    assert texts(pages[1]) == [TEXT[0]]


def test_a_damaged_file_is_a_problem_of_its_pages(recogniser: Recogniser, tmp_path: Path) -> None:
    path = scan(tmp_path / "r.pdf", picture(TEXT[:1]))
    path.write_bytes(path.read_bytes()[:200])
    assert {page.problem for page in read(recogniser, path, 1, 2).values()} == {
        "The page is damaged and cannot be drawn."
    }


def test_time_and_memory_of_a_page_are_limited(recogniser: Recogniser, tmp_path: Path) -> None:
    path = scan(tmp_path / "r.pdf", picture())
    (slow,) = recogniser.recognise(path, [1], seconds=0.05)
    (large,) = recogniser.recognise(path, [1], memory=8 << 20)
    assert slow.problem is not None
    assert "longer than" in slow.problem
    assert large.problem is not None
    assert "memory" in large.problem


def test_whoever_stops_taking_pages_does_not_wait_for_all(recogniser: Recogniser, tmp_path: Path) -> None:
    path = scan(tmp_path / "r.pdf", *[picture(TEXT[:2])] * 20)
    pages = recogniser.recognise(path, range(1, 21))
    start = time.monotonic()
    next(pages)
    first = time.monotonic() - start
    pages.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 10 * first + 2


def test_a_locked_document_is_read_with_its_password(recogniser: Recogniser, tmp_path: Path) -> None:
    path = scan(tmp_path / "r.pdf", picture(TEXT[:1]), password="open sesame")
    (page,) = recogniser.recognise(path, [1], password="open sesame")
    (shut,) = recogniser.recognise(path, [1], password="close sesame")
    assert texts(page) == [TEXT[0]]
    assert shut.problem is not None


def test_a_report_with_scanned_pages_is_one_document(
    recogniser: Recogniser, tmp_path: Path, tokenizer: Path
) -> None:
    """From the pictures to passages: in order, each with its page."""
    path = tmp_path / "report.pdf"
    canvas = Canvas(str(path), pagesize=A5)
    for number in range(1, 7):
        lines = (f"Page {number} of the report says what follows here.", *TEXT)
        if number in {2, 3, 5}:
            canvas.drawImage(ImageReader(picture(lines)), 0, 0, WIDTH, HEIGHT)
        else:
            canvas.setFont("Helvetica", SIZE)
            for at, line in enumerate(lines):
                canvas.drawString(X, Y - STEP * at - 20 * number, line)
        canvas.showPage()
    canvas.save()

    def passages(recognised: dict[int, RecognisedPage]) -> tuple[list[tuple[int | None, str]], list[int]]:
        reading = read_apart(path, tokenizer, "report.pdf", recognised=recognised, defer_ocr=True)
        return [(passage.page, passage.text) for passage in reading.passages], reading.facts.ocr_pages

    _, needed = passages({})
    assert needed == [2, 3, 5]
    found, left = passages(read(recogniser, path, *needed))
    assert left == []
    numbers = [number for number, _ in found]
    assert numbers == sorted(numbers, key=lambda number: number or 0)
    assert set(numbers) == set(range(1, 7))
    for number in range(1, 7):
        own = " ".join(text for page, text in found if page == number)
        assert f"Page {number} of the report says" in own


def test_options_with_recognised_pages_do_not_show_text_where_they_are_printed() -> None:
    options = ExtractOptions(recognised={1: RecognisedPage(1, 1, 1)})
    assert "recognised" not in repr(options)
