"""What a digest quotes and groups: initiatives and incidents of stored documents, what is alike once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.digests.made import passage, vector
from shared.digests.compute import follow, quotes
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
    """The sentence stands for its near-duplicates, and says how many; two of a document at most."""
    stands = "The works at Velm stood still for three weeks after the flood in the spring."
    for at in range(5):
        near = vector((stands, 1.0), (at, 0.1))
        store.put(f"{at}.pdf", [passage(0, stands, ["E1"], mood="negative", embedding=near)])
    store.put("many.pdf", [plain(at, ("E2",), mood="negative") for at in range(quotes.PER_DOCUMENT + 2)])
    incidents = store.make().digest.incidents
    assert sorted(quote.also for quote in incidents) == [0, 0, 4]
    assert sum(quote.name == "many.pdf" for quote in incidents) == quotes.PER_DOCUMENT


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


def test_deaths_come_first_then_what_went_wrong_then_what_might(store: Store) -> None:
    """However sure the model is that the others are bad."""
    told = (
        ("A welder of the town died when the scaffold of the mill fell in the spring.", 0.6),
        ("The works in the town paid a heavy fine for the leak into the river in the spring.", 0.7),
        ("A dry summer could stop the works in the town and the mill on the river.", 0.95),
    )
    for at, (text, sure) in reversed(list(enumerate(told))):
        store.put(f"{at}.pdf", [passage(0, text, ["S1"], mood="negative", sure=sure)])
    assert [quote.text for quote in store.make().digest.incidents] == [text for text, _ in told]


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
