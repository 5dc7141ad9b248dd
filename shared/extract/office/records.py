"""Is a sheet a data set, of which each row is a text, or a table? And the blocks of either."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.extract.columns import (
    SAMPLE_ROWS,
    WELL_KNOWN,
    as_label,
    find_label_column,
    find_text_column,
    fold,
)
from shared.extract.rows import row_blocks
from shared.extract.shapes import Block
from shared.extract.tidy import squeeze
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.extract.office.xml import Budget

    Row = tuple[int, dict[int, str]]

_MAX_NAME = 60  # characters of a column's name
_ABOVE = 8  # rows that may stand above the header: a title, a note
_LEAST_ROWS = 3  # in fewer no column can be told to hold texts
_LEAST_TEXT = {(False, False): 60, (False, True): 100, (True, False): 25, (True, True): 60}
"""Mean bytes of a column of texts, by whether its name tells and whether it stands beside figures, where
names are long. In UTF-8 a character of Chinese has three bytes, and says as much more.
"""
_TELLING = set(WELL_KNOWN) - {"description"}  # what this one says of a table of figures is which they are
_LONGER = 20  # characters: a text than the name of its column
_FIGURES = 0.5  # of the other columns hold numbers: a table of figures
_FILLED = 0.5  # of the rows have a text
_MAX_HEADING_WORDS = 12
_END = re.compile(r"[.!?:;,\u2026\u3002][\"'\u201d\u2019)\]]*$")
_NUMBER = re.compile(r"\W{0,3}\d[\d.,\s]*(?:\D{1,4})?$|[-\u2013\u2014]$|(?i:n/?a)$")


class SheetBlocks:
    """Takes a sheet's rows one by one and holds only the first of them, by which it decides what they are."""

    def __init__(self, page: int, wanted: str | None, budget: Budget) -> None:
        """`wanted` is the name of the column that holds the text, where the uploader named it."""
        self.blocks: list[Block] = []
        self.missing: Rejected | None = None
        """Why there is no data set, where a column was asked for."""
        self._page = page
        self._wanted = wanted
        self._budget = budget
        self._sample: list[Row] | None = []
        self._header = 0  # the number of the row that names the columns
        self._text: int | None = None  # the column of texts, where there is one
        self._label: int | None = None

    def wants(self, column: int) -> bool:
        """Whether anything is to become of cells of this column."""
        return self._text is None or column in {self._text, self._label}

    def add(self, number: int, row: dict[int, str]) -> None:
        """The sheet's row `number`, by columns that are filled; raises Rejected(`too_many_rows`)."""
        if self._sample is None:
            self._write(number, row)
            return
        self._sample.append((number, row))
        if len(self._sample) > SAMPLE_ROWS:
            self.close()

    def close(self) -> None:
        """There are no more rows to wait for; raises Rejected(`too_many_rows`)."""
        if not self._sample:
            return
        sample, self._sample = self._sample, None
        self._decide(sample)
        for number, row in sample:
            self._write(number, row)

    def _decide(self, sample: list[Row]) -> None:
        at = _find_header([row for _, row in sample], self._wanted)
        header: dict[int, str] = {} if at is None else sample[at][1]
        data = [row for _, row in sample[0 if at is None else at + 1 :]]
        columns: dict[str, list[str]] = {}
        numbers: dict[str, int] = {}
        for number in sorted({number for row in data for number in row}):
            name = squeeze(header.get(number, str(number)))
            numbers.setdefault(name, number)
            columns.setdefault(name, [row.get(number, "") for row in data])
        try:
            text = find_text_column(self._wanted, columns)
        except Rejected as refused:
            self.missing = refused if self._wanted is not None else None
            return
        if self._wanted is None and not _is_text(text, columns):
            return
        label = find_label_column(columns, text)
        self._text, self._label = numbers[text], None if label is None else numbers[label]
        self._header = 0 if at is None else sample[at][0]

    def _write(self, number: int, row: dict[int, str]) -> None:
        if self._text is None or number < self._header:
            found = [_table_block(row)]
        elif number == self._header:
            return
        else:
            label = as_label(row.get(self._label, "")) if self._label is not None else None
            found = row_blocks(row.get(self._text, ""), number - self._header, label)
        for block in found:
            self._budget.add_block()
            self.blocks.append(Block(block.text, block.kind, self._page, block.row, block.label))


def _table_block(row: dict[int, str]) -> Block:
    cells = [squeeze(row[column]) for column in sorted(row)]
    if len(cells) > 1:
        return Block(" | ".join(filter(None, cells)), "table")
    text = cells[0]
    short = len(text.split()) <= _MAX_HEADING_WORDS and not _END.search(text) and not _NUMBER.match(text)
    return Block(text, "heading" if short else "text")


def _find_header(rows: Sequence[dict[int, str]], wanted: str | None) -> int | None:
    """Which of the first rows names the columns: the one with the wanted name, or one of short words in about
    as many cells as the rows below fill.
    """
    usual = sorted(map(len, rows))[len(rows) // 2]
    wide = next((at for at, row in enumerate(rows[:_ABOVE]) if len(row) >= _FILLED * usual), 0)
    if wanted is not None and not wanted.isdecimal():  # "2" asks for the second of a table without header
        named = (at for at, row in enumerate(rows[:_ABOVE]) if fold(wanted) in map(fold, row.values()))
        return next(named, wide)
    header, below = rows[wide], rows[wide + 1 :]
    if any(_NUMBER.match(cell) or len(cell) > _MAX_NAME for cell in header.values()):
        return None
    if any(fold(name) in WELL_KNOWN for name in header.values()):
        return wide
    for column, name in header.items():
        lengths = [len(row[column]) for row in below if column in row]
        if sum(lengths) > len(lengths) * (len(name) + _LONGER):
            return wide
    return None


def _is_text(name: str, columns: dict[str, list[str]]) -> bool:
    cells = columns[name]
    filled = [len(cell.encode()) for cell in cells if cell]
    if len(cells) < _LEAST_ROWS or len(filled) < _FILLED * len(cells):
        return False
    others = [values for other, values in columns.items() if other != name]
    figures = sum(map(_is_figures, others))
    beside_figures = figures > 1 and figures >= _FIGURES * len(others)
    return sum(filled) >= len(filled) * _LEAST_TEXT[fold(name) in _TELLING, beside_figures]


def _is_figures(cells: list[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return sum(_NUMBER.match(cell) is not None for cell in filled) > len(filled) / 2
