from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.platform.tables import Figure
from shared.text.datapoints import assign, datapoint_of_query, datapoints

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


@pytest.mark.parametrize("qualifier", ["target", "change"])
def test_targets_and_changes_have_no_code(qualifier: str) -> None:
    """They are no values of the year."""
    [figure] = assign([_cell("Scope 1", "tCO2e", qualifier=qualifier)], text="Scope 1 | 2030: 12")
    assert figure.datapoint is None


def test_a_search_asks_for_a_data_point() -> None:
    """Names and years beside the words do not matter."""
    assert datapoint_of_query("scope 1 emissions ATOSS 2023") == ["E1-6.scope1"]
    assert datapoint_of_query("the weather tomorrow") == []
