"""PDFs that mean harm: each is read or refused in a moment; none runs, opens or fetches anything."""

from __future__ import annotations

import io
import time
import zlib
from typing import TYPE_CHECKING

import pytest
from reportlab.pdfgen.canvas import Canvas

from shared.extract.core import extract
from shared.extract.shapes import Extracted, ExtractOptions, Limits
from shared.platform.errors import Rejected
from tests.unit.cuts import read_apart

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SENTENCE = "The mill on the river burns bark instead of gas since the spring."
SHOW = f"BT /F1 10 Tf 60 700 Td ({SENTENCE}) Tj ET".encode()
FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
SECONDS = 10
"""Of processor time, far more than any of these takes."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    started = time.process_time()
    yield
    assert time.process_time() - started < SECONDS


def stream(data: bytes, head: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (head, len(data), data)


def pdf(*objects: bytes, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A PDF of these objects, numbered from 1, with its cross-reference table."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<</Size %d%s>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def one_page(
    catalog: bytes = b"", page: bytes = PAGE, contents: bytes = SHOW, more: tuple[bytes, ...] = ()
) -> bytes:
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog,
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        page,
        stream(contents),
        FONT,
        *more,
    )


def read(path: Path, data: bytes, **limits: int) -> Extracted:
    path.write_bytes(data)
    return extract(path, name="r.pdf", content_type=None, options=ExtractOptions(limits=Limits(**limits)))


def code(path: Path, data: bytes, **limits: int) -> str:
    with pytest.raises(Rejected) as caught:
        read(path, data, **limits)
    return caught.value.code


def texts(extracted: Extracted) -> list[str]:
    return [block.text for block in extracted.blocks]


def test_a_page_tree_that_loops_ends(file: Path) -> None:
    """Where nodes name each other as children, as many pages come as the file counts, or none."""
    looped = pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R 6 0 R]/Count 4>>",
        PAGE,
        stream(SHOW),
        FONT,
        b"<</Type/Pages/Parent 2 0 R/Kids[2 0 R 6 0 R]/Count 3>>",
    )
    extracted = read(file, looped)
    assert extracted.pages == 4
    assert set(texts(extracted)) == {SENTENCE}
    hollow = pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 3>>")
    assert code(file, hollow) == "unreadable_pdf"


def test_a_hundred_thousand_pages_are_refused_before_one_is_read(file: Path) -> None:
    """A file that only says that it has so many is refused too, or read for what it has."""
    kids = b" ".join([b"3 0 R"] * 100_000)
    many = pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count 100000>>" % kids,
        PAGE,
        stream(SHOW),
        FONT,
    )
    assert code(file, many) == "too_many_pages"
    assert code(file, one_page().replace(b"/Count 1>>", b"/Count 90000>>")) == "too_many_pages"
    assert texts(read(file, one_page().replace(b"/Count 1>>", b"/Count 2000000000>>"))) == [SENTENCE]


@pytest.mark.parametrize(
    "box",
    ["0 0 1e9 1e9", "0 0 1000000000 1000000000", "-1e9 -1e9 1e9 1e9", "0 0 0 0", "0 0 99999 1", "5 5 1 1"],
)
def test_a_page_of_any_size_gives_its_text(file: Path, box: str) -> None:
    """Nothing is drawn at the size that the file asks for."""
    page = PAGE.replace(b"0 0 595 842", box.encode())
    assert texts(read(file, one_page(page=page))) == [SENTENCE]


def test_a_gigantic_picture_is_not_unpacked(file: Path) -> None:
    """A scan of 60,000 by 60,000 pixels is known for a scan by its size alone."""
    image = stream(
        zlib.compress(bytes(1000)),
        b"/Type/XObject/Subtype/Image/Width 60000/Height 60000/BitsPerComponent 8/ColorSpace/DeviceGray"
        b"/Filter/FlateDecode",
    )
    page = PAGE.replace(b"/Font<<", b"/XObject<</I 6 0 R>>/Font<<")
    assert code(file, one_page(page=page, contents=b"595 0 0 842 0 0 cm /I Do", more=(image,))) == "needs_ocr"


def test_scripts_and_embedded_files_are_named_and_left_alone(file: Path) -> None:
    """The text is there, and a warning tells what was not run and not opened."""
    names = (
        b"/OpenAction 6 0 R/Names<</JavaScript<</Names[(go) 6 0 R]>>"
        b"/EmbeddedFiles<</Names[(a) 7 0 R (b) 9 0 R]>>>>"
    )
    files = (
        b"<</Type/Action/S/JavaScript/JS(app.launchURL\\('http://127.0.0.1/'\\))>>",
        b"<</Type/Filespec/F(costs.exe)/UF(costs.exe)/EF<</F 8 0 R>>>>",
        stream(b"MZ"),
        b"<</Type/Filespec/F(\\n\\007plan.pdf)/EF<</F 8 0 R>>>>",
    )
    extracted = read(file, one_page(names, more=files))
    assert texts(extracted) == [SENTENCE]
    assert extracted.warnings == [
        "embedded files, which were not opened (2): costs.exe, plan.pdf",
        "scripts, which were not run: 1",
    ]


def test_external_references_are_not_followed(file: Path) -> None:
    """Pages that point to files and addresses are read without these."""
    page = PAGE.replace(b"/Contents", b"/AA<</O 6 0 R>>/Annots[7 0 R]/Contents")
    actions = (
        b"<</Type/Action/S/Launch/F(/bin/true)/Next<</S/URI/URI(http://127.0.0.1:9/)>>>>",
        b"<</Type/Annot/Subtype/Link/Rect[0 0 600 800]/A<</S/GoToR/F(/etc/passwd)/D[0/Fit]>>>>",
    )
    reference = stream(b"", b"/F(/etc/passwd)")
    assert texts(read(file, one_page(page=page, more=actions))) == [SENTENCE]
    external = pdf(
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", PAGE, reference, FONT
    )
    assert code(file, external) == "no_text"


def outline(count: int, *, deep: bool, looped: bool) -> bytes:
    """A PDF with so many bookmarks, one below the other or each inside of the one before."""
    entries = []
    for place in range(count):
        follower = place + 1 if place + 1 < count else (0 if looped else None)
        link = b"" if follower is None else b"/%s %d 0 R" % (b"First" if deep else b"Next", 7 + follower)
        entries.append(b"<</Title(Bookmark of a deep outline)/Parent 6 0 R/Dest[3 0 R/Fit]%s>>" % link)
    root = b"<</Type/Outlines/First 7 0 R/Last %d 0 R/Count %d>>" % (6 + count, count)
    return one_page(b"/Outlines 6 0 R", more=(root, *entries))


@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize("looped", [True, False])
def test_an_outline_that_loops_or_never_ends_is_cut(file: Path, *, deep: bool, looped: bool) -> None:
    """20,000 bookmarks, nested or in a row, and their last one leading back to the first."""
    extracted = read(file, outline(20_000, deep=deep, looped=looped))
    assert texts(extracted) == ["Bookmark of a deep outline", SENTENCE]


def test_cross_references_that_loop_end(file: Path) -> None:
    """A table that names itself as the one before it."""
    data = one_page()
    start = int(data.rsplit(b"startxref\n", 1)[1].split()[0])
    looped = data.replace(b"/Root 1 0 R", b"/Root 1 0 R/Prev %d" % start)
    assert texts(read(file, looped)) == [SENTENCE]


def drawing_itself(times: int) -> bytes:
    """A page with a form that draws itself so many times."""
    form = stream(SHOW + b" /X Do" * times, b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources 7 0 R")
    resources = b"<</Font<</F1 5 0 R>>/XObject<</X 6 0 R>>>>"
    page = PAGE.replace(b"/Font<<", b"/XObject<</X 6 0 R>>/Font<<")
    return one_page(page=page, contents=b"/X Do", more=(form, resources))


def test_a_group_that_draws_itself_ends(file: Path) -> None:
    """It is followed some forty times."""
    assert len(" ".join(texts(read(file, drawing_itself(1))))) < 100 * len(SENTENCE)


def test_groups_that_multiply_are_stopped_from_outside(file: Path, tokenizer: Path) -> None:
    """Twice forty times over is for ever, and nothing inside of the process can stop pdfium."""
    file.write_bytes(drawing_itself(2))
    with pytest.raises(Rejected) as caught:
        read_apart(file, tokenizer, "r.pdf", extract_seconds=1, extract_memory=1_000_000_000)
    assert caught.value.code in {"too_slow", "too_much_memory"}


def test_a_page_that_inflates_is_cut_at_the_limit_of_characters(file: Path) -> None:
    """A few kilobytes that unpack to millions of letters end as too many characters."""
    line = b"BT /F1 0.1 Tf 60 %.1f Td (%s) Tj ET\n"
    lines = b"".join(line % (place * 0.8, b"water " * 200) for place in range(1_000))
    packed = stream(zlib.compress(lines), b"/Filter/FlateDecode")
    bomb = pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", PAGE, packed, FONT)
    assert len(bomb) < 20_000
    assert code(file, bomb, characters=500_000) == "too_many_characters"


def drawn() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for _ in range(3):
        canvas.drawString(60, 700, SENTENCE)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def test_a_file_cut_off_anywhere_is_read_or_refused(file: Path) -> None:
    """Whatever is left of it, the outcome is text or a code."""
    whole = drawn()
    outcomes: set[str | tuple[str, ...]] = set()
    for end in range(16, len(whole), 61):
        try:
            outcomes.add(tuple(texts(read(file, whole[:end]))))
        except Rejected as refused:
            outcomes.add(refused.code)
    assert {"unreadable_pdf", (SENTENCE,) * 3} <= outcomes


def test_a_file_without_its_table_is_read(file: Path) -> None:
    """The objects are found again where the cross-reference table is missing or wrong."""
    whole = one_page()
    without = whole[: whole.rindex(b"xref\n0")] + b"trailer\n<</Root 1 0 R>>\n"
    assert texts(read(file, without)) == [SENTENCE]
    assert texts(read(file, whole.replace(b"0000000", b"0000999"))) == [SENTENCE]
