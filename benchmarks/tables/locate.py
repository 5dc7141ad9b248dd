"""Write into the gold where its numbers stand on their pages: `python -m benchmarks.tables.locate`.

A number that stands on a page several times is taken where its row and its column are, as far as the numbers
found before it show them.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from benchmarks.tables.gold import REPORTS, load, save
from benchmarks.tables.words import core, number_pattern, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.tables.gold import Value


class Place(NamedTuple):
    """Left edge and middle of a number, in points from the top left corner of its page."""

    x: float
    y: float


class Text:
    """A page's text layer with the place of each character."""

    def __init__(self, page: pdfium.PdfPage) -> None:
        self._layer = page.get_textpage()
        self._height = page.get_height()
        unicode = map(self._code, range(self._layer.count_chars()))
        self.text = "".join(chr(code) if 0 < code < sys.maxunicode else " " for code in unicode)

    def _code(self, at: int) -> int:
        return int(pdfium_c.FPDFText_GetUnicode(self._layer, at))

    def places(self, printed: str) -> list[Place]:
        """Return where a number stands, in the order of the text layer."""
        pattern = number_pattern(printed) if core(printed) else None  # a dash
        return [self._place(match.start()) for match in pattern.finditer(self.text)] if pattern else []

    def lines_of(self, label: str) -> list[float]:
        """Return the heights of the first words of a label, wherever they stand."""
        first = [re.escape(word) for word in words(label)[:2]]
        pattern = re.compile(r"\b" + r"\W+".join(first) + r"\b", re.IGNORECASE) if first else None
        return [self._place(match.start()).y for match in pattern.finditer(self.text)] if pattern else []

    def _place(self, at: int) -> Place:
        left, bottom, _, top = self._layer.get_charbox(at)
        return Place(left, self._height - (bottom + top) / 2)


def locate(values: Sequence[Value], text: Text) -> list[Value]:
    """Return the values of a page with their places; None where the text layer lacks the number."""
    places = [text.places(value.printed) for value in values]
    heights = [text.lines_of(value.label) for value in values]
    found: dict[int, Place] = {}
    order = sorted(range(len(values)), key=lambda at: len(places[at]))  # first what leaves no choice
    for at in order:
        free = [place for place in places[at] if place not in found.values()]
        if free:
            found[at] = min(free, key=lambda place: _distance(place, at, values, found, heights[at]))
    return [
        replace(value, x=round(found[at].x, 1), y=round(found[at].y, 1)) if at in found else value
        for at, value in enumerate(values)
    ]


def _distance(
    place: Place, at: int, values: Sequence[Value], found: dict[int, Place], heights: list[float]
) -> float:
    """How far a place is from the row and the column of the value; values read after each other are near."""
    value = values[at]
    row = [there.y for other, there in found.items() if _row(values[other]) == _row(value)]
    column = [there.x for other, there in found.items() if _column(values[other]) == _column(value)]
    near = sorted(found, key=lambda other: abs(other - at))[:2]
    away = 0.0
    if row:
        away += 4 * abs(place.y - median(row))
    elif heights:
        away += 2 * min(abs(place.y - height) for height in heights)
    if column and value.where == "table":
        away += min(abs(place.x - x) for x in column)
    return away + sum(abs(place.y - found[other].y) for other in near) / 4


def _row(value: Value) -> tuple[str, ...]:
    return value.where, value.label, value.parents


def _column(value: Value) -> tuple[str, ...]:
    return value.where, value.column


def main() -> None:
    """Locate all values of the gold anew."""
    located: list[Value] = []
    for (report, page), group in groupby(load(), key=lambda value: (value.report, value.page)):
        with pdfium.PdfDocument(REPORTS / f"{report}.pdf") as document:
            located.extend(locate(list(group), Text(document[page - 1])))
    save(located)
    _tell(value for value in located if value.x is None)


def _tell(lost: Iterable[Value]) -> None:
    for value in lost:
        print(f"{value.report} page {value.page}: the text layer lacks {value.printed}")


if __name__ == "__main__":
    main()
