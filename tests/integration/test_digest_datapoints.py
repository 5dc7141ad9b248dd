"""Data points of a window's documents beside those of earlier reports, as they are stored."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.digests.made import MONDAY
from shared.digests.issue import verify
from shared.digests.records import Filter
from shared.documents.figures import DocumentFigure, Packed, pack
from tests.integration.digest_window import MILLS, Store, plain, stored_digest

if TYPE_CHECKING:
    from shared.digests.records import Digest

SCOPE1 = "E1-6.scope1"
BEFORE = MONDAY - timedelta(days=200)


def put(store: Store, name: str, values: dict[str, float], at: Any = MONDAY, **facts: Any) -> str:
    """A document with a value of the data point for each period."""
    figures = tuple(
        DocumentFigure(
            kind="quantity", value=value, unit="tCO2e", text="-", period=period, datapoint=SCOPE1,
            passage=0, page=7,
        )
        for period, value in values.items()
    )  # fmt: skip
    identifier = store.put(name, [plain(1)], at, **facts)
    coded = {"datapoints": pack(Packed(figures=figures)), "codes": [SCOPE1]}
    store.client.collection("outcomes").document(identifier).update(coded)
    return identifier


def changes(digest: Digest) -> list[tuple[str | None, str, float, str, float]]:
    return [
        (each.organisation, each.before.name, each.before.value, each.now.name, each.now.value)
        for each in digest.datapoints.changes
    ]


def test_data_points_are_compared_with_earlier_reports(store: Store) -> None:
    """A digest compares documents of one organisation, also across models; verified, it says the same."""
    put(store, "old.pdf", {"2023": 120, "2022": 150}, BEFORE, organisation=MILLS, year=2023)
    put(store, "other.pdf", {"2023": 1}, BEFORE, organisation="Velmora", year=2023)
    identifier = put(store, "new.pdf", {"2024": 90}, organisation=MILLS.upper(), year=2024)
    put(store, "two years.pdf", {"2024": 9, "2023": 10})
    of = store.make()
    assert changes(of.digest) == [
        (MILLS.upper(), "old.pdf", 120, "new.pdf", 90),
        ("Two years", "two years.pdf", 10, "two years.pdf", 9),
    ]
    assert identifier in of.digest.documents()
    assert verify(store.client, stored_digest(of)) == []
    assert store.make(Filter(topic="E3")).digest.datapoints.compared == 0
    assert len(changes(store.make(Filter(organisation=MILLS)).digest)) == 1


def test_a_copy_and_a_report_of_later_are_not_compared(store: Store) -> None:
    """A copy has the values of another document, and what completes after the window is not known yet."""
    put(store, "old.pdf", {"2023": 120}, BEFORE, organisation=MILLS)
    put(store, "copy.pdf", {"2024": 90}, organisation=MILLS, duplicate_of="a" * 24)
    put(store, "later.pdf", {"2024": 80}, MONDAY + timedelta(days=8), organisation=MILLS)
    assert changes(store.make().digest) == []
