"""Figures: kind, value and unit of every number that says something."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.figures import figures

CASES = [
    # amounts: the currency before or behind, scaled
    ("EUR 3.2 million", [("amount", 3_200_000, "EUR")]),
    ("€1.5m and $2bn", [("amount", 1_500_000, "EUR"), ("amount", 2_000_000_000, "USD")]),
    ("3,2 Mio. EUR", [("amount", 3_200_000, "EUR")]),
    ("10 Milliarden Euro", [("amount", 10_000_000_000, "EUR")]),
    ("€ 1.234.567,89", [("amount", 1_234_567.89, "EUR")]),
    ("CHF 5'000", [("amount", 5_000, "CHF")]),
    ("-£200", [("amount", -200, "GBP")]),
    ("4.1 million euros", [("amount", 4_100_000, "EUR")]),  # without the dust of binary fractions
    # percentages
    ("by 12.5%", [("percentage", 12.5, "%")]),
    ("um 12,5 Prozent", [("percentage", 12.5, "%")]),
    ("39 per cent", [("percentage", 39, "%")]),
    ("3 percentage points", [("percentage", 3, "pp")]),
    ("fell -4.2 %", [("percentage", -4.2, "%")]),
    ("12.345%", [("percentage", 12.345, "%")]),  # no thousands of a per cent
    # years
    ("from 2019-2021", [("year", 2019, "year"), ("year", 2021, "year")]),
    ("net zero by 2050", [("year", 2050, "year")]),
    ("FY2023 and 2022/23", [("year", 2023, "year"), ("year", 2022, "year")]),
    ("on 31.12.2023", [("year", 2023, "year")]),
    ("Regulation (EU) 2020/852, ISO 14001:2015", []),
    ("in 1850 and 2345", []),
    # quantities, in the unit as normalised
    ("12,345 t CO2e", [("quantity", 12_345, "tCO2e")]),
    ("56.7 kt CO₂", [("quantity", 56_700, "tCO2e")]),
    ("27.4 m t CO2e", [("quantity", 27_400_000, "tCO2e")]),
    ("1.2 Mt CO2e", [("quantity", 1_200_000, "tCO2e")]),
    ("500 MT CO2e", [("quantity", 500, "tCO2e")]),  # metric tonnes
    ("30 tons of waste", [("quantity", 30, "t")]),
    ("5 GWh", [("quantity", 5_000, "MWh")]),
    ("1 234 567 kWh", [("quantity", 1_234_567, "kWh")]),
    ("300 m3", [("quantity", 300, "m3")]),
    ("2,000 hectares", [("quantity", 2_000, "ha")]),
    ("3.5 kilometres", [("quantity", 3.5, "km")]),
    ("570,000 employees", [("quantity", 570_000, "people")]),
    ("1.234 Mitarbeitende", [("quantity", 1_234, "people")]),  # the point marks thousands
    ("1.234 t of 2.5 t", [("quantity", 1.234, "t"), ("quantity", 2.5, "t")]),  # here it does not
    ("40 training hours", [("quantity", 40, "hours")]),
    ("in 2022 employees left", [("year", 2022, "year")]),  # nobody is counted
    # nothing
    ("Scope 1+2, page 12, No. 5", []),
    ("no number at all", []),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_figure_has_kind_value_and_unit(text: str, expected: list[tuple[str, float, str]]) -> None:
    """European and American spellings, in the order they stand."""
    found = figures(text)
    assert [(figure.kind, figure.value, figure.unit) for figure in found] == expected
    assert all(figure.text in text for figure in found)


@given(text=st.text(alphabet="0123456789.,' %€$tkmMWhCO2-\u2013()/ eEURion", max_size=80))
@settings(max_examples=400, deadline=None)
def test_any_text_has_finite_figures_that_stand_in_it(text: str) -> None:
    """No number is too odd, and what is reported can be found."""
    for figure in figures(text):
        assert math.isfinite(figure.value)
        assert figure.text in text


def test_a_number_of_a_thousand_digits_is_no_figure() -> None:
    """It is a code, and its value would be infinite."""
    assert figures("1" * 1000 + " t") == []
