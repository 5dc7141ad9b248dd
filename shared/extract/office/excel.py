"""Read Excel workbooks."""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from shared.extract.cells import kind_of
from shared.extract.office.package import Budget, Handlers, Package
from shared.extract.refusals import no_text, too_many
from shared.extract.shapes import Block, Extracted, has_words
from shared.extract.sniff import XLSX
from shared.extract.table import (
    SAMPLE_ROWS,
    WELL_KNOWN,
    are_figures,
    as_label,
    find_label_column,
    find_text_column,
    fold,
    is_figure,
    row_blocks,
)
from shared.extract.tables import MAX_SPANNED, Grid, GridCell, Tables
from shared.extract.tidy import raised, squeeze
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.extract.office.package import Attributes
    from shared.extract.shapes import ExtractOptions, Limits
    from shared.extract.zips import Source


class Look(NamedTuple):
    """What a cell's style shows of its part in a table."""

    bold: bool = False
    indent: float = 0.0
    """Points."""


class Row(NamedTuple):
    """A row's number, from 1, its filled cells by their columns, and the look of those that have one."""

    number: int
    cells: dict[int, str]
    looks: dict[int, Look]


_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 14: "yyyy-mm-dd", 15: "d-mmm-yy",
    16: "d-mmm", 17: "mmm-yy", 18: "h:mm", 19: "h:mm:ss", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm",
    37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00", 45: "mm:ss", 46: "h:mm:ss", 47: "mm:ss",
    **dict.fromkeys([*range(27, 32), 36, *range(50, 59)], "yyyy-mm-dd"),
    **dict.fromkeys(range(32, 36), "h:mm:ss"),
}  # fmt: skip
"""Built-in formats by number; those that differ between countries as most of the world writes them."""
_FORMATS = 70_000  # Excel's own limit is 65,490
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\[\]-]*+)[^\[\]]*+\]|[_*].')
_ELAPSED = re.compile(r"(?i)\[(h+|m+|s+)\]")
_BRACKETED = re.compile(r"\[[^\[\]]*\]")  # colours and conditions
_DIGITS = re.compile(r"[0#?][0#?,]*(?:\.([0#?]*))?(,*)")
_MOST_DECIMALS = 15
_LARGEST = 1e15  # beyond it a double has no decimals
_LAST_DAY = 2_957_003  # the end of the year 9999, where days count from 1904
_INDENT = 9.0  # points of a step
_OFF = {"0", "false"}
_EPOCH, _EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001 - a sheet's time has no zone


@dataclass(frozen=True, slots=True)
class _Format:
    """How a number is shown: as a date of the format `dated`, or with decimals, unit and words."""

    dated: str = ""
    decimals: int | None = None
    grouped: bool = False
    factor: float = 1
    before: str = ""
    after: str = ""


class Formats(Handlers):
    """Reads styles.xml; then `show` formats a cell's number as its style says."""

    from_1904 = False
    """Whether days count from 1904, as in workbooks of old Macs."""

    def __init__(self) -> None:
        self._codes = dict(_BUILT_IN)
        self._styles: list[int] = []
        self._formats: dict[int, _Format] = {}
        self._bold: list[bool] = []  # of the fonts
        self._looks: list[Look] = []  # of the styles
        self._in_styles = self._in_fonts = False
        self.starts = {
            "x:numFmt": self._add_code,
            "x:fonts": self._enter_fonts,
            "x:font": self._add_font,
            "x:b": self._set_bold,
            "x:cellXfs": self._enter,
            "x:xf": self._add_style,
            "x:alignment": self._set_indent,
        }
        self.ends = {"x:cellXfs": self._leave, "x:fonts": self._leave_fonts}

    def look(self, style: str) -> Look:
        """Return how cells of a style look."""
        number = int(style)
        return self._looks[number] if 0 <= number < len(self._looks) else Look()

    def show(self, style: str, value: str) -> str:
        """Format a number as Excel shows it; anything else stays as it is."""
        return self._show(self._format(int(style)), value)

    def show_as(self, code: str, value: str) -> str:
        """Format a number by a format's code."""
        return self._show(_parse(code or "General"), value)

    def _show(self, shown: _Format, value: str) -> str:
        try:
            number = float(value)
        except ValueError:
            return value
        if not math.isfinite(number):
            return value
        if shown.dated and 0 <= number < _LAST_DAY:
            return self._date(number, shown.dated)
        number *= shown.factor
        if shown.decimals is None or shown.dated or abs(number) >= _LARGEST:
            text = f"{number:.10g}" if number % 1 or abs(number) >= _LARGEST else str(int(number))
        else:
            text = f"{number:{',' if shown.grouped else ''}.{shown.decimals}f}"
        return f"{shown.before}{text}{shown.after}"

    def _date(self, number: float, dated: str) -> str:
        if number >= 1 and "%Y" not in dated:  # time that passed, in hours and minutes
            hours, minutes = divmod(round(number * 24 * 60), 60)
            return f"{hours}:{minutes:02}"
        moment = (_EPOCH_1904 if self.from_1904 else _EPOCH) + timedelta(seconds=round(number * 86_400))
        return moment.strftime(dated if number >= 1 or "%Y" not in dated else "%H:%M")

    def _format(self, style: int) -> _Format:
        number = self._styles[style] if 0 <= style < len(self._styles) else 0
        if number not in self._formats:
            self._formats[number] = _parse(self._codes.get(number, "General"))
        return self._formats[number]

    def _add_code(self, attributes: Attributes) -> None:
        if len(self._codes) < _FORMATS:
            self._codes[int(attributes.get("numFmtId", 0))] = attributes.get("formatCode", "")[:255]

    def _enter_fonts(self, _: Attributes) -> None:
        self._in_fonts = True

    def _leave_fonts(self) -> None:
        self._in_fonts = False

    def _add_font(self, _: Attributes) -> None:
        if self._in_fonts and len(self._bold) < _FORMATS:
            self._bold.append(False)

    def _set_bold(self, attributes: Attributes) -> None:
        if self._in_fonts and self._bold:
            self._bold[-1] = attributes.get("val", "1") not in _OFF

    def _set_indent(self, attributes: Attributes) -> None:
        if self._in_styles and self._looks:
            self._looks[-1] = self._looks[-1]._replace(indent=_INDENT * int(attributes.get("indent", 0)))

    def _enter(self, _: Attributes) -> None:
        self._in_styles = True

    def _leave(self) -> None:
        self._in_styles = False

    def _add_style(self, attributes: Attributes) -> None:
        if self._in_styles and len(self._styles) < _FORMATS:
            font = int(attributes.get("fontId", 0))
            self._styles.append(int(attributes.get("numFmtId", 0)))
            self._looks.append(Look(bold=0 <= font < len(self._bold) and self._bold[font]))


def _parse(code: str) -> _Format:
    """Parse a format's first section, the one for positive numbers."""
    literals: list[str] = []

    def keep(found: re.Match[str]) -> str:
        literals.append(found[1] or found[2] or found[3] or "")
        return f"\x00{chr(0xE000 + len(literals))}"  # in no format's code, and told apart from its letters

    code = _BRACKETED.sub("", _ELAPSED.sub(r"\1", _LITERAL.sub(keep, code))).partition(";")[0]
    letters = set(re.sub("\x00.", "", code).lower().removeprefix("general"))
    if letters & set("ydhs") or (letters & {"m"} and not letters & set("0#?")):
        return _Format(dated=_dated(letters))
    digits = _DIGITS.search(code)
    if digits is None:
        return _Format()

    def spelt(part: str) -> str:
        words = re.sub("\x00(.)", lambda found: literals[ord(found[1]) - 0xE001], part)
        return re.sub(r"[0#?.,/]|[eE][+-]", "", words.replace("\x00", ""))

    placeholders, decimals, thousands = digits[0], digits[1] or "", digits[2]
    whole = placeholders.partition(".")[0]
    if not decimals and whole.endswith(","):
        thousands = whole[len(whole.rstrip(",")) :]
    return _Format(
        decimals=None if letters & set("e/") else min(len(decimals), _MOST_DECIMALS),
        grouped="," in whole.rstrip(","),
        factor=(100 if "%" in letters else 1) / 1000 ** len(thousands),
        before=spelt(code[: digits.start()]),
        after=spelt(code[digits.end() :]),
    )


def _dated(letters: set[str]) -> str:
    """Return the parts of a date that the format shows, as ISO 8601 writes them."""
    day = "%Y-%m-%d" if "d" in letters else "%Y-%m" if letters & {"m"} and "y" in letters else "%Y"
    if not letters & set("hs"):
        return day
    time = "%H:%M:%S" if "s" in letters else "%H:%M"
    return f"{day} {time}" if letters & set("yd") else time


_MAX_NAME = 60  # characters of a column's name
_ABOVE = 8  # rows that may stand above the header: a title, a note
_LEAST_ROWS = 3  # in fewer no column can be told to hold texts
_LEAST_TEXT = {(False, False): 60, (False, True): 100, (True, False): 25, (True, True): 60}
"""Least mean bytes of a column of texts, by whether its name means text and whether it stands beside
figures, where names are long. A Chinese character has three bytes in UTF-8, and says as much more.
"""
_TELLING = set(WELL_KNOWN) - {"description"}  # what this one says of a table of figures is which they are
_LONGER = 20  # characters: a text than the name of its column
_FIGURES = 0.5  # of the other columns hold numbers: a table of figures
_FILLED = 0.5  # of the rows have a text
_MAX_HEADING_WORDS = 12
_END = re.compile(r"[.!?:;,\u2026\u3002][\"'\u201d\u2019)\]]*$")
_UNNAMED = re.compile(r"(?i)(?:sheet|tabelle|feuil|foglio|hoja|blad) ?\d*$")


class SheetBlocks:
    """Takes a sheet's rows one by one; the first of them, which are kept, decide what the rows are."""

    def __init__(self, page: int, name: str, options: ExtractOptions, budget: Budget, tables: Tables) -> None:
        self.blocks: list[Block] = []
        self.missing: Rejected | None = None
        """The reason that the sheet is no data set, if a column was asked for."""
        self._page = page
        self._name = name
        self._tables = tables
        self._most = self._left = options.limits.cells
        self._merged: dict[tuple[int, int], tuple[int, int]] = {}
        self._wanted = options.text_column
        self._budget = budget
        self._decided = False
        self._kept: list[Row] = []
        self._header = 0  # the number of the row that names the columns
        self._text: int | None = None  # the column of texts, where there is one
        self._label: int | None = None

    def wants(self, column: int) -> bool:
        """Whether cells of this column are used."""
        return self._text is None or column in {self._text, self._label}

    def add(self, row: Row) -> None:
        """Add a row; raises Rejected(`too_many_rows`, `too_many_cells`)."""
        if self._text is not None:
            self._write(row)
            return
        self._kept.append(row)
        if not self._decided and len(self._kept) > SAMPLE_ROWS:
            self._decide()
        self._left -= len(row.cells)
        if self._left < 0:  # before they take any more memory
            raise too_many("cells", f"a sheet with more than {self._most:,} cells", self._most)

    def merge(self, begin: tuple[int, int], end: tuple[int, int]) -> None:
        """Say that the cells from a row and column to others are one."""
        if len(self._merged) < MAX_SPANNED:
            self._merged[begin] = max(1, end[0] - begin[0] + 1), max(1, end[1] - begin[1] + 1)

    def close(self) -> None:
        """End the rows; raises Rejected(`too_many_rows`, `too_many_cells`, `too_many_columns`)."""
        if not self._decided:
            self._decide()
        rows, self._kept = self._kept, []
        filled = [at for at, row in enumerate(rows) if len(row.cells) > 1]
        begin, end = (filled[0], filled[-1] + 1) if filled else (len(rows), len(rows))
        for row in rows[:begin]:
            self._append(_lone_block(row.cells))
        for block in (
            block
            for above in _tables(rows[begin:end])
            for part in _beside(above)
            for block in self._tables.add(self._grid(part))
        ):
            self._append(block)
        for row in rows[end:]:
            self._append(_lone_block(row.cells))

    def _grid(self, rows: Sequence[Row]) -> Grid:
        above = next((block.text for block in reversed(self.blocks) if block.kind == "heading"), self._name)
        return Grid(
            rows=[
                [self._cell(row, column, text) for column, text in sorted(row.cells.items())] for row in rows
            ],
            page=self._page,
            caption=None if _UNNAMED.match(above) else above,
        )

    def _cell(self, row: Row, column: int, text: str) -> GridCell:
        look = row.looks.get(column, Look())
        rows, columns = self._merged.get((row.number, column), (1, 1))
        spaces = len(text) - len(text.lstrip())
        return GridCell(
            text=text,
            column=column,
            row_span=rows,
            column_span=columns,
            bold=look.bold,
            indent=look.indent + spaces * _INDENT / 2,
        )

    def _decide(self) -> None:
        """Find out whether the sheet is a data set, and write its rows so far if it is one."""
        self._decided = True
        sample = self._kept
        if not sample:
            return
        at = _find_header([row.cells for row in sample], self._wanted)
        header: dict[int, str] = {} if at is None else sample[at].cells
        data = [row.cells for row in sample[0 if at is None else at + 1 :]]
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
        self._header = 0 if at is None else sample[at].number
        self._kept = []
        for row in sample:
            self._write(row)

    def _write(self, row: Row) -> None:
        """Write a row of a data set, or one above its header."""
        if row.number < self._header:
            self._append(_lone_block(row.cells))
        elif row.number > self._header:
            label = as_label(row.cells.get(self._label, "")) if self._label is not None else None
            for block in row_blocks(row.cells.get(self._text or 0, ""), row.number - self._header, label):
                self._append(block)

    def _append(self, block: Block) -> None:
        self._budget.add_block()
        self.blocks.append(replace(block, page=self._page))


def _tables(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Yield the tables of a sheet: one ends where nothing, then a title or not, then heads follow."""
    begin = 0
    for at in range(1, len(rows)):
        if rows[at].number - rows[at - 1].number > 1 and at > begin + 1:
            heads = next((row.cells for row in rows[at : at + _ABOVE] if len(row.cells) > 1), {})
            kinds = [kind_of(text) for _, text in sorted(heads.items())[1:]]
            if kinds and not {"number", "blank"} & set(kinds):
                yield rows[begin:at]
                begin = at
    if begin < len(rows):
        yield rows[begin:]


def _beside(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield the tables that stand side by side: behind an empty column, labels and numbers begin again."""
    texts: Counter[int] = Counter()
    numbers: Counter[int] = Counter()
    for row in rows:
        for column, text in row.cells.items():
            kind = kind_of(text)
            texts[column] += kind == "text"
            numbers[column] += kind == "number"
    starts: list[int] = []
    left = False
    for before, column in pairwise(sorted(texts)):
        left |= numbers[before] > 0
        names = texts[column] > max(1, numbers[column])
        if column - before > 1 and left and names and numbers[column + 1]:
            starts.append(column)
            left = False
    parts: list[list[Row]] = [[] for _ in range(len(starts) + 1)]
    for row in rows:
        cells: dict[int, dict[int, str]] = {}
        for column, text in row.cells.items():
            cells.setdefault(bisect_right(starts, column), {})[column] = text
        for at, part in cells.items():
            parts[at].append(Row(row.number, part, row.looks))
    yield from parts


def _lone_block(row: dict[int, str]) -> Block:
    """Return a row that is in no table: a title, a note."""
    cells = [squeeze(row[column]) for column in sorted(row)]
    if len(cells) > 1:
        return Block(" | ".join(filter(None, cells)), "fragment")
    text = cells[0]
    short = len(text.split()) <= _MAX_HEADING_WORDS and not _END.search(text) and not is_figure(text)
    return Block(text, "heading" if short else "text")


def _find_header(rows: Sequence[dict[int, str]], wanted: str | None) -> int | None:
    """Return which of the first rows names the columns.

    It has the wanted name, or short words in about as many cells as the rows below fill.
    """
    usual = sorted(map(len, rows))[len(rows) // 2]
    wide = next((at for at, row in enumerate(rows[:_ABOVE]) if len(row) >= _FILLED * usual), 0)
    if wanted is not None and not wanted.isdecimal():  # "2" asks for the second of a table without header
        named = (at for at, row in enumerate(rows[:_ABOVE]) if fold(wanted) in map(fold, row.values()))
        return next(named, wide)
    header, below = rows[wide], rows[wide + 1 :]
    if any(is_figure(cell) or len(cell) > _MAX_NAME for cell in header.values()):
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
    figures = sum(map(are_figures, others))
    beside_figures = figures > 1 and figures >= _FIGURES * len(others)
    return sum(filled) >= len(filled) * _LEAST_TEXT[fold(name) in _TELLING, beside_figures]


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_LAST_ROW = 1_048_576  # Excel has no more
_SEPARATOR = 3  # characters between two cells of a row


class SharedStrings(Handlers):
    """The texts that cells refer to by number, in one buffer: as objects they took five times the memory."""

    skipped = frozenset({"x:rPh"})  # how characters are pronounced

    def __init__(self, limits: Limits) -> None:
        self._text = bytearray()
        self._ends = array("Q")
        self._budget = Budget(limits)
        self._raised = False
        self.texts = {"x:t": self._add}
        self.starts = {"x:r": self._start_run, "x:vertAlign": self._set_raised}
        self.ends = {"x:si": self._end, "x:r": self._end_run}

    def __getitem__(self, number: int) -> str:
        """Return the text of this number, from 0; "" if there is none."""
        if not 0 <= number < len(self._ends):
            return ""
        start = self._ends[number - 1] if number else 0
        return self._text[start : self._ends[number]].decode()

    def _add(self, text: str) -> None:
        self._budget.spend(len(text))
        before = self._text[-1:].decode(errors="ignore")
        written = raised(_unescape(text), [before]) if self._raised else _unescape(text)
        self._text += written.encode(errors="replace")

    def _start_run(self, _: Attributes) -> None:
        self._raised = False

    def _end_run(self) -> None:
        self._raised = False

    def _set_raised(self, attributes: Attributes) -> None:
        self._raised = attributes.get("val") == "superscript"

    def _end(self) -> None:
        self._budget.spend(1)  # so that texts without a letter have an end too
        self._ends.append(len(self._text))


class Sheet(Handlers):
    """Reads a worksheet's XML and gives the filled cells of each row to `rows`."""

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
        self._looks: dict[int, Look] = {}
        self._number = 0  # of the row, from 1
        self._column = 0  # of the cell, from 1
        self._kind = self._style = ""
        self._value: list[str] = []
        self._spent = 0  # characters of the cell, counted as they come: it may have any number of pieces
        self.texts = {"x:v": self._set_value, "x:t": self._add_text}
        self.starts = {"x:row": self._start_row, "x:c": self._start_cell, "x:mergeCell": self._merge}
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
        look = self._formats.look(self._style)
        if look != Look():
            self._looks[self._column] = look

    def _merge(self, attributes: Attributes) -> None:
        begin, _, end = attributes.get("ref", "").partition(":")
        self._rows.merge(_place(begin), _place(end or begin))

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
            self._rows.add(Row(self._number, self._row, self._looks))
            self._row, self._looks = {}, {}


def _unescape(text: str) -> str:
    """Decode characters that XML cannot hold, and line ends (ISO/IEC 29500-1, 22.4.2.4)."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _place(address: str) -> tuple[int, int]:
    """Return row and column of an address such as "AB12", from 1; raises ValueError."""
    letters = address.rstrip("0123456789")
    return int(address[len(letters) :][:8] or 0), _column(letters)


def _column(letters: str) -> int:
    """Return the number of the column "A", "B", ... "AA", from 1; raises ValueError."""
    number = 0
    for letter in letters[:4]:
        number = number * 26 + _LETTERS.index(letter) + 1
    return number


def read_xlsx(source: Source, options: ExtractOptions) -> Extracted:
    """Return the text of a workbook: `page` is the sheet's number, its name a heading.

    A sheet with a column of sentences is a data set: each of its rows is a data row, numbered from the row
    below the header. With `options.text_column`, the sheets with that column are. Other sheets give tables.
    Formulas count as their last value; numbers and dates read as they are shown. Hidden sheets are left
    out.

    Raises:
        Rejected: what Package raises, `too_many_pages`, `too_many_columns`, `too_many_cells`,
            `text_column_not_found` or `no_text`.
    """
    limits, budget, tables = options.limits, Budget(options.limits), Tables(options.limits)
    blocks: list[Block] = []
    hidden: list[str] = []
    missing: list[Rejected] = []
    with Package(source, limits, "Excel workbook") as package:
        part, relations = package.main_part()
        book, formats, strings = _Book(limits.pages), Formats(), SharedStrings(limits)
        package.scan(part, book)
        for relation in relations.values():
            if relation.kind == "styles":
                package.scan(relation.part, formats)
            elif relation.kind == "sharedStrings":
                package.scan(relation.part, strings)
        formats.from_1904 = book.from_1904
        for number, (name, identifier, shown) in enumerate(book.sheets, 1):
            sheet = relations.get(identifier)
            if sheet is None or sheet.kind != "worksheet":
                continue
            if not shown:
                hidden.append(name)
                continue
            rows = SheetBlocks(number, name, options, budget, tables)
            package.scan(sheet.part, Sheet(rows, strings, formats, limits, budget))
            rows.close()
            missing += [rows.missing] if rows.missing else []
            if rows.blocks:
                blocks += [Block(name, "heading", number), *rows.blocks] if name else rows.blocks
        title = package.title()
    if missing and not any(block.kind == "row" for block in blocks):
        raise missing[0]
    if not has_words(blocks):
        raise no_text("No sheet of this workbook holds any text.", "Check that the right file was uploaded.")
    warnings = [f"hidden sheets, left out: {', '.join(hidden)[:200]}"] if hidden else []
    return Extracted(XLSX, title, len(book.sheets), blocks, warnings, tables=tables.found)


class _Book(Handlers):
    """Collects the sheets in order: name, relation id, and whether they are shown."""

    def __init__(self, most: int) -> None:
        self.sheets: list[tuple[str, str, bool]] = []
        self.from_1904 = False
        self._most = most
        self.starts = {"x:sheet": self._add, "x:workbookPr": self._set_properties}

    def _add(self, attributes: Attributes) -> None:
        shown = attributes.get("state", "visible") == "visible"
        self.sheets.append((squeeze(attributes.get("name", "")), attributes.get("r:id", ""), shown))
        if len(self.sheets) > self._most:
            raise too_many("pages", f"more than {self._most:,} sheets", self._most)

    def _set_properties(self, attributes: Attributes) -> None:
        self.from_1904 = attributes.get("date1904", "0") in {"1", "true"}
