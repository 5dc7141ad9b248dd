"""Which lines set in large or bold type head something?

A passage carries the nearest heading before it as its section, so a label in a drawing, a sum in a table or a
slogan must not pass for one. A heading is a few words, says something, and has below it what it heads; what
the document's own outline names is one for certain.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.extract.pdf.contents import find_entries
from shared.extract.pdf.lines import Line
from shared.extract.pdf.paragraphs import Paragraph

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.extract.pdf.paragraphs import Style

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
    """The page's paragraphs, those that only looked like headings being text; `titles` are its bookmarks.

    A title that stands nowhere on a page without headings is put at its head: it is drawn as a picture.
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
    """Prose that is set like a heading: a lead, a slogan, a quotation."""
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
    """So many like it stand beside it that they are the head of a table."""
    beside = sum(
        other.kind == "heading" and other.y0 < heading.y1 and heading.y0 < other.y1 for other in paragraphs
    )
    return beside > _MAX_BESIDE


def _is_headed(other: Paragraph, heading: Paragraph) -> bool:
    """It begins below the heading, not far from it, and in its column."""
    height = heading.lines[-1].height
    shared = min(other.x1, heading.x1) - max(other.x0, heading.x0)
    return (
        -height / 2 <= other.y0 - heading.y1 <= _HEADED_GAP * height
        and other.y1 > heading.y1
        and shared >= _OVERLAP * min(other.x1 - other.x0, heading.x1 - heading.x0)
    )


def _with_run_ins(paragraphs: Sequence[Paragraph]) -> list[Paragraph]:
    """Joins a line of bold type with the rest of its sentence, which goes on below in plain type."""
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
