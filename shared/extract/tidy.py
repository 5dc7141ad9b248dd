"""Tidy text that was read: control characters, hyphens, list marks, and blocks that are too long."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shared.extract.shapes import Block


_TABLE = str.maketrans(
    {
        "\u00ad": None,  # soft hyphen
        "\u200b": None,  # zero-width space
        "\u200c": None,
        "\u200d": None,
        "\u2060": None,
        "\ufeff": None,
        "\u00a0": " ",
        "\u2002": " ",
        "\u2003": " ",
        "\u2009": " ",
        "\u200a": " ",
        "\u202f": " ",
        "\u2007": " ",
        "\ufb00": "ff",
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\ufb03": "ffi",
        "\ufb04": "ffl",
        "\ufb05": "st",
        "\ufb06": "st",
        "\u0132": "IJ",
        "\u0133": "ij",
    }
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
UNTIDY = re.compile(f"[{''.join(map(chr, _TABLE))}\ud800-\udfff]")
"""The characters that `clean` changes."""


def clean(text: str) -> str:
    """Spell out ligatures, drop invisible characters and make every space a plain one."""
    if text.isascii() or not UNTIDY.search(text):
        return text
    return _SURROGATE.sub("\ufffd", text.translate(_TABLE))


def visible(text: str) -> str:
    """Remove control characters, which terminals obey and nobody sees, except white space."""
    return text if text.isprintable() else _CONTROL.sub("", text)


def squeeze(text: str) -> str:
    """Clean the text, and make every run of white space one space."""
    if len(text) <= MAX_BLOCK:
        return " ".join(clean(text).split())
    return " ".join(filter(None, (" ".join(clean(part).split()) for part in squeezable(text))))


_RAISED = str.maketrans("0123456789", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")


def raised(text: str, before: Sequence[str]) -> str:
    """Return superscript text behind what stands `before`: a note's mark is no digit of a number."""
    after_number = before and before[-1][-1:] in tuple("0123456789%)")
    return text.translate(_RAISED) if after_number else text


# Bullets, squares, arrows, ticks, stars, dashes; and what symbol fonts put in the private-use area for them.
_SIGNS = (
    r"\u2022\u2023\u2043\u204c\u204d\u2219\u25a0-\u25ff\u2605\u2606\u2610-\u2612\u2713-\u2718"
    r"\u2726-\u2767\u2794-\u27bf\u2192\u21d2\u00b7\u00bb\u2013\u2014\u2212*\uf000-\uf0ff\u0083-"
)
_ITEM = re.compile(rf"\s*(?:[{_SIGNS}]|\(?\d{{1,2}}[.)]|\(?[a-z][.)]|\(?[ivx]{{2,4}}[.)])\s+\S")
_LONE = re.compile(r"(?:[^\w\s]|(?:\d{1,2}|[a-z])[.)])++$")  # symbol fonts' signs are no letters either


def is_item(text: str) -> bool:
    """Whether this is a list item with its mark: a sign, a number or a letter."""
    return _ITEM.match(text) is not None


def is_lone_mark(text: str) -> bool:
    """Whether this is a list mark alone: some programs draw marks apart from their items."""
    return _LONE.match(text) is not None


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
        """The document's words that contain a hyphen."""
        hyphened = (line.lower() for line in self._lines if "-" in line)
        return {word for line in hyphened for word in _WORD.findall(line) if "-" in word}

    @cached_property
    def _text(self) -> str:
        return "\n".join(self._lines).lower()

    @cached_property
    def _words(self) -> set[str]:
        # When many compounds are broken: few documents have that, and a set of all words is large.
        return {word for line in self._lines for word in _WORD.findall(line.lower())}

    def _is_word(self, word: str) -> bool:
        if len(self._asked) >= _FEW:
            return word in self._words
        if word not in self._asked:
            self._asked[word] = word in self._text and any(
                word in line and word in _WORD.findall(line) for line in map(str.lower, self._lines)
            )
        return self._asked[word]

    def join(self, lines: Iterable[str]) -> str:
        """Join with single spaces, and make broken words whole again."""
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
        """Whether the hyphen at the end of `before` belongs to the word; None: no word is broken there."""
        last = _NO_LETTER.split(before[-_LONGEST:-1])[-1]
        first = _FIRST.match(after)
        if not last or first is None or _SUSPENDED.match(after):
            return None
        left, right = last.lower(), first[1].lower()
        if f"{left}-{right}" in self._compounds and not self._is_word(left + right):
            return True
        # A capital beside the hyphen belongs to a compound: "EU-Taxonomy", "CO-emissions".
        return not first[1][0].islower() or last.isupper()


MAX_BLOCK = 100_000
"""Limit on a block, some forty pages: processing a block may take many times its memory."""
_STEP = 1 << 16  # characters
# No address, telephone or other number that is replaced later goes on over a space between two letters.
_SENTENCE = re.compile(r"(?<=[^\W\d_])[.!?\u2026\u3002]\s+(?=[^\W\d_])")
_WORDS = re.compile(r"(?<=[^\W\d_])\s+(?=[^\W\d_])")
_SPACE = re.compile(r"\s+")


def listed(numbers: Sequence[int], most: int = 10) -> str:
    """List the first numbers for a warning."""
    return ", ".join(map(str, numbers[:most])) + (" ..." if len(numbers) > most else "")


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines without their line feeds, and without making a list of them."""
    at = 0
    while (end := text.find("\n", at + _STEP)) >= 0:
        yield from text[at:end].split("\n")
        at = end + 1
    yield from text[at:].split("\n")


def cut_long(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield the blocks; cut those that are too long behind a sentence, or else between words."""
    for block in blocks:
        if len(block.text) <= MAX_BLOCK:
            yield block
        else:
            yield from (replace(block, text=text) for text in cut(block.text) if text)


def cut(text: str) -> Iterator[str]:
    """Yield pieces that are not too long."""
    at = 0
    while at + MAX_BLOCK < len(text):
        end = _end(text, at)
        yield text[at:end].strip()
        at = end
    yield text[at:].strip()


def _end(text: str, at: int) -> int:
    """Return the end of the piece that begins at `at`: the last boundary in it."""
    for boundary in (_SENTENCE, _WORDS, _SPACE):
        for start in (at + MAX_BLOCK * 9 // 10, at + 1):
            ends = [found.end() for found in boundary.finditer(text, start, at + MAX_BLOCK)]
            if ends:
                return ends[-1]
    return at + MAX_BLOCK


def squeezable(text: str) -> Iterator[str]:
    """Yield pieces of the text, which are separated by single spaces; the last may have any length."""
    at = 0
    while (end := text.find(" ", at + _STEP)) >= 0:
        yield text[at:end]
        at = end + 1
    yield text[at:]
