"""A page's text in one call to pdfium, then two boxes a word and two fonts a line.

Asking pdfium for every character's box through ctypes takes several times as long as reading the text does.
Lines need less: where each word begins and ends tells cells and columns apart, the font of the first and last
word tells headings.
"""

from __future__ import annotations

import ctypes
import re
from array import array
from collections import deque
from itertools import accumulate, chain, pairwise, repeat
from operator import sub
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from shared.extract.pdf.lines import Page, Words, cut_words
from shared.extract.pdf.notes import is_raised, without_mark
from shared.extract.tidy import UNTIDY, clean, squeeze

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.extract.pdf.lines import Line

Floats = list[float]
Handle = Any  # of pdfium: a ctypes pointer or structure; the library has no stubs

_BREAK = "\ufffe"  # what pdfium puts for a hyphen at a line's end, in the place of the line break
_LINES = re.compile(f"[^\r\n{_BREAK}]+{_BREAK}?")
_WORDS = re.compile(r"\S+")
_UNSEEN = re.compile("(?<!\\S)[\u00ad\u200b-\u200d\u2060\ufeff]")  # what may be all of a word
_MARK_ENDS = frozenset("0123456789)")  # of a word with a footnote's mark
_UPSIDE_DOWN = 2  # quarter turns
_NAME_BYTES = 128
_SIGNS = re.compile(r"(?i)dingbat|wingding|webding")  # fonts whose letters are drawn as signs
_BULLET = "\u2022"

# The same functions with addresses for arguments: ctypes makes no objects for them, twice a word.
_char_box = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(
    ctypes.cast(pdfium.FPDFText_GetLooseCharBox, ctypes.c_void_p).value or 0
)
_font_info = ctypes.PYFUNCTYPE(
    ctypes.c_ulong, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p
)(ctypes.cast(pdfium.FPDFText_GetFontInfo, ctypes.c_void_p).value or 0)
_char_index = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)(
    ctypes.cast(pdfium.FPDFText_GetCharIndexFromTextIndex, ctypes.c_void_p).value or 0
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
        self.is_upright = quarters == 0
        self._left, self._bottom, self._right, self._top = box.left, box.bottom, box.right, box.top
        wide, high = self._right - self._left, self._top - self._bottom
        self.width, self.height = (high, wide) if quarters % 2 else (wide, high)

    def __call__(
        self, lefts: Floats, tops: Floats, rights: Floats, bottoms: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """x0, y0, x1, y1 of boxes; y0 above y1."""
        left, bottom, right, top = self._left, self._bottom, self._right, self._top
        if self._quarters in {0, 1}:
            across = (lefts, rights) if left == 0 else ([x - left for x in lefts], [x - left for x in rights])
        else:
            across = [right - x for x in rights], [right - x for x in lefts]
        if self._quarters in {1, _UPSIDE_DOWN}:
            down = [y - bottom for y in bottoms], [y - bottom for y in tops]
        else:
            down = [top - y for y in tops], [top - y for y in bottoms]
        if self._quarters % 2:
            across, down = down, across
        return across[0], down[0], across[1], down[1]


def _lines(text_page: Handle, text: str, turn: _Turn) -> list[Line]:
    lines = [[word.span() for word in _WORDS.finditer(text, *line.span())] for line in _LINES.finditer(text)]
    if _UNSEEN.search(text):
        lines = [[span for span in line if clean(text[slice(*span)])] for line in lines]
    spans = list(chain(*lines))
    if not spans:
        return []
    page = ctypes.cast(text_page, ctypes.c_void_p).value or 0
    texts = [text[start:end] for start, end in spans]
    if _BREAK in text or UNTIDY.search(text):
        texts = [word if word.isascii() else clean(word.replace(_BREAK, "-")) for word in texts]
    places = [place for start, end in spans for place in (start, end - 1)]
    if len(text) != pdfium.FPDFText_CountChars(text_page):  # there are glyphs without a letter
        places = list(map(_char_index, repeat(page), places))
    boxes = _boxes(page, places)
    if turn.is_upright:
        _drop_marks(texts, boxes)
    x0s, y0s, x1s, y1s = turn(*_united(boxes))
    words = Words(texts, x0s, y0s, x1s, y1s, places[::2], list(map(sub, y1s, y0s)))
    font = _Fonts(page)
    found: list[Line] = []
    for start, end in pairwise(accumulate(map(len, lines), initial=0)):
        if start < end:
            found.extend(cut_words(words.part(start, end)))
    for line in found:
        first, last = line.ends
        begins = font(first)
        line.fonts = begins, begins if first == last else font(last)
        if line.text[1:2] in {"", " "} and _SIGNS.search(line.fonts[0]):
            line.text = _BULLET + line.text[1:]
    return found


def _boxes(page: int, places: list[int]) -> array[float]:
    """left, top, right, bottom of characters, one after the other; there are two for each word."""
    size = ctypes.sizeof(pdfium.FS_RECTF)
    flat = array("f", bytes(size * len(places)))
    at, _ = flat.buffer_info()
    into = range(at, at + size * len(places), size)
    deque(map(_char_box, repeat(page), places, into), maxlen=0)  # the loop that makes no step in Python
    return flat


def _united(boxes: array[float]) -> Iterator[Floats]:
    """left, top, right, bottom of words: of each the union of the boxes of its first and last character."""
    for side, outer in enumerate((min, max, max, min)):
        yield list(map(outer, boxes[side::8], boxes[side + 4 :: 8]))


def _drop_marks(texts: list[str], boxes: array[float]) -> None:
    for at in [at for at, word in enumerate(texts) if word[-1] in _MARK_ENDS]:
        _, top, _, bottom, _, mark_top, _, mark_bottom = boxes[8 * at : 8 * at + 8]
        if is_raised(top - bottom, mark_top - mark_bottom, mark_bottom - bottom):
            texts[at] = without_mark(texts[at])


class _Fonts:
    """Names of the fonts of characters."""

    def __init__(self, page: int) -> None:
        self._page = page
        self._buffer = ctypes.create_string_buffer(_NAME_BYTES)
        self._address = ctypes.addressof(self._buffer)
        self._names: dict[bytes, str] = {}

    def __call__(self, index: int) -> str:
        self._buffer[0] = b"\0"
        _font_info(self._page, index, self._address, _NAME_BYTES, None)
        raw = self._buffer.value
        name = self._names.get(raw)
        if name is None:
            name = self._names[raw] = raw.decode("utf-8", "replace")
        return name
