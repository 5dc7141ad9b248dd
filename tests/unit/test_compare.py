"""Two to four sides beside each other, from what is stored of their documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shared.documents import compare as module
from shared.documents import plans
from shared.documents.compare import Asked, Comparison, Incomparable, Loaded, compared, loaded, parse_side
from shared.documents.figures import DocumentFigure, Packed
from shared.documents.figures import pack as pack_figures
from shared.documents.outcomes import Kept, organisation_key
from shared.documents.outcomes import pack as pack_sentences
from shared.text.datapoints import directions, names
from shared.text.units import common

if TYPE_CHECKING:
    from shared.documents.plans import Look
    from shared.platform.records import ActionLabel

SCOPE1, WATER, WOMEN = "E1-6.scope1", "E3-4.withdrawal", "S1-6.headcount_women"


def figure(value: float, period: str | None, code: str = SCOPE1, **more: Any) -> DocumentFigure:
    fields: dict[str, Any] = {"unit": "tCO2e", "text": f"{value:g} t", "passage": 0, "page": 7} | more
    return DocumentFigure(kind="quantity", value=value, period=period, datapoint=code, **fields)


def sentence(text: str, action: ActionLabel, vector: int, *, topic: str = "E1") -> tuple[Kept, Any]:
    """A kept sentence and the axis that its vector lies on; 100 times one axis plus another lies between."""
    kept = Kept(
        index=1, page=3, text=text, topics=[topic], action=action, negative=0.0, positive=0.5, worth=0.5,
        roles=["initiative"], initiative=True, initiative_score=0.9,
    )  # fmt: skip
    along = np.zeros(400)
    along[vector % 100] = 1
    if vector >= 100:
        along[vector // 100] = 0.75
    return kept, np.round(127 * along / np.linalg.norm(along)).astype(np.int8)


def side(
    year: int,
    *figures: DocumentFigure,
    organisation: str | None = "Tarnholm",
    sentences: Any = (),
    asked: Asked | None = None,
    **more: Any,
) -> Loaded:
    identifier = f"{year:024}"
    record: dict[str, Any] = {
        "document": identifier, "bucket": "b", "name": f"{year}.pdf", "organisation": organisation,
        "organisation_key": organisation_key(organisation), "year": year, "title": None, "language": "en",
        "members": None, "duplicate_of": None, "run": 1, "generation": "1",
        "received_at": "2026-01-01T00:00:00Z", "completed_at": "2026-01-01T00:00:00Z", "passages": 100,
        "sentiment": {"positive": 30, "neutral": 60, "negative": 10}, "topics": {}, "actions": {},
        "problem": None, "datapoints": pack_figures(Packed(figures=figures)), "space": "s",
        "items": pack_sentences([kept for kept, _ in sentences]),
        "vectors": b"".join(vector.tobytes() for _, vector in sentences),
    }  # fmt: skip
    return loaded(asked or Asked(document=identifier), [record | more])


def cells(result: Comparison, code: str = SCOPE1) -> list[Any]:
    [row] = [each for each in result.datapoints if each.code == code]
    return [(each.value and each.value.value, each.change, each.is_better) for each in row.cells]


def test_values_of_a_year_are_beside_those_of_the_year_before() -> None:
    """In whatever order the sides are named; a fall of emissions is for the better, of renewables is not."""
    share = {"code": "E1-5.renewable_share", "unit": "%"}
    older = side(2021, figure(200, "2021"), figure(50, "2021", **share), figure(900, "2020"))
    newer = side(2022, figure(150, "2022"), figure(40, "2022", **share))
    for result in (compared([older, newer]), compared([newer, older])):
        assert result.over_time
        assert [each.label for each in result.sides] == ["Tarnholm 2021", "Tarnholm 2022"]
        assert cells(result) == [(200, None, None), (150, -25.0, True)]
        assert cells(result, "E1-5.renewable_share") == [(50, None, None), (40, -10.0, False)]
        row = result.datapoints[-1]
        assert row.code == SCOPE1
        assert row.periods == {"2022": [None, 150], "2021": [200, None], "2020": [900, None]}


def test_units_are_converted_where_the_table_says_how() -> None:
    """Energy in gigajoules beside megawatt hours; tonnes of a data point of emissions are of CO2e."""
    energy = {"code": "E1-5.energy"}
    older = side(2021, figure(3_600, "2021", unit="GJ", **energy), figure(5, "2021", unit="t"))
    newer = side(2022, figure(900, "2022", unit="MWh", **energy), figure(4_000, "2022", unit="kg"))
    result = compared([older, newer])
    assert [(each.code, each.unit) for each in result.datapoints] == [
        ("E1-5.energy", "MWh"),
        (SCOPE1, "tCO2e"),
    ]
    assert cells(result, "E1-5.energy") == [(1_000, None, None), (900, -10.0, True)]
    assert cells(result) == [(5, None, None), (4, -20.0, True)]
    value = result.datapoints[0].cells[0].value
    assert value is not None
    assert (value.unit, value.stated, value.page) == ("GJ", "3600 t", 7)


def test_values_in_units_that_cannot_be_converted_are_rows_of_their_own() -> None:
    """Gallons are of several sizes; people are counted with a unit or without."""
    older = side(2021, figure(5, "2021", WATER, unit="m3"), figure(3, "2021", WOMEN, unit=None))
    newer = side(2022, figure(4, "2022", WATER, unit="gallons"), figure(4, "2022", WOMEN, unit="people"))
    result = compared([older, newer])
    units = [(each.code, each.unit, each.cells[1].change) for each in result.datapoints]
    assert units == [(WATER, "gallons", None), (WATER, "m3", None), (WOMEN, None, 33.33)]
    assert common(1.0, None) == (1.0, None)


def test_a_restated_value_is_shown_and_is_what_the_change_is_against() -> None:
    """A rounder one is not another one."""
    older = side(2021, figure(200, "2021"), figure(10_000, "2021", WATER, unit="m3"))
    newer = side(
        2022,
        *(figure(180, "2021"), figure(150, "2022")),
        *(figure(9_990, "2021", WATER, unit="m3"), figure(5_000, "2022", WATER, unit="m3")),
    )
    result = compared([older, newer])
    water, scope1 = sorted(result.datapoints, key=lambda each: each.code == SCOPE1)
    assert scope1.cells[0].value
    assert scope1.cells[0].restated
    assert (scope1.cells[0].value.value, scope1.cells[0].restated.value) == (200, 180)
    assert scope1.cells[0].restated.document == f"{2022:024}"
    assert scope1.cells[1].change == -16.67
    assert water.cells[0].restated is None
    assert water.cells[1].change == -50.0


def test_a_value_that_only_the_later_report_states_of_the_year_before_counts() -> None:
    """The earlier one has none, or it was not found."""
    result = compared([side(2021), side(2022, figure(180, "2021"), figure(90, "2022"))])
    [row] = result.datapoints
    assert row.cells[0].value is None
    assert row.cells[0].restated
    assert (row.cells[0].restated.value, row.cells[1].change) == (180, -50.0)


@pytest.mark.parametrize("now", [20_001, -200])
def test_values_of_one_organisation_that_cannot_both_be_right_have_no_change(now: float) -> None:
    """By a thousand, or in sign; of two organisations they can."""
    result = compared([side(2021, figure(200, "2021")), side(2022, figure(now, "2022"))])
    assert (result.datapoints[0].cells[1].doubtful, result.datapoints[0].cells[1].change) == (True, None)
    others = [
        side(2021, figure(200, "2021")),
        side(2022, figure(now, "2022"), organisation="Velmora"),
    ]
    assert compared(others).datapoints[0].cells[1].change is not None


def test_a_value_without_a_period_is_taken_for_the_own_year_where_all_agree() -> None:
    """And nothing else is of that year; the value says that its period is not known. Not so in a sentence."""
    cell: Any = {"cell": (1, 1)}
    older = side(2021, figure(200, None, **cell), figure(200, None, **cell))
    newer = side(
        2022,
        *(figure(100, None, **cell), figure(50, None, **cell)),
        *(figure(90, "2022", WATER), figure(1, None, WATER, **cell)),
        *(figure(3, None, "S1-14.fatalities", unit=None), figure(55, None, "S1-9.women_share", unit="%")),
    )
    result = compared([older, newer])
    assert cells(result, "S1-9.women_share")[1][0] == 55
    assert "S1-14.fatalities" not in {row.code for row in result.datapoints}
    assert cells(result) == [(200, None, None), (None, None, None)]
    assert cells(result, WATER) == [(None, None, None), (90, None, None)]
    row = next(each for each in result.datapoints if each.code == SCOPE1)
    assert row.cells[0].value
    assert row.cells[0].value.period is None


def test_a_yearly_amount_is_one_of_the_year_and_rough_values_are_of_the_whole() -> None:
    """Tonnes a year beside tonnes; "more than 100" beside 90."""
    waste = {"code": "E5-5.waste"}
    older = side(2021, figure(4, "2021", unit="t/year", **waste), figure(100, "2021", qualifier="more than"))
    result = compared([older, side(2022, figure(3, "2022", unit="t", **waste), figure(90, "2022"))])
    assert cells(result, "E5-5.waste") == [(4, None, None), (3, -25.0, True)]
    assert cells(result) == [(100, None, None), (90, -10.0, True)]


@pytest.mark.parametrize(
    "other",
    [
        {"qualifier": "target"},
        {"qualifier": "base year"},
        {"confidence": module.MIN_CONFIDENCE - 0.01},
        {"period": "2018-2022"},
    ],
)
def test_what_is_no_value_of_the_year_is_not_compared(other: dict[str, Any]) -> None:
    """Targets, base years, what is unsure, and spans of years."""
    figures = [figure(1, **({"period": "2022"} | other))]
    result = compared([side(2021, figure(2, "2021")), side(2022, *figures)])
    assert result.datapoints[0].cells[1].value is None


def test_the_whole_is_compared_before_its_parts() -> None:
    """A part only where no side states the whole, and the plain year before a day in it."""
    part = {"qualifier": "of which women"}
    older = side(2021, figure(70, "2021", **part), figure(100, "2021", qualifier="total"))
    newer = side(
        2022, figure(20, "2022", **part), figure(90, "2022"), figure(91, "2022-12-31", confidence=0.9)
    )
    assert cells(compared([older, newer])) == [(100, None, None), (90, -10.0, True)]
    older, newer = side(2021, figure(70, "2021", **part)), side(2022, figure(35, "2022", **part))
    result = compared([older, newer])
    assert cells(result) == [(70, None, None), (35, -50.0, True)]
    assert result.datapoints[0].part == "of which women"


def test_organisations_are_compared_with_the_first() -> None:
    """In the order in which they are named, each by its own year."""
    sides = [
        side(2022, figure(100, "2022"), organisation="Velmora"),
        side(2021, figure(50, "2021"), figure(10, "2022")),
        side(2023, figure(300, "2023"), organisation="Aulder", asked=Asked(None, "Aulder", 2023)),
    ]
    result = compared(sides)
    assert not result.over_time
    assert [each.label for each in result.sides] == ["Velmora 2022", "Tarnholm 2021", "Aulder 2023"]
    assert cells(result) == [(100, None, None), (50, -50.0, None), (300, 200.0, None)]
    assert (result.plans, [each.against for each in result.differences]) == ([], [0, 0])


def test_only_shares_and_rates_of_organisations_are_better_or_worse() -> None:
    """A larger organisation emits more, whatever it does."""
    share = {"code": "E1-5.renewable_share", "unit": "%"}
    rate = {"code": "E1-6.intensity", "unit": "t/m2"}
    sides = [
        side(2022, figure(9, "2022"), figure(50, "2022", **share), figure(2, "2022", **rate)),
        side(
            2022, figure(3, "2022"), figure(60, "2022", **share), figure(3, "2022", **rate),
            organisation="Velmora",
        ),
    ]  # fmt: skip
    result = compared(sides)
    assert {row.code: row.cells[1].is_better for row in result.datapoints} == {
        SCOPE1: None,
        "E1-5.renewable_share": True,
        "E1-6.intensity": False,
    }


def test_shares_of_topics_and_outcomes_are_beside_each_other() -> None:
    """In per cent of each side's passages, and the change in points."""
    older = side(
        2021, topics={"E1": {"passages": 20, "planned": 2}, "S2": {"passages": 2}, "E4": {"passages": 3}}
    )
    newer = side(
        2022, topics={"E1": {"passages": 5}, "G1": {"passages": 9}}, passages=50,
        sentiment={"positive": 1, "neutral": 0, "negative": 3},
    )  # fmt: skip
    result = compared([older, newer])
    shares = {row.topic: [(cell.share, cell.change) for cell in row.cells] for row in result.topics}
    assert shares["E1"] == [(20.0, None), (10.0, -10.0)]
    assert list(shares) == ["E1", "E4", "S2", "G1"]
    assert result.topics[0].cells[0].planned == 2
    assert [each.shares["negative"] for each in result.sides] == [10.0, 75.0]
    [difference] = result.differences
    assert (difference.missing_topics, difference.new_topics) == (["E4"], ["G1"])


def test_data_points_that_are_missing_or_new_are_named() -> None:
    """A data point of which the later report says anything is not missing."""
    older = side(2021, figure(1, "2021"), figure(1, "2021", WATER, unit="m3"))
    newer = side(2022, figure(1, "2030", qualifier="target"), figure(1, "2022", WOMEN, unit="people"))
    [difference] = compared([older, newer]).differences
    assert (difference.missing_datapoints, difference.new_datapoints) == ([WATER], [WOMEN])


def looking(passages: dict[str, list[dict[str, Any]]]) -> Look:
    """Say which passages are nearest to each plan; a plan without an entry was not looked for."""
    return lambda plans, _: [passages.get(plan.kept["text"]) for plan in plans]


def near(score: float, action: str, topic: str = "E1") -> dict[str, Any]:
    about = {"document": "d", "index": 4, "page": 2, "row": None, "text": f"passage {action}"}
    return about | {"score": score, "action": {"label": action}, "topic_names": [topic]}


def test_plans_are_followed_into_the_next_year() -> None:
    """Implemented, planned again, mentioned, or not to be decided, by what was kept of the next report."""
    planned = [sentence(f"plan {axis}", "planned", axis) for axis in range(5)]
    now = [
        sentence("done", "implemented", 0),
        sentence("still planned", "planned", 1),
        sentence("alike", "implemented", 203),  # 0.6 of the axis of plan 2, 0.8 of that of plan 3
        sentence("other topic", "implemented", 4, topic="S1"),
    ]
    result = compared([side(2021, sentences=planned), side(2022, sentences=now)])
    assert [(each.plan.text, each.status, each.now and each.now.text) for each in result.plans] == [
        ("plan 0", "implemented", "done"),
        ("plan 3", "implemented", "alike"),
        ("plan 1", "planned", "still planned"),
        ("plan 4", "mentioned", "other topic"),
        ("plan 2", "unclear", "alike"),
    ]
    assert result.plan_counts == {
        "implemented": 2, "planned": 1, "mentioned": 1, "unclear": 1, "not mentioned": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("passages", "status"),
    [
        ([near(plans.NEAR, "implemented")], "implemented"),
        ([near(0.9, "none"), near(plans.NEAR, "planned")], "planned"),  # the nearer says neither
        ([near(0.9, "implemented", "S1")], "mentioned"),  # about something else
        ([near(plans.NEAR - 0.01, "implemented")], "unclear"),
        ([near(plans.FAR, "none")], "unclear"),
        ([near(plans.FAR - 0.01, "implemented")], "not mentioned"),
        ([], "not mentioned"),
        (None, "unclear"),  # nobody looked
    ],
)
def test_an_open_plan_is_looked_for_in_all_passages(passages: Any, status: str) -> None:
    """Only then can it be said that it is not mentioned."""
    older = side(2021, sentences=[sentence("plan", "planned", 0)])
    newer = side(2022, sentences=[sentence("another thing", "implemented", 1)])
    look = looking({} if passages is None else {"plan": passages})
    result = compared([older, newer], look=look)
    assert [each.status for each in result.plans] == [status]
    assert (result.plans[0].now is None) == (status == "not mentioned")
    late = "1 plans of Tarnholm 2021 were not looked for in all passages: time ran out."
    assert result.notes == ([late] if passages is None else [])


def test_a_short_report_does_not_say_that_a_plan_is_not_mentioned() -> None:
    """A press release leaves out nearly everything."""
    older = side(2021, sentences=[sentence("plan", "planned", 0)])
    newer = side(2022, sentences=[sentence("else", "implemented", 1)], passages=plans.MIN_PASSAGES - 1)
    result = compared([older, newer], look=looking({"plan": []}))
    assert [each.status for each in result.plans] == ["unclear"]


def test_plans_are_not_followed_across_models() -> None:
    """Their vectors cannot be compared, and the result says so."""
    older = side(2021, sentences=[sentence("plan", "planned", 0)])
    newer = side(2022, sentences=[sentence("done", "implemented", 0)], space="another")
    result = compared([older, newer])
    assert result.plans == []
    assert result.notes == [
        "1 plans of Tarnholm 2021 were not followed: another model read what comes after."
    ]


def test_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of data points, periods and plans."""
    for of, limit in ((module, "MAX_ROWS"), (module, "MAX_PERIODS"), (plans, "MAX_PLANS")):
        monkeypatch.setattr(of, limit, 1)
    planned = [sentence(f"plan {axis}", "planned", axis) for axis in range(2)]
    older = side(2021, figure(1, "2021"), figure(1, "2021", WATER, unit="m3"), sentences=planned)
    newer = side(2022, figure(2, "2022"), sentences=[sentence("done", "implemented", 0)])
    result = compared([older, newer])
    assert (len(result.datapoints), len(result.plans)) == (1, 1)
    assert list(result.datapoints[0].periods) == ["2022"]
    assert result.notes == [
        "1 of 2 data points are not listed.",
        "1 plans of Tarnholm 2021 of less weight were not followed.",
    ]


def test_sides_are_named_by_id_or_by_organisation_and_year() -> None:
    """An organisation's name may end with a number."""
    assert parse_side("a" * 24) == Asked("a" * 24)
    assert parse_side("Motel 6 2022") == Asked(None, "Motel 6", 2022)
    assert parse_side("Motel  6   2022") == Asked(None, "Motel  6", 2022)
    for wrong in ("", "2022", " 2022", "Tarnholm", "Tarnholm 2022\n", "A" * 24, "a" * 23):
        with pytest.raises(Incomparable, match="side") as refused:
            parse_side(wrong)
        assert refused.value.hint


def test_every_direction_is_of_a_data_point() -> None:
    """And says where lower is better or higher."""
    assert directions().keys() <= names().keys()
    assert set(directions().values()) == {"lower", "higher"}
    assert "S1-6.headcount" not in directions()
