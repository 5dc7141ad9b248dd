"""A recount of a stored digest: what differs from the documents is named, and so is what explains it."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.digests import made
from benchmarks.digests.made import MONDAY, record
from shared.digests.issue import verify
from shared.documents.store import COLLECTION as DOCUMENTS
from tests.integration.digest_window import MILLS, WEEK, Store, stored_digest


def test_a_recount_finds_what_changed(store: Store) -> None:
    """Not a number differs at first; then each kind of change is named."""
    for at in range(3):
        store.put(f"{at}.pdf", made.passages(at, 20, 2026), organisation=MILLS)
        store.put(f"old-{at}.pdf", made.passages(at + 9, 20, 2025), MONDAY - WEEK, organisation=MILLS)
    of = store.make(earlier=2)
    digest = stored_digest(of)
    assert verify(store.client, digest) == []
    wrong = of.digest.model_copy(
        update={"overview": of.digest.overview.model_copy(update={"completed": 4, "copies": 1})}
    )
    found = verify(store.client, digest.model_copy(update={"digest": wrong}))
    assert {("overview.completed", "4", "3"), ("overview.copies", "1", "0")} <= {
        (one.what, one.stored, one.found) for one in found
    }


def test_a_recount_computes_again_what_rests_on_comparing(store: Store) -> None:
    """Near-duplicates, how near the novel is to all else, and what became of plans."""
    for at in range(3):
        store.put(f"{at}.pdf", made.passages(at, 20, 2026), organisation=MILLS)
        store.put(f"old-{at}.pdf", made.passages(at + 9, 20, 2025), MONDAY - WEEK, organisation=MILLS)
    digest = store.make(earlier=2).digest
    assert digest.incidents
    more = digest.incidents[0].also + 1
    wrong = {
        "incidents": [digest.incidents[0].model_copy(update={"also": more}), *digest.incidents[1:]],
        "novel_among": digest.novel_among + 1,
    }
    found = verify(
        store.client,
        stored_digest(store.make(earlier=2)).model_copy(update={"digest": digest.model_copy(update=wrong)}),
    )
    assert {(one.what, one.stored) for one in found} == {
        ("incidents[0].also", str(more)),
        ("novel_among", str(digest.novel_among + 1)),
    }


def test_a_recount_names_documents_that_are_gone_or_were_read_anew(store: Store) -> None:
    """They explain the numbers that differ."""
    ids = [store.put(f"{at}.pdf", made.passages(at, 20, 2026)) for at in range(3)]
    digest = stored_digest(store.make())
    for collection in (DOCUMENTS, "outcomes"):
        store.client.collection(collection).document(ids[0]).delete()
    again = record("1.pdf", MONDAY + timedelta(hours=9), run=2)
    made.store(store.client, again, made.aggregate(made.passages(7, 9, 2026)), made.passages(7, 9, 2026))
    late = digest.made_at + timedelta(days=1)
    store.client.collection(DOCUMENTS).document(ids[1]).update({"timings.completed_at": late})
    found = verify(store.client, digest)
    reasons = [(one.what, one.found) for one in found[:2]]
    assert reasons == [
        (f"document {ids[0]}", "erased since"),
        (f"document {ids[1]}, 1.pdf", "read again since"),
    ]
    differing = {one.what: (one.stored, one.found) for one in found}
    assert differing["overview.completed"] == ("3", "2")
    assert differing["overview.passages"] == ("60", "29")
