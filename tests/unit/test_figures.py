"""Figures: kind, value and unit of every number that says something."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text import figures as module
from shared.text.figures import (
    MAX_FIGURES,
    MAX_METRIC,
    Context,
    figures,
    figures_of_text,
    reported_year,
)
from shared.text.numbers import MAX_NUMBER, Style, style_of, value_of
from shared.text.periods import last_year, periods
from shared.text.units import MAX_UNIT, unit_of

if TYPE_CHECKING:
    from shared.platform.tables import Figure

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


def read(text: str, year: int | None = 2023) -> list[Figure]:
    return figures_of_text(text, Context(year=year))


NAMES = [
    "Scope 1 and 2 emissions, Category 3, Article 8 and Articles 19a, 29a.",
    "ISO 14001, ISO 45001:2018, GRI 305-1, GRI 2-7, ESRS E1-6, SDG 13 and SDGs 8, 9 and 12.",
    "Directive 2011/65/EU, Regulation (EU) 2020/852 and Law No. 231/2001.",
    "See page 12, p. 14, pages 12-15, Note 7, Table 3, Section 4.2 and chapter 5.",
    "Telephone: Tel. +43 1 234 5678, open 24/7 from 10:30, www.example.com/2023/12.",
    "The 3rd meeting on 31 December 2023 followed COP28 [12] and CO2e.",
    "4 Workers in the value chain",
    "1. First item; 2) second item",
    "Products of 1&1 in CCM 6.5 and the 1.5 \u00b0C goal for people aged 30 to 50 years old.",
    "The share of those under 30 years.",
]


@pytest.mark.parametrize("text", NAMES)
def test_a_number_that_names_something_is_no_figure(text: str) -> None:
    """Laws, standards, pages, chapters, dates, telephones, list items and ages."""
    assert read(text) == []


SENTENCES = [
    # text, (value, unit, period, qualifier) of each figure
    ("In 2022 we hired 176 new employees.", [(176, "people", "2022", None)]),
    (
        "Some 16 percent (previous year: 17 percent) of revenue was spent.",
        [(16, "%", "2023", "about"), (17, "%", "2022", None)],
    ),
    ("We use 5\u201310 MWh a day.", [(5, "MWh", None, None), (10, "MWh", None, None)]),
    ("Water use fell by 12% compared with 2022.", [(12, "%", None, "change")]),
    ("Our target is to reach 80% renewable power by 2030.", [(80, "%", "2030", "target")]),
    ("The average age is 44.5 years.", [(44.5, "years", None, "average")]),
    ("There were no work-related fatalities in 2023.", [(0, "fatalities", "2023", None)]),
    ("More than 2,000 hectares.", [(2_000, "ha", None, "more than")]),
    ("Gas: 7.4 l per 100 km.", [(7.4, "l/100 km", None, None)]),
    ("The number of employees rose to 1,643.", [(1_643, "people", None, None)]),
    ("We spent 20 million on 3 sites.", [(20e6, None, None, None), (3, "sites", None, None)]),
    ("1 137 379 tonnes \u00e9quivalent CO2 en 2018.", [(1_137_379, "tCO2e", "2018", None)]),
    ("120 kg CO2e per tonne of cement.", [(120, "kgCO2e/t", None, None)]),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_a_figure_of_a_sentence_has_unit_period_and_qualifier(
    text: str, expected: list[tuple[float, str | None, str | None, str | None]]
) -> None:
    """From the words around it; none is guessed."""
    found = read(text)
    assert [(figure.value, figure.unit, figure.period, figure.qualifier) for figure in found] == expected
    assert all(figure.text in text and figure.printed in figure.text for figure in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The kiln used 358 MWh, against 414 MWh in 2024 and 608 MWh in 2019.", ["2025", "2024", "2019"]),
        ("Withdrawal fell to 12 m3, from 13 m3 in 2023.", ["2025", "2023"]),
        ("We bought 500 MWh of heat and 300 MWh of power in 2024.", ["2024", "2024"]),
    ],
)
def test_the_year_of_what_a_figure_is_compared_with_is_not_its_own(text: str, expected: list[str]) -> None:
    """It belongs to the number right before it alone."""
    found = figures_of_text(text, Context(year=2025, reported=2025))
    assert [figure.period for figure in found] == expected


def test_a_dash_that_begins_an_item_is_no_sign() -> None:
    """Reports set lists with dashes."""
    [figure] = figures_of_text("- 81.9% of the suppliers were assessed", Context())
    assert figure.value == 81.9


def test_a_figure_of_a_sentence_says_what_it_measures() -> None:
    """In words of the sentence; a number in brackets measures what the one before does."""
    text = "In 2023, the churn rate stood at 3.1% (2022: 2.9%) for cloud and 1.6% for licences."
    assert [(figure.metric, figure.period) for figure in read(text)] == [
        ("the churn rate for cloud", "2023"),
        ("the churn rate for cloud", "2022"),
        ("the churn rate for licences", "2023"),
    ]


def test_a_change_has_a_direction_and_what_it_is_against() -> None:
    """The value stays as printed."""
    [figure] = read("Emissions fell by 12% compared with 2022.")
    assert (figure.value, figure.change, figure.against) == (12, -12, "2022")


def test_the_year_of_a_sentence_holds_for_the_next() -> None:
    """Until another is named."""
    assert [figure.period for figure in read("We hired 12 women in 2022. Of these, 3 people left.")] == [
        "2022"
    ] * 2


def test_percentages_of_an_axis_are_no_figures() -> None:
    """Nor are numbers of a fragment without a word."""
    assert figures_of_text("0% 20% 40% 1.80", Context(kind="fragment")) == []


def test_a_fragment_gives_each_number_its_label() -> None:
    """Whether the labels stand before or behind."""
    before = figures_of_text("Women 27 % Men 73 %", Context(kind="fragment"))
    behind = figures_of_text("27 % Women 73 % Men", Context(kind="fragment"))
    assert [figure.metric for figure in before] == [figure.metric for figure in behind] == ["Women", "Men"]


STYLES = [
    ("1.234,5 und 2.000", ","),
    ("1,234.5 and 2,000", "."),
    ("12,5 %", ","),
    ("2,52,08,000", "."),
    ("1,234 and 5,678", "."),
    ("12", None),
]


@pytest.mark.parametrize(("text", "decimal"), STYLES)
def test_a_document_shows_its_decimal_mark(text: str, decimal: str | None) -> None:
    """By most of its numbers."""
    assert style_of([text]).decimal == decimal


VALUES = [
    ("1.234", ",", 1_234),
    ("1.234", ".", 1.234),
    ("0.123", ",", 0.123),
    ("310,5", ".", 310.5),  # three digits are needed behind a mark of thousands
    ("12.447,007", ".", 12_447_007),  # marks that the style does not explain
    ("1'234.5", ".", 1_234.5),
    ("1 234 567", None, 1_234_567),
    ("1.2.3", ".", None),
    ("9" * (MAX_NUMBER + 1), None, None),
]


@pytest.mark.parametrize(("printed", "decimal", "expected"), VALUES)
def test_a_number_is_read_in_the_style_of_its_document(
    printed: str, decimal: str | None, expected: float | None
) -> None:
    """What cannot be one is no number."""
    assert value_of(printed, decimal) == expected


NAMED_UNITS = [
    ("t CO2-eq.", "tCO2e", 1),
    ("MTCO2e", "tCO2e", 1),
    ("Mt CO\u2082e", "tCO2e", 1e6),
    ("10,000 m\u00b3", "m3", 1e4),
    ("TEUR", "EUR", 1e3),
    ("\u20b9 crore", "INR", 1e7),
    ("milioni di euro", "EUR", 1e6),
    ("tCO2e per million EUR revenue", "tCO2e/EUR million", 1),
    ("cases per million hours worked", "cases/million hours", 1),
    ("points de pourcentage", "pp", 1),
    ("female workers", "people", 1),
    ("in thousands", None, 1e3),
]


@pytest.mark.parametrize(("text", "name", "factor"), NAMED_UNITS)
def test_a_unit_is_normalised(text: str, name: str | None, factor: float) -> None:
    """Rates keep the symbols of both sides."""
    unit = unit_of(text)
    assert unit is not None
    assert (unit.name, unit.factor) == (name, factor)


def test_words_that_are_no_unit() -> None:
    """Nor is more than a unit may have."""
    assert [unit_of(text) for text in ("of the employees", "Scope 1", "", "t " + "x" * MAX_UNIT)] == [
        None
    ] * 4


PERIODS = [
    ("FY 2022/23", ["2022/23"]),
    ("2017-2019", ["2017-2019"]),
    ("first half of 2023", ["2023-H1"]),
    ("au 31/12", [None]),
    ("31 d\u00e9cembre 2018", ["2018-12-31"]),
    ("N-1", ["2022"]),
    ("2023: 12, 2022: 14", ["2023", "2022"]),
    ("2020/852, 1,990 and ISO 14001:2015", []),
]


@pytest.mark.parametrize(("text", "expected"), PERIODS)
def test_a_period_is_named(text: str, expected: list[str | None]) -> None:
    """As years, financial years, parts of years and days."""
    assert [time.name for time in periods(text, 2023)] == expected


def test_the_last_year_of_a_period() -> None:
    """The one in which it ends."""
    names = ("2022/23", "2017-2019", "2023-H1", "2023-12-31", None)
    assert [last_year(name) for name in names] == [2023, 2019, 2023, 2023, None]


def test_limits_of_a_passage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures of a text, the characters of a sentence and of a metric have limits."""
    assert len(read("7 t, " * (MAX_FIGURES + 50))) == MAX_FIGURES
    assert len(read("word" * 100 + " fell by 7 t")[0].metric) <= MAX_METRIC
    monkeypatch.setattr(module, "MAX_SENTENCE", 20)
    assert [figure.value for figure in read("Waste of 7 t and of glass 8 t")] == [7]


def test_the_style_of_the_document_holds() -> None:
    """Where a passage shows none of its own."""
    assert figures_of_text("1.234 t", Context(style=Style(",")))[0].value == 1_234
    assert figures_of_text("1.234 t", Context(style=Style(".")))[0].value == 1.234


REPORTED = Context(year=2024, reported=2023)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Gas use is 12 MWh.", ["2023"]),
        ("Gas use fell by 12% compared with 2021.", ["2023"]),
        ("Gas use was 12 MWh in 2022.", ["2022"]),
        ("We saved 12 MWh since 2019.", ["2019"]),
        ("Our target is 12 MWh.", [None]),
        ("By 2030 we will save 12 MWh.", ["2030"]),
        ("Water use fell by 5% over the three-year period. Gas fell by 4%.", [None, None]),
        ("Turnover was 4% in 2023, compared to 2022 (3%).", ["2023", "2022"]),
        ("It rose from 10 t in 2021 to 20 t in 2023.", ["2021", "2023"]),
    ],
)
def test_a_figure_without_a_period_is_of_the_year_reported(text: str, expected: list[str | None]) -> None:
    """Unless it is an aim, or of many years; it is less sure then."""
    found = figures_of_text(text, REPORTED)
    assert [figure.period for figure in found] == expected
    [stated, *_] = figures_of_text("Gas use was 12 MWh in 2022.", REPORTED)
    [guessed] = figures_of_text("Gas use is 12 MWh.", REPORTED)
    assert guessed.confidence < stated.confidence


def test_the_year_reported_is_that_of_most_figures() -> None:
    """A report of 2024 that speaks of 2023 reports 2023."""
    assert reported_year("2023: 5, 2022: 4, 2023: 3, 2024", 2024) == 2023
    assert reported_year("2024 and 2023", 2024) == 2024
    assert reported_year("2024", None) is None


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        (
            "Sick leave is 1% for men, a decrease of 9%, and 2% for women, an increase of 4%.",
            [
                "Sick leave for men",
                "Sick leave for men, a decrease",
                "Sick leave for women",
                "Sick leave for women, an increase",
            ],
        ),
        ("The staff includes 8% nurses, 36% doctors and 56% cooks.", ["nurses", "doctors", "cooks"]),
        (
            "The clinics employ 900 people (44% of all).",
            ["The clinics employ people", "The clinics employ people of all"],
        ),
        ("\u2022 Plant 2: Waste is 5 t. Water use is 7 m3.", ["Plant 2 > Waste", "Plant 2 > Water use"]),
    ],
)
def test_few_words_beside_a_number_are_read_with_those_before(text: str, metrics: list[str]) -> None:
    """The metric comes from the number before, the subject, or the item of the list."""
    found = [figure.metric for figure in figures_of_text(text, REPORTED)]
    assert len(found) == len(metrics)
    assert all(metric in whole for metric, whole in zip(metrics, found, strict=True)), found


def test_footnote_marks_and_ratios() -> None:
    """Roman marks are no part of a number; a ratio counts what one stands to."""
    context = Context(style=Style("."))
    assert [figure.value for figure in figures_of_text("Trees planted: 115,294iii", context)] == [115_294]
    [ratio] = figures_of_text("The pay ratio is 1:11.", context)
    assert (ratio.value, ratio.printed, ratio.kind, ratio.qualifier) == (11, "1:11", "number", "ratio")
    assert not figures_of_text("Doors open at 1:30.", context)


@pytest.mark.parametrize(
    "text",
    [
        "Targets 8.2, 8.3 of the agenda",
        "See Id. at 9 for more",
        "Sold in Region 3 were buses",
        "Cars of our fleet per 100 km",
        "Visit us at Musterstra\u00dfe 57 56410 Neustadt",
    ],
)
def test_names_with_numbers_are_no_figures(text: str) -> None:
    """Numbers of goals, citations, regions, distances and streets are names."""
    assert not figures_of_text(text, REPORTED)
