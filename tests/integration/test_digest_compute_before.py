"""What a digest says of documents beside those before them: plans followed, and news."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from benchmarks.digests.made import MONDAY
from shared.digests.compute import follow
from shared.digests.records import Filter
from tests.integration.digest_plans import AGAIN, BEFORE, DONE, PLAN, about, others, plan, statuses
from tests.integration.digest_window import MILLS, WEEK, Store, plain, week


def test_a_plan_that_was_carried_out(store: Store) -> None:
    """The earlier sentence and the new one stand side by side."""
    store.put("2024.pdf", [plan()], BEFORE, organisation=MILLS, year=2024)
    done = about(0, "boilers", 0.85, DONE, action="implemented")
    store.put("2025.pdf", [done, *others()], organisation="TARNHOLM mills", year=2025)
    of = store.make().digest.initiatives
    [one] = of.followed
    assert (one.status, one.before.text, one.now and one.now.text) == ("implemented", PLAN, DONE)
    assert one.similarity == pytest.approx(0.85, abs=0.03)
    assert (one.before.year, one.organisation, of.compared) == (2024, MILLS, 1)
    assert of.followed_counts == {"implemented": 1, "vanished": 0, "planned": 0}


def test_of_two_that_are_near_the_nearer_one_is_told(store: Store) -> None:
    """The same plan in new words, beside something done that is a little like it."""
    store.put("2024.pdf", [plan()], BEFORE, organisation=MILLS, year=2024)
    results = [
        about(0, "boilers", 0.75, DONE, action="implemented"),
        about(1, "boilers", 0.97, AGAIN, action="planned"),
    ]
    store.put("2025.pdf", results, organisation=MILLS, year=2025)
    [one] = store.make().digest.initiatives.followed
    assert (one.status, one.now and one.now.text) == ("planned", AGAIN)


def test_a_plan_of_which_nothing_is_heard(store: Store) -> None:
    """It has vanished, if the new report says enough for that to mean something."""
    store.put("2024.pdf", [plan()], BEFORE, organisation=MILLS, year=2024)
    store.put("short.pdf", others()[1:], organisation=MILLS, year=2025)
    assert statuses(store.make().digest.initiatives) == []
    store.put("2025.pdf", others(), organisation=MILLS, year=2025)
    [one] = store.make().digest.initiatives.followed
    assert (one.status, one.now) == ("vanished", None)
    assert one.similarity < follow.FAR


@pytest.mark.parametrize("likeness", [0.55, 0.65])
def test_what_lies_between_is_not_told(store: Store, likeness: float) -> None:
    """Too far to be the same thing, and too near to say that nothing is heard of it."""
    store.put("2024.pdf", [plan()], BEFORE, organisation=MILLS, year=2024)
    between = about(0, "boilers", likeness, DONE, action="implemented")
    store.put("2025.pdf", [between, *others()], organisation=MILLS, year=2025)
    assert statuses(store.make().digest.initiatives) == []


def test_what_is_said_without_an_action_keeps_a_plan_from_vanishing(store: Store) -> None:
    """Whatever was kept of the new report counts, if it is like the plan: here as bad news."""
    store.put("2024.pdf", [plan()], BEFORE, organisation=MILLS, year=2024)
    bad = about(0, "boilers", 0.9, DONE, mood="negative")
    store.put("2025.pdf", [bad, *others()], organisation=MILLS, year=2025)
    assert statuses(store.make().digest.initiatives) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"organisation": "Velm Power", "year": 2024}, {"organisation": MILLS, "year": 2025}),
        ({"organisation": None, "year": 2024}, {"organisation": None, "year": 2025}),
        ({"organisation": MILLS, "year": 2025}, {"organisation": MILLS, "year": 2024}),  # uploaded late
        ({"organisation": MILLS, "year": 2024, "members": 3}, {"organisation": MILLS, "year": 2025}),
        ({"organisation": MILLS, "year": 2024, "duplicate_of": "x"}, {"organisation": MILLS, "year": 2025}),
    ],
)
def test_reports_that_do_not_follow_each_other(
    store: Store, old: dict[str, Any], new: dict[str, Any]
) -> None:
    """Another organisation's, nobody's, a later year's, an archive, a copy."""
    store.put("old.pdf", [plan()], BEFORE, **old)
    store.put("new.pdf", others(), **new)
    assert statuses(store.make().digest.initiatives) == []


def test_without_years_the_order_of_uploads_counts(store: Store) -> None:
    """Also where one says what year it is about."""
    store.put("old.pdf", [plan()], BEFORE, organisation=MILLS)
    store.put("new.pdf", others(), organisation=MILLS, year=2025)
    assert statuses(store.make().digest.initiatives) == ["vanished"]


def test_two_years_in_one_window(store: Store) -> None:
    """The earlier year's report is the earlier one, whichever came first."""
    store.put("2025.pdf", others(), MONDAY, organisation=MILLS, year=2025)
    store.put("2024.pdf", [plan()], MONDAY + timedelta(hours=1), organisation=MILLS, year=2024)
    of = store.make().digest.initiatives
    assert statuses(of) == ["vanished"]
    assert of.compared == 1


def test_a_plan_that_several_reports_repeat_is_told_once(store: Store) -> None:
    """As the newest of them says it."""
    for year in (2022, 2023, 2024):
        text = PLAN.replace("2026", str(year + 2))
        near = about(0, "boilers", 0.99, text, action="planned")
        at = BEFORE + timedelta(days=year - 2022)
        store.put(f"{year}.pdf", [near], at, organisation=MILLS, year=year)
    store.put("2025.pdf", others(), organisation=MILLS, year=2025)
    [one] = store.make().digest.initiatives.followed
    assert one.before.year == 2024


def test_a_plan_that_was_reported_as_implemented_does_not_vanish(store: Store) -> None:
    """Nor is it told again; one that was announced anew since is open."""
    days = timedelta(days=1)
    store.put("2022.pdf", [plan()], BEFORE - 2 * days, organisation=MILLS, year=2022)
    done = about(0, "boilers", 0.9, DONE, action="implemented")
    store.put("2023.pdf", [done], BEFORE - days, organisation=MILLS, year=2023)
    store.put("2025.pdf", others(), organisation=MILLS, year=2025)
    of = store.make().digest.initiatives
    assert (statuses(of), of.compared) == ([], 1)
    again = about(1, "boilers", 0.99, AGAIN, action="planned")
    store.put("2024.pdf", [again], BEFORE, organisation=MILLS, year=2024)
    [one] = store.make().digest.initiatives.followed
    assert (one.status, one.before.year) == ("vanished", 2024)


@pytest.mark.parametrize(("topic", "likeness"), [("S1", 0.9), ("E1", 0.65)])
def test_what_is_not_the_same_thing_does_not_close_a_plan(store: Store, topic: str, likeness: float) -> None:
    """Nothing on another topic, nothing that is only somewhat alike; years need not be known."""
    store.put("plan.pdf", [plan()], BEFORE - timedelta(days=1), organisation=MILLS)
    done = about(0, "boilers", likeness, DONE, action="implemented", topics=[topic])
    store.put("done.pdf", [done], BEFORE, organisation=MILLS)
    store.put("new.pdf", others(), organisation=MILLS)
    assert statuses(store.make().digest.initiatives) == ["vanished"]


def test_what_a_report_of_the_window_says_is_told_though_a_later_one_is_in_it_too(store: Store) -> None:
    """That it is implemented was not told before."""
    store.put("2022.pdf", [plan()], BEFORE, organisation=MILLS, year=2022)
    done = about(0, "boilers", 0.9, DONE, action="implemented")
    store.put("2023.pdf", [done], organisation=MILLS, year=2023)
    store.put("2025.pdf", others(), organisation=MILLS, year=2025)
    assert statuses(store.make().digest.initiatives) == ["implemented"]


def test_that_a_plan_has_vanished_is_told_once_for_a_year(store: Store) -> None:
    """By the first document about it that says enough, and by that of the next year again."""
    store.put("2024.pdf", [plan()], BEFORE, organisation=MILLS, year=2024)
    store.put("short.pdf", others()[1:], MONDAY - 2 * WEEK, organisation=MILLS, year=2025)
    store.put("2025.pdf", others(), MONDAY - WEEK, organisation=MILLS, year=2025)
    store.put("leaflet.pdf", others(), MONDAY, organisation=MILLS, year=2025)
    store.put("2026.pdf", others(), MONDAY + WEEK, organisation=MILLS, year=2026)
    weeks = [statuses(store.make(window=week(back)).digest.initiatives) for back in (2, 1, 0, -1)]
    assert weeks == [[], ["vanished"], [], ["vanished"]]


def test_implemented_initiatives_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest reports' count; it is told that the others do not."""
    monkeypatch.setattr(follow, "MAX_REPORTED", 1)
    for year, thing in ((2022, "roof"), (2023, "boilers")):
        results = [
            about(0, thing, 1.0, PLAN.replace("2026", str(year)), action="planned"),
            about(1, thing, 1.0, DONE.replace("March", str(year)), action="implemented"),
        ]
        at = BEFORE + timedelta(days=year - 2024)
        for of, said in ((year - 1, results[0]), (year, results[1])):
            store.put(f"{thing}-{of}.pdf", [said], at, organisation=MILLS, year=of)
    store.put("2025.pdf", others(), organisation=MILLS, year=2025)
    digest = store.make().digest
    [one] = digest.initiatives.followed
    assert (one.status, one.before.year) == ("vanished", 2021)
    [note] = digest.notes
    assert note.startswith("Of 1 organisation only 300 plans and 1 implemented initiatives")


def test_spaces_are_never_compared(store: Store) -> None:
    """Equal vectors of two models mean nothing: no plan, no near-duplicate, no news."""
    store.put("2024.pdf", [plan(space="other")], BEFORE, organisation=MILLS, year=2024)
    odd = [about(at, f"odd {at}", 1.0, plain(at).text, mood="negative") for at in range(2)]
    store.put("2025.pdf", [*odd, *others()], organisation=MILLS, year=2025)
    twin = about(0, "odd 0", 1.0, plain(0).text, mood="negative", space="other")
    store.put("twin.pdf", [twin])
    digest = store.make().digest
    assert statuses(digest.initiatives) == []
    assert [quote.also for quote in digest.incidents] == [0, 0, 0]
    assert {novel.quote.name for novel in digest.novel} <= {"twin.pdf"}
    assert any("another model" in note for note in digest.notes)


def test_news_is_what_no_earlier_document_is_like(store: Store) -> None:
    """Of the sentences that matter, those that nothing kept before comes near."""
    texts = [plain(at).text for at in range(8)]
    store.put("old.pdf", [about(0, "known", 1.0, texts[0], action="implemented")], BEFORE)
    results = [
        about(6, "known", 0.95, texts[6], action="planned"),
        about(7, "never heard of", 1.0, texts[7], action="planned"),
    ]
    store.put("new.pdf", results)
    digest = store.make().digest
    assert digest.novel_among == 1
    assert [novel.quote.text for novel in digest.novel] == [texts[7]]
    assert store.make(Filter(prefix="new")).digest.novel_among == 0


def test_plans_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one organisation and of all, the newest reports' first; it is told."""
    monkeypatch.setattr(follow, "MAX_IN_ALL", 4)
    for name in (MILLS, "Velm Power"):
        for year in (2022, 2023, 2024):
            text = f"{name} will rebuild hall number {year} of the works in the town by the river."
            results = [about(0, f"{name} {year}", 1.0, text, action="planned")]
            store.put(
                f"{name}-{year}.pdf",
                results,
                BEFORE + timedelta(days=year - 2022),
                organisation=name,
                year=year,
            )
        store.put(f"{name}-2025.pdf", others(), organisation=name, year=2025)
    digest = store.make().digest
    years = sorted(one.before.year or 0 for one in digest.initiatives.followed)
    assert years == [2023, 2023, 2024, 2024]
    assert any(note.startswith("Of 2 organisations only 2 plans") for note in digest.notes)
