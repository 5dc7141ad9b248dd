"""Sentences to passages: neighbours are joined up to a target, what exceeds the window is cut at clauses."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Count = Callable[[list[str]], list[int]]

_FRAGMENTS = 40  # word pieces of two neighbouring pieces of a page that are too short to stand alone
_SPECIAL = 2  # [CLS] and [SEP], in every count
_CLAUSE = re.compile(r"(?<=[;:])\s+|(?<=,)\s+|\s+(?=[\u2013\u2014(\u2022])")
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

    def counted(self, tokens: int) -> Unit:
        return replace(self, tokens=tokens)


def within_window(text: str, units: Sequence[Unit], count: Count, window: int) -> list[Unit]:
    """The units; those beyond the window are cut at clauses, else at words, else anywhere, save data rows."""
    result = list(units)
    for cut in (_at(_CLAUSE), _at(_SPACE), _every(window - _SPECIAL)):
        long = [unit for unit in result if unit.tokens > window and unit.kind != "row"]
        if not long:
            break
        parts = _counted_parts(text, long, cut, count)
        result = [fitting for unit in result for fitting in _refit(unit, parts.get(unit.start), window)]
    return result


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
    return total <= target or (min(one.tokens, other.tokens) < least and total <= min(window, 2 * target))


def _joined(one: Unit, other: Unit) -> Unit:
    # Word pieces never cross white space, so counts add up.
    return replace(one, end=other.end, paragraph=other.paragraph, tokens=one.tokens + other.tokens - _SPECIAL)


def _at(boundary: re.Pattern[str]) -> Callable[[str], list[tuple[int, int]]]:
    def cut(text: str) -> list[tuple[int, int]]:
        spans, start = [], 0
        for match in boundary.finditer(text):
            if match.start() > start:
                spans.append((start, match.start()))
            start = match.end()
        if start < len(text):
            spans.append((start, len(text)))
        return spans

    return cut


def _every(size: int) -> Callable[[str], list[tuple[int, int]]]:
    """Cuts of so many characters: a piece has at least one."""
    return lambda text: [(start, min(start + size, len(text))) for start in range(0, len(text), size)]


def _counted_parts(
    text: str, units: Sequence[Unit], cut: Callable[[str], list[tuple[int, int]]], count: Count
) -> dict[int, list[Unit]]:
    """The parts of each unit, by where the unit starts; all are counted in one call."""
    spans = [
        (unit, unit.start + start, unit.start + end)
        for unit in units
        for start, end in cut(text[unit.start : unit.end])
    ]
    found: dict[int, list[Unit]] = {unit.start: [] for unit in units}
    for (unit, start, end), tokens in zip(spans, count([text[a:b] for _, a, b in spans]), strict=True):
        found[unit.start].append(replace(unit, start=start, end=end, tokens=tokens))
    return found


def _refit(unit: Unit, parts: list[Unit] | None, window: int) -> Iterator[Unit]:
    """The unit itself, or its parts joined again as full as the window allows."""
    if parts is None:
        yield unit
        return
    current: Unit | None = None
    for part in parts:
        if current is not None and current.tokens + part.tokens - _SPECIAL <= window:
            current = _joined(current, part)
            continue
        if current is not None:
            yield current
        current = part
    if current is not None:
        yield current
