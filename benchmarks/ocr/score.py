"""How many letters are wrong: recognised pieces set against the lines of a page's own text."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ALIKE = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"',
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
        "\u2022": "", "\u25cf": "", "\u25aa": "", "\u25a0": "", "\u00b7": "", "\uf0b7": "",
    }
)  # fmt: skip
"""What recognition cannot tell apart, or sets where a list's mark is a drawing."""
_SHARED = 0.4  # of the lower of two boxes


@dataclass(frozen=True, slots=True)
class Placed:
    """A text and its box; shares of the page's width and height from its top left corner."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Errors:
    """Letters put in, left out or taken for others, of so many."""

    wrong: int
    letters: int

    @property
    def rate(self) -> float:
        return self.wrong / max(1, self.letters)


def total(errors: Iterable[Errors]) -> Errors:
    found = list(errors)
    return Errors(sum(each.wrong for each in found), sum(each.letters for each in found))


def compare(lines: Sequence[Placed], pieces: Sequence[Placed]) -> Errors:
    """Line by line, by place, so that the order of reading does not count; a piece beside every line does."""
    parts: list[list[Placed]] = [[] for _ in lines]
    wrong = 0
    for piece in pieces:
        at = max(range(len(lines)), key=lambda at: _shared(lines[at], piece), default=None)
        if at is None or _shared(lines[at], piece) <= 0:
            wrong += len(_plain(piece.text))
        else:
            parts[at].append(piece)
    letters = 0
    for line, found in zip(lines, parts, strict=True):
        own = _plain(line.text)
        letters += len(own)
        found.sort(key=lambda piece: piece.x0)
        wrong += distance(own, _plain(" ".join(piece.text for piece in found)))
    return Errors(wrong, letters)


def _shared(line: Placed, piece: Placed) -> float:
    """How much of the piece's width is the line's; none where they are not at one height."""
    high = min(line.y1, piece.y1) - max(line.y0, piece.y0)
    if high < _SHARED * min(line.y1 - line.y0, piece.y1 - piece.y0):
        return 0.0
    wide = min(line.x1, piece.x1) - max(line.x0, piece.x0)
    return max(0.0, wide) * high


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).translate(_ALIKE).split())


def distance(one: str, other: str) -> int:
    """Levenshtein's."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        before, row[0] = row[0], at
        for place, second in enumerate(other, 1):
            before, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, before + (letter != second)),
            )
    return row[-1]
