"""Words and lines with their place on the page; wide gaps between words cut a line into cells or columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from shared.extract.marks import is_lone_mark

_GAP = 1.0  # of the line's height: a wider gap separates cells or columns
_JUSTIFIED = 3.0  # ... unless all gaps of the line are wide: times the median gap
_MIN_GAPS = 4  # gaps a line needs for their median to mean something
_COLUMN_WORDS = 4  # words that each part of a line spanning columns of prose has at least
_LABEL = re.compile(
    r"\(?(?:\d{1,2}(?:\.\d{1,2})*|[a-zA-Z]|[ivx]{2,4})[.)]?|\W+"
)  # a list mark or section number
_NUMERIC = 0.3  # of the words are numbers: a row of a table, whose gaps are all wide
_RUN = 3  # numbers in sequence that no sentence has
_SIZE = 0.15  # relative difference in height between parts that are not of one line


class Word(NamedTuple):
    """Points from the page's top left corner, y downwards; `at` is pdfium's index of the first character."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    at: int


@dataclass(slots=True)
class Line:
    """A line of one column, or a row of a table; `fonts` are those of its first and last word."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    cells: tuple[str, ...] = ()
    """The row's cells where the line is one of a table, else none."""
    ends: tuple[int, int] = (0, 0)
    """pdfium's indices of the first and last word."""
    fonts: tuple[str, str] = ("", "")
    height: float = 0.0
    """Of most of its words, in points: one with an accented capital may be higher."""
    base: float = 0.0
    """Where most of its words end below."""


@dataclass(slots=True)
class Page:
    """A page's lines in the order they are drawn; `width` and `height` in points, as the page is seen."""

    number: int
    width: float
    height: float
    lines: list[Line]


def cut_line(words: list[Word]) -> list[Line]:
    """One line, one line per column of prose, or one table row; initials drawn after it apart."""
    begins = [at for at in range(1, len(words)) if _is_initial(words[at - 1], words[at])]
    if not begins:
        return _cut(words)
    return [line for start, end in pairwise([0, *begins, len(words)]) for line in _cut(words[start:end])]


def _is_initial(before: Word, after: Word) -> bool:
    """Drawn after its line, at the left of it, and larger: no script is written so."""
    return after.x1 < before.x0 and after.y1 - after.y0 > (1 + _SIZE) * (before.y1 - before.y0)


def _cut(words: list[Word]) -> list[Line]:
    if len(words) == 1:
        return [_line(words)]
    height = _middle([word.y1 - word.y0 for word in words])
    gaps = [after.x0 - before.x1 for before, after in pairwise(words)]
    numbers = [_is_number(word.text) for word in words]
    if max(gaps) <= _GAP * height:
        return [_row([words]) if sum(numbers) >= _RUN and _has_run(numbers) else _line(words)]
    least = _GAP * height
    if len(gaps) >= _MIN_GAPS and sum(numbers) < _NUMERIC * len(words):
        least = max(least, _JUSTIFIED * median(gaps))
    parts = _parts(words, gaps, least)
    if len(parts) == 1:
        return [_line(words)]
    if min(map(len, parts)) >= _COLUMN_WORDS or _differ(parts):
        return [_line(part) for part in parts]
    return [_row(parts)]


def _middle(values: list[float]) -> float:
    """The median, the upper one of two."""
    return sorted(values)[len(values) // 2]


def _parts(words: list[Word], gaps: list[float], least: float) -> list[list[Word]]:
    """The words between gaps wider than `least`; a list mark or section number stays with what follows."""
    parts = [[words[0]]]
    for gap, word in zip(gaps, words[1:], strict=True):
        is_label = len(parts) == 1 and len(parts[0]) == 1 and _LABEL.fullmatch(parts[0][0].text)
        if gap > least and not is_label:
            parts.append([])
        parts[-1].append(word)
    return parts


def _differ(parts: list[list[Word]]) -> bool:
    """Of different sizes: a heading beside the end of a paragraph, not two cells."""
    heights = [_middle([word.y1 - word.y0 for word in part]) for part in parts]
    return max(heights) - min(heights) > _SIZE * max(heights) and min(map(len, parts)) > 1


def _line(words: list[Word]) -> Line:
    texts, x0s, y0s, x1s, y1s, places = zip(*words, strict=True)
    return Line(
        " ".join(texts),
        min(x0s),
        min(y0s),
        max(x1s),
        max(y1s),
        ends=(places[0], places[-1]),
        height=_middle([y1 - y0 for y0, y1 in zip(y0s, y1s, strict=True)]),
        base=_middle(list(y1s)),
    )


def _row(parts: list[list[Word]]) -> Line:
    line = _line([word for part in parts for word in part])
    cells = [" ".join(word.text for word in part) for part in parts]
    line.cells = tuple(cell for cell in cells if not is_lone_mark(cell)) or tuple(cells)
    return line


def _is_number(text: str) -> bool:
    return not text.isalpha() and any(map(str.isdigit, text)) and not any(map(str.isalpha, text))


def _has_run(numbers: list[bool]) -> bool:
    return any(all(numbers[at : at + _RUN]) for at in range(len(numbers) - _RUN + 1))
