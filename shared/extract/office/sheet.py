"""A worksheet's cells, row by row, as the text that a person sees in them (ISO/IEC 29500-1, 18.3.1)."""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING

from shared.extract.office.xml import Budget, Handlers
from shared.extract.refusals import too_many

if TYPE_CHECKING:
    from shared.extract.office.formats import Formats
    from shared.extract.office.records import SheetBlocks
    from shared.extract.office.xml import Attributes
    from shared.extract.shapes import Limits

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_LAST_ROW = 1_048_576  # Excel has no more
_SEPARATOR = 3  # characters between two cells of a row


class SharedStrings(Handlers):
    """The texts that cells refer to by number, in one piece: as objects they took five times the memory."""

    skipped = frozenset({"x:rPh"})  # how characters are pronounced

    def __init__(self, limits: Limits) -> None:
        self._text = bytearray()
        self._ends = array("Q")
        self._budget = Budget(limits)
        self.texts = {"x:t": self._add}
        self.ends = {"x:si": self._end}

    def __getitem__(self, number: int) -> str:
        """The text of this number, from 0; "" where there is none."""
        if not 0 <= number < len(self._ends):
            return ""
        start = self._ends[number - 1] if number else 0
        return self._text[start : self._ends[number]].decode()

    def _add(self, text: str) -> None:
        self._budget.spend(len(text))
        self._text += _unescape(text).encode(errors="replace")

    def _end(self) -> None:
        self._budget.spend(1)  # so that texts without a letter have an end too
        self._ends.append(len(self._text))


class Sheet(Handlers):
    """Reads a worksheet's XML and gives its rows to `rows`, those of their cells that are filled."""

    skipped = frozenset({"x:rPh"})

    def __init__(
        self, rows: SheetBlocks, strings: SharedStrings, formats: Formats, limits: Limits, budget: Budget
    ) -> None:
        self._rows = rows
        self._strings = strings
        self._formats = formats
        self._columns = limits.columns
        self._budget = budget
        self._row: dict[int, str] = {}
        self._number = 0  # of the row, from 1
        self._column = 0  # of the cell, from 1
        self._kind = self._style = ""
        self._value: list[str] = []
        self._spent = 0  # characters of the cell, counted as they come: it may have any number of pieces
        self.texts = {"x:v": self._set_value, "x:t": self._add_text}
        self.starts = {"x:row": self._start_row, "x:c": self._start_cell}
        self.ends = {"x:c": self._end_cell, "x:row": self._end_row}

    def _start_row(self, attributes: Attributes) -> None:
        stated = int(attributes.get("r", 0))
        self._number = stated if self._number < stated <= _LAST_ROW else self._number + 1
        self._column = 0

    def _start_cell(self, attributes: Attributes) -> None:
        at = attributes.get("r", "").rstrip("0123456789")
        self._column = _column(at) if at else self._column + 1
        self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "0")
        self._value, self._spent = [], 0

    def _set_value(self, text: str) -> None:
        self._value = [text]

    def _add_text(self, text: str) -> None:
        self._budget.spend(len(text))
        self._spent += len(text)
        self._value.append(text)

    def _end_cell(self) -> None:
        if not self._value or not self._rows.wants(self._column):
            return
        text = self._shown()
        self._value = []
        if not text or text.isspace():
            return
        if self._column > self._columns:
            raise too_many("columns", f"more than {self._columns:,} columns", self._columns)
        self._budget.spend(max(0, len(text) - self._spent) + _SEPARATOR)
        self._row[self._column] = text

    def _shown(self) -> str:
        kind, value = self._kind, "".join(self._value)
        if kind == "n":
            return self._formats.show(self._style, value)
        if kind == "s":
            return self._strings[int(value)]
        if kind == "b":
            return "TRUE" if value == "1" else "FALSE"
        if kind == "d":
            return value.replace("T", " ").removesuffix(" 00:00:00")
        return "" if kind == "e" else _unescape(value)  # an error such as #N/A says nothing

    def _end_row(self) -> None:
        if self._row:
            self._rows.add(self._number, self._row)
            self._row = {}


def _unescape(text: str) -> str:
    """What XML cannot hold, and line ends, are written by their code (ISO/IEC 29500-1, 22.4.2.4)."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _column(letters: str) -> int:
    """The number of the column "A", "B", ... "AA", from 1; ValueError where it is none."""
    number = 0
    for letter in letters[:4]:
        number = number * 26 + _LETTERS.index(letter) + 1
    return number
