"""Words and lines with their place on the page; a line is cut where the gap between words says cell or column."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

_GAP = 1.0  # of the line's height: a wider gap separates cells or columns
_JUSTIFIED = 3.0  # ... unless all gaps of the line are wide: times the median gap
_MIN_GAPS = 4  # gaps a line needs for their median to mean something
_COLUMN_WORDS = 4  # mean words of the parts of a line that spans columns of prose
_LABEL = 6  # characters of a list mark or section number that stands apart from its text


class Word(NamedTuple):
    """Points from the page's top left corner, y downwards."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(slots=True)
class Line:
    """A line of one column, or a row of a table; `fonts` are those of its first and last letter."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    cells: tuple[str, ...] = ()
    """Two or more where the line is a table row, else none."""
    fonts: tuple[str, str] = ("", "")

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def as_text(self) -> str:
        return " | ".join(self.cells) if self.cells else self.text


@dataclass(slots=True)
class Page:
    """A page's lines in the order they are drawn; `width` and `height` in points, as the page is looked at."""

    number: int
    width: float
    height: float
    lines: list[Line]


def cut_line(words: list[Word]) -> list[Line]:
    """One line, one line per column of prose, or one table row."""
    if len(words) == 1:
        return [_line(words)]
    gaps = [after.x0 - before.x1 for before, after in zip(words, words[1:], strict=False)]
    height = median(word.y1 - word.y0 for word in words)
    least = _GAP * height
    if max(gaps) <= least:
        return [_line(words)]
    if len(gaps) >= _MIN_GAPS:
        least = max(least, _JUSTIFIED * median(gaps))
    parts: list[list[Word]] = [[words[0]]]
    for gap, word in zip(gaps, words[1:], strict=True):
        if gap > least and not (len(parts) == 1 and len(parts[0]) == 1 and len(parts[0][0].text) <= _LABEL):
            parts.append([])
        parts[-1].append(word)
    if len(parts) == 1:
        return [_line(words)]
    if min(map(len, parts)) >= _COLUMN_WORDS:
        return [_line(part) for part in parts]
    line = _line(words)
    line.cells = tuple(" ".join(word.text for word in part) for part in parts)
    return [line]


def _line(words: list[Word]) -> Line:
    return Line(
        " ".join(word.text for word in words),
        min(word.x0 for word in words),
        min(word.y0 for word in words),
        max(word.x1 for word in words),
        max(word.y1 for word in words),
    )
