"""A page's text in one call to pdfium, then two boxes a word and two fonts a line.

Asking pdfium for every character's box through ctypes takes several times as long as reading the text does.
Lines need less: where each word begins and ends tells cells and columns apart, the font of the first and last
word tells headings.
"""

from __future__ import annotations

import ctypes
import functools
import re
from array import array
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from shared.extract.pdf.lines import Page, Word, cut_line
from shared.extract.tidy import squeeze

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from shared.extract.pdf.lines import Line

Box = tuple[float, float, float, float]
Handle = Any  # of pdfium: a ctypes pointer or structure; the library has no stubs

_BREAK = "\ufffe"  # what pdfium puts for a hyphen at a line's end, in the place of the line break
_LINES = re.compile(f"[^\r\n{_BREAK}]+{_BREAK}?")
_WORDS = re.compile(r"\S+")
_UPSIDE_DOWN = 2  # quarter turns
_NAME_BYTES = 128
_SIGNS = re.compile(r"(?i)dingbat|wingding|webding")  # fonts whose letters are drawn as signs
_BULLET = "\u2022"

# The same function with addresses for arguments: ctypes makes no objects for them, twice a word.
_char_box = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(
    ctypes.cast(pdfium.FPDFText_GetLooseCharBox, ctypes.c_void_p).value or 0
)


def read_page(handle: Handle, number: int, room: int) -> tuple[Page, int]:
    """The page's lines, and how many characters it has; no lines where these are more than `room`."""
    text_page = pdfium.FPDFText_LoadPage(handle)
    if not text_page:
        return Page(number, 0, 0, []), 0
    try:
        text = _text(text_page)
        if not text or len(text) > room:
            return Page(number, 0, 0, []), len(text)
        box = pdfium.FS_RECTF()
        pdfium.FPDF_GetPageBoundingBox(handle, box)
        turn = _Turn(pdfium.FPDFPage_GetRotation(handle), box)
        return Page(number, turn.width, turn.height, _lines(text_page, text, turn)), len(text)
    finally:
        pdfium.FPDFText_ClosePage(text_page)


def utf16(buffer: bytes, size: int) -> str | None:
    """A title or name as pdfium wrote it, `size` bytes with its end; None where the buffer is too small."""
    if size > len(buffer):
        return None
    text = squeeze(buffer[: max(0, size - 2)].decode("utf-16-le", "replace"))
    return "".join(filter(str.isprintable, text))


def _text(text_page: Handle) -> str:
    """The page's text; one UTF-16 unit a character, so that places in it are pdfium's character indices."""
    count = pdfium.FPDFText_CountChars(text_page)
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (count + 1))()
    written = pdfium.FPDFText_GetText(text_page, 0, count, buffer)
    return (
        bytes(buffer)[: 2 * max(0, written - 1)].decode("utf-16-le", "surrogatepass") if written > 1 else ""
    )


class _Turn:
    """Page space as a reader sees it: the origin at the top left, y downwards, the page turned upright."""

    def __init__(self, quarters: int, box: Handle) -> None:
        self._quarters = quarters
        self._left, self._bottom, self._right, self._top = box.left, box.bottom, box.right, box.top
        wide, high = self._right - self._left, self._top - self._bottom
        self.width, self.height = (high, wide) if quarters % 2 else (wide, high)

    def __call__(self, boxes: Iterable[Box]) -> list[Box]:
        """x0, y0, x1, y1 of boxes given as left, top, right, bottom; y0 above y1."""
        left, bottom, right, top = self._left, self._bottom, self._right, self._top
        if self._quarters == 0:
            return [(x0 - left, top - y1, x1 - left, top - y0) for x0, y1, x1, y0 in boxes]
        if self._quarters == 1:
            return [(y0 - bottom, x0 - left, y1 - bottom, x1 - left) for x0, y1, x1, y0 in boxes]
        if self._quarters == _UPSIDE_DOWN:
            return [(right - x1, y0 - bottom, right - x0, y1 - bottom) for x0, y1, x1, y0 in boxes]
        return [(top - y1, right - x1, top - y0, right - x0) for x0, y1, x1, y0 in boxes]


def _lines(text_page: Handle, text: str, turn: _Turn) -> list[Line]:
    spans = [[word.span() for word in _WORDS.finditer(text, *line.span())] for line in _LINES.finditer(text)]
    index = _index(text_page, text)
    places = [(index(start), index(end - 1)) for line in spans for start, end in line]
    boxes = turn(_boxes(text_page, places))
    words = (
        Word(word if (word := text[start:end]).isascii() else _tidy(word), *box, first)
        for (start, end), box, (first, _) in zip(chain(*spans), boxes, places, strict=True)
    )
    lines: list[Line] = []
    for span in spans:
        found = [word for word in islice(words, len(span)) if word.text]
        if found:
            lines.extend(cut_line(found))
    font = _Fonts(text_page)
    for line in lines:
        line.fonts = font(line.ends[0]), font(line.ends[1])
        if line.text[1:2] in {"", " "} and _SIGNS.search(line.fonts[0]):
            line.text = _BULLET + line.text[1:]
    return lines


def _tidy(word: str) -> str:
    return squeeze(word.replace(_BREAK, "-"))


def _index(text_page: Handle, text: str) -> Callable[[int], int]:
    """From a place in the text to pdfium's index; the two differ where glyphs have no letter."""
    if len(text) == pdfium.FPDFText_CountChars(text_page):
        return int
    return functools.partial(pdfium.FPDFText_GetCharIndexFromTextIndex, text_page)


def _boxes(text_page: Handle, spans: list[tuple[int, int]]) -> Iterator[Box]:
    """left, top, right, bottom of each word: the union of its first and last character's box."""
    rects = (pdfium.FS_RECTF * (2 * len(spans)))()
    page, at = ctypes.cast(text_page, ctypes.c_void_p).value, ctypes.addressof(rects)
    size = ctypes.sizeof(pdfium.FS_RECTF)
    for first, last in spans:
        _char_box(page, first, at)
        _char_box(page, last, at + size)
        at += 2 * size
    flat = array("f")
    flat.frombytes(bytes(rects))
    for left, top, right, bottom, left2, top2, right2, bottom2 in zip(
        *(flat[i::8] for i in range(8)), strict=True
    ):
        yield (
            min(left2, left),
            max(top2, top),
            max(right2, right),
            min(bottom2, bottom),
        )


class _Fonts:
    """Names of the fonts of characters."""

    def __init__(self, text_page: Handle) -> None:
        self._page = text_page
        self._buffer = ctypes.create_string_buffer(_NAME_BYTES)

    def __call__(self, index: int) -> str:
        self._buffer.value = b""
        pdfium.FPDFText_GetFontInfo(self._page, index, self._buffer, _NAME_BYTES, None)
        return self._buffer.value.decode("utf-8", "replace")
