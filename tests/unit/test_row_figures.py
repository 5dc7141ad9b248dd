"""Figures of the rows of tables: each number with label, unit, period and qualifier, wherever they stand."""

from __future__ import annotations

import pytest

from shared.platform.tables import Cell, Figure, Row, Table
from shared.text import row_figures
from shared.text.figures import MAX_FIGURES, MAX_METRIC, Context
from shared.text.numbers import Style
from shared.text.row_figures import TableFigures

CONTEXT = Context(style=Style("."), year=2023)


def table(*rows: tuple[str, ...], heads: int = 1, caption: str | None = None, labels: int = 1) -> Table:
    """Make a table of texts, of which the first rows are heads; a row of one text heads a group."""
    made = []
    for at, texts in enumerate(rows):
        cells = tuple(Cell(text=text, column=column) for column, text in enumerate(texts) if text)
        is_group = at >= heads and len(texts) == 1
        in_group = any(len(other) == 1 for other in rows[heads:at])
        kind = "head" if at < heads else "group" if is_group else "row"
        made.append(Row(kind=kind, cells=cells, level=int(in_group and not is_group)))  # type: ignore[arg-type]
    return Table(rows=tuple(made), columns=max(map(len, rows)), labels=labels, caption=caption)


def figures_of_row(made: Table, at: int, above: Table | None, context: Context) -> list[Figure]:
    """Return the figures of one row."""
    return TableFigures(made, above, context).row(at)


def last(made: Table, context: Context = CONTEXT) -> list[Figure]:
    """Return the figures of the last row."""
    return figures_of_row(made, len(made.rows) - 1, None, context)


def brief(figures: list[Figure]) -> list[tuple[float, str | None, str | None]]:
    return [(figure.value, figure.unit, figure.period) for figure in figures]


def test_a_figure_has_its_label_with_groups_and_caption() -> None:
    """Without footnote marks, and with the words of the head that are neither period nor unit."""
    made = table(
        ("", "Number 2023", "2022"), ("Own workforce",), ("Leavers\u00b9 (2)", "12", "14"), caption="Staff"
    )
    found = last(made)
    assert [figure.metric for figure in found] == [
        "Staff > Own workforce > Leavers > Number",
        "Staff > Own workforce > Leavers",
    ]
    assert [(figure.cell, figure.printed, figure.text) for figure in found] == [
        ((2, 1), "12", "12"),
        ((2, 2), "14", "14"),
    ]


UNITS = [
    # where the unit stands: in the cell, a column of its own, the label, the head, the group, the caption
    ((("", "2023"), ("Waste", "12 t")), (12, "t")),
    ((("", "Unit", "2023"), ("Energy", "GWh", "1.5")), (1_500, "MWh")),
    ((("", "2023"), ("Energy consumption (MWh)", "1,250")), (1_250, "MWh")),
    ((("", "2023"), ("Heating in kWh/m\u00b2", "98")), (98, "kWh/m2")),
    ((("", "2023 (EUR million)"), ("Investments", "1.2")), (1_200_000, "EUR")),
    ((("", "2023"), ("Emissions in kt CO\u2082-eq",), ("Scope 1", "3.5")), (3_500, "tCO2e")),
    ((("", "2023"), ("Women in management %", "31")), (31, "%")),
    ((("", "2023"), ("Number of reported accidents", "4")), (4, "accidents")),
    ((("", "2023"), ("Training hours per employee", "14.5")), (14.5, "hours/employee")),
    ((("", "2023"), ("Accidents", "n/ million hours worked", "0.4"), ("LTIFR", "0.4")), (0.4, None)),
    # the head's unit goes before the label's, but for shares and people
    ((("", "Emissions (t CO2e)"), ("Diesel (litres)", "7")), (7, "tCO2e")),
    ((("", "EUR million"), ("Equity ratio in %", "45")), (45, "%")),
    ((("", "EUR thousand"), ("Number of employees", "45")), (45, "people")),
    # the scale of the head holds for a currency in the cell, "in thousands" for amounts alone
    ((("", "2023 $B"), ("Bonds", "$20")), (20e9, "USD")),
    ((("", "in thousands"), ("Sites", "4")), (4, "sites")),
    # tonnes below emissions are those of CO2
    ((("GHG inventory in t CO2e", "2023"), ("Scope 1", "1,772.6 t")), (1_772.6, "tCO2e")),
    ((("", "2023"), ("CO\u2082 equivalents of Scope 1 in tons", "1,772")), (1_772, "tCO2e")),
    ((("", "2023"), ("Packaging in kt", "3")), (3_000, "t")),
    # what stands between "hours" and "per" is no matter, nor are all facilities in brackets
    ((("", "2023"), ("Hours training and education per employee", "14.1")), (14.1, "hours/employee")),
    ((("People (all own facilities)", "2023"), ("Employee headcount", "4364")), (4_364, "people")),
    # more than a hundred of what is counted is no share, and no rate of accidents is one
    ((("", "% of employees"), ("North", "119")), (119, None)),
    ((("", "2023"), ("Accident frequency rate", "1.7")), (1.7, None)),
]


@pytest.mark.parametrize(("rows", "expected"), UNITS)
def test_a_unit_is_found_where_it_stands(
    rows: tuple[tuple[str, ...], ...], expected: tuple[float, str | None]
) -> None:
    """The value is in the unit as normalised."""
    assert [(figure.value, figure.unit) for figure in last(table(*rows))] == [expected]


def test_the_caption_gives_a_unit_that_nothing_else_does() -> None:
    """Less sure than what stands in the cell."""
    far, near = (
        last(table(("", "2023"), ("Paper", "7"), caption="Waste (tonnes)")),
        last(table(("", "2023"), ("Paper", "7 t"))),
    )
    assert far[0].unit == near[0].unit == "t"
    assert far[0].confidence < near[0].confidence


PERIODS = [
    ((("", "12/31/2023", "31.12.2022"), ("Staff", "4", "5")), ["2023-12-31", "2022-12-31"]),
    ((("", "FY23", "2021/22"), ("Staff", "4", "5")), ["2023", "2021/22"]),
    ((("", "H1 2023", "Q4 2022"), ("Staff", "4", "5")), ["2023-H1", "2022-Q4"]),
    ((("", "Reporting year", "Previous year"), ("Staff", "4", "5")), ["2023", "2022"]),
    ((("", "2022(12)", "2021a"), ("Staff", "4", "5")), ["2022", "2021"]),
    ((("", "Number"), ("Staff 2021", "4")), ["2021"]),
    ((("", "Number"), ("2020", "4")), ["2020"]),
    ((("", "Number"), ("Goal", "12 by 2030")), ["2030"]),
    ((("", "Number"), ("Staff", "4")), [None]),
]


@pytest.mark.parametrize(("rows", "expected"), PERIODS)
def test_a_period_is_that_of_the_head_else_of_the_label(
    rows: tuple[tuple[str, ...], ...], expected: list[str | None]
) -> None:
    """None is stated, none is guessed."""
    assert [figure.period for figure in last(table(*rows))] == expected


def test_a_change_is_told_from_the_values_and_given_to_the_latest() -> None:
    """In per cent, against the period before."""
    now, before, change = last(table(("", "2023", "2022", "Change in %"), ("Gas (MWh)", "88", "100", "(12)")))
    assert (change.qualifier, change.value, change.unit) == ("change", -12, "%")
    assert (now.change, now.against, before.change) == (-12, "2022", None)


QUALIFIERS = [
    (("", "Target 2030"), ("Emissions", "5"), "target"),
    (("", "2019 (base year)"), ("Emissions", "5"), "base year"),
    (("", "2023"), ("Total emissions", "5"), "total"),
    (("", "2023"), ("of which biogenic", "5"), "of which biogenic"),
    (("", "Female"), ("Managers", "5"), "of which women"),
    (("", "2023"), ("Average age", "45"), "average"),
    (("", "2023"), ("Reduction from 2019 baseline", "5"), None),
    (("", "2023"), ("Sites", "<5"), "less than"),
]


@pytest.mark.parametrize(("heads", "row", "expected"), QUALIFIERS)
def test_a_qualifier_is_in_label_or_head(
    heads: tuple[str, ...], row: tuple[str, ...], expected: str | None
) -> None:
    """What a person would say of the number beside its name."""
    assert [figure.qualifier for figure in last(table(heads, row))] == [expected]


CELLS = [
    ("1,234\u00b9", [1_234]),
    ("12.3 (2)", [12.3]),
    ("12 1)", [12]),
    ("(12)", [-12]),
    ("- 0.7", [-0.7]),
    ("\u2013", []),
    ("n/a", []),
    ("5\u201310", [5, 10]),
    ("49.3- 24 %", [49.3, -24]),  # two columns that were read as one
    ("22,082 (5.4%)", [22_082, 5.4]),
    ("2,52,08,00,000", [2_520_800_000]),
    ("ISO 14001", []),
    ("2011/65/EU", []),
    ("GRI 305-1", []),
    ("1" * 40, []),
]


@pytest.mark.parametrize(("text", "expected"), CELLS)
def test_a_cell_holds_numbers_with_marks_around_them(text: str, expected: list[float]) -> None:
    """Footnote marks, signs and names are no figures."""
    assert [figure.value for figure in last(table(("", "2023"), ("Waste", text)))] == expected


def test_the_table_decides_what_a_point_means() -> None:
    """Once for all its numbers; a count has no decimals."""
    german = table(("", "2023", "2022"), ("Gas (MWh)", "1.234", "12,5"))
    assert [figure.value for figure in last(german)] == [1_234, 12.5]
    english = table(("", "2023", "2022"), ("Gas (MWh)", "1.234", "12.5"))
    assert [figure.value for figure in last(english)] == [1.234, 12.5]
    counted = table(("", "2023", "2022"), ("Items disposed of", "5.584 items", "12.5"))
    assert last(counted)[0].value == 5_584


def test_four_digits_are_a_year_unless_the_head_names_one() -> None:
    """2,023 employees are printed as 2023 where no number has a mark of thousands."""
    assert brief(last(table(("", "2022"), ("Number of employees", "2023")))) == [(2023, "people", "2022")]
    assert last(table(("", "2022", "2021"), ("Number of employees", "2023", "1,900")))[0].value == 1_900
    assert last(table(("", "Target year"), ("Net zero", "2040"))) == []


def test_an_index_has_no_figures() -> None:
    """Neither contents, nor where the disclosures of a standard stand."""
    contents = table(*((f"Chapter {number}", str(3 * number)) for number in range(1, 8)), heads=0)
    assert [last(contents), figures_of_row(contents, 1, None, CONTEXT)] == [[], []]
    standard = table(("Disclosure", "Where"), ("GRI 305-1 Emissions", "12"), ("GRI 305-2 Energy", "14"))
    assert last(standard) == []
    pages = table(("", "2023", "Page"), ("Waste (t)", "12", "34"))
    assert [figure.value for figure in last(pages)] == [12]


def test_a_table_that_goes_on_is_read_with_the_heads_above() -> None:
    """And with its caption."""
    first = table(("", "2023"), ("Paper", "7"), caption="Waste in t")
    rest = table(("Glass", "8"), heads=0)
    assert brief(figures_of_row(rest, 0, first, CONTEXT)) == [(8, "t", "2023")]


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures of a row, its columns and the characters of a metric have limits."""
    wide = table(("Waste", *("7 t" for _ in range(MAX_FIGURES + 20))), heads=0)
    assert len(last(wide)) == row_figures.MAX_COLUMNS - 1
    monkeypatch.setattr(row_figures, "MAX_FIGURES", 5)
    assert len(last(wide)) == 5
    assert len(last(table(("Waste " * 100, "7 t"), heads=0))[0].metric) <= MAX_METRIC


def test_a_long_table_is_read_once() -> None:
    """Ten thousand rows take time linear in their number: heads and style are not read again."""
    made = TableFigures(
        table(("", "2023"), *((f"Site {at}", f"{at} t") for at in range(3_000))), None, CONTEXT
    )
    assert sum(len(made.row(at)) for at in range(3_001)) == 3_000
