"""Remove running heads, footers, page numbers and navigation: lines of the page, not of the text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from shared.extract.pdf.lines import Line, Page

_ZONE = 0.12  # of the page's height, at the top and at the bottom
_STEP = 8.0  # points: lines of one furniture stand within such a step on every page
_MIN_PAGES = 3  # a line on fewer pages is no furniture
_MIN_SHARE = 0.08  # ... nor on a smaller share of the pages; outside the zones it takes more
_MIN_SHARE_ANYWHERE = 0.25
_MIN_SHARE_NUMBERED = 0.4  # of the pages carry a number that fits their place in the file
_MAX_WORDS = 14  # of a line that carries the page number
_MIN_PART_WORDS = 3  # of a part of a line that marks the whole as a running head
_MAX_DIGITS = 4  # of a page number
_MAX_PAGE_ONLY = 40  # characters of a line that is nothing but the page number
_NUMBER = re.compile(r"\d+")
_DASH = "[-\u2013\u2014|\u00b7/]*+"
_PAGE_ONLY = re.compile(
    rf"(?i)(?:page|seite|pagina|p\u00e1gina|p\.|s\.)?\s*+{_DASH}\s*+\d{{1,{_MAX_DIGITS}}}"
    rf"\s*+(?:(?:/|of|von|sur|di|de)\s*+\d{{1,{_MAX_DIGITS}}})?\s*+{_DASH}$"
)


def without_furniture(pages: Sequence[Page]) -> list[Page]:
    """Return the pages without page numbers and lines that repeat at one place across pages."""
    edges = {id(line): found for page in pages for line in page.lines if (found := _heads(line, page))}
    heads = Counter(
        head for page in pages for head in {head for line in page.lines for head in edges.get(id(line), ())}
    )
    offsets = _numbering(pages, edges)
    least = max(_MIN_PAGES, _MIN_SHARE * len(pages))
    anywhere = max(_MIN_PAGES + 1, _MIN_SHARE_ANYWHERE * len(pages))
    texts = Counter(line.text for page in pages for line in page.lines)
    places = Counter(
        place
        for page in pages
        for place in {_place(line) for line in page.lines if texts[line.text] >= anywhere}
    )

    def is_furniture(line: Line, page: Page) -> bool:
        found = edges.get(id(line))
        if (
            len(line.text) <= _MAX_PAGE_ONLY
            and _PAGE_ONLY.match(line.text)
            and (found or _is_outermost(line, page))
        ):
            return True
        if found:
            return max(heads[head] for head in found) >= least or _is_numbered(line, page, offsets)
        return texts[line.text] >= anywhere and places[_place(line)] >= anywhere

    return [
        replace(
            page,
            lines=[
                _without_number(line, page, offsets) if line.cells and id(line) in edges else line
                for line in page.lines
                if not is_furniture(line, page)
            ],
        )
        for page in pages
    ]


def _place(line: Line) -> tuple[str, int, int]:
    return line.text, round(line.x0 / _STEP), round(line.y0 / _STEP)


def _heads(line: Line, page: Page) -> set[tuple[str, bool]]:
    """Return what identifies a running head: its words without numbers, and top or bottom.

    The result is empty outside both zones. A part of several words that stands apart is enough, because the
    chapter's name beside it changes.
    """
    at_top, at_bottom = line.y1 <= page.height * _ZONE, line.y0 >= page.height * (1 - _ZONE)
    if not at_top and not at_bottom:
        return set()
    parts = [cell for cell in line.cells if len(cell.split()) >= _MIN_PART_WORDS]
    return {(_NUMBER.sub("#", text.lower()), at_top) for text in (line.text, *parts)}


def _is_outermost(line: Line, page: Page) -> bool:
    """Whether nothing stands above the line, or nothing below."""
    return line.y0 <= min(other.y0 for other in page.lines) or line.y1 >= max(
        other.y1 for other in page.lines
    )


def _numbering(pages: Sequence[Page], edges: Container[int]) -> set[int]:
    """Return the differences between printed number and page that many pages agree on."""
    seen: dict[int, set[int]] = defaultdict(set)
    for page in pages:
        for line in page.lines:
            if id(line) in edges:
                for number in _edge_numbers(line.text):
                    seen[number - page.number].add(page.number)
    least = max(_MIN_PAGES, len(pages) * _MIN_SHARE_NUMBERED)
    return {offset for offset, found in seen.items() if len(found) >= least}


def _is_numbered(line: Line, page: Page, offsets: set[int]) -> bool:
    return len(line.text.split()) <= _MAX_WORDS and any(
        number - page.number in offsets for number in _edge_numbers(line.text)
    )


def _without_number(line: Line, page: Page, offsets: set[int]) -> Line:
    """Return the line without a page number at its end or beginning."""
    for at, kept in ((-1, slice(None, -1)), (0, slice(1, None))):
        cell, rest = line.cells[at], line.cells[kept]
        if rest and cell.isdecimal() and len(cell) <= _MAX_DIGITS and int(cell) - page.number in offsets:
            cells, spans = (rest, line.spans[kept]) if len(rest) > 1 else ((), ())
            return replace(line, text=" ".join(rest), cells=cells, spans=spans)
    return line


def _edge_numbers(text: str) -> list[int]:
    words = text.split()
    return [int(word) for word in {words[0], words[-1]} if word.isdecimal() and len(word) <= _MAX_DIGITS]
