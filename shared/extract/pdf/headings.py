"""Find the headings of a PDF by their type and by its table of contents.

A passage carries the nearest heading before it as its section, so a label in a drawing, a sum in a table or a
slogan must not become one. A heading is a few words, says something, and has its text below it. A line that
the document's own outline names is always a heading.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from shared.extract.pdf.lines import Line
from shared.extract.pdf.paragraphs import Paragraph

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.extract.pdf.paragraphs import Style


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
    """Return the places of the page's entries of contents among its paragraphs.

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


_MAX_WORDS = 25
_MIN_SENTENCE_WORDS = 7  # with a full stop, or in quotation marks
_LETTERS = 0.5  # of the characters, white space aside
_MIN_LETTERS = 2
_HEADED_WORDS = 4  # of what a heading heads
_HEADED_GAP = 6.0  # line heights between a heading and what it heads
_MAX_BESIDE = 4  # headings, itself among them: boxes side by side; more are columns of a table
_OVERLAP = 0.3  # of the narrower one: they share a column
_TITLE_SIZE = 1.5  # of the body's line height: a title may stand on a page of its own
_RUN_IN_STEP = 1.65  # of the line height
_RUN_IN_SIZE = 0.15  # relative difference in height
_QUOTE = re.compile("[\"'\u201c\u201e\u00ab\u2018]")
_NUMBERING = re.compile(r"^(?:[A-Z]?\d+(?:\.\d+)*|[A-Z]|[ivxIVX]+)[.)]?\s+")
_NO_WORD = re.compile(r"[\W_]+")


def settle_headings(paragraphs: list[Paragraph], style: Style, titles: Iterable[str]) -> list[Paragraph]:
    """Return the page's paragraphs with false headings turned into text; `titles` are its bookmarks.

    A title that is missing on a page without headings is put at its head: it is drawn as a picture.
    """
    for at in find_entries(paragraphs):
        paragraphs[at].kind = "text"
    wanted = {_key(title): title for title in titles}
    prose = [paragraph for paragraph in paragraphs if _can_be_headed(paragraph)]
    kept = list(prose)
    for paragraph in reversed(paragraphs):
        if wanted and paragraph.kind != "table" and _key(paragraph.text) in wanted:
            paragraph.kind = "heading"
        elif paragraph.kind != "heading":
            continue
        elif (
            not _says_something(paragraph)
            or _is_in_row(paragraph, paragraphs)
            or not (
                any(_is_headed(other, paragraph) for other in kept)
                or (not prose and paragraph.lines[0].height >= _TITLE_SIZE * style.height)
            )
        ):
            paragraph.kind = "text"
            continue
        kept.append(paragraph)
    settled = _with_run_ins(paragraphs)
    if wanted and all(paragraph.kind != "heading" for paragraph in settled):
        drawn = Line(next(reversed(wanted.values())), 0.0, 0.0, 0.0, 0.0)
        return [Paragraph("heading", [drawn]), *settled]
    return settled


def _key(text: str) -> str:
    return _NO_WORD.sub("", _NUMBERING.sub("", text)).lower()


def _can_be_headed(paragraph: Paragraph) -> bool:
    if paragraph.kind == "heading":
        return _is_sentence(paragraph)
    text = paragraph.text
    return len(text.split(None, _HEADED_WORDS - 1)) == _HEADED_WORDS and any(map(str.isalpha, text))


def _is_sentence(paragraph: Paragraph) -> bool:
    """Whether this is prose that is set like a heading: a lead, a slogan, a quotation."""
    text = paragraph.text
    words = len(text.split())
    return words > _MAX_WORDS or (
        words >= _MIN_SENTENCE_WORDS
        and (text.endswith((".", "!", ":", ";", ",")) or bool(_QUOTE.match(text)))
    )


def _says_something(paragraph: Paragraph) -> bool:
    characters = "".join(paragraph.text.split())
    letters = sum(map(str.isalpha, characters))
    return (
        letters >= max(_MIN_LETTERS, _LETTERS * len(characters))
        and not _is_sentence(paragraph)
        and not _QUOTE.match(characters)
    )


def _is_in_row(heading: Paragraph, paragraphs: Sequence[Paragraph]) -> bool:
    """Whether so many headings stand beside it that they are the head of a table."""
    beside = sum(
        other.kind == "heading" and other.y0 < heading.y1 and heading.y0 < other.y1 for other in paragraphs
    )
    return beside > _MAX_BESIDE


def _is_headed(other: Paragraph, heading: Paragraph) -> bool:
    """Whether the other begins below the heading, not far from it, and in its column."""
    height = heading.lines[-1].height
    shared = min(other.x1, heading.x1) - max(other.x0, heading.x0)
    return (
        -height / 2 <= other.y0 - heading.y1 <= _HEADED_GAP * height
        and other.y1 > heading.y1
        and shared >= _OVERLAP * min(other.x1 - other.x0, heading.x1 - heading.x0)
    )


def _with_run_ins(paragraphs: Sequence[Paragraph]) -> list[Paragraph]:
    """Join a line of bold type with the rest of its sentence, which goes on below in plain type."""
    joined: list[Paragraph] = []
    for paragraph in paragraphs:
        before = joined[-1] if joined else None
        if before is not None and before.kind == "heading" and _runs_on(before, paragraph):
            before.kind = "text"
            for line in paragraph.lines:
                before.add(line)
        else:
            joined.append(paragraph)
    return joined


def _runs_on(heading: Paragraph, paragraph: Paragraph) -> bool:
    last, first = heading.lines[-1], paragraph.lines[0]
    return (
        paragraph.kind == "text"
        and first.text[:1].islower()
        and abs(first.height - last.height) <= _RUN_IN_SIZE * last.height
        and 0 < first.y0 - last.y0 <= _RUN_IN_STEP * last.height
        and abs(first.x0 - last.x0) < 2 * last.height
    )
