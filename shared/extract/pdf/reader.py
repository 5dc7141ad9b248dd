"""Read the pages and the outline of a PDF, and find pages whose fonts are wrong.

One call to pdfium reads a page's text, then follow two boxes per word and two fonts per line: a box for every
character, through ctypes, takes several times as long as the text. Where each word begins and ends separates
cells and columns; the fonts of the first and last word show headings.

A file whose fonts carry a wrong or incomplete ToUnicode table looks right and copies as nonsense. Its words
show it: letters of two scripts in one word, accented capitals inside it, replacement characters.
"""

from __future__ import annotations

import ctypes
import re
import threading
from array import array
from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import accumulate, pairwise, repeat
from operator import sub
from string import ascii_letters
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from shared.extract.pdf.lines import Page, Words, cut_words, is_bold, is_raised, keep_words, without_mark
from shared.extract.pdf.rulings import read_rulings
from shared.extract.pdf.scans import find_scans, is_picture
from shared.extract.refusals import encrypted, too_many, too_many_characters
from shared.extract.tidy import UNTIDY, clean, squeeze
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from shared.extract.pdf.lines import Line
    from shared.extract.shapes import ExtractOptions, Limits


MAX_DAMAGED = 0.015
"""Share of damaged words; pages of the samples have 0.0000 with sound fonts, up to 0.5 with others."""

_LEAST_DAMAGED = 2  # words: one may be a foreign name
_MOST_PAGES = 0.5  # of the pages with text are damaged: then chance alone spared the others
_MIN_LETTERS = 100  # of a page whose share of vowels means something
_MIN_VOWELS = 0.27
"""Least share of vowels on a page of plain Latin letters; the samples have 0.33 and more, shifted letters
0.15 to 0.25.
"""
_MIN_PLAIN = 0.95
_LOWER = "a-z\u00df-\u00f6\u00f8-\u00ff"
_LETTER = "A-Za-z\u00c0-\u024f"
_FOREIGN = "\u03e2-\u058f\u0600-\u10ff\u2c00-\u2dff"  # Coptic, Cyrillic, Armenian, Arabic, Indic ...
_DAMAGED = re.compile(
    "\ufffd|[\x00-\x08\x0e-\x1f]"
    # A combining mark that begins a word, and the double marks that span two letters.
    "|^[\u0300-\u036f]|[\u0358-\u0362]"
    f"|[{_LETTER}][{_FOREIGN}]|[{_FOREIGN}][{_LETTER}]"
    # Greek only inside a word: a "\u0394T" is sound.
    f"|[{_LOWER}][\u0370-\u03e1][{_LOWER}]"
    # Letters of African and Croatian digraph alphabets, which no report here is written in.
    "|[\u018c-\u019f\u01a2-\u01ae\u01b1-\u01cc]"
    f"|[{_LETTER}][\ue000-\uf8ff][{_LETTER}]"
)
_SUSPECT = re.compile(
    "[\x00-\x1f\x7f\u0300-\u058f\u0600-\u10ff\u2c00-\u2dff\u018c-\u01cc\ue000-\uf8ff\ufffd"
    f"{''.join(filter(str.isupper, map(chr, range(0xC0, 0x17E))))}]"
)
"""Characters that every damaged word has, and few others."""
_PLAIN = ascii_letters.encode()
_VOWELS = b"aeiouAEIOU"
_INSIDE = re.compile(f"(?<=[{_LOWER}])[\u00c0-\u017d](?=[{_LOWER}])")


def find_garbled(pages: Sequence[Page]) -> set[int]:
    """Return the numbers of pages with wrong fonts; all pages with text if half of them are."""
    written = [page for page in pages if page.lines]
    garbled = {page.number for page in written if _is_garbled([line.text for line in page.lines])}
    return {page.number for page in written} if len(garbled) > _MOST_PAGES * len(written) else garbled


def _is_garbled(lines: Sequence[str]) -> bool:
    text = " ".join(lines)
    words = text.split()
    damaged = sum(map(_is_damaged, filter(_SUSPECT.search, words))) if _SUSPECT.search(text) else 0
    if damaged > MAX_DAMAGED * len(words) and damaged >= min(_LEAST_DAMAGED, len(words)):
        return True
    return _is_shifted(text)


def _is_shifted(text: str) -> bool:
    """Whether letters are shifted within the alphabet, as by a font that numbers its glyphs from 0."""
    letters = text.encode("ascii", "ignore")
    others = letters.translate(None, _PLAIN)
    plain = len(letters) - len(others)
    consonants = len(letters.translate(None, _VOWELS)) - len(others)
    return (
        plain >= _MIN_LETTERS
        and plain - consonants < _MIN_VOWELS * plain
        and plain >= _MIN_PLAIN * sum(map(str.isalpha, text))
    )


def _is_damaged(word: str) -> bool:
    if word.isascii():
        return not word.isprintable()
    return _DAMAGED.search(word) is not None or any(letter.isupper() for letter in _INSIDE.findall(word))


Floats = list[float]
Handle = Any  # of pdfium: a ctypes pointer or structure; the library has no stubs

_BREAK = "\ufffe"  # what pdfium puts for a hyphen at a line's end, in the place of the line break
_LINES = re.compile(f"[^\r\n{_BREAK}]+{_BREAK}?")
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
    """Return the page's lines and number of characters; no lines if these are more than `room`."""
    text_page = pdfium.FPDFText_LoadPage(handle)
    if not text_page:
        return Page(number, 0, 0, []), 0
    try:
        text = page_text(text_page)
        if not text or len(text) > room:
            return Page(number, 0, 0, []), len(text)
        box = pdfium.FS_RECTF()
        pdfium.FPDF_GetPageBoundingBox(handle, box)
        turn = Turn(pdfium.FPDFPage_GetRotation(handle), box)
        page = Page(number, turn.width, turn.height, _lines(text_page, text, turn))
        if keep_words(page.lines):
            page.rulings = read_rulings(handle, turn, turn.width * turn.height)
        return page, len(text)
    finally:
        pdfium.FPDFText_ClosePage(text_page)


def utf16(buffer: bytes, size: int) -> str | None:
    """Decode a title or name of `size` bytes from pdfium; None if the buffer is too small."""
    if size > len(buffer):
        return None
    text = squeeze(buffer[: max(0, size - 2)].decode("utf-16-le", "replace"))
    return "".join(filter(str.isprintable, text))


def page_text(text_page: Handle) -> str:
    """Return the page's text, one UTF-16 unit per character, so that positions are pdfium's indices."""
    count = pdfium.FPDFText_CountChars(text_page)
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (count + 1))()
    written = pdfium.FPDFText_GetText(text_page, 0, count, buffer)
    return (
        bytes(buffer)[: 2 * max(0, written - 1)].decode("utf-16-le", "surrogatepass") if written > 1 else ""
    )


class Turn:
    """Converts page space: the origin at the top left, y downwards, the page turned upright."""

    def __init__(self, quarters: int, box: Handle) -> None:
        self._quarters = quarters
        self.is_upright = quarters == 0
        self._left, self._bottom, self._right, self._top = box.left, box.bottom, box.right, box.top
        wide, high = self._right - self._left, self._top - self._bottom
        self.width, self.height = (high, wide) if quarters % 2 else (wide, high)

    def __call__(
        self, lefts: Floats, tops: Floats, rights: Floats, bottoms: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Return x0, y0, x1, y1 of boxes, with y0 above y1."""
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


def _lines(text_page: Handle, text: str, turn: Turn) -> list[Line]:
    texts, places, counts = _words(text)
    if not texts:
        return []
    page = ctypes.cast(text_page, ctypes.c_void_p).value or 0
    if _BREAK in text or UNTIDY.search(text):
        texts = [word if word.isascii() else clean(word.replace(_BREAK, "-")) for word in texts]
    if len(text) != pdfium.FPDFText_CountChars(text_page):  # there are glyphs without a letter
        places = list(map(_char_index, repeat(page), places))
    boxes = char_boxes(page, places)
    if turn.is_upright:
        _drop_marks(texts, boxes)
    x0s, y0s, x1s, y1s = turn(*_united(boxes))
    words = Words(texts, x0s, y0s, x1s, y1s, places[::2], list(map(sub, y1s, y0s)))
    font = _Fonts(page)
    found: list[Line] = []
    for start, end in pairwise(accumulate(counts, initial=0)):
        found.extend(cut_words(words.part(start, end)))
    for line in found:
        first, last = line.ends
        begins = font(first)
        line.fonts = begins, begins if first == last else font(last)
        line.bold = is_bold(begins)
        if line.text[1:2] in {"", " "} and _SIGNS.search(line.fonts[0]):
            line.text = _BULLET + line.text[1:]
    return found


def _words(text: str) -> tuple[list[str], list[int], list[int]]:
    """Return a page's words, the places of the first and last character of each, and the words per line."""
    texts: list[str] = []
    places: list[int] = []
    counts: list[int] = []
    unseen = _UNSEEN.search(text) is not None
    for line in _LINES.finditer(text):
        words = line[0].split()
        if unseen:
            words = list(filter(clean, words))
        if not words:
            continue
        at = line.start()
        for word in words:
            at = text.index(word, at)
            places.append(at)
            at += len(word)
            places.append(at - 1)
        texts += words
        counts.append(len(words))
    return texts, places, counts


def char_boxes(page: int, places: list[int]) -> array[float]:
    """Return left, top, right, bottom of characters in sequence, two characters per word."""
    size = ctypes.sizeof(pdfium.FS_RECTF)
    flat = array("f", bytes(size * len(places)))
    at, _ = flat.buffer_info()
    into = range(at, at + size * len(places), size)
    deque(map(_char_box, repeat(page), places, into), maxlen=0)  # the loop that makes no step in Python
    return flat


def _united(boxes: array[float]) -> Iterator[Floats]:
    """Yield left, top, right, bottom of words: the union of the boxes of their first and last character."""
    for side, outer in enumerate((min, max, max, min)):
        yield list(map(outer, boxes[side::8], boxes[side + 4 :: 8]))


def _drop_marks(texts: list[str], boxes: array[float]) -> None:
    for at in [at for at, word in enumerate(texts) if word[-1] in _MARK_ENDS]:
        _, top, _, bottom, _, mark_top, _, mark_bottom = boxes[8 * at : 8 * at + 8]
        if is_raised(top - bottom, mark_top - mark_bottom, mark_bottom - bottom):
            texts[at] = without_mark(texts[at])


class _Fonts:
    """Returns the names of the fonts of characters."""

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


Outline = dict[int, list[str]]
"""Titles by page number, in the order of the outline."""

_MAX_ENTRIES = 5_000
_MAX_DEPTH = 12
_MAX_BYTES = 512  # of a title, which is UTF-16; a longer one is no title
_NO_TITLE = re.compile(
    r"(?i)(?:page|slide|seite|folie|pagina)?[\W\d_]*+$|[^\s_]*+_\S*+$|.*\.(?:docx?|pptx?|pdf|indd)$"
)


def read_outline(document: Handle) -> Outline:
    """Return the titles of the outline; one that loops or exceeds the limits is cut."""
    outline: Outline = defaultdict(list)
    seen: set[int] = set()
    stack = [(pdfium.FPDFBookmark_GetFirstChild(document, None), 1)]
    while stack and len(seen) < _MAX_ENTRIES:
        entry, depth = stack.pop()
        address = ctypes.cast(entry, ctypes.c_void_p).value if entry else None
        if address is None or address in seen:
            continue
        seen.add(address)
        stack.append((pdfium.FPDFBookmark_GetNextSibling(document, entry), depth))
        if depth < _MAX_DEPTH:
            stack.append((pdfium.FPDFBookmark_GetFirstChild(document, entry), depth + 1))
        title, page = _title_of_item(entry), _page(document, entry)
        if page is not None and not _NO_TITLE.match(title):
            outline[page].append(title)
    return dict(outline)


def _title_of_item(entry: Handle) -> str:
    buffer = ctypes.create_string_buffer(_MAX_BYTES)
    size = pdfium.FPDFBookmark_GetTitle(entry, buffer, _MAX_BYTES)
    return utf16(buffer.raw, size) or ""


def _page(document: Handle, entry: Handle) -> int | None:
    target = pdfium.FPDFBookmark_GetDest(document, entry)
    if not target:
        action = pdfium.FPDFBookmark_GetAction(entry)
        if not action or pdfium.FPDFAction_GetType(action) != pdfium.PDFACTION_GOTO:
            return None
        target = pdfium.FPDFAction_GetDest(document, action)
    index = pdfium.FPDFDest_GetDestPageIndex(document, target) if target else -1
    return index + 1 if index >= 0 else None


_LOCK = threading.Lock()  # pdfium is not thread-safe, and a function serves several requests at once
_SCANNED = 200  # characters; a page that has more is no scan, whatever is behind them
_CURVES = 20  # characters; a page that has more has its letters as text, not as curves
_SHOWN_FILES = 5
_NAME_UNITS = 128
_FILE_NAME = re.compile(
    r"(?i)\.(?:docx?|pptx?|indd|pdf|xlsx?)\s*$|^(?:untitled|microsoft word)\b|^[^\s_]*+_\S*+$"
)


@dataclass(frozen=True, slots=True)
class Document:
    """A read document; `scans` are the numbers of pages that are pictures of text, `remarks` warnings."""

    title: str | None
    pages: list[Page]
    outline: Outline
    scans: set[int]
    remarks: list[str]


def read_document(path: Path, options: ExtractOptions) -> Document:
    """Return the lines of all pages in drawing order, and the document's title, outline and remarks.

    Raises Rejected(`encrypted`, `unreadable_pdf`, `no_pages`, `too_many_pages`, `too_many_characters`).
    """
    with _LOCK:
        password = options.password.encode() if options.password is not None else None
        document = pdfium.FPDF_LoadDocument(str(path).encode(), password)
        if not document:
            raise load_error(pdfium.FPDF_GetLastError(), tried=password is not None)
        try:
            pages, pictures = _pages(document, options.limits)
            scans = find_scans(document, pictures)
            if not scans and not any(page.lines for page in pages):
                scans = find_scans(document, pictures, few=True)  # nothing else has any words
            return Document(_title(document), pages, read_outline(document), scans, _remarks(document))
        finally:
            pdfium.FPDF_CloseDocument(document)


def load_error(code: int, *, tried: bool) -> Rejected:
    if code in {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY}:
        return encrypted("PDF", tried=tried)
    return _unreadable("The PDF is damaged and cannot be opened.")


def _unreadable(message: str) -> Rejected:
    return Rejected(
        "unreadable_pdf", message, "Open it in a PDF viewer, save it as a new PDF and upload that."
    )


def _pages(document: Handle, limits: Limits) -> tuple[list[Page], list[int]]:
    """Return all pages, and the numbers of those that are a picture with hardly any text."""
    count = pdfium.FPDF_GetPageCount(document)
    if count <= 0:
        raise Rejected("no_pages", "The PDF has no pages.", "Check that the right file was uploaded.")
    if count > limits.pages:
        raise too_many("pages", f"{count:,} pages", limits.pages)
    pages: list[Page] = []
    pictures: list[int] = []
    broken = characters = 0
    for number in range(1, count + 1):
        handle = pdfium.FPDF_LoadPage(document, number - 1)
        if not handle:
            broken += 1
            pages.append(Page(number, 0, 0, []))
            continue
        try:
            page, found = read_page(handle, number, limits.characters - characters)
            if found < _SCANNED and is_picture(handle, with_curves=found < _CURVES):
                pictures.append(number)
        finally:
            pdfium.FPDF_ClosePage(handle)
        characters += found
        if characters > limits.characters:
            raise too_many_characters(limits)
        pages.append(page)
    if broken == count:
        raise _unreadable("No page of the PDF can be read.")
    return pages, pictures


def _title(document: Handle) -> str | None:
    buffer = ctypes.create_string_buffer(1024)
    size = pdfium.FPDF_GetMetaText(document, b"Title", buffer, len(buffer))
    title = utf16(buffer.raw, size)
    return None if not title or _FILE_NAME.search(title) else title


def _remarks(document: Handle) -> list[str]:
    """Describe what the document contains besides its pages, which is ignored."""
    remarks = []
    if files := pdfium.FPDFDoc_GetAttachmentCount(document):
        names = [_attached(document, at) for at in range(min(files, _SHOWN_FILES))]
        more = " ..." if files > len(names) else ""
        remarks.append(f"embedded files, which were not opened ({files:,}): {', '.join(names)}{more}")
    if scripts := pdfium.FPDFDoc_GetJavaScriptActionCount(document):
        remarks.append(f"scripts, which were not run: {scripts:,}")
    return remarks


def _attached(document: Handle, at: int) -> str:
    """Return an attached file's name, or words in place of a long or missing one."""
    buffer = (ctypes.c_ushort * _NAME_UNITS)()
    size = pdfium.FPDFAttachment_GetName(
        pdfium.FPDFDoc_GetAttachment(document, at), buffer, ctypes.sizeof(buffer)
    )
    name = utf16(bytes(buffer), size)
    return "a long name" if name is None else name or "no name"
