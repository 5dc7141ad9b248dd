"""Numbers, dates and changes are told as people tell them, and no text can pass for another."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from shared.digests.records import Change, Filter, Measure, Window
from shared.digests.render import words
from tests.digest_example import datapoint_change, reported
from tests.digest_quotes import ORGANISATIONS, quote

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("share", "decimals", "told"),
    [
        (0.0, 0, "0%"),
        (0.004, 0, "under 1%"),  # not none
        (0.005, 0, "under 1%"),  # rounds to an even 0
        (0.0051, 0, "1%"),
        (0.314, 0, "31%"),
        (0.996, 0, "over 99%"),  # not all
        (1.0, 0, "100%"),
        (0.0004, 1, "under 0.1%"),
        (0.9996, 1, "over 99.9%"),
        (0.058, 1, "5.8%"),
        (None, 0, words.NOTHING),
    ],
)
def test_percentages_have_no_false_precision_and_no_false_zero(
    share: float | None, decimals: int, told: str
) -> None:
    assert words.percent(share, decimals) == told


@pytest.mark.parametrize(
    ("difference", "told"),
    [
        (0.11, "+11 points"),
        (-0.06, f"{words.MINUS}6 points"),
        (0.01, "+1 point"),
        (-0.002, f"{words.MINUS}0.2 points"),
        (0.0, "0 points"),
        (0.0001, "0 points"),
    ],
)
def test_differences_of_shares_are_points(difference: float, told: str) -> None:
    assert words.points(difference) == told


@pytest.mark.parametrize(
    ("p", "told"),
    [
        (None, "too few documents to tell"),
        (0.0, "p < 0.001"),
        (0.0009, "p < 0.001"),
        (0.004, "p = 0.004"),
        (0.0312, "p = 0.03"),
        (1.0, "p = 1.00"),
    ],
)
def test_p_values_are_told_in_digits_that_mean_something(p: float | None, told: str) -> None:
    assert words.chance(p) == told


def between(start: str, end: str) -> Window:
    zone = ZoneInfo(BERLIN)
    return Window(
        start=datetime.fromisoformat(start).replace(tzinfo=zone),
        end=datetime.fromisoformat(end).replace(tzinfo=zone),
    )


@pytest.mark.parametrize(
    ("start", "end", "told", "span"),
    [
        ("2026-11-16", "2026-11-23", "16 to 22 November 2026", "week"),
        ("2026-11-20", "2026-11-21", "20 November 2026", "day"),
        ("2026-11-01", "2026-12-01", "November 2026", "month"),
        ("2026-02-01", "2026-03-01", "February 2026", "month"),
        ("2026-12-01", "2027-01-01", "December 2026", "month"),
        ("2026-10-26", "2026-11-02", "26 October to 1 November 2026", "week"),
        ("2026-10-19", "2026-10-26", "19 to 25 October 2026", "week"),  # summer time ends: 169 hours
        ("2026-12-28", "2027-01-04", "28 December 2026 to 3 January 2027", "week"),
        ("2026-01-01", "2026-03-01", "1 January to 28 February 2026", "window"),
        (
            "2026-11-16T08:30",
            "2026-11-17T08:30",
            "16 November 2026, 08:30 to 17 November 2026, 08:30",
            "window",
        ),
        (
            "2026-11-16T08:30",
            "2026-11-16T08:30",
            "16 November 2026, 08:30 to 16 November 2026, 08:30",
            "window",
        ),
    ],
)
def test_windows_are_told_as_people_say_dates(start: str, end: str, told: str, span: str) -> None:
    assert words.window(between(start, end), BERLIN) == told
    assert words.span(between(start, end), BERLIN) == span


def test_a_window_is_told_in_its_zone() -> None:
    """Midnight in Berlin is not midnight in UTC."""
    assert words.window(between("2026-11-16", "2026-11-23"), "UTC") == (
        "15 November 2026, 23:00 to 22 November 2026, 23:00"
    )


def change(share: float, difference: float, p: float | None, windows: int = 1, against: str = "") -> Change:
    against = against or ("trailing" if windows > 1 else "previous")
    return Change.model_validate(
        {
            "against": against, "windows": windows, "documents": 9, "share": share,
            "difference": difference, "p": p, "flagged": True,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "share", "changes", "told"),
    [
        (
            "topic", "E1", 0.31, [change(0.2, 0.11, 0.004)],
            "E1 climate change: 31% of passages, up from 20% in the previous week (p = 0.004)",
        ),
        (
            "negative", "S2", 0.4, [change(0.5, -0.1, 0.0001, 8)],
            (
                "S2 workers in the value chain: 40% of its passages are negative, down from 50% "
                "over 8 earlier weeks (p < 0.001)"
            ),
        ),
        (
            "sentiment", "negative", 0.2, [change(0.1, 0.1, 0.02), change(0.3, -0.1, 0.03, 2)],
            (
                "Negative in tone: 20% of passages, up from 10% in the previous week (p = 0.02), "
                "down from 30% over 2 earlier weeks (p = 0.03)"
            ),
        ),
        (
            "topic", "E4", 0.4, [change(0.5, -0.1, 0.02, 1, "trailing")],  # the previous could not be read
            "E4 biodiversity: 40% of passages, down from 50% over 1 earlier week (p = 0.02)",
        ),
        (
            "topic", "our-own", 0.058, [change(0.06, -0.002, 0.03)],  # both are 6%
            "our-own: 5.8% of passages, down from 6.0% in the previous week (p = 0.03)",
        ),
        (
            "topic", "E2", 0.1, [change(0.1, 0.0, 1.0)],
            "E2 pollution: 10% of passages, the same as 10% in the previous week (p = 1.00)",
        ),
    ],
)  # fmt: skip
def test_changes_are_sentences(kind: str, name: str, share: float, changes: list[Change], told: str) -> None:
    measure = Measure(name=name, count=1, of=10, share=share, changes=changes)
    assert words.changes(measure, changes, kind, "week") == told


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("two\n lines\tand  more ", "two lines and more"),
        ("report\u202efdp.exe", "reportfdp.exe"),  # would show as reportexe.pdf
        ("a\u2066b\u2069c\u200fd", "abcd"),
        ("nul\x00 bell\x07 escape\x1b[31m", "nul bell escape[31m"),
        ("line\u2028paragraph\u2029end", "line paragraph end"),
        ("\ufffe\uffff\ud800x", "x"),
        ("क्\u200dष and 👩\u200d🌾", "क्\u200dष and 👩\u200d🌾"),  # joiners belong to the words
        ("3\u00a0kg", "3\u00a0kg"),
    ],
)
def test_what_shows_nothing_or_reorders_is_left_out(text: str, clean: str) -> None:
    assert words.clean(text) == clean


def test_those_alike_are_counted() -> None:
    told = quote("Velmora Foods", "x", also=1_234)
    assert words.also(told) == "and 1,234 like it"


def test_a_document_is_called_by_its_title_or_else_its_file() -> None:
    titled, untitled, row = (
        quote("Tarnholm Fibre", "x"),
        quote("Velmora Foods", "x"),
        quote(None, "x", page=3),
    )
    assert words.source(titled) == f"{ORGANISATIONS['Tarnholm Fibre'][1]}, p. 12"
    assert words.source(untitled) == "velmora_2026.pdf, p. 12"
    assert words.source(row) == "staff-reviews.csv, row 3"
    assert words.source(untitled.model_copy(update={"name": "folder/", "page": None})) == "folder/"
    assert words.source(untitled.model_copy(update={"name": "\u202e", "page": None})) == "document"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Filter(), "All documents"),
        (Filter(prefix="reports/"), "Names that begin with “reports/”"),
        (
            Filter(organisation="Tarnholm", topic="E1", language="en"),
            "Organisation Tarnholm; only passages on E1 climate change; language en",
        ),
    ],
)
def test_a_filter_is_told(asked: Filter, told: str) -> None:
    assert words.asked(asked) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(1.0, "1 second"), (90.0, "2 minutes"), (3_600.0, "1 hour"), (262_000.0, "3 days")],
)
def test_durations_are_told_in_their_largest_unit(seconds: float, told: str) -> None:
    assert words.duration(seconds) == told


@pytest.mark.parametrize(
    ("unit", "before", "now", "shown"),
    [
        ("tCO2e", 13_400, 12_345, "12,345 tCO2e in 2026, down 7.9% from 13,400 tCO2e in 2025"),
        ("tCO2e", 1_000, 1_004, "1,004 tCO2e in 2026, up 0.4% from 1,000 tCO2e in 2025"),
        ("%", 31, 35, "35% in 2026, up 4 points from 31% in 2025"),
        ("%", 31, 30.6, "30.6% in 2026, down 0.4 points from 31% in 2025"),
        ("people", 0, 2, "2 people in 2026, up from 0 people in 2025"),
        ("t", 3, 60, "60 t in 2026, up 20 times from 3 t in 2025"),
        ("EUR", -5, -4, f"EUR {words.MINUS}4 in 2026, up 20% from EUR {words.MINUS}5 in 2025"),
    ],
)
def test_changes_of_data_points_are_sentences(unit: str, before: float, now: float, shown: str) -> None:
    """A share changes by points, and from nothing there is no percentage."""
    values = reported("Velmora Foods", 2025, before), reported("Velmora Foods", 2026, now)
    change = datapoint_change("Velmora Foods", *values, unit=unit)
    assert words.datapoint(change) == f"Gross Scope 1 GHG emissions: {shown}"


@pytest.mark.parametrize(
    ("period", "shown"),
    [
        ("2024", "in 2024"),
        ("2023/24", "in 2023/24"),
        ("2024-H1", "in the first half of 2024"),
        ("2024-Q3", "in the quarter Q3 2024"),
        ("2024-12-31", "on 31 December 2024"),
        ("2024-02-31", "in 2024-02-31"),
    ],
)
def test_periods_are_words(period: str, shown: str) -> None:
    """A day that does not exist is shown as it was read."""
    assert words.period(period) == shown
