"""Sentences to passages: neighbours are joined up to a target, what exceeds the window is cut at clauses."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

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
    is_item: bool = False
    tokens: int = 0

    def counted(self, tokens: int) -> Unit:
        return replace(self, tokens=tokens)


def within_window(
    text: str, units: Sequence[Unit], count: Callable[[list[str]], list[int]], window: int, keep: set[int]
) -> list[Unit]:
    """The units, those beyond the window cut at clauses, then at words, then anywhere.

    Units of the paragraphs in `keep` stay whole.
    """
    result = list(units)
    for cut in (_at(_CLAUSE), _at(_SPACE), _every(window - _SPECIAL)):
        if all(unit.tokens <= window or unit.paragraph in keep for unit in result):
            break
        result = list(_cut(text, result, cut, count, window, keep))
    return result


def pack(units: Iterable[Unit], target: int, least: int, window: int) -> Iterator[Unit]:
    """Joins neighbours of one paragraph, or of one list, up to `target` word pieces; data rows are never joined."""
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
    if one.row is not None or other.row is not None:
        return False
    return one.paragraph == other.paragraph or (other.is_item and other.paragraph == one.paragraph + 1)


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


def _cut(
    text: str,
    units: Sequence[Unit],
    cut: Callable[[str], list[tuple[int, int]]],
    count: Callable[[list[str]], list[int]],
    window: int,
    keep: set[int],
) -> Iterator[Unit]:
    """Every unit beyond the window, cut up and packed again as full as the window allows."""
    long = [unit for unit in units if unit.tokens > window and unit.paragraph not in keep]
    parts = {
        unit.start: [(unit.start + a, unit.start + b) for a, b in cut(text[unit.start : unit.end])]
        for unit in long
    }
    flat = [span for spans in parts.values() for span in spans]
    tokens = dict(zip(flat, count([text[a:b] for a, b in flat]), strict=True))
    for unit in units:
        if unit.start not in parts or unit.tokens <= window:
            yield unit
            continue
        current: Unit | None = None
        for start, end in parts[unit.start]:
            piece = replace(unit, start=start, end=end, tokens=tokens[start, end])
            if current is not None and current.tokens + piece.tokens - _SPECIAL <= window:
                current = _joined(current, piece)
            else:
                if current is not None:
                    yield current
                current = piece
        if current is not None:
            yield current
