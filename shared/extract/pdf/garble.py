"""Fonts that lie: a PDF whose characters do not map to the letters one sees.

Such a file looks right and copies as nonsense: its fonts carry a wrong or incomplete ToUnicode table. The
words betray it: letters of two scripts inside one, accented capitals in its middle, replacement characters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.extract.pdf.lines import Page

MAX_DAMAGED = 0.015
"""Share of a document's words; the sample reports with sound fonts have 0.0000, the others 0.03 to 0.41."""

_SHOWN_PAGES = 5
_LOWER = "a-z\u00df-\u00f6\u00f8-\u00ff"
_LETTER = "A-Za-z\u00c0-\u024f"
_FOREIGN = "\u03e2-\u058f\u0600-\u10ff\u2c00-\u2dff"  # Coptic, Cyrillic, Armenian, Arabic, Indic ...
_DAMAGED = re.compile(
    "\ufffd|[\x00-\x08\x0e-\x1f]"
    # A combining mark that begins a word, and the double marks that span two letters.
    "|^[\u0300-\u036f]|[\u0358-\u0362]"
    f"|[{_LETTER}][{_FOREIGN}]|[{_FOREIGN}][{_LETTER}]"
    # Greek only inside a word: a "\u0394T" is sound.
    f"|[{_LOWER}][\u0370-\u03e1][{_LOWER}]"
    # Letters of African and Croatian digraph alphabets, which no report here is written in.
    "|[\u018c-\u019f\u01a2-\u01ae\u01b1-\u01cc]"
    f"|[{_LETTER}][\ue000-\uf8ff][{_LETTER}]"
)
_INSIDE = re.compile(f"(?<=[{_LOWER}])[\u00c0-\u017d](?=[{_LOWER}])")


def refuse_garbled(pages: Sequence[Page]) -> None:
    """Raises Rejected(`unreadable_text`) where more than MAX_DAMAGED of the document's words are damaged."""
    damaged = [(page.number, *_count(line.text for line in page.lines)) for page in pages]
    words = sum(total for _, _, total in damaged)
    if words and sum(bad for _, bad, _ in damaged) > MAX_DAMAGED * words:
        worst = sorted(damaged, key=lambda page: -page[1])[:_SHOWN_PAGES]
        shown = ", ".join(str(number) for number in sorted(number for number, bad, _ in worst if bad))
        raise Rejected(
            "unreadable_text",
            f"The PDF's fonts do not say which letters they draw: its text is nonsense (see pages {shown}).",
            "Export it again from the program that made it, or upload a version with recognised text (OCR).",
        )


def _count(lines: Iterable[str]) -> tuple[int, int]:
    """Damaged words, and all words."""
    bad = total = 0
    for line in lines:
        words = line.split()
        total += len(words)
        if not line.isascii():
            bad += sum(map(_is_damaged, words))
    return bad, total


def _is_damaged(word: str) -> bool:
    if word.isascii():
        return False
    return _DAMAGED.search(word) is not None or any(letter.isupper() for letter in _INSIDE.findall(word))
