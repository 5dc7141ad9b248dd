"""Sentences to passages: neighbours are joined up to a target, what exceeds the window is cut at clauses."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Count = Callable[[list[str]], list[int]]
    Cut = Callable[[str, int, int], Iterator[tuple[int, int]]]
    """Where [start, end) of a text may be cut: the parts, without what is between them."""

MAX_PASSAGE = 10_000
"""Characters: some nine windows of the model. A word of a million letters is one word piece, of what it does
not know."""
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
    """Data rows are neither cut nor joined, rows of a table are not joined."""
    tokens: int = 0


def counted(text: str, units: Iterable[Unit], count: Count) -> Iterator[Unit]:
    """The units with their word pieces, some at a time: counting takes many times the memory of the text."""
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
    """The units; those beyond the window are cut at clauses, else at words, else anywhere.

    Data rows may go beyond the window, but not beyond `MAX_PASSAGE`, as nothing may.
    """
    room = window - _SPECIAL
    cuts = (_at(_CLAUSE, room // 8), _at(_SPACE, room // 8), _every(room))
    return _within(text, units, count, window, cuts)


def _within(
    text: str, units: Iterable[Unit], count: Count, window: int, cuts: tuple[Cut, ...]
) -> Iterator[Unit]:
    for unit in units:
        most = sys.maxsize if unit.kind == "row" else window
        if (unit.tokens <= most and unit.end - unit.start <= MAX_PASSAGE) or not cuts:
            yield unit
            continue
        parts = (replace(unit, start=start, end=end) for start, end in cuts[0](text, unit.start, unit.end))
        fitting = _joined_within(counted(text, parts, count), most)
        yield from _within(text, fitting, count, window, cuts[1:])


def pack(units: Iterable[Unit], target: int, least: int, window: int) -> Iterator[Unit]:
    """Joins neighbours of one paragraph, or of one list, up to `target` word pieces; never data rows."""
    current: Unit | None = None
    for unit in units:
        if current is None:
            current = unit
        elif _joinable(current, unit) and _fits(current, unit, target, least, window):
            current = _joined(current, unit)
        else:
            yield current
            current = unit
    if current is not None:
        yield current


def _joinable(one: Unit, other: Unit) -> bool:
    if {one.kind, other.kind} & {"table", "row"} or one.row != other.row:
        return False
    follows = other.paragraph == one.paragraph + 1
    return one.paragraph == other.paragraph or (
        follows and (other.kind == "item" or _are_fragments(one, other))
    )


def _are_fragments(one: Unit, other: Unit) -> bool:
    """Short pieces of a laid-out page, such as the lines of a box; a text file's lines stay on their own."""
    return one.page is not None and one.page == other.page and one.tokens + other.tokens <= _FRAGMENTS


def _fits(one: Unit, other: Unit, target: int, least: int, window: int) -> bool:
    total = one.tokens + other.tokens - _SPECIAL
    if other.end - one.start > MAX_PASSAGE:
        return False
    return total <= target or (min(one.tokens, other.tokens) < least and total <= min(window, 2 * target))


def _joined(one: Unit, other: Unit) -> Unit:
    # Word pieces never cross white space, so counts add up.
    return replace(one, end=other.end, paragraph=other.paragraph, tokens=one.tokens + other.tokens - _SPECIAL)


def _counted(text: str, units: Sequence[Unit], count: Count) -> Iterator[Unit]:
    tokens = count([text[unit.start : unit.end] for unit in units]) if units else []
    for unit, number in zip(units, tokens, strict=True):
        yield replace(unit, tokens=number)


def _at(boundary: re.Pattern[str], least: int) -> Cut:
    """Cuts at a boundary; parts of fewer characters stay with the next, as they would be joined anyway."""

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


def _every(size: int) -> Cut:
    """Cuts of so many characters: a piece has at least one."""
    return lambda _, first, end: ((start, min(start + size, end)) for start in range(first, end, size))


def _joined_within(parts: Iterable[Unit], window: int) -> Iterator[Unit]:
    """Neighbours joined as full as the window allows."""
    current: Unit | None = None
    for part in parts:
        if current is not None and (
            current.tokens + part.tokens - _SPECIAL <= window and part.end - current.start <= MAX_PASSAGE
        ):
            current = _joined(current, part)
            continue
        if current is not None:
            yield current
        current = part
    if current is not None:
        yield current
