"""Export documents with their figures, tables and passages: a workbook, CSV, Parquet or JSON lines.

Everything is written as it comes, in bounded memory: of each document only its figures are held. What a
format has no room for is left out by a limit with a name, and the caller is given a sentence that says so.

Texts are of uploaded files. Nothing of them is a formula in a spreadsheet: a text that could begin one gets
an apostrophe in front, and cells of a workbook are written as text.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from shared.platform.records import SENTIMENTS, TOPIC_NAMES
from shared.platform.tables import is_total
from shared.text.datapoints import names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

View = dict[str, Any]
"""A document, figure, table or passage in JSON types, as the API shows it."""
Value = str | int | float | bool | datetime | None

MAX_ROWS = 1_048_576
"""Rows of a sheet in Excel, its heads included."""
MAX_COLUMNS = 16_384
"""Columns of a sheet in Excel."""
MAX_CELL = 32_767
"""Characters (UTF-16) of a cell in Excel."""
MAX_SHEET_NAME = 31
"""Characters (UTF-16) of a sheet's name in Excel."""
MAX_LINKS = 65_530
"""Links of a sheet in Excel."""
MAX_LINK = 2_079
"""Characters of a link in Excel."""
MAX_TABLES = 1_000
"""Sheets of tables in a workbook: each takes a file until the workbook is written, and a tab to look for."""
_OPTIONS = {"constant_memory": True, "remove_timezone": True, "nan_inf_to_errors": True}
BATCH = 2_000
"""Rows of a Parquet file that are in memory together."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Characters that start a formula in a spreadsheet, in full width too (OWASP, "CSV Injection")."""
_NUMBER = re.compile(r"[-+]?[\d.,' \u00a0\u202f]{0,40}%?")
"""A sign and a number, or a dash alone, computes nothing."""
_NOT_IN_SHEET_NAME = re.compile(r"[\[\]:*?/\\\x00-\x1f\x7f\ufffe\uffff]+")


@dataclass(frozen=True, slots=True)
class Content:
    """A document and what its published run found, each as the API shows it."""

    document: View
    figures: Sequence[View]
    tables: Iterable[View]
    passages: Iterable[View]
    link: Callable[[int | None], str | None] = lambda _: None
    """Address of the document's file, opened at a page."""


class Sheet(NamedTuple):
    """Rows of one kind: their columns, and the values of a row in that order."""

    name: str
    columns: Mapping[str, type]
    row: Callable[[View, View], tuple[Value, ...]]
    """Returns the values of a row from a document and one of its records."""
    widths: Mapping[str, int]


class Rows(NamedTuple):
    """Rows that are shown on a page: few, and held in memory."""

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[Value, ...]]


def harmless(cell: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe in front makes it text."""
    starts = cell.lstrip(" ").startswith(FORMULA_STARTS)
    return f"'{cell}" if starts and not _NUMBER.fullmatch(cell) else cell


def in_order(figures: Iterable[View]) -> list[View]:
    """Return figures with those that have a data point first: by its code, the newest period, totals."""

    def place(figure: View) -> tuple[bool, str, tuple[int, ...], bool]:
        code = figure.get("datapoint")
        if not code:
            return True, "", (), False
        newest_first = tuple(-ord(char) for char in figure.get("period") or "")
        return False, code, newest_first or (1,), not is_total(figure.get("qualifier"))

    return sorted(figures, key=place)


def _document_row(_: View, document: View) -> tuple[Value, ...]:
    sentiment, topics = document.get("sentiment") or {}, document.get("topics") or {}
    completed = (document.get("timings") or {}).get("completed_at")
    return (
        *(document.get(name) for name in ("organisation", "year", "title", "name", "id", "state")),
        *(document.get(name) for name in ("language", "pages", "passages", "tables", "figures")),
        document.get("initiatives"),
        *(sentiment.get(label) for label in SENTIMENTS),
        " ".join(f"{name}:{count}" for name, count in topics.items() if count),
        datetime.fromisoformat(completed) if isinstance(completed, str) else completed,
        *(" ".join(each["text"] for each in document.get(name) or []) for name in ("summary", "incidents")),
    )


def _figure_row(document: View, figure: View) -> tuple[Value, ...]:
    return (
        *(document.get("organisation"), document["name"], figure.get("datapoint")),
        *(names().get(figure.get("datapoint") or ""), figure.get("metric")),
        *(figure["value"], figure.get("unit"), figure.get("period"), figure.get("qualifier")),
        *(figure.get("change"), figure.get("against"), figure.get("topic"), figure.get("page")),
        *(figure.get("printed"), figure.get("text"), figure.get("confidence"), figure.get("table")),
    )


def _initiative_row(document: View, passage: View) -> tuple[Value, ...]:
    topics, action = passage.get("topics") or [], passage.get("action") or {}
    return (
        *(document.get("organisation"), document["name"], document.get("year")),
        *((topics[0]["name"], TOPIC_NAMES.get(topics[0]["name"])) if topics else (None, None)),
        *(action.get("label"), (action.get("scores") or {}).get(action.get("label"))),
        (passage.get("sentiment") or {}).get("label"),
        *(passage.get("page"), passage.get("row"), _figure_texts(passage), passage["text"]),
        *(passage.get("salience"), passage.get("initiative_score")),
    )


def _passage_row(document: View, passage: View) -> tuple[Value, ...]:
    sentiment, action = passage.get("sentiment") or {}, passage.get("action") or {}
    topics, scores = passage.get("topics") or [], sentiment.get("scores") or {}
    acts = action.get("scores") or {}
    return (
        *(document["name"], passage["index"], passage.get("page"), passage.get("row")),
        *(passage.get("section"), passage.get("language"), sentiment.get("label")),
        " ".join(topic["name"] for topic in topics),
        *(action.get("label"), passage.get("label"), _figure_texts(passage), passage["text"]),
        *(passage.get("kind"), topics[0].get("score") if topics else None),
        *(*(scores.get(label) for label in SENTIMENTS), acts.get("implemented"), acts.get("planned")),
        *(passage.get(name) for name in ("truncated", "salience", "initiative", "initiative_score")),
    )


def _figure_texts(passage: View) -> str:
    return "; ".join(figure["text"] for figure in passage.get("figures") or [])


DOCUMENTS = Sheet(
    "Documents",
    {
        "organisation": str, "year": int, "title": str, "name": str, "id": str, "state": str,
        "language": str, "pages": int, "passages": int, "tables": int, "figures": int, "initiatives": int,
        "positive": int, "neutral": int, "negative": int, "topics": str, "completed": datetime,
        "summary": str, "incidents": str,
    },
    _document_row,
    {"organisation": 24, "title": 40, "name": 32, "id": 26, "topics": 30, "completed": 18, "summary": 80,
     "incidents": 80},
)  # fmt: skip
FIGURES = Sheet(
    "Key figures",
    {
        "organisation": str, "document": str, "datapoint": str, "datapoint_name": str, "metric": str,
        "value": float, "unit": str,
        "period": str, "qualifier": str, "change_percent": float, "against": str, "topic": str, "page": int,
        "printed": str, "text": str, "confidence": float, "table": int,
    },
    _figure_row,
    {
        "organisation": 24, "document": 32, "datapoint": 22, "datapoint_name": 34, "metric": 50,
        "value": 16, "unit": 12,
    },
)  # fmt: skip
INITIATIVES = Sheet(
    "Initiatives",
    {
        "organisation": str, "document": str, "year": int, "topic": str, "topic_name": str, "action": str,
        "action_score": float, "sentiment": str, "page": int, "row": int, "figures": str, "text": str,
        "salience": float, "initiative_score": float,
    },
    _initiative_row,
    {"organisation": 24, "document": 32, "topic_name": 26, "action": 14, "figures": 24, "text": 100},
)  # fmt: skip
PASSAGES = Sheet(
    "Passages",
    {
        "document": str, "index": int, "page": int, "row": int, "section": str, "language": str,
        "sentiment": str, "topics": str, "action": str, "label": str, "figures": str, "text": str,
        "kind": str, "topic_score": float, "positive": float, "neutral": float, "negative": float,
        "implemented": float, "planned": float, "truncated": bool, "salience": float, "initiative": bool,
        "initiative_score": float,
    },
    _passage_row,
    {"document": 32, "section": 28, "topics": 12, "figures": 24, "text": 100},
)  # fmt: skip
ROWS = {"figures": FIGURES, "initiatives": INITIATIVES, "passages": PASSAGES}
"""What a format of one table can hold."""


def is_initiative(passage: View) -> bool:
    """Return whether the model takes a passage for an initiative."""
    return bool(passage.get("initiative"))


def _records(sheet: Sheet, contents: Iterable[Content]) -> Iterator[tuple[Value, ...]]:
    for content in contents:
        if sheet is FIGURES:
            records: Iterable[View] = in_order(content.figures)
        elif sheet is INITIATIVES:
            records = filter(is_initiative, content.passages)
        else:
            records = content.passages
        for record in records:
            yield sheet.row(content.document, record)


def csv_lines(contents: Iterable[Content], sheet: Sheet) -> Iterator[str]:
    """Yield a line of heads and a line for each row, with their line ends."""
    yield _csv_line(sheet.columns)
    for row in _records(sheet, contents):
        yield _csv_line(row)


def _csv_line(cells: Iterable[Value]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([_plain(cell) for cell in cells])
    return line.getvalue()


def _plain(cell: Value) -> Value:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return cell.isoformat()
    return harmless(cell) if isinstance(cell, str) else cell


def json_lines(contents: Iterable[Content]) -> Iterator[str]:
    """Yield an object a line: each document, then its figures, tables and passages; `type` says which."""
    for content in contents:
        document = {"document": content.document["id"], "name": content.document["name"]}
        yield _json_line({"type": "document", **content.document})
        parts = (
            ("figure", in_order(content.figures)),
            ("table", content.tables),
            ("passage", content.passages),
        )
        for kind, records in parts:
            for record in records:
                yield _json_line({"type": kind, **document, **record})


def _json_line(fields: View) -> str:
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def write_parquet(contents: Iterable[Content], sheet: Sheet, file: IO[bytes]) -> None:
    """Write the rows of a sheet, `BATCH` at a time; texts are as they are, since nothing computes them."""
    from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
    from arro3.io import write_parquet as write

    types = {str: DataType.string(), int: DataType.int64(), float: DataType.float64(), bool: DataType.bool()}
    schema = Schema([Field(name, types[kind], nullable=True) for name, kind in sheet.columns.items()])
    rows = _records(sheet, contents)

    def batches() -> Iterator[RecordBatch]:
        while chunk := list(islice(rows, BATCH)):
            columns = [
                Array([None if cell is None else kind(cell) for cell in column], types[kind])
                for column, kind in zip(zip(*chunk, strict=True), sheet.columns.values(), strict=True)
            ]
            yield RecordBatch.from_arrays(columns, schema=schema)

    write(RecordBatchReader.from_batches(schema, batches()), file, compression="zstd(3)")


def write_workbook(contents: Iterable[Content], file: IO[bytes]) -> list[str]:
    """Write a workbook, and return a sentence for each limit that left something out.

    Its sheets are Documents, Key figures, Initiatives, Passages, and one a table. Numbers are numbers, units
    stand in a column of their own, and the page of a row links to that page of the document.
    """
    from xlsxwriter.workbook import Workbook

    with Workbook(file, _OPTIONS) as workbook:
        return _Book(workbook, (DOCUMENTS, FIGURES, INITIATIVES, PASSAGES)).write(contents)


def rows_csv(rows: Rows) -> str:
    """Return a line of heads and a line for each row."""
    return "".join(map(_csv_line, (rows.columns, *rows.rows)))


def rows_json(lists: Iterable[Rows]) -> str:
    """Return an object a line; `type` is the name of its list."""
    return "".join(
        _json_line({"type": each.name, **dict(zip(each.columns, row, strict=True))})
        for each in lists
        for row in each.rows
    )


def rows_workbook(lists: Iterable[Rows], file: IO[bytes]) -> None:
    """Write a workbook with a sheet for each list."""
    from xlsxwriter.workbook import Workbook

    with Workbook(file, _OPTIONS) as workbook:
        _Book(workbook, ()).write_rows(lists)


class _Book:
    """A workbook as it is written: a sheet keeps the row that it is at, and forgets those before."""

    def __init__(self, workbook: Workbook, sheets: Iterable[Sheet]) -> None:
        self._workbook = workbook
        self._left_out: Counter[str] = Counter()
        self._names: set[str] = {"history"}  # which Excel keeps for itself
        self._tables = 0
        self._head = workbook.add_format({"bold": True, "bottom": 1})
        self._group = workbook.add_format({"bold": True})
        self._moment = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        self._whole = workbook.add_format({"num_format": "#,##0"})
        self._decimal = workbook.add_format({"num_format": "#,##0.0###"})
        self._indents: dict[int, Format] = {}
        self._pages = {sheet.name: self._begin(sheet.name, sheet.columns, sheet.widths) for sheet in sheets}

    def write(self, contents: Iterable[Content]) -> list[str]:
        for content in contents:
            document = content.document
            self._append(DOCUMENTS, content, document)
            for figure in in_order(content.figures):
                self._append(FIGURES, content, figure)
            for passage in content.passages:
                self._append(PASSAGES, content, passage)
                if is_initiative(passage):
                    self._append(INITIATIVES, content, passage)
            self._write_tables(content)
        for sheet in (FIGURES, INITIATIVES, PASSAGES):
            page = self._pages[sheet.name]
            page.worksheet.autofilter(0, 0, max(page.row - 1, 0), len(sheet.columns) - 1)
        return [f"{what}: {count:,} left out or cut." for what, count in self._left_out.items()]

    def write_rows(self, lists: Iterable[Rows]) -> None:
        for each in lists:
            page = self._begin(each.name.capitalize(), each.columns, {"text": 100, "name": 34})
            for row in each.rows:
                for column, cell in enumerate(row):
                    self._put(page, column, cell)
                page.row += 1

    def _begin(self, called: str, columns: Iterable[str], widths: Mapping[str, int]) -> _Page:
        page = _Page(self._workbook.add_worksheet(self._name(called)))
        page.worksheet.freeze_panes(1, 0)
        for column, name in enumerate(columns):
            page.worksheet.set_column(column, column, widths.get(name, 11))
            page.worksheet.write_string(0, column, name, self._head)
        page.row = 1
        return page

    def _append(self, sheet: Sheet, content: Content, record: View) -> None:
        page = self._pages[sheet.name]
        if page.row >= MAX_ROWS:
            self._left_out[f"Rows of “{sheet.name}” after the first {MAX_ROWS - 1:,}"] += 1
            return
        linked = "name" if sheet is DOCUMENTS else "page"
        for column, (name, cell) in enumerate(
            zip(sheet.columns, sheet.row(content.document, record), strict=True)
        ):
            address = content.link(record.get("page")) if name == linked and cell is not None else None
            self._put(page, column, cell, address=address)
        page.row += 1

    def _put(
        self, page: _Page, column: int, cell: Value, style: Format | None = None, address: str | None = None
    ) -> None:
        sheet, row = page.worksheet, page.row
        if address is not None and len(address) <= MAX_LINK:
            if page.links < MAX_LINKS:
                page.links += 1
                sheet.write_url(row, column, address, string=str(cell)[:MAX_CELL])
                style = style or self._workbook.get_default_url_format()
            else:
                self._left_out[f"Links of a sheet after the first {MAX_LINKS:,}"] += 1
        if isinstance(cell, bool):
            sheet.write_boolean(row, column, cell, style)
        elif isinstance(cell, int | float):
            own = self._whole if float(cell).is_integer() else self._decimal
            sheet.write_number(row, column, cell, style or own)
        elif isinstance(cell, datetime):
            sheet.write_datetime(row, column, cell, self._moment)
        elif cell:
            sheet.write_string(row, column, self._short(harmless(cell)), style)

    def _short(self, text: str) -> str:
        units = text.encode("utf-16-le", "replace")
        if len(units) <= 2 * MAX_CELL:
            return text
        self._left_out[f"Characters of a cell after the first {MAX_CELL:,}: cells"] += 1
        return units[: 2 * MAX_CELL].decode("utf-16-le", "ignore")

    def _write_tables(self, content: Content) -> None:
        of_tables: dict[int, dict[tuple[int, int], list[View]]] = {}
        for figure in content.figures:
            if figure.get("table") is not None and figure.get("cell"):
                row, column = figure["cell"]
                of_tables.setdefault(figure["table"], {}).setdefault((row, column), []).append(figure)
        for table in content.tables:
            if self._tables >= MAX_TABLES:
                self._left_out[f"Tables after the first {MAX_TABLES:,}"] += 1
                continue
            self._tables += 1
            self._write_table(content, table, of_tables.get(table["number"], {}))

    def _write_table(
        self, content: Content, table: View, figures: Mapping[tuple[int, int], list[View]]
    ) -> None:
        """Write a table under its document, page and caption; units are in a column behind the labels."""
        number, caption = table["page"], table.get("caption") or ""
        where = f"p{number}" if number else f"table {table['number'] + 1}"
        page = _Page(self._workbook.add_worksheet(self._name(f"{where} {caption}")))
        labels = min(table.get("labels", 1), MAX_COLUMNS - 1)
        page.worksheet.set_column(0, 0, 44)
        page.worksheet.set_column(1, min(table["columns"], MAX_COLUMNS - 1), 14)
        source = content.document.get("title") or content.document["name"]
        heading: tuple[tuple[str | None, str | None], ...] = (
            (source, None),
            (f"Page {number}" if number else None, content.link(number) if number else None),
            (caption, None),
        )
        for text, address in heading:
            self._put(page, 0, text, None if address else self._group, address)
            page.row += 1
        lines = [*table["rows"], *(table.get("notes") or ())]
        for at, line in enumerate(lines[: MAX_ROWS - page.row]):
            if isinstance(line, str):
                self._put(page, 0, line)
            else:
                self._write_row(page, at, line, labels, figures)
            page.row += 1
        if left := len(heading) + len(lines) - page.row:
            self._left_out[f"Rows of a table after the first {MAX_ROWS:,}"] += left
        # The sheet's file is opened again when the workbook is written: a process may have few open files.
        page.worksheet._opt_close()  # noqa: SLF001 - what the workbook itself calls

    def _write_row(
        self, page: _Page, at: int, row: View, labels: int, figures: Mapping[tuple[int, int], list[View]]
    ) -> None:
        style = {"head": self._head, "group": self._group}.get(row["kind"])
        for cell in row["cells"]:
            column = cell["column"] + (cell["column"] >= labels)
            if column >= MAX_COLUMNS:
                self._left_out[f"Columns of a table after the first {MAX_COLUMNS:,}: cells"] += 1
                continue
            own = self._indent(row.get("level", 0)) if column == 0 and style is None else style
            self._put(page, column, _cell_value(cell["text"], figures.get((at, cell["column"]), [])), own)
        cells = chain.from_iterable(figures.get((at, cell["column"]), ()) for cell in row["cells"])
        units = dict.fromkeys(figure["unit"] for figure in cells if figure.get("unit"))
        if row["kind"] == "head" and at == 0:
            self._put(page, labels, "Unit", self._head)
        elif units:
            self._put(page, labels, "; ".join(units))

    def _indent(self, level: int) -> Format | None:
        if level <= 0:
            return None
        level = min(level, 15)  # the most that Excel shows
        if level not in self._indents:
            self._indents[level] = self._workbook.add_format({"indent": level})
        return self._indents[level]

    def _name(self, wanted: str) -> str:
        """Return a name that Excel accepts and no other sheet has, as near to the wanted one as may be."""
        base = " ".join(_NOT_IN_SHEET_NAME.sub(" ", wanted).split()).strip("'") or "table"
        for number in range(1, MAX_TABLES + 10):
            ending = "" if number == 1 else f" ({number})"
            name = _first_units(base, MAX_SHEET_NAME - len(ending)).rstrip(" '") + ending
            if name.casefold() not in self._names:
                self._names.add(name.casefold())
                return name
        raise AssertionError("more sheets of one name than there are sheets")


def _cell_value(text: str, figures: Sequence[View]) -> Value:
    """Return the value of a cell that is one figure; one that says more, as "60 by 2030", is text."""
    if len(figures) != 1:
        return text
    [figure] = figures
    said = figure["text"] if figure["text"] in text else figure.get("printed") or ""
    says_more = any(char.isalpha() for char in text.replace(said, "", 1))
    return text if says_more else float(figure["value"])


class _Page:
    """A sheet, the row that is next, and the number of its links."""

    def __init__(self, worksheet: Worksheet) -> None:
        self.worksheet = worksheet
        self.row = self.links = 0


def _first_units(text: str, most: int) -> str:
    return text.encode("utf-16-le", "replace")[: 2 * most].decode("utf-16-le", "ignore")
