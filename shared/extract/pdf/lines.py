"""Join the words of a PDF page into lines; marks of notes are raised."""

from __future__ import annotations

import functools
import re
from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from operator import sub
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from shared.extract.tidy import is_lone_mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.extract.tables import Grid

# Letters before it, or letters and the sentence's end: "m3" has two, and "10" none.
_MARKED = re.compile(r"(.*[^\W\d_]{3}[.,;:!?)\]\"\u2019\u201d]{0,2})\(?\d{1,2}(?:,\d{1,2})*\)?", re.DOTALL)
_SMALL = 0.8  # of the word's height
_RAISED = 0.2  # of the word's height, from its lower edge to that of the mark


def without_mark(word: str) -> str:
    """Return the word without a note's mark at its end."""
    found = _MARKED.fullmatch(word)
    return found[1] if found else word


def is_raised(height: float, mark_height: float, rise: float) -> bool:
    """Whether something is set like a mark, its lower edge `rise` above that of a word of `height`."""
    return mark_height <= _SMALL * height and rise >= _RAISED * height


_BOLD = re.compile(r"(?i)bold|bld|black|heavy|demi|medi(?!um)")


@functools.lru_cache(maxsize=1_000)
def is_bold(font: str) -> bool:
    """Whether a font's name says that it is bold."""
    return _BOLD.search(font) is not None


PIECE_GAP = 0.45
"""A gap wider than this share of the line's height separates two pieces of which a cell may be made."""
_GAP = 1.0  # of the line's height: a wider gap separates cells or columns
_JUSTIFIED = 3.0  # ... unless all gaps of the line are wide: times the median gap
_MIN_GAPS = 4  # gaps a line needs for their median to mean something
_COLUMN_WORDS = 4  # words that each part of a line spanning columns of prose has at least
_LABEL = re.compile(
    r"\(?(?:\d{1,2}(?:\.\d{1,2})*|[a-zA-Z]|[ivx]{2,4})[.)]?|\W+"
)  # a list mark or section number
_NUMERIC = 0.3  # of the words are numbers: a row of a table, whose gaps are all wide
_RUN = 3  # numbers in sequence that no sentence has
_DIGIT = re.compile("[\\d\u00b2\u00b3\u00b9\u2070-\u2079\u2080-\u2089]")
_SIZE = 0.15  # relative difference in height between parts that are not of one line


class Word(NamedTuple):
    """A word; points from the page's top left corner, y downwards; `at` indexes its first character."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    at: int


class Words(NamedTuple):
    """Words in columns, with the fields of `Word`: most lines need no single word."""

    texts: Sequence[str]
    x0s: Sequence[float]
    y0s: Sequence[float]
    x1s: Sequence[float]
    y1s: Sequence[float]
    places: Sequence[int]
    heights: Sequence[float]

    def part(self, start: int, end: int) -> Words:
        texts, x0s, y0s, x1s, y1s, places, heights = self
        return Words(
            texts[start:end],
            x0s[start:end],
            y0s[start:end],
            x1s[start:end],
            y1s[start:end],
            places[start:end],
            heights[start:end],
        )


@dataclass(slots=True)
class Line:
    """A line of one column, or a row of a table; `fonts` are those of its first and last word."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    cells: tuple[str, ...] = ()
    """Cells of a table's row; else none."""
    ends: tuple[int, int] = (0, 0)
    """pdfium's indices of the first and last word."""
    fonts: tuple[str, str] = ("", "")
    height: float = 0.0
    """Height of most of its words, in points: one with an accented capital may be higher."""
    base: float = 0.0
    """The y at which most of its words end."""
    spans: tuple[tuple[float, float], ...] = ()
    """x0 and x1 of each cell."""
    bold: bool = False
    note: bool = False
    """Whether it belongs to a note below a table."""
    tables: list[Grid] = field(default_factory=list)
    """The tables whose place this line holds; then it is no line itself."""
    words: Words | None = None
    """Its words, until the page is read."""
    edges: array[float] | None = None
    """The x0 of each word, then the x1 of each; kept on pages that may have tables."""


@dataclass(slots=True)
class Page:
    """A page with its lines in drawing order; `width` and `height` in points, as the page is seen."""

    number: int
    width: float
    height: float
    lines: list[Line]
    rulings: array[float] = field(default_factory=lambda: array("f"))
    """What `read_rulings` returns; read where the page may have tables."""


def cut_line(words: Iterable[Word]) -> list[Line]:
    """Return one line, one line per column of prose, or one table row; initials drawn after it apart."""
    texts, x0s, y0s, x1s, y1s, places = zip(*words, strict=True)
    return cut_words(Words(texts, x0s, y0s, x1s, y1s, places, list(map(sub, y1s, y0s))))


def cut_words(words: Words) -> list[Line]:
    """Return what `cut_line` returns; there is at least one word."""
    line = _line(words)
    if len(words.texts) == 1:
        return [line]
    x0s, x1s = words.x0s, words.x1s
    gaps = list(map(sub, x0s[1:], x1s))
    widest = max(gaps)
    if widest <= _GAP * line.height and min(gaps) >= 0 and not _DIGIT.search(line.text):
        if widest <= PIECE_GAP * line.height:
            line.words = None  # one piece, wherever its words stand
        return [line]  # prose, as most are
    begins = [
        at
        for at, gap in enumerate(gaps, 1)
        if gap < 0 and x1s[at] < x0s[at - 1] and _is_initial(words.heights[at - 1], words.heights[at])
    ]
    if not begins:
        return _cut(line, words, gaps)
    return [
        line
        for start, end in pairwise([0, *begins, len(gaps) + 1])
        for line in cut_words(words.part(start, end))
    ]


def _is_initial(before: float, after: float) -> bool:
    """Whether this is drawn after its line and larger: an initial."""
    return after > (1 + _SIZE) * before


def _cut(line: Line, words: Words, gaps: list[float]) -> list[Line]:
    """Cut `line`, which consists of all the words."""
    heights = words.heights
    least = _GAP * line.height
    numbers = list(map(_is_number, words.texts)) if _DIGIT.search(line.text) else []
    if max(gaps) <= least:
        if any(all(numbers[at : at + _RUN]) for at in range(len(numbers) - _RUN + 1)):
            line.cells, line.spans = _cells(words, [0])
        return [line]
    if len(gaps) >= _MIN_GAPS and sum(numbers) < _NUMERIC * len(heights):
        least = max(least, _JUSTIFIED * median(gaps))
    parts = _parts(words, gaps, least)
    if len(parts) == 1:
        return [line]
    ends = [*parts[1:], len(heights)]
    sizes = list(map(sub, ends, parts))
    if min(sizes) >= _COLUMN_WORDS or (
        min(sizes) > 1 and _differ([heights[start:end] for start, end in zip(parts, ends, strict=True)])
    ):
        return [_line(words.part(start, end)) for start, end in zip(parts, ends, strict=True)]
    line.cells, line.spans = _cells(words, parts)
    return [line]


def _parts(words: Words, gaps: list[float], least: float) -> list[int]:
    """Return where the parts between wide gaps begin; a list mark or number belongs to the next part."""
    parts = [0]
    for at, gap in enumerate(gaps, 1):
        if gap > least and not (at == 1 and _LABEL.fullmatch(words.texts[0])):
            parts.append(at)
    return parts


def _differ(parts: Sequence[Sequence[float]]) -> bool:
    """Whether the parts differ in height: a heading beside the end of a paragraph, not two cells."""
    heights = [sorted(part)[len(part) // 2] for part in parts]
    return max(heights) - min(heights) > _SIZE * max(heights)


def _line(words: Words) -> Line:
    texts, x0s, y0s, x1s, y1s, places, heights = words
    bases, middle = sorted(y1s), len(texts) // 2
    return Line(
        " ".join(texts),
        min(x0s),
        min(y0s),
        max(x1s),
        bases[-1],
        (),
        (places[0], places[-1]),
        ("", ""),
        sorted(heights)[middle],
        bases[middle],
        words=words,
    )


_FEW_ROWS = 2  # of cells; two short lines with digits count as one
_SHORT_LINE = 30  # characters


def keep_words(lines: Sequence[Line]) -> bool:
    """Keep where words stand if the page may have a table; say whether it may."""
    short = sum(len(line.text) <= _SHORT_LINE and _DIGIT.search(line.text) is not None for line in lines)
    may = sum(bool(line.cells) for line in lines) + short / 2 >= _FEW_ROWS
    for line in lines:
        if may and line.words is not None:
            line.edges = array("f", [*line.words.x0s, *line.words.x1s])
        line.words = None
    return may


def _cells(words: Words, parts: list[int]) -> tuple[tuple[str, ...], tuple[tuple[float, float], ...]]:
    """Return the cells of a row, which begin at `parts`, and their places; without lone marks."""
    ends = [*parts[1:], len(words.texts)]
    cells = [" ".join(words.texts[start:end]) for start, end in zip(parts, ends, strict=True)]
    spans = [(words.x0s[start], words.x1s[end - 1]) for start, end in zip(parts, ends, strict=True)]
    kept = [at for at, cell in enumerate(cells) if not is_lone_mark(cell)] or range(len(cells))
    return tuple(cells[at] for at in kept), tuple(spans[at] for at in kept)


def _is_number(text: str) -> bool:
    return not text.isalpha() and any(map(str.isdigit, text)) and not any(map(str.isalpha, text))
