"""A digest to tell, with invented reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.digests.records import (
    Change,
    Digest,
    Filter,
    Group,
    Initiatives,
    Measure,
    Overview,
    Point,
    Quote,
    TopicRow,
    Window,
)
from shared.digests.store import Statistics, StoredDigest

END = datetime(2026, 11, 23, tzinfo=UTC)
WINDOW = Window(start=END - timedelta(days=7), end=END)


def quote(index: int, text: str, **fields: object) -> Quote:
    known: dict[str, object] = {
        "document": "d0c0ffee",
        "bucket": "acme-uploads",
        "name": "reports/Brunn & Söhne 2025.pdf",
        "title": "Sustainability report",
        "organisation": "Brunn",
        "year": 2025,
        "index": index,
        "page": 4,
        "row": None,
        "text": text,
        "topics": ["E1"],
        "action": "implemented",
        "negative": 0.1,
        "positive": 0.7,
        "figures": [],
    }
    return Quote.model_validate(known | fields)


QUOTES = [
    quote(3, "We cut emissions of our three mills by 18% against 2019."),
    quote(9, "A new boiler of 2.4 MW replaced the gas burner in March 2025."),
    quote(12, "Two employees were hurt at the Ostrava site.", negative=0.9, positive=0.0, action="none"),
]


def digest(
    identifier: str = "weekly-20261123", quotes: list[Quote] | None = None, line: str | None = None
) -> Digest:
    """A window with three documents."""
    first, second, third = quotes if quotes is not None else QUOTES
    change = Change(
        against="previous", windows=1, documents=5, share=0.2, difference=0.1, p=0.01, flagged=True
    )
    share = Measure(name="E1", count=12, of=40, share=0.3, changes=[change])
    return Digest(
        id=identifier,
        schedule="weekly",
        zone="UTC",
        window=WINDOW,
        filter=Filter(),
        line=line or "3 documents completed, 40 passages; E1 is up.",
        overview=Overview(
            received=6,
            completed=3,
            copies=0,
            passages=40,
            rejected={"encrypted": 1, "too_slow": 2},
            failed=0,
            problems=[],
            oldest=None,
        ),
        sentiments=[Measure(name="negative", count=8, of=40, share=0.2, changes=[])],
        topics=[
            TopicRow(
                name="E1",
                sentiment={"positive": 6, "neutral": 4, "negative": 2},
                implemented=2,
                planned=1,
                share=share,
                negative=Measure(name="E1", count=2, of=12, share=0.166667, changes=[]),
            )
        ],
        trend=[
            Point(
                window=WINDOW,
                documents=3,
                passages=40,
                judged=40,
                sentiment={"positive": 16, "neutral": 16, "negative": 8},
                topics={"E1": 12},
            )
        ],
        test="clustered by document",
        initiatives=Initiatives(
            implemented=2,
            planned=1,
            groups=[
                Group(topic="E1", organisation="Brunn", implemented=2, planned=0, quotes=[first, second])
            ],
            groups_left=0,
            followed=[],
            followed_counts={},
            compared=0,
        ),
        incidents=[third],
        positives=[first],
        novel=[],
        novel_among=0,
        summary=[first, third],
    )


def stored(told: Digest) -> StoredDigest:
    """As `issue` stores it."""
    return StoredDigest(
        digest=told,
        schedule=told.schedule,
        end=told.window.end,
        statistics=Statistics(),
        asked="all",
        quoted=told.documents(),
        html=f"gs://acme-results/digests/{told.schedule}/{told.id}.html",
        reads=3,
        seconds=0.2,
        made_at=told.window.end + timedelta(minutes=5),
    )
