"""Rows and cells of delimited text, also where a quotation mark was never closed.

Such a mark makes one cell of all that follows, up to the next mark or the end, and no error tells of it.
"""

from __future__ import annotations

import csv
from collections import deque
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Literal

from shared.extract.pieces import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONGEST = 100  # lines of a row, where marks are not all closed
_SHOWN = 10
_MARK = '"'

csv.field_size_limit(2**31 - 1)  # the limit on characters is ours, and counted before


def parse(text: str, delimiter: str, *, quotes: bool = True, strict: bool = False) -> Iterator[list[str]]:
    """The rows as the csv module sees them; if `strict`, with its Error for a mark that closes nothing."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    lines = (f"{line}\n" for line in lines_of(text))
    return csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=strict)


def rows_of(text: str, delimiter: str, most: int) -> tuple[Callable[[], Iterator[list[str]]], list[str]]:
    """A function that reads the rows from the first on, and a warning where marks are taken as they are.

    The warning looks at `most` rows.
    """
    if _MARK not in text or _is_sound(text, delimiter):
        return partial(parse, text, delimiter), []
    bad = [number for number, _, closed in islice(_records(text, delimiter), most) if not closed]
    shown = ", ".join(map(str, bad[:_SHOWN])) + (" ..." if len(bad) > _SHOWN else "")
    warning = f"a quotation mark is never closed, and was taken as it is, in line {shown}"
    return partial(_recovered, text, delimiter), [warning] if bad else []


def _is_sound(text: str, delimiter: str) -> bool:
    """Does every mark that closes a cell stand at its end, and the last cell have one?"""
    try:
        for _ in parse(text, delimiter, strict=True):
            pass
    except csv.Error:
        return False
    return True


def _recovered(text: str, delimiter: str) -> Iterator[list[str]]:
    for _, record, closed in _records(text, delimiter):
        yield from parse(record, delimiter, quotes=closed)


def _records(text: str, delimiter: str) -> Iterator[tuple[int, str, bool]]:
    """The number of a record's first line, from 1, its lines, and whether every mark in them is closed.

    A record goes on until its marks are even; where that takes too long, or one of them closes nothing, its
    first line is a record of its own.
    """
    lines = lines_of(text)
    waiting: deque[str] = deque()
    number = 1
    while waiting or number == 1:
        waiting.extend(islice(lines, _LONGEST - len(waiting)))
        length = _length(waiting)
        record = "\n".join(islice(waiting, length))
        closed = length == 1 or (length > 1 and _is_sound(record, delimiter))
        if not closed:
            record, length = waiting[0], 1
        yield number, record, closed
        number += length
        for _ in range(length):
            waiting.popleft()
        waiting.extend(islice(lines, 1))


def _length(lines: deque[str]) -> int:
    """Lines of the record that begins with the first; 0 where none of them ends it."""
    odd = False
    for length, line in enumerate(lines, 1):
        odd ^= line.count(_MARK) % 2 == 1
        if not odd:
            return length
    return 0
