"""CSV and TSV: one data row is one row, whatever the delimiter, with or without a header."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING, Literal

from shared.extract.columns import SAMPLE_ROWS, WELL_KNOWN, find_text_column, fold
from shared.extract.refusals import no_text, too_many
from shared.extract.rows import row_blocks
from shared.extract.shapes import Extracted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.extract.shapes import ExtractOptions

_DELIMITERS = "\t,;|"
_MEDIA_TYPES = {"\t": "text/tab-separated-values"}
_SUFFIXES = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_SNIFFED = 65_536  # characters
_MIN_ROWS = 3  # without a telling name, fewer lines of equal shape are no evidence of a table
_MAX_NAME = 60  # characters of a column's name
_RUNAWAY = 25  # lines inside the last quoted cell: the quote was never closed

csv.field_size_limit(2**31 - 1)  # the limit on characters is ours, and counted before


def looks_like_table(text: str, suffix: str, content_type: str) -> bool:
    """True where name or type say so, or where every line has the same two or more cells."""
    if suffix in _SUFFIXES or "csv" in content_type or "tab-separated" in content_type:
        return True
    if suffix in {".txt", ".md", ".markdown"} and "\t" not in text[:_SNIFFED]:
        return False
    delimiter, share = _sniff(text)
    return share == 1 and len(_head(text, delimiter)) >= _MIN_ROWS


def read_table(text: str, suffix: str, options: ExtractOptions) -> Extracted:
    """One block a data row, numbered from 1 after the header; rows without text have none.

    Raises Rejected(`too_many_rows`, `text_column_not_found`, `no_text`).
    """
    delimiter, share = _sniff(text)
    if not share:
        delimiter = _SUFFIXES.get(suffix, ",")
    rows, warnings = _rows(text, delimiter, options.limits.rows)
    names, data = _split_header(rows, options.text_column)
    cells: list[list[str]] = [[] for _ in names]
    for row in data[:SAMPLE_ROWS]:
        for column, cell in zip(cells, row, strict=False):
            column.append(cell)
    # Of two columns with one name the first counts.
    columns = dict(zip(reversed(names), reversed(cells), strict=True))
    at = names.index(find_text_column(options.text_column, dict(reversed(columns.items()))))
    blocks = [
        block for number, row in enumerate(data, 1) for block in row_blocks("".join(row[at : at + 1]), number)
    ]
    if not blocks:
        raise no_text(
            f'The column "{names[at]}" is empty in every row.', "Check that the right file was uploaded."
        )
    odd = sum(len(row) != len(names) for row in data)
    if odd:
        warnings.append(f"{odd} rows have another number of cells than the header")
    return Extracted(_MEDIA_TYPES.get(delimiter, "text/csv"), None, None, blocks, warnings)


def _rows(text: str, delimiter: str, limit: int) -> tuple[list[list[str]], list[str]]:
    """The rows, and a warning where a quotation mark is never closed: then quotes are taken as they are."""
    rows = _parsed(text, delimiter, csv.QUOTE_MINIMAL, limit)
    if rows and any(cell.count("\n") > _RUNAWAY for cell in rows[-1]):
        warning = "a quotation mark is never closed; quotation marks were taken as they are"
        return _parsed(text, delimiter, csv.QUOTE_NONE, limit), [warning]
    return rows, []


def _parsed(text: str, delimiter: str, quoting: Literal[0, 3], limit: int) -> list[list[str]]:
    rows = []
    for row in _reader(text, delimiter, quoting):
        if any(cell.strip() for cell in row):
            rows.append(row)
            if len(rows) > limit + 1:  # the header is no data row
                raise too_many("rows", f"more than {limit:,} rows", limit)
    return rows


def _reader(text: str, delimiter: str, quoting: Literal[0, 3]) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting)


def _head(text: str, delimiter: str) -> list[list[str]]:
    """The first complete rows."""
    rows = [row for row in _reader(text[:_SNIFFED], delimiter, csv.QUOTE_MINIMAL) if row]
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


def _split_header(rows: Sequence[list[str]], wanted: str | None) -> tuple[list[str], Sequence[list[str]]]:
    """The columns' names and the data rows; columns of a table without header are named by their number."""
    first = rows[0] if rows else []
    # A column that is asked for by its name has one; "2" asks for the second of a table without header.
    named = wanted is not None and not wanted.isdecimal()
    if named or _is_header(first, rows[1 : SAMPLE_ROWS + 1]):
        return [name.strip() or str(at) for at, name in enumerate(first, 1)], rows[1:]
    width = max((len(row) for row in rows[:SAMPLE_ROWS]), default=0)
    return [str(at) for at in range(1, width + 1)], rows


def _is_header(first: Sequence[str], rest: Sequence[list[str]]) -> bool:
    filled = [cell.strip() for cell in first if cell.strip()]
    if not filled or not rest or any(_is_number(cell) or len(cell) > _MAX_NAME for cell in filled):
        return False
    if any(fold(cell) in WELL_KNOWN for cell in filled):
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
