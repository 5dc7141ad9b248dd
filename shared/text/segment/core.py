"""Blocks to passages: redact, lay out one text, find the sentences, pack them."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal

from shared.extract.tidy import is_item, visible
from shared.platform.errors import Rejected
from shared.text.segment.pack import Unit, counted, pack, within_window
from shared.text.segment.sentences import is_prose, is_wordy_row, split_sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.extract.shapes import Block, BlockKind, Extracted

    Count = Callable[[list[str]], list[int]]

MAX_SECTION = 200
"""Characters of a heading that a passage carries."""

_TERMINAL = re.compile(r"[.!?:;\u2026\u3002][\"'\u201d\u2019\u00bb)\]]*(?:\[?\d{1,2}\]?)?$")
_BROKEN = re.compile(r"[^\W\d_]-$")


@dataclass(frozen=True, slots=True)
class SegmentLimits:
    """Sizes in word pieces, the two special tokens included; `passages` is a hard limit of the document."""

    window: int = 256
    target: int = 80
    """A passage takes another sentence only as long as it stays within this."""
    least: int = 24
    """... but one that is shorter than this takes a neighbour even beyond the target."""
    passages: int = 100_000


@dataclass(frozen=True, slots=True)
class Cut:
    """A passage: [start, end) of the document's text."""

    start: int
    end: int
    page: int | None
    row: int | None
    tokens: int
    section: tuple[int, int] | None
    """[start, end) of the heading it stands under."""
    label: str | None


@dataclass(frozen=True, slots=True)
class Segmented:
    """The document's redacted text, and its passages one after the other: of a long one there are many."""

    text: str
    cuts: Iterator[Cut]
    """In the order of the text, none overlapping another. Raises Rejected(`too_many_passages`)."""


@dataclass(slots=True)
class _Piece:
    """A block in the text, which it does not hold itself: [start, end), and the paragraph it flows into."""

    kind: BlockKind
    page: int | None
    row: int | None
    label: str | None
    start: int
    end: int
    paragraph: int


def segment(
    extracted: Extracted,
    *,
    count: Callable[[list[str]], list[int]],
    redact: Callable[[str], str],
    limits: SegmentLimits,
) -> Segmented:
    """Passages in reading order.

    `count` gives the word pieces of many texts at once, the two special tokens included, nothing truncated;
    `redact` is applied block by block, before anything is cut. The blocks are taken out of `extracted`, whose
    list is empty afterwards: so a text is not kept twice.
    A data row is one passage, unless it is longer than a passage may be. A sentence that runs over a page
    break belongs to the page it starts on.
    Raises Rejected(`no_text`) where nothing is worth a passage.
    """
    text, pieces = _lay_out(extracted.blocks, redact)
    for everything in (False, True):
        cuts = _cuts(text, pieces, count, limits, everything=everything)
        for first in cuts:
            return Segmented(text, _at_most(limits.passages, chain([first], cuts)))
    raise Rejected(
        "no_text",
        "The document holds no sentences to analyse.",
        "Check that it holds text, not only numbers.",
    )


def _at_most(limit: int, cuts: Iterator[Cut]) -> Iterator[Cut]:
    for number, cut in enumerate(cuts):
        if number == limit:
            raise Rejected(
                "too_many_passages",
                f"The document has more than {limit:,} passages, which is the limit.",
                "Split the document, or ask the operator to raise the limit on passages.",
            )
        yield cut


def _cuts(
    text: str, pieces: list[_Piece], count: Count, limits: SegmentLimits, *, everything: bool
) -> Iterator[Cut]:
    """One after the other: of a long document there may be far more sentences than passages."""
    units = counted(text, _units(text, pieces, everything=everything), count)
    fitting = within_window(text, units, count, limits.window)
    section = _sections(pieces)
    labels = {piece.paragraph: piece.label for piece in pieces if piece.label}  # of rows, never joined
    for found in pack(fitting, limits.target, limits.least, limits.window):
        yield Cut(
            found.start,
            found.end,
            found.page,
            found.row,
            found.tokens,
            section(found.start),
            labels.get(found.paragraph),
        )


def _lay_out(blocks: list[Block], redact: Callable[[str], str]) -> tuple[str, list[_Piece]]:
    """The document's text, and where in it each block stands; the blocks are gone afterwards."""
    parts: list[str] = []
    pieces: list[_Piece] = []
    at = paragraph = 0
    before: Block | None = None
    blocks.reverse()
    while blocks:
        block = blocks.pop()
        text = redact(visible(block.text))
        if not text.strip():  # of controls alone
            continue
        if before is not None:
            if _flows(before, block):
                if _BROKEN.search(parts[-1]):
                    parts[-1] = parts[-1][:-1]
                    at -= 1
                    pieces[-1].end = at
                    glue = ""
                else:
                    glue = " "
            else:
                glue = "\n" if _is_listed(before, block) else "\n\n"
                paragraph += 1
            parts.append(glue)
            at += len(glue)
        parts.append(text)
        label = (redact(visible(block.label)) or None) if block.label else None
        pieces.append(_Piece(block.kind, block.page, block.row, label, at, at + len(text), paragraph))
        at += len(text)
        before = block
    return "".join(parts), pieces


def _sections(pieces: list[_Piece]) -> Callable[[int], tuple[int, int] | None]:
    """Finds the heading that a place in the text stands under; of several in a row the last."""
    headings = [piece for piece in pieces if piece.kind == "heading" and piece.end > piece.start]
    starts = [piece.start for piece in headings]

    def section(place: int) -> tuple[int, int] | None:
        at = bisect_right(starts, place) - 1
        if at < 0:
            return None
        return headings[at].start, min(headings[at].end, headings[at].start + MAX_SECTION)

    return section


def _is_listed(before: Block, block: Block) -> bool:
    """Rows of one table, and items of one list, stand on lines of their own but close together."""
    if block.kind == "text":
        return before.kind == "text" and is_item(block.text)
    return before.kind == block.kind and block.kind in {"row", "table"}


def _flows(before: Block, block: Block) -> bool:
    """Does a sentence run on from one page to the next?"""
    return (
        before.kind == block.kind == "text"
        and before.page is not None
        and block.page == before.page + 1
        and block.text[:1].islower()
        and not is_item(block.text)
        and not _TERMINAL.search(before.text)
    )


def _units(text: str, pieces: list[_Piece], *, everything: bool) -> Iterator[Unit]:
    """Sentences, list items and rows that are worth a passage; with `everything`, whatever holds a letter."""
    at = 0
    while at < len(pieces):
        last = at
        while last + 1 < len(pieces) and pieces[last + 1].paragraph == pieces[at].paragraph:
            last += 1
        group = pieces[at : last + 1]
        yield from _paragraph(text, group, everything=everything)
        at = last + 1


def _paragraph(text: str, group: list[_Piece], *, everything: bool) -> Iterator[Unit]:
    first = group[0]
    start, end = first.start, group[-1].end
    whole = text[start:end]
    if first.kind == "row":
        yield Unit(start, end, first.page, first.row, first.paragraph, "row")
    elif everything:
        if any(map(str.isalpha, whole)):
            yield Unit(start, end, first.page, first.row, first.paragraph)
    elif first.kind == "table":
        if is_wordy_row(whole):
            yield Unit(start, end, first.page, first.row, first.paragraph, "table")
    elif first.kind == "text" and is_prose(whole):
        kind: Literal["item", "prose"] = "item" if is_item(whole) else "prose"
        starts = [piece.start for piece in group]
        for begin, stop in split_sentences(whole):
            page = group[bisect_right(starts, start + begin) - 1].page
            yield Unit(start + begin, start + stop, page, first.row, first.paragraph, kind)
