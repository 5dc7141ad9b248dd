"""Plain text and Markdown: paragraphs, whether lines were wrapped by hand or not."""

from __future__ import annotations

import re

from shared.extract.hyphens import Joiner
from shared.extract.refusals import no_text
from shared.extract.shapes import Block, BlockKind, Extracted
from shared.extract.tidy import clean

_BULLET = re.compile(r"\s*(?:[-*+•‣▪●◦–—·]|\(?\d{1,2}[.)]|\(?[a-z][.)])\s+\S")
_HEADING_MARK = re.compile(r"\s{0,3}#{1,6}\s+")
_RULE = re.compile(r"\s*(?:[-=_*~]\s*){3,}$")
_EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)(.+?)(?<=\S)\1")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_TABLE_ROW = re.compile(r"\s*\|.*\|\s*$")
_END = re.compile(r"[.!?:;…][\"'”’)\]]*\d{0,2}\s*$")
_UNWRAPPED = 160  # characters: lines as long as this were not wrapped, so each is a paragraph
_MAX_HEADING_WORDS = 12


def read_plain(text: str, media_type: str) -> Extracted:
    """Paragraphs with their wrapped lines joined; raises Rejected(`no_text`) where no letter or digit is left."""
    lines = [clean(line).rstrip() for line in text.split("\n")]
    blocks = _blocks(lines, markdown=media_type == "text/markdown")
    if not any(char.isalnum() for block in blocks for char in block.text):
        raise no_text("The file holds no words.", "Check that the right file was uploaded.")
    title = next((block.text for block in blocks if block.kind == "heading"), None)
    return Extracted(media_type, title, None, blocks)


def _blocks(lines: list[str], *, markdown: bool) -> list[Block]:
    joiner = Joiner(lines)
    width = _wrap_width(lines)
    blocks: list[Block] = []
    paragraph: list[str] = []

    def close() -> None:
        if paragraph:
            text = joiner.join(paragraph)
            blocks.append(Block(_plain(text) if markdown else text, _kind(text)))
            paragraph.clear()

    for line in lines:
        stripped = line.strip()
        heading = _HEADING_MARK.match(line) if markdown else None
        if not stripped or _RULE.match(line):
            close()
        elif heading:
            close()
            blocks.append(Block(_plain(line[heading.end() :].strip(" #")), "heading"))
        elif markdown and _TABLE_ROW.match(line):
            close()
            blocks.append(Block(" | ".join(cell.strip() for cell in stripped.strip("|").split("|")), "table"))
        else:
            if paragraph and _breaks(paragraph[-1], line, width):
                close()
            paragraph.append(stripped)
    close()
    return [block for block in blocks if block.text]


def _wrap_width(lines: list[str]) -> int:
    """The length from which a line counts as full; 0 where lines were not wrapped."""
    lengths = sorted(len(line) for line in lines if line.strip())
    if not lengths or lengths[int(len(lengths) * 0.9)] > _UNWRAPPED:
        return 0
    return int(lengths[int(len(lengths) * 0.9)] * 0.6)


def _breaks(before: str, line: str, width: int) -> bool:
    """Does a new paragraph begin with `line`?"""
    if not width or _BULLET.match(line) or _is_capitals(before) != _is_capitals(line):
        return True
    if line.lstrip()[:1].islower() or before.endswith((",", "-")):
        return False
    if len(before) >= width:
        return False
    return True


def _kind(text: str) -> BlockKind:
    if len(text.split()) <= _MAX_HEADING_WORDS and not _END.search(text) and not _BULLET.match(text):
        return "heading"
    return "text"


def _is_capitals(line: str) -> bool:
    letters = [char for char in line if char.isalpha()]
    return len(letters) > 3 and all(char.isupper() for char in letters)


def _plain(text: str) -> str:
    """Markdown's marks taken off."""
    return _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", text)))
