"""Plans of several years: the newest report's are followed, whatever a file is called or came first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from benchmarks.digests.made import MONDAY, record
from shared.digests.compute import follow
from shared.digests.issue import verify
from tests.integration.digest_plans import AGAIN, BEFORE, PLAN, about, done, others, plan, statuses
from tests.integration.digest_window import MILLS, Store, stored_digest

if TYPE_CHECKING:
    from shared.digests.records import Initiatives

NAMES = [f"report {number}.pdf" for number in range(4)]


def by_id(*, backwards: bool = False) -> list[str]:
    """Names in the order of their documents' ids, which are hashes."""
    return sorted(NAMES, key=lambda name: str(record(name, MONDAY)["id"]), reverse=backwards)


def followed(of: Initiatives) -> list[tuple[str, int | None]]:
    return [(one.status, one.before.year) for one in of.followed]


@pytest.mark.parametrize("backwards", [False, True])
def test_of_years_in_one_window_the_newest_plan_is_followed(store: Store, *, backwards: bool) -> None:
    """What a file is called decides nothing."""
    for name, year in zip(by_id(backwards=backwards), (2023, 2024), strict=False):
        store.put(name, [plan()], organisation=MILLS, year=year)
    store.put("last.pdf", [done(0.85), *others()], organisation=MILLS, year=2025)
    of = store.make()
    assert followed(of.digest.initiatives) == [("implemented", 2024)]
    assert verify(store.client, stored_digest(of)) == []


@pytest.mark.parametrize("uploads", [(2022, 2023, 2024), (2024, 2023, 2022)])
def test_years_count_and_not_uploads(store: Store, uploads: tuple[int, ...]) -> None:
    """What was done and then announced anew is open, also where the oldest report was uploaded last."""
    for at, year in enumerate(uploads):
        said = done() if year == 2023 else plan()
        store.put(f"{year}.pdf", [said], BEFORE + timedelta(hours=at), organisation=MILLS, year=year)
    store.put("2025.pdf", others(), organisation=MILLS, year=2025)
    assert followed(store.make().digest.initiatives) == [("vanished", 2024)]


@pytest.mark.parametrize("backwards", [False, True])
def test_of_too_many_plans_those_of_the_newest_years_are_followed(
    store: Store, monkeypatch: pytest.MonkeyPatch, *, backwards: bool
) -> None:
    """Of reports in the window and before it together; it is told that others were left out."""
    monkeypatch.setattr(follow, "MAX_OF_ORGANISATION", 2)
    for name, year in zip(by_id(backwards=backwards), (2021, 2022, 2023, 2024), strict=True):
        text = f"The hall number {year} of the works by the river will be rebuilt in the years to come."
        said = about(0, f"hall {year}", 1.0, text, action="planned")
        store.put(name, [said], BEFORE if year == 2024 else MONDAY, organisation=MILLS, year=year)
    store.put("2025.pdf", others(), organisation=MILLS, year=2025)
    digest = store.make().digest
    assert sorted(followed(digest.initiatives)) == [("vanished", 2023), ("vanished", 2024)]
    [note] = digest.notes
    assert note.startswith("Of 1 organisation only 2 plans and 1,000 implemented initiatives")


def test_a_plan_that_is_closed_takes_no_open_ones_place(store: Store) -> None:
    """Though they read alike: what was implemented is on another topic than the older one."""
    said = {2022: plan(topics=["S1"]), 2023: plan(topics=["E1"]), 2024: done(topics=["E1"])}
    for at, (year, one) in enumerate(said.items()):
        store.put(f"{year}.pdf", [one], BEFORE + timedelta(hours=at), organisation=MILLS, year=year)
    store.put("2025.pdf", others(), organisation=MILLS, year=2025)
    assert followed(store.make().digest.initiatives) == [("vanished", 2022)]


@pytest.mark.parametrize("plans", [(AGAIN, PLAN), (PLAN, AGAIN)])
def test_a_plan_that_is_done_does_not_vanish_in_other_words(store: Store, plans: tuple[str, str]) -> None:
    """Of two that say the same, one alone is near enough to what was done: it is one plan all the same."""
    for at, text in enumerate(plans):
        said = about(0, "boilers", 1.0 if text == PLAN else 0.93, text, action="planned")
        store.put(f"{at}.pdf", [said], BEFORE + timedelta(hours=at), organisation=MILLS, year=2022 + at)
    store.put("2024.pdf", [done(0.72)], BEFORE + timedelta(hours=2), organisation=MILLS, year=2024)
    store.put("2025.pdf", others(), organisation=MILLS, year=2025)
    assert followed(store.make().digest.initiatives) == []


def test_a_plan_that_is_announced_anew_is_open_though_it_was_done_before(store: Store) -> None:
    """In whatever words: what was done closes what came before it alone."""
    newer = about(0, "boilers", 0.93, AGAIN, action="planned")
    said = {2022: plan(), 2023: done(0.72), 2024: newer}
    for at, (year, one) in enumerate(said.items()):
        store.put(f"{year}.pdf", [one], BEFORE + timedelta(hours=at), organisation=MILLS, year=year)
    store.put("2025.pdf", others(), organisation=MILLS, year=2025)
    assert followed(store.make().digest.initiatives) == [("vanished", 2024)]


def test_another_document_about_the_same_year_makes_no_plan_vanish(store: Store) -> None:
    """A leaflet need not repeat the annual report; what it says of the plan is told."""
    store.put("annual.pdf", [plan()], BEFORE, organisation=MILLS, year=2024)
    store.put("leaflet.pdf", others(), organisation=MILLS, year=2024)
    assert statuses(store.make().digest.initiatives) == []
    store.put("news.pdf", [done(), *others()], organisation=MILLS, year=2024)
    assert statuses(store.make().digest.initiatives) == ["implemented"]
