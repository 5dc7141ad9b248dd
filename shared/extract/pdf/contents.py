"""A table of contents names the headings of other pages: its entries head nothing."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.extract.pdf.paragraphs import Paragraph

_CALLED = re.compile(
    r"(?i)(?:table\ of\ )?contents?(?:\ of\ th(?:e|is)\ report)?|index|inhalt(?:sverzeichnis)?"
    r"|sommaire|table\ des\ mati\u00e8res|sommario|indice|\u00edndice|contenidos?|inhoud(?:sopgave)?"
)
_LEADERS = re.compile(r"(?:\. ?){4}\d{1,4}$|\u2026 ?\d{1,4}$")
_NUMBER = re.compile(r"(\d{1,4})(?![.,]?\d)\s\D.*|.*\D(?<![.,:])\s(\d{1,4})")  # first or last
_YEARS = range(1900, 2100)
_MIN_WORDS = 3  # of such an entry: "Chapter 3" has two
_MIN_ENTRIES = 4  # headings with ascending page numbers
_MIN_PROSE = 15  # words of a paragraph: what stands above it may be a heading on any page


def find_entries(paragraphs: Sequence[Paragraph]) -> set[int]:
    """The places of the page's entries among its paragraphs, in reading order.

    They stand below the word "Contents", or have page numbers that ascend.
    """
    headings = [at for at, paragraph in enumerate(paragraphs) if paragraph.kind == "heading"]
    title = next((at for at in headings if _CALLED.fullmatch(paragraphs[at].text.strip(" .:"))), None)
    if title is not None:
        return {at for at in headings if at > title and not _heads_prose(paragraphs, at)}
    entries = {at for at in headings if _LEADERS.search(paragraphs[at].text)}
    numbered = [(at, number) for at in headings if (number := _page_number(paragraphs[at].text)) is not None]
    steps = {after - before for (_, before), (_, after) in pairwise(numbered)}
    are_pages = bool(steps) and min(steps) >= 0 and steps != {1}  # sections are numbered one by one
    if len(numbered) >= max(_MIN_ENTRIES, len(headings) // 2) and are_pages:
        entries.update(at for at, _ in numbered if not _heads_prose(paragraphs, at))
    return entries


def _page_number(text: str) -> int | None:
    found = _NUMBER.fullmatch(text) if len(text.split()) >= _MIN_WORDS else None
    number = int(found[1] or found[2]) if found else None
    return None if number in _YEARS else number


def _heads_prose(paragraphs: Sequence[Paragraph], at: int) -> bool:
    after = paragraphs[at + 1] if at + 1 < len(paragraphs) else None
    if after is None or after.kind != "text":
        return False
    words = after.text.split()
    numbers = sum(map(str.isdecimal, words))  # entries in one paragraph have many
    return len(words) >= _MIN_PROSE and (numbers <= 1 or words[-1].endswith((".", "!", "?", ":")))
