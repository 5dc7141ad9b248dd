"""Plain text and Markdown: paragraphs, whether lines were wrapped by hand or not."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from shared.extract.refusals import no_text, too_many
from shared.extract.shapes import Block, BlockKind, Extracted, has_words
from shared.extract.tidy import MAX_BLOCK, Joiner, clean, cut, is_item, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.extract.shapes import Limits

_HEADING_MARK = re.compile(r"\s{0,3}#{1,6}\s+")
_RULE = re.compile(r"\s*(?:[-=_*~]\s*){3,}$")
_EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)((?:(?!\1).){1,500})(?<=\S)\1")
_LINK = re.compile(r"!?\[([^\[\]]{0,500})\]\([^()\s]{0,2000}(?:\s+\"[^\"]{0,500}\")?\)")
_TABLE_ROW = re.compile(r"\s*\|.*\|\s*$")
_TABLE_RULE = re.compile(r"[|\s:-]+$")
_END = re.compile(r"[.!?:;\u2026][\"'\u201d\u2019)\]]*\d{0,2}\s*$")
_UNWRAPPED = 160  # characters: lines as long as this were not wrapped, so each is a paragraph
_FULL = 0.6  # of the length of long lines: a line shorter than this was not broken for want of room
_WORDS = 2_000_000  # characters from the start whose words decide which hyphens stay
_MAX_HEADING_WORDS = 12
_MIN_CAPITALS = 4  # letters; a line of fewer is an acronym


def read_plain(text: str, media_type: str, limits: Limits) -> Extracted:
    """Paragraphs with their wrapped lines joined; of these there may be as many as of rows.

    Raises Rejected(`no_text`, `too_many_rows`).
    """
    found = paragraphs(text, markdown=media_type == "text/markdown")
    blocks = list(islice(found, limits.rows + 1))
    if len(blocks) > (most := limits.rows):
        raise too_many("rows", f"more than {most:,} paragraphs", most)
    if not has_words(blocks):
        raise no_text("The file holds no words.", "Check that the right file was uploaded.")
    title = next((block.text for block in blocks if block.kind == "heading"), None)
    return Extracted(media_type, title, None, blocks)


def paragraphs(text: str, *, markdown: bool) -> Iterator[Block]:
    """Headings, paragraphs, list items and (in Markdown) table rows, in order."""
    lines = _Lines(text)
    reader = _Reader(lines, Joiner(_Lines(text, _WORDS)), markdown=markdown)
    for line in lines:
        reader.read(line)
        yield from reader.taken()
    reader.close()
    yield from reader.taken()


class _Lines:
    """Cleaned lines of bounded length, as often as they are asked for: a list would take far more memory."""

    def __init__(self, text: str, most: int | None = None) -> None:
        self._text = text
        self._most = most

    def __iter__(self) -> Iterator[str]:
        for line in lines_of(self._text[: self._most]):
            for part in (line,) if len(line) <= MAX_BLOCK else cut(line):
                yield clean(part).rstrip()


class _Reader:
    """Line by line: the paragraph that is open, and the blocks that are done."""

    def __init__(self, lines: _Lines, joiner: Joiner, *, markdown: bool) -> None:
        self.blocks: list[Block] = []
        self._joiner = joiner
        self._full = _full_line(lines)
        self._markdown = markdown
        self._open: list[str] = []
        self._size = 0

    def read(self, line: str) -> None:
        stripped = line.strip()
        heading = _HEADING_MARK.match(line) if self._markdown else None
        if not stripped or _RULE.match(line):
            self.close()
        elif heading:
            self.close()
            self.blocks.append(Block(_plain(line[heading.end() :].strip(" #")), "heading"))
        elif self._markdown and _TABLE_ROW.match(line):
            self.close()
            if not _TABLE_RULE.match(stripped):
                cells = (_plain(cell.strip()) for cell in stripped.strip("|").split("|"))
                self.blocks.append(Block(" | ".join(filter(None, cells)), "table"))
        else:
            if self._open and (self._begins_paragraph(line) or self._size > MAX_BLOCK):
                self.close()
            self._open.append(stripped)
            self._size += len(stripped)

    def taken(self) -> Iterator[Block]:
        """The blocks that are done, each once."""
        done, self.blocks = self.blocks, []
        return (block for block in done if block.text)

    def close(self) -> None:
        """The open paragraph ends here."""
        if self._open:
            text = self._joiner.join(self._open)
            self.blocks.append(Block(_plain(text) if self._markdown else text, _kind(text)))
            self._open, self._size = [], 0

    def _begins_paragraph(self, line: str) -> bool:
        before = self._open[-1]
        if not self._full or is_item(line) or _is_capitals(before) != _is_capitals(line):
            return True
        goes_on = line.lstrip()[:1].islower() or before.endswith((",", "-"))
        return not goes_on and len(before) < self._full


def _full_line(lines: Iterable[str]) -> int:
    """The length from which a line counts as full; 0 where lines were not wrapped."""
    lengths = Counter(len(line) for line in lines if line.strip())
    left, long = int(lengths.total() * 0.9), 0
    for long in sorted(lengths):
        left -= lengths[long]
        if left < 0:
            break
    return 0 if long > _UNWRAPPED else int(long * _FULL)


def _kind(text: str) -> BlockKind:
    if len(text.split()) <= _MAX_HEADING_WORDS and not _END.search(text) and not is_item(text):
        return "heading"
    return "text"


def _is_capitals(line: str) -> bool:
    letters = [char for char in line if char.isalpha()]
    return len(letters) >= _MIN_CAPITALS and all(char.isupper() for char in letters)


def _plain(text: str) -> str:
    """Markdown's marks taken off."""
    return _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", text)))
