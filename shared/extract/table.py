"""Read CSV and TSV: find the delimiter, the header and the column that holds the text, or a table of figures.

A quotation mark that is never closed makes one cell of all that follows, up to the next mark or the end, and
causes no error. If that happens, the rows are read again with such marks as plain characters, and a warning
names the lines.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Literal

from shared.extract.plain import paragraphs
from shared.extract.refusals import no_text, too_many
from shared.extract.shapes import Block, Extracted
from shared.extract.tables import Grid, GridCell, Tables
from shared.extract.tidy import lines_of, listed, squeeze
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from shared.extract.shapes import ExtractOptions, Limits


_DOCUMENT = 4_000
"""Characters, some four windows of the model; most of a longer text would be cut off as one passage."""


def row_blocks(text: str, row: int, label: str | None) -> list[Block]:
    """Return one block of kind `row`, none without text, or the paragraphs of a long document."""
    if len(text) > _DOCUMENT:
        return [replace(block, row=row, label=label) for block in paragraphs(text, markdown=True)]
    tidy = squeeze(text)
    return [Block(tidy, "row", row=row, label=label)] if tidy else []


WELL_KNOWN = (
    "text", "full_text", "review", "review_text", "reviewtext", "verified_reviews", "reviews", "review_body",
    "comment", "comments", "body", "content", "sentence", "sentences", "passage", "paragraph", "message",
    "feedback", "description", "answer", "response", "tweet", "headline",
)  # fmt: skip
"""Usual names of a text column, best first."""

SAMPLE_ROWS = 500
"""Number of rows by which a column's content is judged."""

_LABELS = (
    "label", "labels", "sentiment", "polarity", "rating", "ratings", "stars", "score", "class", "category",
    "target", "topic", "grade", "overall", "feedback",
)  # fmt: skip
"""Usual names of a column of labels or ratings, also as the last of several words, best first."""
_MAX_LABEL = 40  # characters
_MAX_LABELS = 25  # different ones in the sample
_MIN_REPEATED = 20  # rows from which on labels must repeat

_WORD = re.compile("[\u3040-\u30ff\u3400-\u9fff]|[^\\W\\d_]{2,}")  # a character of Chinese is a word
_MIN_WORDS = 1.5  # mean words a filled cell: below it a column of a well-known name holds labels, not text


def find_text_column(wanted: str | None, columns: Mapping[str, Sequence[str]]) -> str:
    """Return the name of the text column; `columns` maps names to samples of their cells.

    A wanted name is found in any case. Otherwise well-known names are tried in order, if their cells hold
    words (a `feedback` of 0 and 1 is a label); then the column with the longest text.
    Raises Rejected(`text_column_not_found`).
    """
    folded: dict[str, str] = {}
    for name in columns:
        folded.setdefault(fold(name), name)
    if wanted is not None:
        if wanted in columns:
            return wanted
        if fold(wanted) in folded:
            return folded[fold(wanted)]
        raise _not_found(f'There is no column named "{wanted}"', columns)
    for name in WELL_KNOWN:
        if name in folded and _mean_words(columns[folded[name]]) >= _MIN_WORDS:
            return folded[name]
    means = {name: _mean_words(cells) for name, cells in columns.items()}
    best = max(means, key=lambda name: means[name], default=None)
    if best is None or means[best] < 1:
        raise _not_found("No column holds text", columns)
    return best


def find_label_column(columns: Mapping[str, Sequence[str]], text_column: str) -> str | None:
    """Return the name of the column of labels or ratings: its name says so, its cells are short and few."""
    for wanted in _LABELS:
        for name, cells in columns.items():
            if name != text_column and f"_{fold(name)}".endswith(f"_{wanted}") and _are_labels(cells):
                return name
    return None


_NUMBER = re.compile(r"\W{0,3}\d[\d.,\s]*+(?:\D{1,4})?$|[-\u2013\u2014]$|(?i:n/?a)$")


def is_figure(cell: str) -> bool:
    """Whether a cell is a number, or says that there is none."""
    return _NUMBER.match(cell) is not None


def are_figures(cells: Sequence[str]) -> bool:
    """Whether most cells of a column are numbers."""
    filled = [cell for cell in cells if cell]
    return sum(map(is_figure, filled)) > len(filled) / 2


def as_label(cell: str) -> str | None:
    """Return a cell as a label; None if it is empty or too long for a label."""
    label = squeeze(cell)
    return label if 0 < len(label) <= _MAX_LABEL else None


def _are_labels(cells: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in cells if cell.strip()]
    kinds = set(filled)
    return (
        0 < len(kinds) <= _MAX_LABELS
        and max(map(len, kinds)) <= _MAX_LABEL
        and (len(filled) < _MIN_REPEATED or len(kinds) <= len(filled) // 2)
    )


def fold(name: str) -> str:
    """Normalize a column's name for comparison: lower case, words joined by underscores."""
    return re.sub(r"[\s\-]+", "_", name.strip().lower())


def _mean_words(cells: Sequence[str]) -> float:
    filled = [cell for cell in cells if cell.strip()]
    return sum(len(_WORD.findall(cell)) for cell in filled) / len(filled) if filled else 0.0


def _not_found(what: str, columns: Mapping[str, object]) -> Rejected:
    shown = ", ".join(f'"{name[:40]}"' for name in list(columns)[:12])
    return Rejected(
        "text_column_not_found",
        f"{what}; the file has: {shown or 'no columns'}.",
        "Name the one that holds the text, with --text-column, or as text-column in the object's metadata.",
    )


_LONGEST = 100  # lines of a row, where marks are not all closed
_MARK = '"'

csv.field_size_limit(2**31 - 1)  # the limit on characters is ours, and counted before


def parse(text: str, delimiter: str, *, quotes: bool = True, strict: bool = False) -> Iterator[list[str]]:
    """Parse rows by the csv module; if `strict`, raises csv.Error for a mark that closes nothing."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    lines = (f"{line}\n" for line in lines_of(text))
    return csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=strict)


def rows_of(text: str, delimiter: str, most: int) -> tuple[Callable[[], Iterator[list[str]]], list[str]]:
    """Return a function that reads the rows from the first on, and a warning about unclosed marks.

    The warning covers `most` rows.
    """
    if _MARK not in text or _is_sound(text, delimiter):
        return partial(parse, text, delimiter), []
    bad = [number for number, _, closed in islice(_records(text, delimiter), most) if not closed]
    warning = f"a quotation mark is never closed, and was taken as it is, in line {listed(bad)}"

    def recovered() -> Iterator[list[str]]:
        for _, record, closed in _records(text, delimiter):
            yield from parse(record, delimiter, quotes=closed)

    return recovered, [warning] if bad else []


def _is_sound(text: str, delimiter: str) -> bool:
    """Whether every closing mark stands at the end of a cell, and the last cell has one."""
    try:
        for _ in parse(text, delimiter, strict=True):
            pass
    except csv.Error:
        return False
    return True


def _records(text: str, delimiter: str) -> Iterator[tuple[int, str, bool]]:
    """Yield the number of a record's first line, from 1, its text, and whether all its marks are closed.

    A record goes on until its marks are even; if that takes too many lines, or a mark closes nothing, its
    first line is a record by itself.
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
    """Count the lines of the record that begins with the first; 0 if none of them ends it."""
    odd = False
    for length, line in enumerate(lines, 1):
        odd ^= line.count(_MARK) % 2 == 1
        if not odd:
            return length
    return 0


_DELIMITERS = "\t,;|"
_MEDIA_TYPES = {"\t": "text/tab-separated-values"}
_SUFFIXES = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_PROSE_SUFFIXES = {".txt", ".md", ".markdown"}
_SNIFFED = 65_536  # characters
_MIN_ROWS = 3  # without a telling name, fewer lines of equal shape are no evidence of a table
_MAX_NAME = 60  # characters of a column's name
_DIRECTIVE = re.compile(r"sep=([\t,;|])\n")  # by which Excel is told the delimiter, in the first line


_DIGITS = 9  # of the number of a row
_LONG = 60  # mean characters of a column: it holds texts, not names of rows


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns' names, the places of text and label, and whether the first row holds the names."""

    names: list[str]
    text: int
    label: int | None
    header: bool


def looks_like_table(text: str, suffix: str, content_type: str) -> bool:
    """Whether name or type say so, or every line has the same number of cells, two or more."""
    if suffix in _SUFFIXES or "csv" in content_type or "tab-separated" in content_type:
        return True
    if suffix in _PROSE_SUFFIXES and "\t" not in text[:_SNIFFED]:
        return False
    delimiter, share = _sniff(text)
    return share == 1 and len(_head(text, delimiter)) >= _MIN_ROWS


def read_table(text: str, suffix: str, options: ExtractOptions) -> Extracted:
    """Return one block per data row, numbered from 1 after the header; rows without text have none.

    What has no column of texts but columns of numbers is a table.

    Raises Rejected(`too_many_rows`, `too_many_columns`, `too_many_cells`, `text_column_not_found`,
    `no_text`).
    """
    directive = _DIRECTIVE.match(text)
    if directive:
        text, delimiter = text[directive.end() :], directive[1]
    else:
        delimiter, share = _sniff(text)
        if not share:
            delimiter = _SUFFIXES.get(suffix, ",")
    rows, warnings = rows_of(text, delimiter, options.limits.rows)
    sample = list(islice(_within(rows(), options.limits), SAMPLE_ROWS + 1))
    media_type = _MEDIA_TYPES.get(delimiter, "text/csv")
    columns = _find_columns(sample, options.text_column)
    if columns is None:
        tables = Tables(options.limits)
        grid = _grid(_within(rows(), options.limits), options.limits)
        return Extracted(media_type, None, None, tables.add(grid), warnings, tables=tables.found)
    blocks, odd = [], 0
    # The rows are read again rather than kept: most of a table are cells that nobody asks for.
    for number, row in enumerate(_within(rows(), options.limits), 0 if columns.header else 1):
        odd += len(row) != len(columns.names)
        if number and columns.text < len(row):
            label = columns.label
            beside = as_label(row[label]) if label is not None and label < len(row) else None
            blocks += row_blocks(row[columns.text], number, beside)
    if not blocks:
        raise no_text(
            f'The column "{columns.names[columns.text][:_MAX_NAME]}" is empty in every row.',
            "Check that the right file was uploaded.",
        )
    if odd:
        warnings.append(f"{odd} rows have another number of cells than the header")
    return Extracted(media_type, None, None, blocks, warnings)


def _grid(rows: Iterator[list[str]], limits: Limits) -> Grid:
    left = limits.cells
    grid = Grid(rows=[])
    for row in rows:
        cells = [GridCell(text=cell, column=at) for at, cell in enumerate(row) if cell and not cell.isspace()]
        left -= len(cells)
        if left < 0:  # before they take any more memory
            raise too_many("cells", f"a table with more than {limits.cells:,} cells", limits.cells)
        grid.rows.append(cells)
    return grid


def _within(rows: Iterator[list[str]], limits: Limits) -> Iterator[list[str]]:
    """Yield the rows that are not empty; raises Rejected for too many rows or cells."""
    found = 0
    for row in rows:
        if len(row) > limits.columns:
            raise too_many("columns", f"a row with {len(row):,} cells", limits.columns)
        if any(cell.strip() for cell in row):
            found += 1
            if found > limits.rows + 1:  # the header is no data row
                raise too_many("rows", f"more than {limits.rows:,} rows", limits.rows)
            yield row


def _find_columns(sample: list[list[str]], wanted: str | None) -> _Columns | None:
    """Return the columns of a data set; None for a table of figures.

    Raises Rejected(`text_column_not_found`).
    """
    names, header = _names(sample, wanted)
    data = sample[1:] if header else sample
    cells: list[list[str]] = [[] for _ in names]
    for row in data:
        for column, cell in zip(cells, row, strict=False):
            column.append(cell)
    columns: dict[str, list[str]] = {}
    for name, column in zip(names, cells, strict=True):
        columns.setdefault(name, column)  # of two columns with one name the first counts
    try:
        text = find_text_column(wanted, columns)
    except Rejected:
        figures = (are_figures(cells) and not _count_up(cells) for cells in columns.values())
        if wanted is None and header and any(figures):
            return None
        raise
    label = find_label_column(columns, text)
    if wanted is None and _are_names(text, columns, label):
        return None
    return _Columns(names, names.index(text), None if label is None else names.index(label), header)


def _are_names(text: str, columns: Mapping[str, Sequence[str]], label: str | None) -> bool:
    """Whether the likeliest text column names the rows of a table of figures: short beside many numbers."""
    others = [cells for name, cells in columns.items() if name not in {text, label} and not _count_up(cells)]
    filled = [len(cell) for cell in columns[text] if cell.strip()]
    return (
        fold(text) not in WELL_KNOWN
        and sum(filled) < len(filled) * _LONG
        and 2 * sum(map(are_figures, others)) >= max(1, len(others))
    )


def _count_up(cells: Sequence[str]) -> bool:
    """Whether the cells number the rows."""
    if not cells or len(cells[0]) > _DIGITS or not cells[0].isdecimal():
        return False
    return all(cell == str(number) for number, cell in enumerate(cells, int(cells[0])))


def _names(sample: list[list[str]], wanted: str | None) -> tuple[list[str], bool]:
    """Return the columns' names, and whether the first row holds them; without a header they are numbers."""
    first = sample[0] if sample else []
    # A column that is asked for by its name has one; "2" asks for the second of a table without header.
    named = wanted is not None and not wanted.isdecimal()
    if named or _is_header(first, sample[1:]):
        return [name.strip() or str(at) for at, name in enumerate(first, 1)], True
    width = max(map(len, sample), default=0)
    return [str(at) for at in range(1, width + 1)], False


def _head(text: str, delimiter: str) -> list[list[str]]:
    """Return the first complete rows."""
    rows = [row for row in parse(text[:_SNIFFED], delimiter) if row]
    return rows[:-1] if len(text) > _SNIFFED and len(rows) > 1 else rows


def _sniff(text: str) -> tuple[str, float]:
    """Return the likeliest delimiter, and the share of rows with the most common number of cells."""
    best = (0.0, 0, ",")
    for delimiter in _DELIMITERS:
        counts = Counter(len(row) for row in _head(text, delimiter))
        cells, rows = counts.most_common(1)[0] if counts else (0, 0)
        if cells > 1:
            best = max(best, (rows / counts.total(), cells, delimiter))
    return best[2], best[0]


def _is_header(first: Sequence[str], rest: Sequence[list[str]]) -> bool:
    filled = [cell.strip() for cell in first if cell.strip()]
    if not filled or any(_is_number(cell) or len(cell) > _MAX_NAME for cell in filled):
        return False
    if any(fold(cell) in WELL_KNOWN for cell in filled) and (rest or len(filled) > 1):
        return True
    for at, name in enumerate(first):
        below = [row[at].strip() for row in rest if at < len(row) and row[at].strip()]
        if below and (all(map(_is_number, below)) or sum(map(len, below)) / len(below) > 3 * len(name) + 20):
            return True
    return False


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", ".").rstrip("% "))
    except ValueError:
        return False
    return True
