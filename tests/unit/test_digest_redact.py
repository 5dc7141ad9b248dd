"""What is left of a digest when a document is taken out of it."""

from __future__ import annotations

from shared.digests.store import NOTE, without, without_documents
from tests.sample_digest import QUOTES, digest, quote, stored

ERASED = "d0c0ffee"
OTHER = quote(1, "A hall was rebuilt in 2025.", document="cafe0001", name="other.pdf", organisation="Velm")


def test_nothing_names_a_document_that_was_taken_out() -> None:
    """Neither by its sentences nor by what was made of them alone; counts stay."""
    before = digest()
    after = without(before, ERASED)
    for word in (ERASED, "Brunn", *(one.text for one in QUOTES)):
        assert word not in after.model_dump_json()
    assert after.overview == before.overview
    told = after.initiatives
    assert (told.implemented, told.planned, told.groups, told.groups_left) == (2, 1, [], 1)
    assert after.notes == [NOTE]


def test_a_group_that_others_speak_of_stays() -> None:
    """With their sentences, and its counts."""
    first, _, third = QUOTES
    before = digest(quotes=[first, OTHER, third])
    [group] = without(before, ERASED).initiatives.groups
    assert (group.quotes, group.implemented) == ([OTHER], 2)
    assert without(before, ERASED).initiatives.groups_left == 0


def test_its_id_stays_with_the_record() -> None:
    """It says whose counts cannot be found again."""
    first, _, third = QUOTES
    after = without_documents(stored(digest(quotes=[first, OTHER, third])), [ERASED])
    assert (after.erased, after.redacted) == ([ERASED], True)
    assert without_documents(after, ["cafe0001"]).erased == ["cafe0001", ERASED]
