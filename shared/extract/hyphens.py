"""Words broken at line ends: is the hyphen the word's own, or the typesetter's?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LAST = re.compile(r"([^\W\d_]+)-$")
_FIRST = re.compile(r"([^\W\d_]+(?:-[^\W\d_]+)*)")
_SUSPENDED = re.compile(r"(?:and|or|und|oder|bzw|et|ou|e|o|y)\b")


class Joiner:
    """Joins the lines of a paragraph; the document's own words decide which hyphens stay."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._words = {word for line in lines for word in _WORD.findall(line.lower())}

    def join(self, lines: Iterable[str]) -> str:
        """One string: single spaces between lines, broken words whole again."""
        parts: list[str] = []
        for line in lines:
            text = " ".join(line.split())
            if not text:
                continue
            glue = self._glue(parts[-1], text) if parts else None
            if glue is None:
                parts.append(text)
            else:
                parts[-1] = glue
        return " ".join(parts)

    def _glue(self, before: str, after: str) -> str | None:
        """The two lines as one where `before` ends in a broken word, else None."""
        last = _LAST.search(before)
        first = _FIRST.match(after)
        if last is None or first is None or _SUSPENDED.match(after):
            return None
        left, right = last[1].lower(), first[1].lower()
        if f"{left}-{right}" in self._words and left + right not in self._words:
            return before + after
        # A capital beside the hyphen belongs to a compound: "EU-Taxonomy", "CO-emissions".
        if not first[1][0].islower() or last[1].isupper():
            return before + after
        return before[:-1] + after
