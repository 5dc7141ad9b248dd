"""CSV and TSV: one data row is one row, whatever the delimiter, with or without a header."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from shared.extract.columns import (
    SAMPLE_ROWS,
    WELL_KNOWN,
    as_label,
    find_label_column,
    find_text_column,
    fold,
)
from shared.extract.quoting import parse, rows_of
from shared.extract.refusals import no_text, too_many
from shared.extract.rows import row_blocks
from shared.extract.shapes import Extracted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.extract.shapes import ExtractOptions, Limits

_DELIMITERS = "\t,;|"
_MEDIA_TYPES = {"\t": "text/tab-separated-values"}
_SUFFIXES = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_PROSE_SUFFIXES = {".txt", ".md", ".markdown"}
_SNIFFED = 65_536  # characters
_MIN_ROWS = 3  # without a telling name, fewer lines of equal shape are no evidence of a table
_MAX_NAME = 60  # characters of a column's name
_DIRECTIVE = re.compile(r"sep=([\t,;|])\n")  # by which Excel is told the delimiter, in the first line


@dataclass(frozen=True, slots=True)
class _Columns:
    """Names of all, where the text and the label stand, and whether the first row holds the names."""

    names: list[str]
    text: int
    label: int | None
    header: bool


def looks_like_table(text: str, suffix: str, content_type: str) -> bool:
    """True where name or type say so, or where every line has the same two or more cells."""
    if suffix in _SUFFIXES or "csv" in content_type or "tab-separated" in content_type:
        return True
    if suffix in _PROSE_SUFFIXES and "\t" not in text[:_SNIFFED]:
        return False
    delimiter, share = _sniff(text)
    return share == 1 and len(_head(text, delimiter)) >= _MIN_ROWS


def read_table(text: str, suffix: str, options: ExtractOptions) -> Extracted:
    """One block a data row, numbered from 1 after the header; rows without text have none.

    Raises Rejected(`too_many_rows`, `too_many_columns`, `text_column_not_found`, `no_text`).
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
    columns = _find_columns(sample, options.text_column)
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
    return Extracted(_MEDIA_TYPES.get(delimiter, "text/csv"), None, None, blocks, warnings)


def _within(rows: Iterator[list[str]], limits: Limits) -> Iterator[list[str]]:
    """The rows with anything in them, as long as there are not too many, or too many cells in one."""
    found = 0
    for row in rows:
        if len(row) > limits.columns:
            raise too_many("columns", f"a row with {len(row):,} cells", limits.columns)
        if any(cell.strip() for cell in row):
            found += 1
            if found > limits.rows + 1:  # the header is no data row
                raise too_many("rows", f"more than {limits.rows:,} rows", limits.rows)
            yield row


def _find_columns(sample: list[list[str]], wanted: str | None) -> _Columns:
    """Raises Rejected(`text_column_not_found`)."""
    names, header = _names(sample, wanted)
    data = sample[1:] if header else sample
    cells: list[list[str]] = [[] for _ in names]
    for row in data:
        for column, cell in zip(cells, row, strict=False):
            column.append(cell)
    columns: dict[str, list[str]] = {}
    for name, column in zip(names, cells, strict=True):
        columns.setdefault(name, column)  # of two columns with one name the first counts
    text = find_text_column(wanted, columns)
    label = find_label_column(columns, text)
    return _Columns(names, names.index(text), None if label is None else names.index(label), header)


def _names(sample: list[list[str]], wanted: str | None) -> tuple[list[str], bool]:
    """The columns' names, and whether the first row holds them; without a header they are numbers."""
    first = sample[0] if sample else []
    # A column that is asked for by its name has one; "2" asks for the second of a table without header.
    named = wanted is not None and not wanted.isdecimal()
    if named or _is_header(first, sample[1:]):
        return [name.strip() or str(at) for at, name in enumerate(first, 1)], True
    width = max(map(len, sample), default=0)
    return [str(at) for at in range(1, width + 1)], False


def _head(text: str, delimiter: str) -> list[list[str]]:
    """The first complete rows."""
    rows = [row for row in parse(text[:_SNIFFED], delimiter) if row]
    return rows[:-1] if len(text) > _SNIFFED and len(rows) > 1 else rows


def _sniff(text: str) -> tuple[str, float]:
    """The likeliest delimiter, and the share of rows that have the commonest number (2 or more) of cells."""
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
