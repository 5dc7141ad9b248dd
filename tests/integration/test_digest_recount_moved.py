"""A recount of a digest names documents that were uploaded again, wherever they were counted before."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.digests import made
from benchmarks.digests.made import MONDAY, record
from shared.digests import since
from shared.digests.store import COLLECTION as DIGESTS
from shared.digests.store import to_fields
from shared.digests.verify import verify
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import RUNS
from shared.platform.records import ErrorInfo
from tests.integration.digest_window import WEEK, Store, stored_digest, week

if TYPE_CHECKING:
    from datetime import datetime

    from google.cloud.firestore import DocumentReference


NINE = MONDAY + timedelta(hours=9)
BROKEN = ErrorInfo(code="broken", message="It is broken.", hint="Mend it.")


def put(store: Store, number: int, at: datetime, run: int = 1) -> str:
    """A document whose run ended then, with content that no other run of it had."""
    document = store.put(f"{number}.pdf", made.passages(number + 100 * run, 12, 2026), at, run=run)
    ran(store, document, run, at)
    return document


def ran(store: Store, document: str, run: int, at: datetime, state: str = "completed") -> None:
    runs = store.client.collection(DOCUMENTS).document(document).collection(RUNS)
    runs.document(str(run)).set({"state": state, "generation": str(run), "ended_at": at})


def keep(store: Store, back: int) -> None:
    """Store the digest of a week, for later ones to read."""
    digest = stored_digest(store.make(window=week(back), id=f"weekly-{back}"))
    store.client.collection(DIGESTS).document(digest.digest.id).set(to_fields(digest))


def test_a_move_between_windows_before_the_digest_explains_its_trend(store: Store) -> None:
    """The digest of then counted it there, and so does this one's trend, which was just made."""
    ids = [put(store, number, NINE - WEEK) for number in range(3)]
    keep(store, 1)
    put(store, 0, NINE, run=2)
    found = verify(store.client, stored_digest(store.make(earlier=1)))
    assert ("trend[0].documents", "3", "2") in {(one.what, one.stored, one.found) for one in found}
    [moved] = [one for one in found if one.kind != "number"]
    told = (moved.kind, moved.document, moved.stored, moved.found)
    assert told == ("again", ids[0], (NINE - WEEK).isoformat(), NINE.isoformat())


def test_a_move_from_before_the_trend_explains_what_is_compared(store: Store) -> None:
    """What is novel is compared with all earlier documents, however old."""
    old = put(store, 0, NINE - 30 * WEEK)
    put(store, 1, NINE)
    digest = stored_digest(store.make(earlier=1))
    assert (digest.digest.novel_among, verify(store.client, digest)) == (1, [])
    put(store, 0, NINE + WEEK, run=2)
    found = verify(store.client, digest)
    assert ("novel_among", "1", "0") in {(one.what, one.stored, one.found) for one in found}
    assert [one.document for one in found if one.kind == "again"] == [old]


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (NINE - timedelta(hours=1), "completed"),  # in the same window
        (NINE - WEEK, "failed"),  # a trend counts no failures
        (NINE - WEEK, "superseded"),  # it ended nowhere
        (NINE - 20 * WEEK, "completed"),  # before the trend, and no longer when the digest was made
    ],
)
def test_an_earlier_run_that_nothing_counted_explains_nothing(store: Store, at: datetime, state: str) -> None:
    """Whatever else differs."""
    document = put(store, 0, NINE, run=2)
    ran(store, document, 1, at, state)
    digest = stored_digest(store.make(earlier=1))
    wrong = digest.digest.model_copy(update={"novel_among": 9})
    found = verify(store.client, digest.model_copy(update={"digest": wrong}))
    assert {(one.kind, one.what) for one in found} == {("number", "novel_among")}


def test_a_failure_that_was_replayed_since_is_named(store: Store) -> None:
    """In whichever window its result came."""
    failed = record("0.pdf", NINE, state="failed")
    made.store_problem(store.client, failed, "failed", BROKEN, NINE)
    ran(store, failed["id"], 1, NINE, "failed")
    digest = stored_digest(store.make())
    put(store, 0, NINE + WEEK, run=2)
    assert [one.document for one in verify(store.client, digest) if one.kind == "again"] == [failed["id"]]


def test_where_not_all_could_be_asked_it_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reasons are some of those that there are."""
    for number in range(3):
        put(store, number, NINE)
    digest = stored_digest(store.make())
    for number in range(3):
        put(store, number, NINE + WEEK, run=3)
    for documents, runs, left in ((3, 2, 0), (2, 2, 1), (3, 1, 1)):
        monkeypatch.setattr(since, "MAX_DOCUMENTS", documents)
        monkeypatch.setattr(since, "MAX_RUNS", runs)
        kinds = Counter(one.kind for one in verify(store.client, digest))
        assert (kinds["again"], kinds["left"]) == (3, left)


def test_earlier_runs_are_asked_for_many_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backfill leaves tens of thousands of documents with two."""
    for number in range(5):
        put(store, number, NINE)
    digest = stored_digest(store.make())
    for number in range(5):
        put(store, number, NINE + WEEK, run=2)
    asked: list[int] = []
    get_all = store.client.get_all

    def counted(references: list[DocumentReference], *more: Any) -> Any:
        asked.append(len(references))
        return get_all(references, *more)

    monkeypatch.setattr(store.client, "get_all", counted)
    monkeypatch.setattr(since, "AT_ONCE", 3)
    verify(store.client, digest)
    assert asked == [3, 2]
