"""Draw a page of a PDF, and find passages on it: what `shared.intake.pages` has the confined process do."""

from __future__ import annotations

import base64
import ctypes
import io
import math
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from shared.extract.pdf.reader import Turn, char_boxes, load_error, page_text
from shared.extract.refusals import no_such_page, not_drawn
from shared.text.places import Finder, lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.platform.tables import Box

Handle = Any  # of pdfium: a ctypes pointer or structure; the library has no stubs

MAX_BOXES = 60
"""Boxes of one passage; where there are more, as in text that runs upwards, one is drawn around them."""
QUALITY = 75
"""Quality of the JPEG, out of 100: WebP has a third fewer bytes and takes 10 times as long."""
_WHITE = 0xFFFFFFFF
_MARGIN = 2.0  # points around a paragraph's box, which is rounded


def draw(path: Path, *, page: int, width: int, pixels: int, password: str | None) -> Iterator[list[Any]]:
    """Draw page `page` (from 1), `width` pixels wide; yield columns, rows, and a JPEG in base64.

    A page that would have more than so many `pixels`, as it is very high, is drawn narrower.

    Raises:
        Rejected: `encrypted`, `unreadable_pdf`, `no_such_page`.
    """
    from PIL import Image

    with _opened(path, page, password) as handle:
        wide, high = pdfium.FPDF_GetPageWidthF(handle), pdfium.FPDF_GetPageHeightF(handle)
        columns, rows = size(wide, high, width, pixels)
        bitmap = pdfium.FPDFBitmap_CreateEx(columns, rows, pdfium.FPDFBitmap_BGRx, None, 0)
        if not bitmap:
            raise MemoryError
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, columns, rows, _WHITE)
        flags = pdfium.FPDF_ANNOT | pdfium.FPDF_RENDER_LIMITEDIMAGECACHE
        pdfium.FPDF_RenderPageBitmap(bitmap, handle, 0, 0, columns, rows, 0, flags)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        drawn = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * rows)
    image = Image.frombytes("RGB", (columns, rows), drawn, "raw", "BGRX", stride)
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=QUALITY)
    yield [columns, rows, base64.b64encode(encoded.getvalue()).decode()]


def size(wide: float, high: float, width: int, pixels: int) -> tuple[int, int]:
    """Return columns and rows of the image of a page of `wide` times `high` points.

    Raises:
        Rejected: `unreadable_pdf`; the page has no size.
    """
    if not (0 < wide < math.inf and 0 < high < math.inf):
        raise not_drawn()
    columns = min(width, math.sqrt(pixels * wide / high))
    columns, rows = max(1, int(columns)), max(1, int(columns * high / wide))
    return columns, min(rows, pixels // columns)


def place(
    path: Path, *, page: int, password: str | None, read: bool, passages: list[list[Any]]
) -> Iterator[list[list[float]]]:
    """Yield for each passage the boxes that hold its text, in shares of the page's width and height.

    A passage is its text, or None where only its box counts; the box around its paragraphs in points, or
    None; and whether it was begun on the page before. Without `read`, the text of the page was recognised, so
    pdfium does not know where it stands.

    Raises:
        Rejected: as `draw`.
    """
    with _opened(path, page, password) as handle:
        box = pdfium.FS_RECTF()
        pdfium.FPDF_GetPageBoundingBox(handle, box)
        turn = Turn(pdfium.FPDFPage_GetRotation(handle), box)
        characters = _Characters(handle if read else None, turn)
        finder = Finder(characters.text, characters.stands_in)
        for text, around, begun in passages:
            found = [] if text is None else finder.find(text, around, begun=begun)
            boxes = lines(characters.box(at) for start, end in found for at in range(start, end))
            if len(boxes) > MAX_BOXES:
                boxes = [_around(boxes)]
            shares = (_shares(one, turn) for one in boxes or ([around] if around else []))
            yield [[x0, y0, x1, y1] for x0, y0, x1, y1 in shares if x0 < x1 and y0 < y1]  # some are cropped


class _Characters:
    """The characters of a page, and where they stand on it as it is seen."""

    def __init__(self, page: Handle | None, turn: Turn) -> None:
        self.text = ""
        self._sides: tuple[list[float], ...] = ([], [], [], [])
        text_page = pdfium.FPDFText_LoadPage(page) if page else None
        if not text_page:
            return
        try:
            self.text = page_text(text_page)
            address = ctypes.cast(text_page, ctypes.c_void_p).value or 0
            places = list(range(len(self.text)))
            if len(self.text) != pdfium.FPDFText_CountChars(text_page):  # there are glyphs without a letter
                places = [pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, at) for at in places]
            flat = char_boxes(address, places)
        finally:
            pdfium.FPDFText_ClosePage(text_page)
        left, top, right, bottom = (list(flat[side::4]) for side in range(4))
        self._sides = turn(left, top, right, bottom)

    def box(self, at: int) -> Box:
        x0, y0, x1, y1 = self._sides
        return x0[at], y0[at], x1[at], y1[at]

    def stands_in(self, at: int, around: Box) -> bool:
        """Whether the middle of a character is in a box."""
        x0, y0, x1, y1 = self.box(at)
        across = around[0] - _MARGIN <= (x0 + x1) / 2 <= around[2] + _MARGIN
        return across and around[1] - _MARGIN <= (y0 + y1) / 2 <= around[3] + _MARGIN


def _around(boxes: list[Box]) -> Box:
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _shares(box: Box, turn: Turn) -> list[float]:
    sizes = chain.from_iterable([(turn.width, turn.height)] * 2)
    return [round(min(1.0, max(0.0, at / all_)), 4) for at, all_ in zip(box, sizes, strict=True)]


@contextmanager
def _opened(path: Path, page: int, password: str | None) -> Iterator[Handle]:
    secret = password.encode() if password is not None else None
    document = pdfium.FPDF_LoadDocument(str(path).encode(), secret)
    if not document:
        raise load_error(pdfium.FPDF_GetLastError(), tried=password is not None)
    if not 0 < page <= pdfium.FPDF_GetPageCount(document):
        raise no_such_page(page)
    handle = pdfium.FPDF_LoadPage(document, page - 1)
    if not handle:
        raise not_drawn()
    yield handle  # the process ends, and all handles with it
