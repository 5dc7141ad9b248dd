"""Fonts that lie: a PDF whose characters do not map to the letters one sees.

Such a file looks right and copies as nonsense: its fonts carry a wrong or incomplete ToUnicode table. The
words betray it: letters of two scripts inside one, accented capitals in its middle, replacement characters.
"""

from __future__ import annotations

import re
from string import ascii_letters
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.extract.pdf.lines import Page

MAX_DAMAGED = 0.015
"""Share of a page's words; pages of the samples have 0.0000 with sound fonts, up to 0.5 with others."""

_LEAST_DAMAGED = 2  # words: one may be a foreign name
_MOST_PAGES = 0.5  # of the pages with text are damaged: then chance alone spared the others
_MIN_LETTERS = 100  # of a page whose share of vowels means something
_MIN_VOWELS = 0.27
"""Of the letters of a page that is nearly all plain Latin; the samples have 0.33 and more, shifted letters
0.15 to 0.25."""
_MIN_PLAIN = 0.95
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
_SUSPECT = re.compile(
    "[\x00-\x1f\x7f\u0300-\u058f\u0600-\u10ff\u2c00-\u2dff\u018c-\u01cc\ue000-\uf8ff\ufffd"
    f"{''.join(filter(str.isupper, map(chr, range(0xC0, 0x17E))))}]"
)
"""What every damaged word has, and few others."""
_PLAIN = ascii_letters.encode()
_VOWELS = b"aeiouAEIOU"
_INSIDE = re.compile(f"(?<=[{_LOWER}])[\u00c0-\u017d](?=[{_LOWER}])")


def find_garbled(pages: Sequence[Page]) -> set[int]:
    """The numbers of the pages whose fonts lie; all pages with text where that holds for half of them."""
    written = [page for page in pages if page.lines]
    garbled = {page.number for page in written if _is_garbled([line.text for line in page.lines])}
    return {page.number for page in written} if len(garbled) > _MOST_PAGES * len(written) else garbled


def _is_garbled(lines: Sequence[str]) -> bool:
    text = " ".join(lines)
    words = text.split()
    damaged = sum(map(_is_damaged, filter(_SUSPECT.search, words))) if _SUSPECT.search(text) else 0
    if damaged > MAX_DAMAGED * len(words) and damaged >= min(_LEAST_DAMAGED, len(words)):
        return True
    return _is_shifted(text)


def _is_shifted(text: str) -> bool:
    """The letters of one alphabet stand for others of it, as where a font numbers its glyphs from 0 up."""
    letters = text.encode("ascii", "ignore")
    others = letters.translate(None, _PLAIN)
    plain = len(letters) - len(others)
    consonants = len(letters.translate(None, _VOWELS)) - len(others)
    return (
        plain >= _MIN_LETTERS
        and plain - consonants < _MIN_VOWELS * plain
        and plain >= _MIN_PLAIN * sum(map(str.isalpha, text))
    )


def _is_damaged(word: str) -> bool:
    if word.isascii():
        return not word.isprintable()
    return _DAMAGED.search(word) is not None or any(letter.isupper() for letter in _INSIDE.findall(word))
