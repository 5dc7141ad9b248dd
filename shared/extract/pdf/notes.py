"""Marks of footnotes, set small and high behind a word: "electricity2" is none."""

from __future__ import annotations

import re

# Letters before it, or letters and the sentence's end: "m3" has two, and "10" none.
_MARKED = re.compile(r"(.*[^\W\d_]{3}[.,;:!?)\]\"\u2019\u201d]{0,2})\(?\d{1,2}(?:,\d{1,2})*\)?", re.DOTALL)
_SMALL = 0.8  # of the word's height
_RAISED = 0.2  # of the word's height, from its lower edge to that of the mark


def without_mark(word: str) -> str:
    """The word before a mark at its end; the word, where there is none."""
    found = _MARKED.fullmatch(word)
    return found[1] if found else word


def is_raised(height: float, mark_height: float, rise: float) -> bool:
    """Is something set like a mark, its lower edge `rise` above that of what is `height` high?"""
    return mark_height <= _SMALL * height and rise >= _RAISED * height
