"""The scorer of the tables' bench: when a number found counts as the gold's, and with which meaning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.tables import __main__ as bench
from benchmarks.tables.agreement import compare
from benchmarks.tables.found import Piece, found_in, of_cells, of_passage
from benchmarks.tables.gold import Value, load, save
from benchmarks.tables.locate import Place, Text, locate
from benchmarks.tables.score import Found, contradiction, has_column, has_label, has_unit, score
from benchmarks.tables.words import Unit, core, number_pattern, unit_of, words, years


def value(**fields: Any) -> Value:
    """Return a value of a table that gives wood burnt in two years."""
    usual: dict[str, Any] = {
        "report": "mill",
        "page": 3,
        "where": "table",
        "label": "Wood burnt",
        "parents": "",
        "column": "2031",
        "period": "2031",
        "printed": "1,234",
        "value": 1234.0,
        "unit": "t",
        "qualifier": "",
        "datapoint": "",
    }
    return Value(**usual | fields)


FIGURE = Found(number="1,234", label="Wood burnt", period="2031", unit="t", value=1234.0)


@pytest.mark.parametrize(
    ("printed", "text", "times"),
    [
        ("1,234", "of 1,234 t", 1),
        ("1 234", "of 1\u202f234 t or 1234 t", 2),
        ("234", "of 1,234 t", 0),
        ("1.2", "of 1.23 t and 1.2.", 1),
        ("< 5", "fewer than <5 people, not 15", 1),
        ("(12)", "a change of (12)", 1),
    ],
)
def test_a_number_is_found_as_printed(printed: str, text: str, times: int) -> None:
    """Blanks between digits are no matter; part of a longer number is not the number."""
    assert len(number_pattern(printed).findall(text)) == times


def test_words_of_a_label_leave_out_what_differs_between_prints() -> None:
    """Case, accents, footnote marks and small words; digits of a name stay."""
    assert words("\u00c9nergie\u00b2 of the Mill (3)*") == ["energie", "mill", "3"]
    assert words("of the") == ["of", "the"]
    assert words("Scope 1 emissions1)") == ["scope", "1", "emissions"]


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("t CO2e", Unit("tCO2e")),
        ("tCO\u2082-eq", Unit("tCO2e")),
        ("kgCO2e/m\u00b2", Unit("tCO2e", 1e-3)),
        ("10,000 tons of CO2", Unit("tCO2e", 1e4)),
        ("kWh/year", Unit("MWh", 1e-3)),
        ("\u20acm", Unit("EUR", 1e6)),
        ("K\u20ac", Unit("EUR", 1e3)),
        ("$B", Unit("USD", 1e9)),
        ("10,000 m\u00b3", Unit("m3", 1e4)),
        ("MT", Unit("t")),
        ("% of employees", Unit("%")),
        ("female workers", Unit("people")),
        ("hours per employee", Unit("hours")),
        ("audits", Unit("count")),
        ("", Unit("count")),
    ],
)
def test_units_as_printed_have_a_base_and_a_factor(text: str, unit: Unit) -> None:
    """The unit above the line of a ratio counts."""
    assert unit_of(text) == unit


@pytest.mark.parametrize(
    ("period", "parts"),
    [
        ("2031", {"2031"}),
        ("FY 2031", {"2031"}),
        ("2031/32", {"2031", "2032"}),
        ("2029-2031", {"2029", "2031"}),
        ("2031-12-31", {"2031"}),
        ("2031-H1", {"2031", "H1"}),
        ("Male", set()),
    ],
)
def test_periods_are_told_apart_by_years_halves_and_quarters(period: str, parts: set[str]) -> None:
    """A day stands for its year."""
    assert years(period) == parts


def test_a_label_may_lack_a_word_of_four_but_not_be_ten_labels() -> None:
    """Order, parents and case are no matter."""
    wood = value(label="Total wood burnt on site")
    assert has_label(wood, replace(FIGURE, label="Fuels > WOOD burnt on site"))
    assert not has_label(wood, replace(FIGURE, label="Wood"))
    assert not has_label(
        wood, replace(FIGURE, label="Total wood burnt on site Coal Peat Gas Oil Steam Bark Straw")
    )
    assert has_label(wood, replace(FIGURE, label="Total w ood bur nt on site"))


def test_a_label_may_be_shortened() -> None:
    """The gold leaves out what explains a label, or its middle."""
    assert has_label(
        value(label="Wood ratio"), replace(FIGURE, label="Wood ratio (wood burnt by hour and kiln)")
    )
    assert has_label(
        value(label="Wood \u2026 of kilns"), replace(FIGURE, label="Wood burnt in all years of kilns")
    )
    assert not has_label(value(label="Wood"), replace(FIGURE, label="Wood Coal Peat Gas Oil Steam"))


def test_rows_of_one_label_need_their_parents() -> None:
    """Only the words that tell them apart."""
    women = value(label="Women", parents="Managers of mills")
    others = [women, value(label="Women", parents="Workers of mills")]
    assert has_label(women, replace(FIGURE, label="Women"))
    assert not has_label(women, replace(FIGURE, label="Women"), others)
    assert not has_label(women, replace(FIGURE, label="Mills > Women"), others)
    assert has_label(women, replace(FIGURE, label="Managers > Women"), others)


def test_a_column_is_its_period_or_its_head() -> None:
    """Another period is another column, whatever the head; without either there is nothing to find."""
    assert has_column(value(), replace(FIGURE, period="2031-12-31"))
    assert has_column(value(), replace(FIGURE, period=None, column="FY 2031"))
    assert not has_column(value(), replace(FIGURE, period=None, column="2030 2031"))
    assert not has_column(value(), replace(FIGURE, period=None))
    male = value(column="2031 > Male")
    assert has_column(replace(male, period=""), replace(FIGURE, period=None, column="2031 > Male"))
    assert not has_column(male, replace(FIGURE, period="2030", column="Male"))
    assert has_column(value(column="", period=""), FIGURE)
    change = value(column="% compared to 2030")
    assert has_column(change, replace(FIGURE, period=None, column="% COMPARED TO 2030"))
    assert not has_column(change, replace(FIGURE, period="2030", column="% compared to 2030"))
    share = value(column="Sales > in %", period="")
    assert has_column(share, replace(FIGURE, period=None, column="Sales > in %"))
    assert not has_column(share, replace(FIGURE, period=None, column="Orders > in %"))


def test_a_unit_is_right_with_its_value() -> None:
    """A figure's value is in its unit, by whatever scale; a cell states the unit in words."""
    money = value(printed="3.2", value=3.2, unit="EUR million")
    assert has_unit(money, replace(FIGURE, unit="EUR", value=3_200_000.0))
    assert not has_unit(money, replace(FIGURE, unit="EUR", value=3.2))
    assert has_unit(value(unit="sites"), replace(FIGURE, unit=None))
    assert not has_unit(value(), replace(FIGURE, unit=None))
    assert has_unit(money, replace(FIGURE, unit="3.2 in EUR million", value=None))


def test_each_value_takes_a_number_of_its_own() -> None:
    """Where a number stands twice, place and meaning tell which is which."""
    wood, peat = value(x=10, y=10), value(label="Peat burnt", x=10, y=30)
    found = [replace(FIGURE, label="Peat burnt", box=(5, 25, 30, 35)), replace(FIGURE, box=(5, 5, 30, 15))]
    counts = score([wood, peat], found).counts
    assert (counts.kept, counts.label, counts.column, counts.unit, counts.wrong) == (2, 2, 2, 2, 0)
    counts = score([wood, peat], found[:1]).counts
    assert (counts.values, counts.kept, counts.label) == (2, 1, 1)
    assert score([wood, peat], found, "prose").counts.values == 0


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (FIGURE, ""),
        (replace(FIGURE, number="99"), "invented"),
        (replace(FIGURE, period="2030"), "period"),
        (replace(FIGURE, unit="MWh"), "unit"),
        (replace(FIGURE, value=1.234), "value"),
        (replace(FIGURE, value=1.234, unit=None), "value"),
        (replace(FIGURE, label="Peat burnt in kilns"), "label"),
        (replace(FIGURE, label="Fuels"), ""),
        (replace(FIGURE, unit=None, period=None), ""),
    ],
)
def test_what_the_gold_contradicts_is_wrong(found: Found, reason: str) -> None:
    """What is only missing is not."""
    values = [value(), value(label="Peat burnt in kilns", printed="7", value=7.0)]
    why = contradiction(found, None if found.number == "99" else values[0], values)
    assert why.startswith(reason)
    assert bool(why) == bool(reason)


def test_numbers_of_a_page_that_was_partly_read_are_not_invented() -> None:
    """The gold does not know them."""
    page = [value(report="ntt_data_csr_2014", page=31)]
    assert contradiction(replace(FIGURE, number="99"), None, page) == ""


def test_cells_of_a_peer_have_the_heads_above_and_the_label_before() -> None:
    """Spanning heads are repeated, rows without numbers head a group, years are no numbers."""
    cells: list[list[str | None]] = [
        ["", "Year", None],
        ["", "2031", "2030"],
        ["Fuels", "", ""],
        ["Wood burnt (t)", "1,234", "1,200"],
    ]
    found = [each for piece in of_cells(cells) for each in found_in(piece, ["1,234"])]
    assert [(each.number, each.label, each.column) for each in found] == [
        ("1,234", "Fuels > Wood burnt (t)", "Year > 2031"),
        ("1,200", "Fuels > Wood burnt (t)", "Year > 2030"),
    ]
    assert score([value()], found).counts.unit == 1


def test_a_row_as_a_passage_is_read_back_into_cells() -> None:
    """Prose is not: its numbers have all of it as context."""
    pieces = list(of_passage("Fuels > Wood burnt (t) | 2031: 1,234; 2030: 1,200", "row", None))
    assert [(piece.text, piece.column) for piece in pieces[1:]] == [("1,234", "2031"), ("1,200", "2030")]
    assert next(of_passage("Wood burnt | 7", "row", "Fuels")).label == "Fuels > Wood burnt"
    prose = list(of_passage("In 2031 we burnt 1,234 t of wood.", "text", "Fuels"))
    assert prose == [
        Piece(
            text="In 2031 we burnt 1,234 t of wood.",
            label="Fuels > In 2031 we burnt 1,234 t of wood.",
            column="In 2031 we burnt 1,234 t of wood. Fuels",
            is_prose=True,
        )
    ]


class Lines(Text):
    """A text layer: the words of each line, 10 points high, with 100 points between them."""

    def __init__(self, *lines: str) -> None:
        self.text = "\n".join(lines)

    def _place(self, at: int) -> Place:
        line = self.text.count("\n", 0, at)
        start = self.text.rfind("\n", 0, at) + 1
        return Place(100.0 * self.text.count(" | ", start, at), 10.0 * line, at)


def test_a_number_that_stands_twice_is_placed_by_its_row_and_column() -> None:
    """Whatever the order in which the values were read; a dash has no place."""
    text = Lines("Peat burnt | 7 | 1,234", "Wood burnt | 1,234 | 8", "In all we burnt 1,234 t of straw.")
    values = [
        value(where="prose", label="straw burnt", column=""),
        value(label="Wood burnt", column="2030"),
        value(label="Peat burnt", printed="7", column="2030"),
        value(label="Wood burnt", printed="8", column="2031"),
        value(label="Peat burnt", column="2031"),
        value(label="Peat burnt", printed="\u2013", value=None),
    ]
    places = [(each.x, each.y) for each in locate(values, text)]
    assert places == [(0, 20), (100, 10), (100, 0), (200, 10), (200, 0), (None, None)]


def test_readers_agree_value_by_value() -> None:
    """What the second reader left out, or read as another unit or data point, is counted apart."""
    first = [value(datapoint="E1-5.fuel"), value(printed="7", value=7.0), value(printed="9", value=9.0)]
    second = [value(datapoint="E1-5.fuel", label="WOOD burnt"), value(printed="7", value=7.0, unit="kg")]
    counts = compare(first, second)
    assert [counts[part] for part in ("first", "second", "value", "label", "unit")] == [3, 2, 2, 2, 1]
    assert counts["data point"] == counts["data point of either"] == 1


def test_without_reports_it_says_so(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, and without failing."""
    monkeypatch.setattr(bench, "REPORTS", tmp_path / "none")
    monkeypatch.setattr("sys.argv", ["tables"])
    bench.main()
    assert capsys.readouterr().out.startswith("skipped: ")


def test_the_gold_is_whole(tmp_path: Any) -> None:
    """Numbers have places, no field is a sentence, and writing it again changes nothing."""
    values = load()
    assert len({(each.report, each.page) for each in values}) >= 40
    assert len(values) >= 700
    for each in values:
        assert each.where in {"table", "prose", "chart"}
        assert bool(core(each.printed)) == (each.value is not None)
        assert each.label or each.qualifier
    save(values, tmp_path / "again.tsv")
    assert load(tmp_path / "again.tsv") == values
