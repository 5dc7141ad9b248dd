"""Long texts in pieces, so that none is in memory twice: line after line, and blocks of bounded length."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.extract.shapes import Block

MAX_BLOCK = 100_000
"""Characters, of some forty pages. Whoever looks at a block may take many times its memory."""
_STEP = 1 << 16  # characters
# No address, telephone or other number that is replaced later goes on over a space between two letters.
_SENTENCE = re.compile(r"(?<=[^\W\d_])[.!?\u2026\u3002]\s+(?=[^\W\d_])")
_WORDS = re.compile(r"(?<=[^\W\d_])\s+(?=[^\W\d_])")
_SPACE = re.compile(r"\s+")


def lines_of(text: str) -> Iterator[str]:
    """The lines, without their line feeds, and without a list of them."""
    at = 0
    while (end := text.find("\n", at + _STEP)) >= 0:
        yield from text[at:end].split("\n")
        at = end + 1
    yield from text[at:].split("\n")


def cut_long(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks; those that are too long in several, cut behind a sentence, or else between words."""
    for block in blocks:
        if len(block.text) <= MAX_BLOCK:
            yield block
        else:
            yield from (replace(block, text=text) for text in cut(block.text) if text)


def cut(text: str) -> Iterator[str]:
    """Pieces that are not too long."""
    at = 0
    while at + MAX_BLOCK < len(text):
        end = _end(text, at)
        yield text[at:end].strip()
        at = end
    yield text[at:].strip()


def _end(text: str, at: int) -> int:
    """Where the piece that begins at `at` ends: at the last such place in it."""
    for boundary in (_SENTENCE, _WORDS, _SPACE):
        for start in (at + MAX_BLOCK * 9 // 10, at + 1):
            ends = [found.end() for found in boundary.finditer(text, start, at + MAX_BLOCK)]
            if ends:
                return ends[-1]
    return at + MAX_BLOCK


def squeezable(text: str) -> Iterator[str]:
    """The text in pieces between which there was one space; the last may be of any length."""
    at = 0
    while (end := text.find(" ", at + _STEP)) >= 0:
        yield text[at:end]
        at = end + 1
    yield text[at:]
