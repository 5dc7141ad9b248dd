from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.platform.tables import Figure
from shared.text.datapoints import assign, datapoint_of_query, datapoints, told_apart

if TYPE_CHECKING:
    from shared.platform.tables import FigureKind


def _cell(
    metric: str, unit: str | None, kind: FigureKind = "quantity", qualifier: str | None = None
) -> Figure:
    return Figure(
        kind=kind,
        value=12.0,
        unit=unit,
        text="12",
        printed="12",
        metric=metric,
        qualifier=qualifier,
        cell=(1, 1),
    )


@pytest.mark.parametrize(
    ("metric", "unit", "expected"),
    [
        ("Scope 1 emissions", "t", "tCO2e"),
        ("Scope 1 emissions", "tCO2e", "tCO2e"),
        ("Waste to landfill", "t", "t"),
        ("Scope 1 emissions of methane", "t", "t"),
    ],
)
def test_tonnes_of_a_data_point_of_greenhouse_gases_are_of_co2e(
    metric: str, unit: str, expected: str
) -> None:
    """A table or sentence need not say so of each number; what is no such data point stays as it is."""
    [figure] = assign([_cell(metric, unit)], text=f"{metric} | 2023: 12")
    assert figure.unit == expected


def test_codes_are_unique_and_every_point_says_something() -> None:
    points = datapoints()
    assert len({point.code for point in points}) == len(points) > 90
    assert all(point.says and point.units for point in points)


@pytest.mark.parametrize(
    ("metric", "unit", "kind", "code"),
    [
        ("GHG emissions > Scope 1 emissions", "tCO2e", "quantity", "E1-6.scope1"),
        ("Scope 2 (market-based)", "tCO2e", "quantity", "E1-6.scope2_market"),
        ("Scope 1 > Natural gas", "tCO2e", "quantity", None),
        ("Wasserverbrauch gesamt", "m3", "quantity", "E3-4.consumption"),
        ("Dechets dangereux", "t", "quantity", "E5-5.hazardous"),
        ("Donne sul totale dipendenti", "%", "percentage", "S1-9.women_share"),
        ("Number of employees > Germany", "people", "quantity", None),
        ("Reduction of Scope 1 emissions", "tCO2e", "quantity", None),
    ],
)
def test_a_label_gets_the_code_that_it_says(
    metric: str, unit: str, kind: FigureKind, code: str | None
) -> None:
    """A part, a country or a change has none."""
    [figure] = assign([_cell(metric, unit, kind)], text=f"{metric} | 2023: 12", topics=["S1"])
    assert figure.datapoint == code
    assert figure.topic == (code[:2] if code else "S1")


def test_the_head_of_the_column_counts_where_values_are_equal() -> None:
    """Equal values are told apart by their order."""
    figures = [_cell("Headcount", "people"), _cell("Headcount", "people")]
    found = assign(figures, text="Headcount | Total: 12; Women: 12")
    assert [figure.datapoint for figure in found] == ["S1-6.headcount", "S1-6.headcount_women"]


def _prose(metric: str, text: str, printed: str, unit: str | None) -> Figure:
    kind: FigureKind = "percentage" if unit == "%" else "quantity" if unit else "number"
    assert printed in text
    return Figure(kind=kind, value=1.0, unit=unit, text=printed, printed=printed, metric=metric)


@pytest.mark.parametrize(
    ("metric", "text", "printed", "unit", "code"),
    [
        ("of board members are women", "Of 12 board members 40% are women.", "40%", "%", "S1-9.women_board"),
        ("came then", "The staff turnover rate came to 9% then.", "9%", "%", "S1-6.turnover"),
        ("training hours", "Training hours (hours): 812", "812", None, "S1-13.training_hours"),
        ("of volunteering", "We gave 90 hours of volunteering since 2015.", "90 hours", "hours", None),
        ("workers", "The mills represent 400 workers.", "400 workers", "people", None),
        ("Scope 1 emissions", "We aim to reduce Scope 1 emissions by 20 t.", "20 t", "tCO2e", None),
    ],
)
def test_a_sentence_says_what_its_figure_is(
    metric: str, text: str, printed: str, unit: str | None, code: str | None
) -> None:
    """By its metric, or by the words before the figure; what is of several years or of a part has none."""
    [figure] = assign([_prose(metric, text, printed, unit)], text=text)
    assert figure.datapoint == code


@pytest.mark.parametrize(
    ("row", "metric", "unit", "code"),
    [
        ("Scope 1 > Total", "GHG emissions (t CO2e) > Scope 1 > Total > 2023", "tCO2e", "E1-6.scope1"),
        ("Employees by region > Total", "Employees by region > Total", "people", "S1-6.headcount"),
        ("Data centres > Scope 1 emissions", "Data centres > Scope 1 emissions", "tCO2e", None),
        ("Executives > With disabilities", "Executives > With disabilities", "%", None),
        ("Natural gas (MWh)", "Energy > Natural gas (MWh)", None, "E1-5.gas"),
        ("Hazardous waste > Landfill", "Hazardous waste > Landfill", "t", None),
        (
            "LTIFR > Employees (n / million hours)",
            "LTIFR > Employees",
            "cases/million hours",
            "S1-14.accident_rate",
        ),
    ],
)
def test_headings_of_a_row_count(row: str, metric: str, unit: str | None, code: str | None) -> None:
    """A total is of what stands above it; a place or a group above makes it a part."""
    kind: FigureKind = "percentage" if unit == "%" else "quantity"
    [figure] = assign([_cell(metric, unit, kind)], text=f"{row} | 2023: 12")
    assert figure.datapoint == code


@pytest.mark.parametrize("qualifier", ["target", "change"])
def test_targets_and_changes_have_no_code(qualifier: str) -> None:
    """They are no values of the year."""
    [figure] = assign([_cell("Scope 1", "tCO2e", qualifier=qualifier)], text="Scope 1 | 2030: 12")
    assert figure.datapoint is None


@pytest.mark.parametrize("value", [12.5, float("inf")])
def test_people_are_counted_in_whole_numbers(value: float) -> None:
    """A share that lost its unit is no headcount."""
    figure = replace(_cell("Employees who left the company", None), value=value)
    assert assign([figure], text="Employees who left the company | 2023: 12")[0].datapoint is None
    whole = replace(figure, value=12.0)
    assert assign([whole], text="Employees who left the company | 2023: 12")[0].datapoint == "S1-6.leavers"


def test_a_search_asks_for_a_data_point() -> None:
    """Names and years beside the words do not matter."""
    assert datapoint_of_query("scope 1 emissions ATOSS 2023") == ["E1-6.scope1"]
    assert datapoint_of_query("the weather tomorrow") == []


@pytest.mark.parametrize(
    ("organisation", "metric", "unit", "code"),
    [
        ("Brennick 1 AG", "Scope 1 emissions", "tCO2e", "E1-6.scope1"),
        ("Marl Water Works", "Water withdrawal", "m3", "E3-4.withdrawal"),
    ],
)
def test_a_name_takes_no_word_of_a_data_point_from_a_label(
    organisation: str, metric: str, unit: str, code: str
) -> None:
    """Other words of an organisation's name say nothing there."""
    figure = _cell(metric, unit)
    [found] = assign([figure], text=f"{metric} | 2023: 12", topics=[], organisation=organisation)
    assert found.datapoint == code


def _row(*values: float, period: str | None = None, code: str = "E1-6.scope1") -> list[Figure]:
    cells = (_cell("Scope 1", "tCO2e") for _ in values)
    return [
        replace(each, value=value, period=period, datapoint=code, cell=(0, column))
        for column, (each, value) in enumerate(zip(cells, values, strict=True))
    ]


def test_rows_of_a_table_that_claim_one_data_point_leave_it_to_the_total() -> None:
    whole = [replace(each, qualifier="total") for each in _row(90.0, 80.0)]
    figures = told_apart([*_row(50.0, 40.0), *whole, *_row(40.0, 40.0, period="2021")])
    codes = [figure.datapoint is not None for figure in figures]
    assert codes == [False, False, True, True, True, True]


@pytest.mark.parametrize(("values", "kept"), [((2000.0, 1800.0), 2), ((2000.0, 30.0), 0)])
def test_columns_without_heads_are_years_only_where_they_are_alike(
    values: tuple[float, ...], kept: int
) -> None:
    figures = [replace(each, datapoint=None) for each in _row(*values)]
    found = assign(figures, text="Scope 1 | " + "; ".join("12" for _ in values))
    assert sum(figure.datapoint is not None for figure in found) == kept


@pytest.mark.parametrize(
    "before",
    ["NPS is to be \u2265 ", "We will reach in scope 1 ", "Emissions of scope 1 were missed by ", "*"],
)
def test_aims_marks_and_differences_of_sentences_have_no_data_point(before: str) -> None:
    text = f"{before}12 tCO2e"
    figure = _prose("emissions of scope 1", text, "12", "tCO2e")
    assert assign([figure], text=text)[0].datapoint is None


def test_a_share_is_at_most_the_whole_and_a_page_no_emission() -> None:
    taxonomy = replace(_cell("Taxonomy-aligned turnover", "%", "percentage"), value=538.0)
    page = replace(_cell("Scope 1 emissions", None), value=67.0)
    assert assign([taxonomy], text="Taxonomy-aligned turnover | 538")[0].datapoint is None
    assert assign([page], text="Scope 1 emissions | 67")[0].datapoint is None
