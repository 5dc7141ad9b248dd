"""Cut a document into passages: one to a few whole sentences each, within the model's window.

Blocks are redacted and laid out as one text; its sentences are joined up to a target size, and what exceeds
the window is cut at clauses. Nothing that holds a number is left out: rows of tables are passages of their
own, as are notes, headings with a figure, and numbers with their labels outside of sentences.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Literal

from shared.extract.tidy import is_item, visible
from shared.platform.errors import Rejected
from shared.platform.tables import Box, PassageKind  # noqa: TC001 - cuts are validated where they arrive
from shared.text.figures import Context, figures_of_text
from shared.text.sentences import is_contents, is_prose, split_sentences

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

UnitKind = Literal["prose", "item", "data", "heading", "row", "number", "label", "note"]
"""`data` is a row of a data set, `row` one of a table; fragments are numbers and labels."""
_ALONE: frozenset[UnitKind] = frozenset({"data", "heading", "row", "note"})
"""Kinds that are not joined."""
_KINDS: dict[UnitKind, PassageKind] = {
    "heading": "heading", "row": "row", "number": "fragment", "label": "fragment", "note": "note",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]{3}")
_FRAGMENT: frozenset[UnitKind] = frozenset({"number", "label"})
_ENOUGH: frozenset[UnitKind] = frozenset({"prose", "item", "data", "row"})
"""A document that has none of them is analyzed whole."""


@dataclass(frozen=True, slots=True)
class Unit:
    """[start, end) of the document's text that is not cut further; `tokens` with the two special ones."""

    start: int
    end: int
    page: int | None
    row: int | None
    paragraph: int
    kind: UnitKind = "prose"
    """Data rows are not cut, unless they are longer than a passage may be."""
    tokens: int = 0
    paired: bool = False
    """Whether it is a number with its label; what comes next is another one's."""


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
        most = sys.maxsize if unit.kind == "data" else window
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
    """Join neighbours of one paragraph, list or place on a page, up to `target` word pieces; never rows."""
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
            paired = current.paired or current.kind != unit.kind
            current = replace(current, end=unit.end, paragraph=unit.paragraph, tokens=tokens, paired=paired)
            continue
        if current is not None:
            yield current
        current = unit
    if current is not None:
        yield current


def _joinable(one: Unit, other: Unit) -> bool:
    are_fragments = {one.kind, other.kind} <= _FRAGMENT
    if {one.kind, other.kind} & _ALONE or ({one.kind, other.kind} & _FRAGMENT and not are_fragments):
        return False
    if are_fragments and (other.paired or (one.paired and other.kind == one.kind)):
        return False
    if one.paragraph == other.paragraph:
        return True
    # Short pieces of a laid-out page, such as lines of a box; the lines of a text file stay on their own.
    on_page = one.page is not None and one.page == other.page
    are_short = on_page and one.tokens + other.tokens <= _FRAGMENTS
    return other.paragraph == one.paragraph + 1 and (other.kind == "item" or are_short)


def _fits(one: Unit, other: Unit, target: int, least: int, window: int) -> bool:
    total = one.tokens + other.tokens - _SPECIAL
    if other.end - one.start > MAX_PASSAGE:
        return False
    return total <= target or (min(one.tokens, other.tokens) < least and total <= min(window, 2 * target))


def _counted(text: str, units: Sequence[Unit], count: Count) -> Iterator[Unit]:
    tokens = count([text[unit.start : unit.end] for unit in units]) if units else []
    for unit, number in zip(units, tokens, strict=True):
        yield Unit(  # `replace` takes several times as long
            unit.start, unit.end, unit.page, unit.row, unit.paragraph, unit.kind, number, unit.paired
        )


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
    kind: PassageKind = "text"
    box: Box | None = None
    """Where the blocks that it is of stand on its page."""
    table: int | None = None
    at: int | None = None
    """Row of that table."""


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
    box: Box | None
    table: int | None
    at: int | None


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
    enough = any(unit.kind in _ENOUGH for unit in _units(text, pieces, everything=False))
    cuts = _cuts(text, pieces, count, limits, everything=not enough)
    for first in cuts if any(map(str.isalpha, text)) else ():
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
    starts = [piece.start for piece in pieces]
    for found in pack(fitting, limits.target, limits.least, limits.window):
        if found.kind in _FRAGMENT and not any(map(str.isdecimal, text[found.start : found.end])):
            continue
        piece = pieces[bisect_right(starts, found.start) - 1]
        yield Cut(
            found.start,
            found.end,
            found.page,
            found.row,
            found.tokens,
            section(found.start),
            piece.label,
            _KINDS.get(found.kind, "text"),
            _box(pieces, starts, found),
            piece.table,
            piece.at,
        )


def _box(pieces: list[_Piece], starts: list[int], unit: Unit) -> Box | None:
    """Return the box around the blocks that a unit is of, as far as they stand on its page."""
    first, last = bisect_right(starts, unit.start) - 1, bisect_left(starts, unit.end)
    boxes = [piece.box for piece in pieces[first:last] if piece.box and piece.page == unit.page]
    if not boxes:
        return None
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


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
        pieces.append(
            _Piece(
                block.kind,
                block.page,
                block.row,
                label,
                at,
                at + len(text),
                paragraph,
                block.box,
                block.table,
                block.at,
            )
        )
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
    """Yield what is worth a passage, and the labels that stand among numbers.

    With `everything`, headings and labels are read as prose.
    """
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
    kind = _kind(first.kind, whole, everything=everything)
    if kind in {"prose", "item"} and not everything:
        starts = [piece.start for piece in group]
        for begin, stop in split_sentences(whole):
            page = group[bisect_right(starts, start + begin) - 1].page
            yield Unit(start + begin, start + stop, page, first.row, first.paragraph, kind)
    elif kind is not None:
        # A number beside a word needs no other.
        paired = kind in _FRAGMENT and any(map(str.isdecimal, whole)) and _WORD.search(whole) is not None
        yield Unit(start, end, first.page, first.row, first.paragraph, kind, paired=paired)


def _kind(kind: BlockKind, whole: str, *, everything: bool) -> UnitKind | None:  # noqa: PLR0911 - one a kind
    """Return what a paragraph is read as; None: it is left out."""
    if kind == "row":
        return "data"
    if kind == "table":
        return "row"
    if kind == "note":
        return "note"
    if everything and kind in {"text", "heading"}:
        return "prose" if any(map(str.isalpha, whole)) else None
    if kind == "heading":
        return "heading" if any(map(str.isdecimal, whole)) and figures_of_text(whole, Context()) else None
    if kind == "text" and is_prose(whole):
        return "item" if is_item(whole) else "prose"
    if is_contents(whole):
        return None
    return "label" if sum(map(str.isalpha, whole)) > len(whole) / 2 else "number"
