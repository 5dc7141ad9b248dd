"""What a digest compares its window with: earlier windows, as far as limits let them be read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from benchmarks.digests import made
from benchmarks.digests.made import MONDAY, record
from shared.digests.records import Filter
from shared.digests.store import to_fields
from shared.platform.settings import settings
from tests.integration.digest_window import WEEK, Store, plain, stored_digest, week

if TYPE_CHECKING:
    import pytest

HOUR = timedelta(hours=1)


def limit(monkeypatch: pytest.MonkeyPatch, **values: int) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"HEADRACE_{name.upper()}", str(value))
    settings.cache_clear()


def test_limits_are_kept_and_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents beyond the limit are left out; earlier windows are counted whole or not at all."""
    for at in range(4):
        store.put(f"{at}.pdf", [plain(at)], MONDAY + at * HOUR)
        store.put(f"old-{at}.pdf", [plain(at)], MONDAY - WEEK * (at + 1) + HOUR)
    limit(monkeypatch, digest_max_documents=3, digest_history_documents=2, digest_earlier_documents=2)
    of = store.make(earlier=4)
    digest = of.digest
    assert digest.overview.completed == 3
    assert [point.documents for point in digest.trend] == [1, 1, 3]
    assert any("first 3" in note for note in digest.notes)
    assert any(note.startswith("2 of the earlier windows") for note in digest.notes)
    limit(monkeypatch, digest_max_documents=4, digest_history_documents=4)
    digest = store.make(earlier=4).digest
    assert [point.documents for point in digest.trend] == [1, 1, 1, 1, 4]
    assert digest.notes == []


def test_earlier_digests_stand_for_their_windows(store: Store) -> None:
    """The result is the same, and takes fewer reads; those asked otherwise, or of another span, do not."""
    for back in range(4):
        for at in range(20):
            start = MONDAY - back * WEEK + at * HOUR
            store.put(f"{back}-{at}.pdf", made.passages(at + back * 20, 6, 2026), start)
    cold = store.make(earlier=3)
    digests = store.client.collection("digests")
    for back, asked in ((1, None), (2, Filter(prefix="no/")), (3, None)):
        earlier = store.make(asked, window=week(back), id=f"week-{back}")
        digests.document(earlier.digest.id).set(to_fields(stored_digest(earlier)))
    short = stored_digest(store.make(window=week(2).model_copy(update={"start": MONDAY - WEEK - HOUR})))
    digests.document("short").set(to_fields(short))
    steady = store.make(earlier=3)
    assert steady.digest == cold.digest
    assert cold.reads - steady.reads == 40 - 3  # two weeks of 20 documents; three digests were read
    assert any(one.changes for one in steady.digest.sentiments)
    store.client.collection("outcomes").document(record("1-0.pdf", MONDAY)["id"]).delete()
    assert store.make(earlier=3).digest.trend == cold.digest.trend  # what a digest said of its window stands
    assert [one.against for one in cold.digest.sentiments[0].changes] == ["previous", "trailing"]
    assert cold.digest.sentiments[0].changes[1].windows == 3


def test_windows_without_documents_stand_behind_no_share(store: Store) -> None:
    """The trend has them as empty; the previous one is not compared with, the older are."""
    for back in (0, 2, 3):
        for at in range(12):
            start = MONDAY - back * WEEK + at * HOUR
            store.put(f"{back}-{at}.pdf", [plain(at), plain(at + 20, ("S1",))], start)
    digest = store.make(earlier=5).digest
    assert [point.documents for point in digest.trend] == [0, 0, 12, 12, 0, 12]
    [change] = digest.sentiments[0].changes
    assert (change.against, change.windows, change.documents) == ("trailing", 2, 24)


def test_a_change_is_told_in_the_line(store: Store) -> None:
    """Up from a fifth to four fifths, in every document."""
    for back, share in ((0, 8), (1, 2)):
        for at in range(24):
            results = [plain(n, ("E1",) if n < share + at % 2 else ()) for n in range(10)]
            store.put(f"{back}-{at}.pdf", results, MONDAY - back * WEEK + at * HOUR)
    digest = store.make(earlier=1).digest
    assert "E1 climate change up from 25% to 85%" in digest.line
    [row] = digest.topics
    [change] = row.share.changes
    assert change.flagged
    assert change.p is not None
    assert change.p < 0.001


def test_more_reads_than_documents_are_bounded(store: Store) -> None:
    """Of each document in the window two, of each earlier one at most two: its plans, and its vectors."""
    for at in range(10):
        store.put(f"{at}.pdf", made.passages(at, 8, 2026), organisation="Velm Power")
        store.put(f"old-{at}.pdf", made.passages(at, 8, 2025), MONDAY - HOUR, organisation="Velm Power")
    assert store.make().reads <= 2 * 10 + 2 * 10 + 2
