"""Initials: a first letter several lines high, drawn apart from its word."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.extract.pdf.lines import Line

_HIGH = 1.8  # of the line beside it
_NEAR = 1.0  # of the initial's height: room between it and its word


def with_initials(lines: list[Line]) -> list[Line]:
    """The lines, each initial put back before the word it begins."""
    letters = [line for line in lines if len(line.text) == 1 and line.text.isupper()]
    joined = list(lines)
    for letter in letters:
        at = next((at for at, line in enumerate(joined) if _begins(letter, line)), None)
        if at is not None:
            joined[at] = replace(joined[at], text=letter.text + joined[at].text)
            joined.remove(letter)
    return joined


def _begins(letter: Line, line: Line) -> bool:
    """The line stands at the letter's right, not below its middle, and lacks its beginning."""
    return (
        line.text[:1].islower()
        and letter.height >= _HIGH * line.height
        and letter.y0 - line.height <= line.y0 <= (letter.y0 + letter.y1) / 2
        and -letter.height / 2 <= line.x0 - letter.x1 <= _NEAR * letter.height
    )
