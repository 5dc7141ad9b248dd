"""Tables and figures leave the process that reads redacted and within limits, or are refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from shared.documents.analysis import MAX_ROW, read_by_model
from shared.extract.sandbox.wire import pack
from shared.extract.shapes import Block, Extracted
from shared.extract.tables import row_text
from shared.intake import confined, read
from shared.intake.confined import NO_KEY, Found
from shared.intake.read import _Pieces
from shared.platform.records import Passage
from shared.platform.tables import Cell, Row, Table
from shared.text.figures import Context
from shared.text.privacy import PSEUDONYM, pseudonym, redact
from shared.text.row_figures import TableFigures
from shared.text.segment import Cut, SegmentLimits, segment
from tests.unit.cuts import KEY

PHONE, EMAIL = "+44 20 7946 0958", "jane.doe@example.com"


def table(*rows: tuple[str, ...], **fields: Any) -> Table:
    """Rows of cells; the first row has the heads."""
    made = [
        Row(
            kind="row" if at else "head",
            cells=tuple(Cell(text=text, column=column) for column, text in enumerate(row) if text),
        )
        for at, row in enumerate(rows)
    ]
    return Table(rows=tuple(made), columns=max(map(len, rows)), **fields)


def blocks_of(*tables: Table) -> list[Block]:
    return [
        Block(row_text(each, at), "table", table=number, at=at)
        for number, each in enumerate(tables)
        for at, row in enumerate(each.rows)
        if row.kind == "row"
    ]


def found_in(*tables: Table, blocks: list[Block] | None = None) -> tuple[str, list[Found]]:
    """What the process that reads sends of a document."""
    extracted = Extracted("a/b", None, None, blocks or blocks_of(*tables), tables=list(tables))
    redacting = confined._Redacting()
    kept = confined._Tables(extracted, redacting)
    segmented = segment(
        extracted,
        count=lambda texts: [len(text.split()) + 2 for text in texts],
        redact=redacting.redact,
        limits=SegmentLimits(window=24),
    )
    figures = confined._Figures(segmented.text, Context(), kept)
    return segmented.text, list(confined._found(segmented, figures, kept, "en"))


def test_tables_are_redacted_as_their_rows_are() -> None:
    """Heads, labels, cells, captions and notes; a number that only the text shows to be a person's too."""
    personal = table(
        ("Who", f"by {EMAIL}", "Tel"),
        ("Jane", EMAIL, PHONE),
        ("Sales", "+1 202 555 0143", "4,100"),
        caption=f"Ask {EMAIL}",
        notes=(f"1 Call {PHONE}.",),
    )
    text, found = found_in(personal)
    everything = text + str(found)
    assert not any(each in everything for each in ("jane.doe", "7946", "555 0143"))
    [sent_table] = [each for passage in found for each in passage.tables]
    [row] = [row for row in sent_table.rows if row.cells[0].text == "Jane"]
    assert [cell.text for cell in row.cells] == [
        "Jane",
        pseudonym(NO_KEY, "email", EMAIL),
        pseudonym(NO_KEY, "phone", "+442079460958"),
    ]
    assert all(cell.text in text for row in sent_table.rows if row.kind == "row" for cell in row.cells)


@pytest.mark.parametrize(
    ("cells", "secret"),
    [
        (("Phone:", "+44 (0) 20", "79 / 46", "0958"), ("79 / 46", "0958")),
        (("Fax", "020", "7946", "0958"), ("7946", "0958")),
        (("Tel.:", "5550", "0199", "22"), ("5550", "0199")),
        (("Fax:", "+49 (0) 89 / 1234", "5678"), ("1234", "5678")),  # a telephone without its end, too
        (("+44", "20", "7946", "0958"), ("7946", "0958")),
        (("Account", "DE89 3704", "0044 0532", "0130 00"), ("3704", "0044 0532", "0130 00")),
        (("Write to", "jane.doe@", "example.com"), ("jane.doe", "example.com")),
        (("Write to", "jane.doe", "@example", ".com"), ("jane.doe", "example")),
    ],
)
@pytest.mark.parametrize("head", ["", "2023"])
def test_an_identifier_over_cells_is_redacted_in_all(
    cells: tuple[str, ...], secret: tuple[str, ...], head: str
) -> None:
    """In the passage and in the table; and no part of it is a figure."""
    text, found = found_in(table(("",) + (head,) * (len(cells) - 1), cells, ("Employees",) + ("12",) * 3))
    shown = PSEUDONYM.sub("", text + str(found))
    assert not [part for part in secret if part in shown]
    assert [figure.printed for passage in found for figure in passage.figures] in (["12"] * 3, ["12"] * 2)


def test_an_identifier_over_rows_or_heads_is_redacted() -> None:
    """Heads are read with each row below, of a continuing table too."""
    over_rows = table(("Who", "Phone"), ("Jane", "+44 (0) 20"), ("", "7946 0958"), ("Sales", "12"))
    text, found = found_in(over_rows)
    assert "7946" not in text + str(found)
    heads = ("", "+44 (0) 20", "79 / 46", "0958")
    text, found = found_in(
        table(heads, ("Staff", "3", "4", "5")),
        replace(table(("Women", "1", "2", "3"), ("Men", "2", "2", "2")), continues=True),
    )
    assert "79 / 46" not in text + str(found)


@pytest.mark.parametrize(
    "row",
    [
        ("Cash", "1 234", "567 890", "123 456"),
        ("Years", "2021", "2022", "2023", "2024"),
        ("Mobile subscribers", "1 200", "1 300", "1 400"),
        ("Telephone", "1 200", "1 300", "1 400"),
        ("Change", "+33", "120", "340", "560"),
        ("Month", "08", "09", "10", "11", "12"),
        ("Loss", "(212)", "555", "1234"),
        ("Ratio", "0", "12", "345", "678", "901"),
        ("Share", "0.1", "20 300", "40 500"),
    ],
)
def test_rows_and_columns_of_numbers_are_no_identifiers(row: tuple[str, ...]) -> None:
    """A destroyed figure is an error too."""
    _, across = found_in(table(("All",) * len(row), row))
    _, down = found_in(table(*((cell, "one") for cell in row)))
    assert "[phone" not in str(across) + str(down)


@pytest.mark.parametrize("number", ["12,345,678.90", "-1.234.567,8", "(2 345 678)", "20202021202220"])
def test_plain_numbers_of_a_table_are_left_alone(number: str) -> None:
    """A destroyed figure is an error too."""
    _, found = found_in(table(("", "2023"), ("Revenue", number)))
    assert [row.cells[-1].text for row in found[0].tables[0].rows] == ["2023", number]


def test_figures_have_no_part_of_a_pseudonym() -> None:
    """Only whole ones get the key; a label is cut anywhere."""
    prose = Block(f"Jane ({EMAIL}, {PHONE}) says that waste of the works of {EMAIL} was 55 tonnes in 2024.")
    tables = table((f"Of {EMAIL}", "2024"), (f"Gas of {EMAIL} (MWh)", "7"), caption=f"Ask {PHONE}")
    _, found = found_in(tables, blocks=[prose, *blocks_of(tables)])
    figures = [figure for each in found for figure in each.figures]
    assert {7.0, 55.0} <= {figure.value for figure in figures}
    said = "".join(f"{figure.metric} {figure.text} {figure.qualifier} {figure.against}" for figure in figures)
    made = confined._Redacting()
    for digest in re.findall(r"[0-9a-f]{16}", made.redact(f"{EMAIL} {PHONE}")):
        assert not any(digest[at : at + 4] in said for at in range(13))


def test_pseudonyms_of_tables_get_the_key() -> None:
    """As those of the text do."""
    redacting = confined._Redacting()
    made = redacting.redact(EMAIL)
    cut = Cut(0, 9, None, None, 3, None, None, table=0)
    found = [Found(cut, None, [], [table((made,), ("1",))])]
    pieces = _Pieces(KEY, most_passages=1)
    pieces.take(pack(confined.Piece("Jane has 1.")))
    pieces.take(pack(confined._together(found, redacting)))
    _, [passage] = pieces.whole()
    assert passage.tables[0].rows[0].cells[0].text == redact(EMAIL, KEY)


def test_the_model_reads_the_label_of_a_long_row() -> None:
    """And what follows, as far as there is room; other passages it reads whole."""
    short, parents = "Gas (MWh) | 2023: 7", "Energy > " * 40 + "Gas (MWh)"
    texts = {
        short: short,
        f"Gas (MWh) | {'2023: 7; ' * 90}": f"Gas (MWh) | {'2023: 7; ' * 90}"[:MAX_ROW],
        f"{parents} | 2023: 7": parents[-MAX_ROW:],
    }
    for text, expected in texts.items():
        row = Passage(index=0, span=(0, 1), text=text, tokens=3, kind="row")
        assert read_by_model(row) == expected
        assert read_by_model(row.model_copy(update={"kind": "note"})) == text


def test_cells_of_controls_alone_are_left_out() -> None:
    """As blocks of them are: a cell that is kept has a text."""
    _, [found, *_] = found_in(table(("\x00", "2023"), ("Gas", "1 t"), ("\x1b", "\x07")))
    assert [[cell.text for cell in row.cells] for row in found.tables[0].rows] == [
        ["2023"],
        ["Gas", "1 t"],
        [],
    ]


def test_figures_of_a_row_go_with_the_part_that_shows_them() -> None:
    """Where the row is cut because it is longer than the window, and each once."""
    cells = tuple(f"{number} t" for number in range(100, 130))
    text, found = found_in(table(("", *("x",) * 30), ("Waste", *cells)))
    assert len(found) > 1
    assert [figure.text for each in found for figure in each.figures] == list(cells)
    for each in found:
        assert all(figure.text in text[each.cut.start : each.cut.end] for figure in each.figures)


def test_a_table_begins_with_its_first_row_and_keeps_its_number() -> None:
    """One that has no row is not sent, and those behind it are numbered without it."""
    one, empty, two = (
        table(("", "t"), ("A", "1 t")),
        table(("x", "y")),
        table(("", "t"), ("B", "2 t"), ("C", "3 t")),
    )
    _, found = found_in(one, empty, two)
    assert [each.cut.table for each in found] == [0, 1, 1]
    assert [len(each.tables) for each in found] == [1, 1, 0]
    assert [figure.table for each in found for figure in each.figures] == [0, 1, 1]


def test_heads_of_a_table_that_goes_on_are_those_above(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over two pages."""
    asked: list[Table | None] = []

    class Asked(TableFigures):
        def __init__(self, table: Table, above: Table | None, context: Context) -> None:
            asked.append(above)
            super().__init__(table, above, context)

    monkeypatch.setattr(confined, "TableFigures", Asked)
    first = table(("", "2023"), ("A", "1"))
    rest = replace(first, rows=first.rows[1:], continues=True)
    blocks = [Block("A | 1", "table", table=number, at=at) for number, at in ((0, 1), (1, 0), (2, 0))]
    found_in(first, rest, rest, blocks=blocks)
    assert asked == [None, first, first]


def test_tables_beyond_a_limit_leave_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is too large or one too many is no table, but nothing it says is lost."""
    rows = [("", "t"), *(("Label", f"{number} t") for number in range(9))]
    monkeypatch.setattr(confined, "MAX_TABLE_CELLS", 20)
    _, found = found_in(table(*rows), table(*rows[:3]))
    assert [each.cut.table for each in found] == [None] * 9 + [0] * 2
    assert sum(len(each.figures) for each in found) == 11
    monkeypatch.setattr(confined, "MAX_TABLES", 1)
    _, found = found_in(table(*rows[:3]), table(*rows[:3]))
    assert [each.cut.table for each in found] == [0, 0, None, None]
    monkeypatch.setattr(confined, "MAX_TABLES", 9)
    monkeypatch.setattr(confined, "MAX_KEPT_CELLS", 10)
    _, found = found_in(table(*rows[:3]), table(*rows[:3]))
    assert [each.cut.table for each in found] == [0, 0, None, None]


def test_figures_beyond_the_limit_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their passages are there."""
    monkeypatch.setattr(confined, "MAX_FIGURES", 3)
    _, found = found_in(table(("", "a", "b"), ("X", "1 t", "2 t"), ("Y", "3 t", "4 t")))
    assert [len(each.figures) for each in found] == [2, 1]


def test_spans_that_lie_are_cut_to_the_table() -> None:
    """Nobody who draws the table runs out of it."""
    cells = (Cell(text="A", column=0, row_span=99, column_span=99), Cell(text="1 t", column=7))
    _, [found] = found_in(Table(rows=(Row(kind="row", cells=cells),), columns=2))
    [cell] = found.tables[0].rows[0].cells
    assert (cell.row_span, cell.column_span) == (1, 2)


CUT = {"start": 0, "end": 9, "page": None, "row": None, "tokens": 3, "section": None, "label": None}
CELL = {"text": "1", "column": 0, "row_span": 1, "column_span": 1, "box": None}
FIGURE = {"kind": "number", "value": 1.0, "unit": None, "text": "1"}


def sending(cut: dict[str, Any] | None = None, **fields: Any) -> bytes:
    found = {"cut": CUT | {"table": 0} | (cut or {}), "language": None, "tables": [plain()], "figures": []}
    return json.dumps({"passages": [found | fields]}).encode()


def plain(cell: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    rows = [{"kind": "row", "cells": [CELL | (cell or {})]}]
    return {"rows": rows, "columns": 1} | fields


@pytest.mark.parametrize(
    "piece",
    [
        sending(tables=[plain({"column": 1})]),  # beyond the table
        sending(tables=[plain({"column_span": 2})]),
        sending(tables=[plain({"column_span": 0})]),
        sending(tables=[plain({"row_span": 2})]),
        sending(tables=[plain({"column": -1})]),
        sending(tables=[plain({"box": [0, 0, float("nan"), 1]})]),
        sending(tables=[plain(box=[0, 0, float("inf"), 1])]),
        sending(tables=[plain(rows=[{"kind": "row", "cells": []}] * (confined.MAX_TABLE_CELLS + 1))]),
        sending(tables=[plain()] * 2),  # another number than its passage says
        sending({"table": 1}),
        sending({"table": -1}, tables=[]),
        sending({"kind": "poem"}),
        sending({"box": [0, 0, float("inf"), 1]}),
        sending(figures=[FIGURE | {"value": float("nan")}]),
        sending(figures=[FIGURE | {"value": float("inf")}]),
        sending(figures=[FIGURE | {"table": 1}]),
        sending(figures=[FIGURE | {"kind": "wish"}]),
        sending(figures=[FIGURE | {"metric": "x" * (confined.MAX_METRIC + 1)}]),
    ],
)
def test_tables_and_figures_that_no_honest_process_sends_are_refused(piece: bytes) -> None:
    """What is stored is within the limits and can be drawn."""
    pieces = _Pieces(KEY, most_passages=3)
    pieces.take(json.dumps({"text": "The mill is old."}).encode())
    with pytest.raises(ValueError, match=r"."):
        pieces.take(piece)


def test_an_honest_table_is_taken() -> None:
    """The one that the cases above change."""
    pieces = _Pieces(KEY, most_passages=3)
    pieces.take(json.dumps({"text": "The mill is old."}).encode())
    pieces.take(sending(figures=[FIGURE | {"table": 0, "cell": [0, 0], "box": [0, 0, 1, 1]}]))
    _, [passage] = pieces.whole()
    assert (pieces.tables, pieces.figures, len(passage.tables), passage.table) == (1, 1, 1, 0)


@pytest.mark.parametrize("limit", ["MAX_FIGURES", "MAX_TABLES", "MAX_KEPT_CELLS"])
def test_more_than_may_be_is_refused(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all passages together."""
    monkeypatch.setattr(read, limit, 1 if limit != "MAX_KEPT_CELLS" else 3)
    pieces = _Pieces(KEY, most_passages=3)
    pieces.take(json.dumps({"text": "The mill is old."}).encode())
    pieces.take(sending(figures=[FIGURE]))
    with pytest.raises(ValueError, match="beyond a limit"):
        pieces.take(sending({"start": 9, "end": 11, "table": 1}, figures=[FIGURE]))
