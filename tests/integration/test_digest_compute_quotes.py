"""What a digest quotes and groups: initiatives and incidents of stored documents, what is alike once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.digests.made import passage, vector
from shared.digests.compute import follow, quotes
from shared.documents import quotable
from tests.integration.digest_window import Store, plain

if TYPE_CHECKING:
    import pytest


def test_an_initiative_on_two_topics_counts_in_both_groups_and_is_quoted_once(store: Store) -> None:
    """In the group of the surer topic; what there is in all does not count it twice."""
    store.put("a.pdf", [plain(1, ("S1", "E1"), action="planned")], organisation="Velm Power")
    digest = store.make().digest
    told = digest.initiatives
    assert told.planned == 1
    assert [(one.topic, one.planned, len(one.quotes)) for one in told.groups] == [("S1", 1, 1)]
    assert told.groups_left == 1
    assert [row.planned for row in digest.topics] == [1, 1]


def test_what_is_told_alike_is_told_once(store: Store) -> None:
    """The sentence stands for its near-duplicates, and says how many."""
    stands = "The works at Velm stood still for three weeks after the flood in the spring."
    for at in range(5):
        near = vector((stands, 1.0), (at, 0.1))
        store.put(f"{at}.pdf", [passage(0, stands, ["E1"], mood="negative", embedding=near)])
    incidents = store.make().digest.incidents
    assert [quote.also for quote in incidents] == [4]


def test_initiatives_that_are_alike_are_counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twenty documents with the same plan one is quoted, and nineteen are like it."""
    plan = "Our company will replace the boilers of the dye house by 2030 and save 400 MWh a year."
    for at in range(20):
        store.put(f"{at}.pdf", [passage(0, plan, ["E1"], action="planned")], organisation="Velm Power")
    for pool in (quotes.POOL, 10):
        monkeypatch.setattr(follow, "POOL", pool)
        [group] = store.make().digest.initiatives.groups
        [quote] = group.quotes
        assert (group.planned, quote.also) == (20, min(pool, 20) - 1)


def test_the_best_come_first(store: Store) -> None:
    """By how much they matter and how sure it is that they are bad news; what does not matter is left out."""
    told = (
        ("A welder of the town died when the scaffold of the mill fell in the spring.", 2.9, 0.8),
        ("The works in the town paid a heavy fine for the leak into the river in the spring.", 2.6, 0.7),
        ("The canteen in the town was closed for repairs for two weeks in the summer.", 1.2, 0.95),
    )
    for at, (text, salience, sure) in reversed(list(enumerate(told))):
        bad = passage(0, text, ["S1"], mood="negative", sure=sure, salience=salience)
        store.put(f"{at}.pdf", [bad])
    trifle = "A lift in the town stood still for an hour in the spring of the year before."
    store.put("trifle.pdf", [passage(0, trifle, ["S1"], mood="negative", salience=0.6)])
    incidents = store.make().digest.incidents
    assert [(quote.text, quote.salience, quote.sure) for quote in incidents] == list(told)


def test_a_report_hides_no_other(store: Store) -> None:
    """Of one document alone a list may be full; of several, each has a few places, for good and bad alike."""
    results = [plain(at, mood=("negative", "positive")[at % 2]) for at in range(2 * quotes.LISTS["negative"])]
    store.put("a.pdf", results)
    digest = store.make().digest
    assert len(digest.incidents) == len(digest.positives) == quotable.MAX_MOOD
    for name in "bcdefgh":
        store.put(f"{name}.pdf", [plain(30, mood="negative"), plain(31, mood="positive")])
    digest = store.make().digest
    for chosen in (digest.incidents, digest.positives):
        assert sum(quote.name == "a.pdf" for quote in chosen) == quotes.PER_DOCUMENT


def test_documents_without_an_organisation_are_not_one_group(store: Store) -> None:
    """Each stands by its title."""
    for at, name in enumerate(("first.pdf", "second.pdf")):
        store.put(name, [plain(at, action="planned")])
    groups = store.make().digest.initiatives.groups
    assert sorted(str(group.organisation) for group in groups) == ["First", "Second"]


def test_the_initiatives_that_matter_most_are_quoted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their groups come in that order; the others are counted."""
    monkeypatch.setattr(follow, "MAX_QUOTES", 2)
    for at, salience in enumerate((1.0, 2.9, 2.2, 0.5)):
        results = [plain(at * 10 + nth, action="planned", salience=salience) for nth in range(2)]
        store.put(f"{at}.pdf", results, organisation=f"Organisation {at}")
    told = store.make().digest.initiatives
    assert [(one.organisation, one.planned) for one in told.groups] == [("Organisation 1", 2)]
    assert told.groups_left == 3
    monkeypatch.setattr(follow, "MAX_QUOTES", 3)
    assert [one.organisation for one in store.make().digest.initiatives.groups] == [
        "Organisation 1", "Organisation 2",
    ]  # fmt: skip
