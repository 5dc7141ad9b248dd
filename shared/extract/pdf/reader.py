"""pdfium, called as seldom as possible: a page's text in one call, then two boxes a word and a font a line.

Asking pdfium for every character's box through ctypes takes several times as long as reading the text does.
Lines need less: where each word begins and ends tells cells and columns apart, the font of the first and last
word tells headings.
"""

from __future__ import annotations

import ctypes
import functools
import re
import threading
from array import array
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from shared.errors import Rejected
from shared.extract.pdf.lines import Page, Word, cut_line
from shared.extract.refusals import encrypted, too_many
from shared.extract.tidy import squeeze

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.extract.pdf.lines import Line
    from shared.extract.shapes import ExtractOptions, Limits

Handle = Any  # of pdfium: a ctypes pointer or structure; the library has no stubs

_LOCK = threading.Lock()  # pdfium is not thread-safe, and a function serves several requests at once
_BREAK = "\ufffe"  # what pdfium puts for a hyphen at a line's end, in the place of the line break
_LINES = re.compile(f"[^\r\n{_BREAK}]+{_BREAK}?")
_WORDS = re.compile(r"\S+")
_UPSIDE_DOWN = 2  # quarter turns
_NAME_BYTES = 128
_FILE_NAME = re.compile(r"(?i)\.(?:docx?|pptx?|indd|pdf|xlsx?)\s*$|^(?:untitled|microsoft word)\b|^\S*_\S*$")


def read_pages(path: Path, options: ExtractOptions) -> tuple[str | None, list[Page]]:
    """The document's title, where it has one, and the lines of all its pages in the order they are drawn.

    Raises Rejected(`encrypted`, `unreadable_pdf`, `no_pages`, `too_many_pages`, `too_many_characters`).
    """
    with _LOCK:
        password = options.password.encode() if options.password is not None else None
        document = pdfium.FPDF_LoadDocument(str(path).encode(), password)
        if not document:
            raise _load_error(pdfium.FPDF_GetLastError(), tried=password is not None)
        try:
            return _title(document), _pages(document, options.limits)
        finally:
            pdfium.FPDF_CloseDocument(document)


def _load_error(code: int, *, tried: bool) -> Rejected:
    if code in {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY}:
        return encrypted("PDF", tried=tried)
    return _unreadable("The PDF is damaged and cannot be opened.")


def _unreadable(message: str) -> Rejected:
    return Rejected(
        "unreadable_pdf", message, "Open it in a PDF viewer, save it as a new PDF and upload that."
    )


def _pages(document: Handle, limits: Limits) -> list[Page]:
    count = pdfium.FPDF_GetPageCount(document)
    if count <= 0:
        raise Rejected("no_pages", "The PDF has no pages.", "Check that the right file was uploaded.")
    if count > limits.pages:
        raise too_many("pages", f"{count:,} pages", limits.pages)
    pages, broken, characters = [], 0, 0
    for index in range(count):
        handle = pdfium.FPDF_LoadPage(document, index)
        if not handle:
            broken += 1
            pages.append(Page(index + 1, 0, 0, []))
            continue
        try:
            page, found = _page(handle, index + 1, limits.characters - characters)
        finally:
            pdfium.FPDF_ClosePage(handle)
        characters += found
        if characters > limits.characters:
            raise too_many(
                "characters", f"more than {limits.characters:,} characters of text", limits.characters
            )
        pages.append(page)
    if broken == count:
        raise _unreadable("No page of the PDF can be read.")
    return pages


def _page(handle: Handle, number: int, room: int) -> tuple[Page, int]:
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


def _title(document: Handle) -> str | None:
    buffer = ctypes.create_string_buffer(1024)
    size = pdfium.FPDF_GetMetaText(document, b"Title", buffer, len(buffer))
    if size > len(buffer):
        return None
    title = squeeze(buffer.raw[: max(0, size - 2)].decode("utf-16-le", "replace"))
    return None if not title or _FILE_NAME.search(title) else title
