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
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from shared.extract.pdf.lines import Page, Word, cut_line
from shared.extract.tidy import squeeze

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.extract.pdf.lines import Line

Handle = Any  # of pdfium: a ctypes pointer or structure; the library has no stubs

_BREAK = "\ufffe"  # what pdfium puts for a hyphen at a line's end, in the place of the line break
_LINES = re.compile(f"[^\r\n{_BREAK}]+{_BREAK}?")
_WORDS = re.compile(r"\S+")
_UPSIDE_DOWN = 2  # quarter turns
_NAME_BYTES = 128
_SIGNS = re.compile(r"(?i)dingbat|wingding|webding")  # fonts whose letters are drawn as signs
_BULLET = "\u2022"


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

    def __call__(
        self, left: float, top: float, right: float, bottom: float
    ) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 of a box, y0 above y1."""
        if self._quarters == 0:
            return left - self._left, self._top - top, right - self._left, self._top - bottom
        if self._quarters == 1:
            return bottom - self._bottom, left - self._left, top - self._bottom, right - self._left
        if self._quarters == _UPSIDE_DOWN:
            return self._right - right, bottom - self._bottom, self._right - left, top - self._bottom
        return self._top - top, self._right - right, self._top - bottom, self._right - left


def _lines(text_page: Handle, text: str, turn: _Turn) -> list[Line]:
    spans = [[word.span() for word in _WORDS.finditer(text, *line.span())] for line in _LINES.finditer(text)]
    index = _index(text_page, text)
    boxes = iter(_boxes(text_page, [(index(start), index(end - 1)) for line in spans for start, end in line]))
    lines: list[Line] = []
    for span in spans:
        words = [
            Word(squeeze(text[start:end].replace(_BREAK, "-")), *turn(*next(boxes)), index(start))
            for start, end in span
        ]
        words = [word for word in words if word.text]
        if words:
            lines.extend(cut_line(words))
    for line in lines:
        line.fonts = _font(text_page, line.ends[0]), _font(text_page, line.ends[1])
        if line.text[1:2] in {"", " "} and _SIGNS.search(line.fonts[0]):
            line.text = _BULLET + line.text[1:]
    return lines


def _index(text_page: Handle, text: str) -> Callable[[int], int]:
    """From a place in the text to pdfium's index; the two differ where glyphs have no letter."""
    if len(text) == pdfium.FPDFText_CountChars(text_page):
        return int
    return functools.partial(pdfium.FPDFText_GetCharIndexFromTextIndex, text_page)


def _boxes(text_page: Handle, spans: list[tuple[int, int]]) -> list[tuple[float, float, float, float]]:
    """left, top, right, bottom of each word: the union of its first and last character's box."""
    rects = (pdfium.FS_RECTF * (2 * len(spans)))()
    get = pdfium.FPDFText_GetLooseCharBox
    at = 0
    for first, last in spans:
        get(text_page, first, rects[at])
        get(text_page, last, rects[at + 1])
        at += 2
    flat = array("f")
    flat.frombytes(bytes(rects))
    return [
        (min(left, left2), max(top, top2), max(right, right2), min(bottom, bottom2))
        for left, top, right, bottom, left2, top2, right2, bottom2 in zip(
            *(flat[i::8] for i in range(8)), strict=True
        )
    ]


def _font(text_page: Handle, index: int) -> str:
    name = ctypes.create_string_buffer(_NAME_BYTES)
    pdfium.FPDFText_GetFontInfo(text_page, index, name, _NAME_BYTES, None)
    return name.value.decode("utf-8", "replace")
