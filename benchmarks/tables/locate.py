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
from scipy.optimize import linear_sum_assignment

from benchmarks.tables.gold import REPORTS, load, save
from benchmarks.tables.words import core, number_pattern, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.tables.gold import Value


LABEL_WORDS = 4
"""How many of its first words find a label."""
FAR = 300
"""Characters beyond which a word has nothing to do with a number."""
ROUNDS = 3
"""How often each number is placed, every time with all others where they were found before."""


class Place(NamedTuple):
    """Left edge and middle of a number, in points from its page's top left corner, and where in the text."""

    x: float
    y: float
    at: int


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
        """Return the heights at which a label begins, wherever it stands."""
        first = [re.escape(word) for word in re.findall(r"\w+", label)[:LABEL_WORDS]]
        pattern = re.compile(r"\b" + r"\W+".join(first) + r"\b", re.IGNORECASE) if first else None
        return [self._place(match.start()).y for match in pattern.finditer(self.text)] if pattern else []

    def away(self, at: int, label: str) -> float:
        """Return how many characters the words of a label are away from a place in the text, at the mean."""
        near = self.text[max(0, at - FAR) : at + FAR].casefold()
        middle = min(at, FAR)
        distances = [
            min(
                (abs(match.start() - middle) for match in re.finditer(rf"\b{re.escape(word)}", near)),
                default=FAR,
            )
            for word in words(label)
        ]
        return sum(distances) / len(distances) if distances else 0.0

    def _place(self, at: int) -> Place:
        left, bottom, _, top = self._layer.get_charbox(at)
        return Place(left, self._height - (bottom + top) / 2, at)


def locate(values: Sequence[Value], text: Text) -> list[Value]:
    """Return the values of a page with their places; None where the text layer lacks the number."""
    places = [text.places(value.printed) for value in values]
    heights = [text.lines_of(value.label) for value in values]
    groups: dict[str, list[int]] = {}
    for at, value in enumerate(values):
        if places[at]:
            groups.setdefault(core(value.printed), []).append(at)
    found: dict[int, Place] = {}
    for _ in range(ROUNDS):
        for group in sorted(groups.values(), key=lambda group: len(places[group[0]]) / len(group)):
            there = places[group[0]]  # the same for all of a group
            away = [
                [
                    _distance(place, at, values, found, heights[at])
                    + _words_away(place, values[at], text)
                    + abs(row - column) / 2  # values were read in about the order of the text
                    for column, place in enumerate(there)
                ]
                for row, at in enumerate(group)
            ]
            found |= {
                group[row]: there[column] for row, column in zip(*linear_sum_assignment(away), strict=True)
            }
    return [
        replace(value, x=round(found[at].x, 1), y=round(found[at].y, 1)) if at in found else value
        for at, value in enumerate(values)
    ]


def _distance(
    place: Place, at: int, values: Sequence[Value], found: dict[int, Place], heights: list[float]
) -> float:
    """How far a place is from the row and the column of the value; values read after each other are near."""
    value = values[at]
    others = [other for other in found if core(values[other].printed) != core(value.printed)]
    row = [found[other].y for other in others if _row(values[other]) == _row(value)]
    column = [found[other].x for other in others if _column(values[other]) == _column(value)]
    near = sorted(others, key=lambda other: abs(other - at))[:4]
    away = 0.0
    if row:
        away += 4 * abs(place.y - median(row))
    elif heights:
        away += 2 * min(abs(place.y - height) for height in heights)
    if column and value.where == "table":
        away += min(abs(place.x - x) for x in column)
    return away + sum(abs(place.y - found[other].y) for other in near) / 4


def _words_away(place: Place, value: Value, text: Text) -> float:
    """How far the label's words are in the text; in a table its place on the page says more."""
    return text.away(place.at, value.label) / (10 if value.where == "table" else 1)


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
