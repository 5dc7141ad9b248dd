"""Data points beside the newest earlier period: of the same organisation, unit and kind of period."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.digests.compute import datapoints
from shared.digests.compute.datapoints import Values
from shared.digests.compute.rows import Doc
from shared.digests.store import without
from shared.documents.figures import DocumentFigure, Packed, pack
from shared.documents.outcomes import organisation_key
from shared.text.datapoints import names
from tests.digest_example import rich

DAY = datetime(2026, 11, 16, tzinfo=UTC)
SCOPE1, WATER = "E1-6.scope1", "E3-4.withdrawal"


def doc(name: str = "new", organisation: str | None = "Tarnholm Fibre", year: int | None = 2025) -> Doc:
    return Doc(
        name,
        "bucket",
        f"{name}.pdf",
        name.title(),
        organisation,
        organisation_key(organisation),
        year,
        DAY,
        "s",
    )


def figure(value: float, period: str | None, code: str = SCOPE1, **more: Any) -> DocumentFigure:
    told: dict[str, Any] = {
        "kind": "quantity",
        "text": "-",
        "unit": "tCO2e",
        "metric": "Scope 1",
        "passage": 3,
    }
    return DocumentFigure(**(told | {"datapoint": code, "value": value, "period": period} | more))


def outcome(*figures: DocumentFigure) -> dict[str, Any]:
    return {"datapoints": pack(Packed(figures=figures))}


def compared(
    now: list[tuple[Doc, dict[str, Any]]],
    before: list[tuple[Doc, dict[str, Any]]] | None = None,
    topic: str | None = None,
) -> tuple[list[tuple[Any, ...]], list[str], Any]:
    """Return of each change its code, periods, values and documents; the notes; and the whole."""
    values, notes = Values(topic), list[str]()
    for of, row in before or []:
        values.add(of, row, in_window=False)
    for of, row in now:
        values.add(of, row, in_window=True)
    found = values.compared(notes)
    shown = [
        (
            each.code,
            (each.before.period, each.before.value, each.before.document),
            (each.now.period, each.now.value, each.now.document),
        )
        for each in found.changes
    ]
    return shown, notes, found


def test_a_report_is_compared_with_the_one_before() -> None:
    """By the organisation, in spite of case and punctuation; of the periods before, with the newest."""
    old = doc("old", "TARNHOLM fibre.", 2024)
    shown, notes, found = compared(
        [(doc(), outcome(figure(90, "2025", page=7)))],
        [
            (old, outcome(figure(100, "2024"), figure(120, "2023"))),
            (doc("x", "Velmora"), outcome(figure(1, "2024"))),
        ],
    )
    assert shown == [(SCOPE1, ("2024", 100, "old"), ("2025", 90, "new"))]
    [change] = found.changes
    assert (change.change, change.unit, change.organisation) == (-10.0, "tCO2e", "Tarnholm Fibre")
    assert change.name == names()[SCOPE1]
    assert (change.now.page, change.before.page) == (7, None)
    assert (found.compared, found.changed, found.organisations) == (1, 1, 1)
    assert notes == []


def test_two_years_of_one_report_are_compared() -> None:
    """Also where it names no organisation; two such documents have nothing to do with each other."""
    nameless = [doc("a", None), doc("b", None)]
    shown, _, found = compared(
        [
            (nameless[0], outcome(figure(90, "2025"), figure(100, "2024"))),
            (nameless[1], outcome(figure(5, "2026"))),
        ]
    )
    assert shown == [(SCOPE1, ("2024", 100, "a"), ("2025", 90, "a"))]
    assert found.changes[0].organisation == nameless[0].title


def test_what_a_report_restates_counts() -> None:
    """Its own value of the year before was made as its new one was."""
    shown, _, _ = compared(
        [(doc(), outcome(figure(90, "2025"), figure(110, "2024")))],
        [(doc("old", year=2024), outcome(figure(100, "2024")))],
    )
    assert shown == [(SCOPE1, ("2024", 110, "new"), ("2025", 90, "new"))]


def test_of_earlier_reports_the_latest_counts() -> None:
    """And of two values of one report a total, then the surer one."""
    shown, _, _ = compared(
        [(doc(), outcome(figure(91, "2025", confidence=0.8), figure(90, "2025", confidence=0.9)))],
        [
            (doc("2023", year=2023), outcome(figure(3, "2023"))),
            (
                doc("2024", year=2024),
                outcome(figure(2, "2023", confidence=1.0), figure(1, "2023", qualifier="total")),
            ),
        ],
    )
    assert shown == [(SCOPE1, ("2023", 1, "2024"), ("2025", 90, "new"))]


@pytest.mark.parametrize(
    "other",
    [
        figure(100, "2024", unit="t"),
        figure(100, "2024", WATER),
        figure(100, "2024-H1"),
        figure(100, "2024-12-31"),
        figure(100, "2023/24"),
        figure(100, None),
        figure(100, "2026"),
        figure(100, "2025"),
        figure(100, "2024", qualifier="target"),
        figure(100, "2019", qualifier="base year"),
        figure(100, "2024", qualifier="change"),
        figure(100, "2024", qualifier="of which women"),
        figure(100, "2024", confidence=0.69),
    ],
)
def test_what_differs_in_kind_is_not_compared(other: DocumentFigure) -> None:
    """Unit, data point, kind of period; targets, base years and unsure values are no period's own value."""
    assert compared([(doc(), outcome(figure(90, "2025")))], [(doc("old"), outcome(other))])[0] == []


@pytest.mark.parametrize("qualifier", ["target", "base year", "change", "forecast"])
def test_what_is_no_periods_own_value_is_not_compared_at_all(qualifier: str) -> None:
    """Not even with its like."""
    like = (figure(1, "2024", qualifier=qualifier), figure(2, "2025", qualifier=qualifier))
    assert compared([(doc(), outcome(*like))])[0] == []


@pytest.mark.parametrize(
    ("before", "now"), [("2024-H1", "2025-H1"), ("2023/24", "2024/25"), ("2024-12-31", "2025-12-31")]
)
def test_periods_of_one_kind_are_compared(before: str, now: str) -> None:
    """Half-years, fiscal years and days."""
    shown, _, _ = compared([(doc(), outcome(figure(90, now), figure(100, before)))])
    assert [(was[0], is_[0]) for _, was, is_ in shown] == [(before, now)]


def test_a_data_point_is_listed_once() -> None:
    """A year goes before the day that it ends on."""
    both = outcome(figure(1, "2025"), figure(2, "2024"), figure(3, "2025-12-31"), figure(4, "2024-12-31"))
    shown, _, found = compared([(doc(), both)])
    assert shown == [(SCOPE1, ("2024", 2, "new"), ("2025", 1, "new"))]
    assert found.compared == 1


def test_a_total_goes_before_its_parts() -> None:
    """Only one of several parts is listed, compared with itself."""
    parts = [
        figure(value, year, qualifier=part)
        for part, values in (("of which men", (6, 7)), ("total", (10, 12)))
        for value, year in zip(values, ("2024", "2025"), strict=True)
    ]
    assert compared([(doc(), outcome(*parts))])[0] == [(SCOPE1, ("2024", 10, "new"), ("2025", 12, "new"))]
    shown, _, _ = compared([(doc(), outcome(*parts[:2]))])
    assert shown == [(SCOPE1, ("2024", 6, "new"), ("2025", 7, "new"))]


def test_the_largest_relative_change_comes_first() -> None:
    """What was 0 has none and comes last; what did not change is counted alone."""
    pairs = {SCOPE1: (100, 90), WATER: (10, 20), "E5-5.waste": (0, 3), "E1-6.scope3": (7, 7)}
    figures = [
        figure(value, period, code)
        for code, (before, now) in pairs.items()
        for value, period in ((before, "2024"), (now, "2025"))
    ]
    shown, _, found = compared([(doc(), outcome(*figures))])
    assert [code for code, _, _ in shown] == [WATER, SCOPE1, "E5-5.waste"]
    assert [each.change for each in found.changes] == [100.0, -10.0, None]
    assert (found.compared, found.changed) == (4, 3)


@pytest.mark.parametrize("now", [10_001.0, 0.99, -100.0])
def test_a_value_a_hundred_times_the_other_is_left_out(now: float) -> None:
    """It was likely read wrong; the digest says so."""
    shown, notes, found = compared([(doc(), outcome(figure(now, "2025"), figure(100, "2024")))])
    assert (shown, found.compared) == ([], 0)
    [note] = notes
    assert note.startswith("1 data point left out: values differ more than 100 times, or in sign, from")


def test_a_topic_leaves_out_the_others() -> None:
    """By the data point's code."""
    both = outcome(
        *(figure(value, year, code) for code in (SCOPE1, WATER) for value, year in ((1, "2024"), (2, "2025")))
    )
    assert [code for code, _, _ in compared([(doc(), both)], topic="E3")[0]] == [WATER]


def test_changes_and_values_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest changes are listed and all are counted; values beyond the limit are not compared."""
    pairs = outcome(*(figure(at + 1, year, f"E1-6.{at}") for at in range(4) for year in ("2024", "2025")))
    monkeypatch.setattr(datapoints, "MAX_CHANGES", 2)
    rows = outcome(
        *(figure(100, "2024", f"E1-6.{at}") for at in range(4)),
        *(figure(101 + at, "2025", f"E1-6.{at}") for at in range(4)),
    )
    shown, notes, found = compared([(doc(), rows)])
    assert [code for code, _, _ in shown] == ["E1-6.3", "E1-6.2"]
    assert (found.changed, notes) == (4, ["2 of 4 changes of data points are not listed."])
    monkeypatch.setattr(datapoints, "MAX_VALUES", 5)
    _, notes, found = compared([(doc(), pairs)])
    assert found.compared == 2
    assert notes == ["Of data points the first 5 values were compared."]


def test_a_document_that_is_erased_takes_its_values_along() -> None:
    """Also where only the earlier value is of it."""
    before = rich()
    gone = before.datapoints.changes[0].before.document
    after = without(before, gone)
    assert gone not in after.model_dump_json()
    assert len(after.datapoints.changes) < len(before.datapoints.changes)
    assert gone in before.documents()


def test_outcomes_without_data_points_are_nothing_to_compare() -> None:
    """As those of runs from before there were any."""
    assert compared([(doc(), {}), (doc("b"), {"datapoints": None})])[0] == []
