"""Bookmarks: which titles does the document itself name, and on which page?"""

from __future__ import annotations

import ctypes
import re
from collections import defaultdict
from typing import Any

import pypdfium2.raw as pdfium

from shared.extract.pdf.text import utf16

Handle = Any
Outline = dict[int, list[str]]
"""Titles by page number, in the order of the outline."""

_MAX_ENTRIES = 5_000
_MAX_DEPTH = 12
_MAX_BYTES = 512  # of a title, which is UTF-16; a longer one is no title
_NO_TITLE = re.compile(
    r"(?i)(?:page|slide|seite|folie|pagina)?[\W\d_]*+$|[^\s_]*+_\S*+$|.*\.(?:docx?|pptx?|pdf|indd)$"
)


def read_outline(document: Handle) -> Outline:
    """The titles of the document's outline; one that loops, or goes beyond the limits, is cut there."""
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
        title, page = _title(entry), _page(document, entry)
        if page is not None and not _NO_TITLE.match(title):
            outline[page].append(title)
    return dict(outline)


def _title(entry: Handle) -> str:
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
