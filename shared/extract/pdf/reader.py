"""Read the pages and the outline of a PDF."""

from __future__ import annotations

import ctypes
import re
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from shared.extract.pdf.lines import Page
from shared.extract.pdf.scans import find_scans, is_picture
from shared.extract.pdf.text import read_page, utf16
from shared.extract.refusals import encrypted, too_many, too_many_characters
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from pathlib import Path

    from shared.extract.shapes import ExtractOptions, Limits


OutlineHandle = Any
Outline = dict[int, list[str]]
"""Titles by page number, in the order of the outline."""

_MAX_ENTRIES = 5_000
_MAX_DEPTH = 12
_MAX_BYTES = 512  # of a title, which is UTF-16; a longer one is no title
_NO_TITLE = re.compile(
    r"(?i)(?:page|slide|seite|folie|pagina)?[\W\d_]*+$|[^\s_]*+_\S*+$|.*\.(?:docx?|pptx?|pdf|indd)$"
)


def read_outline(document: OutlineHandle) -> Outline:
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


def _title_of_item(entry: OutlineHandle) -> str:
    buffer = ctypes.create_string_buffer(_MAX_BYTES)
    size = pdfium.FPDFBookmark_GetTitle(entry, buffer, _MAX_BYTES)
    return utf16(buffer.raw, size) or ""


def _page(document: OutlineHandle, entry: OutlineHandle) -> int | None:
    target = pdfium.FPDFBookmark_GetDest(document, entry)
    if not target:
        action = pdfium.FPDFBookmark_GetAction(entry)
        if not action or pdfium.FPDFAction_GetType(action) != pdfium.PDFACTION_GOTO:
            return None
        target = pdfium.FPDFAction_GetDest(document, action)
    index = pdfium.FPDFDest_GetDestPageIndex(document, target) if target else -1
    return index + 1 if index >= 0 else None


Handle = Any  # of pdfium: a ctypes pointer or structure; the library has no stubs

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
            raise _load_error(pdfium.FPDF_GetLastError(), tried=password is not None)
        try:
            pages, pictures = _pages(document, options.limits)
            scans = find_scans(document, pictures)
            if not scans and not any(page.lines for page in pages):
                scans = find_scans(document, pictures, few=True)  # nothing else has any words
            return Document(_title(document), pages, read_outline(document), scans, _remarks(document))
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
