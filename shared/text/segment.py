"""Cut a document into passages: one to a few whole sentences each, within the model's window.

Blocks are redacted and laid out as one text; its sentences are joined up to a target size, and what exceeds
the window is cut at clauses.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Literal

from shared.extract.tidy import is_item, visible
from shared.platform.errors import Rejected
from shared.text.sentences import is_prose, is_wordy_row, split_sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from shared.extract.shapes import Block, BlockKind, Extracted

    Count = Callable[[list[str]], list[int]]
    Splitter = Callable[[str, int, int], Iterator[tuple[int, int]]]
    """Splits [start, end) of a text into parts, without what is between them."""

MAX_PASSAGE = 10_000
"""Limit on a passage in characters, some nine windows of the model: a word of a million letters is a single,
unknown word piece.
"""
_FRAGMENTS = 40  # word pieces of two neighbouring pieces of a page that are too short to stand alone
_COUNTED, _AT_ONCE = 100_000, 1_000  # characters, and texts, that are counted at once
_SPECIAL = 2  # [CLS] and [SEP], in every count
_CLAUSE = re.compile(r"(?<=[;:,])\s+|(?<!\s)\s++(?=[\u2013\u2014(\u2022])")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Unit:
    """[start, end) of the document's text that is not cut further; `tokens` with the two special ones."""

    start: int
    end: int
    page: int | None
    row: int | None
    paragraph: int
    kind: Literal["prose", "item", "table", "row"] = "prose"
    """Data rows are neither cut nor joined; rows of a table are not joined."""
    tokens: int = 0


def counted(text: str, units: Iterable[Unit], count: Count) -> Iterator[Unit]:
    """Count the units' word pieces, some at a time: counting takes many times the memory of the text."""
    waiting: list[Unit] = []
    size = 0
    for unit in units:
        waiting.append(unit)
        size += unit.end - unit.start
        if size >= _COUNTED or len(waiting) == _AT_ONCE:
            yield from _counted(text, waiting, count)
            waiting, size = [], 0
    yield from _counted(text, waiting, count)


def within_window(text: str, units: Iterable[Unit], count: Count, window: int) -> Iterator[Unit]:
    """Yield the units; cut those beyond the window at clauses, else at words, else anywhere.

    Data rows may exceed the window, but not `MAX_PASSAGE`.
    """
    room = window - _SPECIAL

    def anywhere(_: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        return ((at, min(at + room, end)) for at in range(start, end, room))

    cuts = (_at(_CLAUSE, room // 8), _at(_SPACE, room // 8), anywhere)
    return _within(text, units, count, window, cuts)


def _within(
    text: str, units: Iterable[Unit], count: Count, window: int, cuts: tuple[Splitter, ...]
) -> Iterator[Unit]:
    for unit in units:
        most = sys.maxsize if unit.kind == "row" else window
        if (unit.tokens <= most and unit.end - unit.start <= MAX_PASSAGE) or not cuts:
            yield unit
            continue
        parts = (replace(unit, start=start, end=end) for start, end in cuts[0](text, unit.start, unit.end))
        fitting = _merged(
            counted(text, parts, count),
            lambda one, other: (
                one.tokens + other.tokens - _SPECIAL <= most and other.end - one.start <= MAX_PASSAGE  # noqa: B023
            ),
        )
        yield from _within(text, fitting, count, window, cuts[1:])


def pack(units: Iterable[Unit], target: int, least: int, window: int) -> Iterator[Unit]:
    """Join neighbours of one paragraph or list, up to `target` word pieces; never data rows."""
    return _merged(
        units, lambda one, other: _joinable(one, other) and _fits(one, other, target, least, window)
    )


def _merged(units: Iterable[Unit], fits: Callable[[Unit, Unit], bool]) -> Iterator[Unit]:
    """Join each unit to the one before as long as both fit."""
    current: Unit | None = None
    for unit in units:
        if current is not None and fits(current, unit):
            # Word pieces never cross white space, so counts add up.
            tokens = current.tokens + unit.tokens - _SPECIAL
            current = replace(current, end=unit.end, paragraph=unit.paragraph, tokens=tokens)
            continue
        if current is not None:
            yield current
        current = unit
    if current is not None:
        yield current


def _joinable(one: Unit, other: Unit) -> bool:
    if {one.kind, other.kind} & {"table", "row"} or one.row != other.row:
        return False
    if one.paragraph == other.paragraph:
        return True
    # Short pieces of a laid-out page, such as lines of a box; the lines of a text file stay on their own.
    on_page = one.page is not None and one.page == other.page
    are_fragments = on_page and one.tokens + other.tokens <= _FRAGMENTS
    return other.paragraph == one.paragraph + 1 and (other.kind == "item" or are_fragments)


def _fits(one: Unit, other: Unit, target: int, least: int, window: int) -> bool:
    total = one.tokens + other.tokens - _SPECIAL
    if other.end - one.start > MAX_PASSAGE:
        return False
    return total <= target or (min(one.tokens, other.tokens) < least and total <= min(window, 2 * target))


def _counted(text: str, units: Sequence[Unit], count: Count) -> Iterator[Unit]:
    tokens = count([text[unit.start : unit.end] for unit in units]) if units else []
    for unit, number in zip(units, tokens, strict=True):
        yield replace(unit, tokens=number)


def _at(boundary: re.Pattern[str], least: int) -> Splitter:
    """Cut at a boundary; parts of fewer than `least` characters stay with the next."""

    def cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        for match in boundary.finditer(text, start, end):
            if match.start() >= start + least:
                yield start, match.start()
            elif match.start() > start:
                continue
            start = match.end()
        if start < end:
            yield start, end

    return cut


MAX_SECTION = 200
"""Limit on the heading that a passage carries, in characters."""

_TERMINAL = re.compile(r"[.!?:;\u2026\u3002][\"'\u201d\u2019\u00bb)\]]*(?:\[?\d{1,2}\]?)?$")
_BROKEN = re.compile(r"[^\W\d_]-$")


@dataclass(frozen=True, slots=True)
class SegmentLimits:
    """Sizes in word pieces, with the two special tokens; `passages` is a hard limit of the document."""

    window: int = 256
    target: int = 80
    """A passage takes another sentence as long as it stays within this size."""
    least: int = 24
    """A shorter passage takes a neighbour even beyond the target."""
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
    """[start, end) of its heading."""
    label: str | None


@dataclass(frozen=True, slots=True)
class Segmented:
    """The document's redacted text and its passages, which may be many."""

    text: str
    cuts: Iterator[Cut]
    """In the order of the text, without overlaps. Raises Rejected(`too_many_passages`)."""


@dataclass(slots=True)
class _Piece:
    """A block's place in the text, and the paragraph it belongs to."""

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
    """Return passages in reading order.

    `count` counts the word pieces of many texts at once, with the two special tokens, nothing cut. `redact`
    is applied block by block, before anything is cut. The blocks are taken out of `extracted`, so that no
    text is kept twice.

    A data row is one passage, unless it is longer than a passage may be. A sentence that runs over a page
    break belongs to the page on which it starts.

    Raises Rejected(`no_text`) if nothing is worth a passage.
    """
    text, pieces = _lay_out(extracted.blocks, redact)
    for everything in (False, True):
        cuts = _cuts(text, pieces, count, limits, everything=everything)
        for first in cuts:
            return Segmented(text, _at_most(limits.passages, chain([first], cuts)))
    raise Rejected(
        "no_text",
        "The document holds no sentences to analyze.",
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
    """Yield passages one by one: a long document may have far more sentences than passages."""
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
    """Return the document's text and each block's place in it, and empty the list of blocks."""
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
    """Return a function that finds the heading above a place; of several in a row the last."""
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
    """Whether a sentence runs on from one page to the next."""
    return (
        before.kind == block.kind == "text"
        and before.page is not None
        and block.page == before.page + 1
        and block.text[:1].islower()
        and not is_item(block.text)
        and not _TERMINAL.search(before.text)
    )


def _units(text: str, pieces: list[_Piece], *, everything: bool) -> Iterator[Unit]:
    """Yield sentences, list items and rows that are worth a passage; with `everything`, all with letters."""
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
