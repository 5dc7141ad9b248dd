"""Recognised pages among others: one document, read by the same code."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageDraw
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from shared.extract.core import extract
from shared.extract.pdf.recognition import lay_out
from shared.extract.shapes import (
    Extracted,
    ExtractOptions,
    RecognisedLine,
    RecognisedPage,
    Recognition,
    from_json,
    to_json,
)
from shared.platform.errors import Rejected
from tests.unit.cuts import read_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

WIDTH, HEIGHT = A4
PROSE = (
    "The mill on the river burns bark instead of gas since",
    "the spring of this year and needs far less of it than",
    "before; the ash goes back to the forest that the bark",
    "came from, which the state forester has asked for.",
)
OPENING = "Page {} was scanned; what it has to say is that"
UNREADABLE = "Recognising this page took longer than it may take."


def lines(texts: Sequence[str], *, x: float = 60, y: float = 700, size: float = 12) -> list[RecognisedLine]:
    """With boxes as wide as Helvetica, and as uneven in height as those of a recogniser."""
    return [
        RecognisedLine(
            text,
            (
                x,
                y - 1.3 * size * at - 0.2 * size,
                x + stringWidth(text, "Helvetica", size) + 0.3 * size,
                y - 1.3 * size * at + size * (0.8 + at % 3 / 6),
            ),
            0.97,
        )
        for at, text in enumerate(texts)
    ]


def page(number: int, *found: RecognisedLine, problem: str | None = None) -> RecognisedPage:
    return RecognisedPage(number, WIDTH, HEIGHT, found, confidence=0.97 if found else None, problem=problem)


def of_pages(*pages: RecognisedPage) -> dict[int, RecognisedPage]:
    return {page.page: page for page in pages}


def scan() -> Image.Image:
    """Small dark strokes on light paper."""
    image = Image.new("L", (620, 877), 245)
    pen = ImageDraw.Draw(image)
    for y in range(80, 800, 14):
        for x in range(60, 560, 4):
            if x % 40:
                pen.line((x, y, x + y % 3, y + 8), fill=40)
    return image


def draw(path: Path, kinds: str) -> Path:
    """A page of text for every t, a scan for every s, a blank one for every b."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    picture = ImageReader(scan())
    for at, kind in enumerate(kinds, 1):
        if kind == "s":
            canvas.drawImage(picture, 0, 0, WIDTH, HEIGHT)
        if kind == "t":
            canvas.setFont("Helvetica", 12)
            for place, line in enumerate((f"Page {at} tells of pumps.", *PROSE)):
                canvas.drawString(60, 600 + 11 * at - 16 * place, line)
        canvas.showPage()
    canvas.save()
    path.write_bytes(buffer.getvalue())
    return path


def read(path: Path, recognised: dict[int, RecognisedPage], *, defer_ocr: bool = False) -> Extracted:
    options = ExtractOptions(recognised=recognised, defer_ocr=defer_ocr)
    return extract(path, name="r.pdf", content_type=None, options=options)


def test_scanned_pages_among_others_take_their_place_in_the_document(tmp_path: Path) -> None:
    path = draw(tmp_path / "r.pdf", "tsstst")
    recognised = of_pages(
        *(page(at, *lines((OPENING.format(at), *PROSE), y=600 + 11 * at)) for at in (5, 3, 2))
    )
    extracted = read(path, recognised)
    assert [block.page for block in extracted.blocks] == [1, 2, 3, 4, 5, 6]
    assert extracted.blocks[2].text == " ".join((OPENING.format(3), *PROSE))
    assert extracted.ocr_pages == []
    assert extracted.recognised == [Recognition(at, 0.97) for at in (2, 3, 5)]
    assert extracted.warnings == ["pages whose text was recognised, not read: 3, mean confidence 0.97"]


def test_pages_that_could_not_be_recognised_stay_in_the_list_with_the_reason(tmp_path: Path) -> None:
    path = draw(tmp_path / "r.pdf", "tssb")
    recognised = of_pages(page(2, *lines(PROSE)), page(3, problem=UNREADABLE))
    extracted = read(path, recognised)
    assert extracted.ocr_pages == [3]
    assert extracted.warnings[1:] == [
        "pages that could not be recognised (Recognising this page took longer than it may take): 3",
        "pages without text: 4",
    ]


def test_low_confidence_is_told(tmp_path: Path) -> None:
    path = draw(tmp_path / "r.pdf", "s")
    doubtful = RecognisedPage(1, WIDTH, HEIGHT, tuple(lines(PROSE)), confidence=0.55)
    (_, warning) = read(path, {1: doubtful}).warnings
    assert warning.endswith("with wrong letters: 1")


def test_a_blank_page_is_no_scan_any_more(tmp_path: Path) -> None:
    extracted = read(draw(tmp_path / "r.pdf", "ts"), of_pages(page(2)))
    assert (extracted.ocr_pages, extracted.recognised) == ([], [])
    assert extracted.warnings == ["pages without text: 2"]


def test_a_document_of_scans_alone_can_wait_for_recognition(tmp_path: Path) -> None:
    extracted = read(draw(tmp_path / "r.pdf", "ss"), {}, defer_ocr=True)
    assert (extracted.blocks, extracted.ocr_pages, extracted.pages) == ([], [1, 2], 2)


@pytest.mark.parametrize(
    ("recognised", "code", "words"),
    [
        ({}, "needs_ocr", "is a scan"),
        (of_pages(page(1, problem=UNREADABLE)), "needs_ocr", "could be recognised"),
        (of_pages(page(1)), "no_text", "any text"),
    ],
)
def test_a_document_without_readable_pages_is_rejected(
    tmp_path: Path, recognised: dict[int, RecognisedPage], code: str, words: str
) -> None:
    with pytest.raises(Rejected, match=words) as caught:
        read(draw(tmp_path / "r.pdf", "s"), recognised)
    assert caught.value.code == code


def test_pages_that_the_document_does_not_have_are_ignored(tmp_path: Path) -> None:
    extracted = read(draw(tmp_path / "r.pdf", "t"), of_pages(page(9, *lines(PROSE))))
    assert (extracted.pages, extracted.recognised, extracted.warnings) == (1, [], [])


def test_a_reading_that_waits_has_its_facts_and_one_with_recognition_its_passages(
    tmp_path: Path, tokenizer: Path
) -> None:
    path = draw(tmp_path / "r.pdf", "ss")
    recognised = of_pages(page(1, *lines(PROSE)), page(2, *lines(PROSE)))
    waiting, done = (
        read_apart(path, tokenizer, "r.pdf", recognised=given, defer_ocr=True) for given in (None, recognised)
    )
    assert (waiting.passages, waiting.facts.ocr_pages, waiting.facts.recognised) == ([], [1, 2], [])
    assert [passage.page for passage in done.passages] == [1, 2]
    assert [(each.page, each.confidence) for each in done.facts.recognised] == [(1, 0.97), (2, 0.97)]


def test_headings_tables_and_running_heads_are_found_as_on_any_page(tmp_path: Path) -> None:
    def full(number: int) -> RecognisedPage:
        return page(
            number,
            *lines(("ACME Report 2023 of the mill",), y=820, size=8),
            *lines((f"Water of Plant {number}",), y=725 - 11 * number, size=20),
            *lines((OPENING.format(number), *PROSE), y=700 - 11 * number),
            *lines(("Water used, m3", "Waste, t"), y=500 - 11 * number),
            *lines(("1,200", "33"), x=300, y=500 - 11 * number),
            *lines(("1,100", "31"), x=400, y=500 - 11 * number),
            *lines((str(number),), x=300, y=20, size=8),
        )

    path = draw(tmp_path / "r.pdf", "ssss")
    extracted = read(path, of_pages(*map(full, range(1, 5))))
    assert [(block.kind, block.text) for block in extracted.blocks if block.page == 2][:2] == [
        ("heading", "Water of Plant 2"),
        ("text", " ".join((OPENING.format(2), *PROSE))),
    ]
    assert [[cell.text for cell in row.cells] for row in extracted.tables[1].rows] == [
        ["Water used, m3", "1,200", "1,100"],
        ["Waste, t", "33", "31"],
    ]


def test_columns_are_read_one_after_the_other_and_what_spans_them_before_and_after() -> None:
    """Whatever order the recogniser gives, and though the lines of one column stand lower."""
    left = [f"left column line {at} goes on" for at in range(6)]
    right = [f"right column line {at} goes on" for at in range(6)]
    wide = "a line that is as wide as the whole page and so belongs to none of its columns at all, of"
    found = [
        *lines(right, x=320, y=606),
        *lines((wide,), y=450),
        *lines(left, y=600),
        *lines((wide, wide), y=650),
    ]
    (laid_out,) = lay_out([page(1, *found)]).values()
    assert [line.text for line in laid_out.lines] == [wide, wide, *left, *right, wide]


def test_rows_of_a_dense_table_stay_rows() -> None:
    found = [line for column in range(6) for line in lines(("1,234",) * 150, x=90 * column, y=830, size=4)]
    (laid_out,) = lay_out([page(1, *found)]).values()
    assert [line.cells for line in laid_out.lines] == [("1,234",) * 6] * 150


def test_sizes_of_type_do_not_depend_on_the_letters_of_a_line() -> None:
    (laid_out,) = lay_out([page(1, *lines(PROSE), *lines(("Heading",), y=760, size=18))]).values()
    assert len({line.height for line in laid_out.lines}) == 2


def test_a_short_end_of_a_paragraph_is_no_heading(tmp_path: Path) -> None:
    recognised = of_pages(page(1, *lines((*PROSE[:3], "came from."))))
    (block,) = read(draw(tmp_path / "r.pdf", "s"), recognised).blocks
    assert (block.kind, block.text) == ("text", " ".join((*PROSE[:3], "came from.")))


def test_a_scan_in_another_scale_has_no_headings_for_that(tmp_path: Path) -> None:
    """As where a scanner takes 300 dots an inch for 100 points."""
    large = RecognisedPage(
        2,
        3 * WIDTH,
        3 * HEIGHT,
        (*lines(("Water of the Mill",), y=2_000, size=54), *lines(PROSE, y=1_900, size=36)),
        confidence=0.97,
    )
    blocks = read(draw(tmp_path / "r.pdf", "tst"), {2: large}).blocks
    assert [(block.kind, block.text) for block in blocks if block.page == 2] == [
        ("heading", "Water of the Mill"),
        ("text", " ".join(PROSE)),
    ]


@pytest.mark.parametrize(
    ("rotation", "corner"),
    [
        (0.4, lambda x, y: (x, y)),  # level but for what a scanner adds
        (90, lambda x, y: (y, 3 * WIDTH - x)),
        (179.6, lambda x, y: (3 * WIDTH - x, 3 * HEIGHT - y)),
        (270, lambda x, y: (3 * HEIGHT - y, x)),
    ],
)
def test_boxes_are_in_points_of_the_page_in_its_file(
    tmp_path: Path, rotation: float, corner: Callable[[float, float], tuple[float, float]]
) -> None:
    """Whatever scale it was laid out in, and however it was turned to be read, clockwise."""
    found = tuple(lines(PROSE, y=1_900, size=36))
    turned = RecognisedPage(2, 3 * WIDTH, 3 * HEIGHT, found, confidence=0.97, rotation=rotation)
    [block] = (one for one in read(draw(tmp_path / "r.pdf", "tst"), {2: turned}).blocks if one.page == 2)
    left, top = min(line.box[0] for line in found), max(line.box[3] for line in found)
    right, bottom = max(line.box[2] for line in found), min(line.box[1] for line in found)
    (x0, y0), (x1, y1) = corner(left, 3 * HEIGHT - top), corner(right, 3 * HEIGHT - bottom)
    expected = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    assert block.box == pytest.approx(expected, abs=36 / 2)


def test_json_gives_the_same_pages_and_refuses_others() -> None:
    pages = of_pages(page(3, *lines(PROSE)), page(4, problem=UNREADABLE))
    assert from_json(to_json(pages)) == pages
    with pytest.raises(ValueError, match="validation error"):
        from_json(b'[[1, 2, 3, [["text", 1]], null, 0, null, 0]]')
