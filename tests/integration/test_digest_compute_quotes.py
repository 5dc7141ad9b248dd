"""What a digest quotes and groups: initiatives and incidents of stored documents, what is alike once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.digests.made import passage, vector
from shared.digests.compute import follow, quotes
from shared.documents import quotable
from tests.integration.digest_window import Store, plain

if TYPE_CHECKING:
    import pytest


def test_an_initiative_on_two_topics_counts_once_in_all_and_in_both_groups(store: Store) -> None:
    """Groups overlap; what there is in all does not count it twice."""
    store.put("a.pdf", [plain(1, ("E1", "S1"), action="planned")], organisation="Velm Power")
    told = store.make().digest.initiatives
    assert told.planned == 1
    assert [(one.topic, one.planned) for one in told.groups] == [("E1", 1), ("S1", 1)]


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
    for pool in (follow.POOL, 10):
        monkeypatch.setattr(follow, "POOL", pool)
        [group] = store.make().digest.initiatives.groups
        [quote] = group.quotes
        assert (group.planned, quote.also) == (20, min(pool, 20) - 1)


def test_the_best_come_first(store: Store) -> None:
    """By how much they matter and how sure it is that they are bad news, which the quote says."""
    told = (
        ("A welder of the town died when the scaffold of the mill fell in the spring.", 2.9, 0.8),
        ("The works in the town paid a heavy fine for the leak into the river in the spring.", 2.6, 0.7),
        ("The canteen in the town was closed for repairs for two weeks in the summer.", 0.8, 0.95),
    )
    for at, (text, salience, sure) in reversed(list(enumerate(told))):
        bad = passage(0, text, ["S1"], mood="negative", sure=sure, salience=salience)
        store.put(f"{at}.pdf", [bad])
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
    for name in ("first.pdf", "second.pdf"):
        store.put(name, [plain(1, action="planned")])
    groups = store.make().digest.initiatives.groups
    assert sorted(str(group.organisation) for group in groups) == ["First", "Second"]


def test_groups_beyond_those_listed_are_counted(store: Store) -> None:
    """The largest are listed, three quotes each."""
    many = follow.MAX_GROUPS + 2
    for at in range(many):
        results = [plain(at * 10 + nth, action="planned") for nth in range(5 if at == 7 else 1)]
        store.put(f"{at}.pdf", results, organisation=f"Organisation {at:02}")
    told = store.make().digest.initiatives
    assert (len(told.groups), told.groups_left) == (follow.MAX_GROUPS, 2)
    assert (told.groups[0].organisation, told.groups[0].planned) == ("Organisation 07", 5)
    assert len(told.groups[0].quotes) == follow.MAX_QUOTES
