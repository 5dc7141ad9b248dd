"""Words broken at line ends: is the hyphen the word's own, or the typesetter's?"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LONGEST = 100  # characters of a word
_NO_LETTER = re.compile(r"[\W\d_]")
_FIRST = re.compile(r"([^\W\d_]+(?:-[^\W\d_]+)*)")
_FEW = 12  # words that are looked for one by one
_SUSPENDED = re.compile(r"(?:and|or|und|oder|bzw|et|ou|e|o|y)\b")


class Joiner:
    """Joins the lines of a paragraph; the document's own words decide which hyphens stay."""

    def __init__(self, lines: Iterable[str]) -> None:
        """`lines` are the document's, and are gone through several times."""
        self._lines = lines
        self._asked: dict[str, bool] = {}

    @cached_property
    def _compounds(self) -> set[str]:
        """Words with a hyphen that is their own."""
        hyphened = (line.lower() for line in self._lines if "-" in line)
        return {word for line in hyphened for word in _WORD.findall(line) if "-" in word}

    @cached_property
    def _words(self) -> set[str]:
        # When many compounds are broken: few documents have that, and a set of all words is large.
        return {word for line in self._lines for word in _WORD.findall(line.lower())}

    def _is_word(self, word: str) -> bool:
        if len(self._asked) >= _FEW:
            return word in self._words
        if word not in self._asked:
            self._asked[word] = any(
                word in line and word in _WORD.findall(line) for line in map(str.lower, self._lines)
            )
        return self._asked[word]

    def join(self, lines: Iterable[str]) -> str:
        """One string: single spaces between lines, broken words whole again."""
        written = list(lines)
        whole = " ".join(" ".join(written).split())
        if "- " not in whole:
            return whole
        pieces: list[str] = []  # lines, and what stands between them
        for line in written:
            text = " ".join(line.split())
            if not text:
                continue
            if pieces:
                before = pieces[-1]
                stays = self._hyphen_stays(before, text) if before.endswith("-") else None
                if stays is None:
                    pieces.append(" ")
                elif not stays:
                    pieces[-1] = before[:-1]
            pieces.append(text)
        return "".join(pieces)

    def _hyphen_stays(self, before: str, after: str) -> bool | None:
        """Is the hyphen at the end of `before` the word's own? None: no word is broken there."""
        last = _NO_LETTER.split(before[-_LONGEST:-1])[-1]
        first = _FIRST.match(after)
        if not last or first is None or _SUSPENDED.match(after):
            return None
        left, right = last.lower(), first[1].lower()
        if f"{left}-{right}" in self._compounds and not self._is_word(left + right):
            return True
        # A capital beside the hyphen belongs to a compound: "EU-Taxonomy", "CO-emissions".
        return not first[1][0].islower() or last.isupper()
