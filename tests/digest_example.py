"""Digests made by hand: one with something in every section, one of one document, and an empty one."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared.digests.records import (
    Change,
    DatapointChange,
    Datapoints,
    Digest,
    Filter,
    Followed,
    Group,
    Initiatives,
    Measure,
    Narrative,
    NarrativeSentence,
    Novel,
    Overview,
    Point,
    Problem,
    Reported,
    TopicRow,
    Unfinished,
    Window,
)
from tests.digest_quotes import (
    BIKES,
    FLEET,
    LEAFLET,
    OLD_PLAN,
    PACKAGING,
    REVIEW,
    SOLAR,
    TRAINING,
    WATER,
    quote,
)

ZONE = "Europe/Berlin"
START = datetime(2026, 11, 16, tzinfo=ZoneInfo(ZONE))
"""Arithmetic on it is of the clock on the wall: a week is one in spite of summer time."""
WEEK = timedelta(days=7)
TONES = {
    "E1": (118, 171, 62, 34, 41), "S1": (96, 120, 71, 28, 19), "E5": (61, 88, 14, 22, 12),
    "G1": (22, 74, 31, 9, 4), "E3": (17, 41, 19, 3, 8), "S2": (8, 33, 27, 2, 6),
    "E2": (6, 18, 22, 4, 2), "S4": (14, 12, 1, 0, 0), "E4": (0, 3, 0, 0, 1),
}  # fmt: skip
"""By topic: positive, neutral, negative, implemented, planned."""
PASSAGES = 1_164
EARLIER = {"E1": 0.2, "S1": 0.26, "E5": 0.141, "G1": 0.11, "E3": 0.08, "S2": 0.06}


def change(share: float, now: float, p: float | None, windows: int = 1) -> Change:
    return Change(
        against="previous" if windows == 1 else "trailing",
        windows=windows,
        documents=9 * windows,
        share=share,
        difference=round(now - share, 6),
        p=p,
        flagged=p is not None and p < 0.05,
    )


def measure(name: str, count: int, of: int, changes: list[Change] | None = None) -> Measure:
    return Measure(
        name=name, count=count, of=of, share=round(count / of, 6) if of else None, changes=changes or []
    )


def topic_row(name: str) -> TopicRow:
    positive, neutral, negative, implemented, planned = TONES[name]
    total = positive + neutral + negative
    now = total / PASSAGES
    p = {"E1": 0.004, "S2": 0.0312, "E5": 0.83}.get(name)
    compared = (
        [change(EARLIER[name], now, p), change(EARLIER[name] + 0.01, now, p, 4)] if name in EARLIER else []
    )
    worse = [change(0.09, negative / total, 0.0004)] if name == "E3" else []
    return TopicRow(
        name=name,
        sentiment={"positive": positive, "neutral": neutral, "negative": negative},
        implemented=implemented,
        planned=planned,
        share=measure(name, total, PASSAGES, compared),
        negative=measure(name, negative, total, worse),
    )


def point(back: int, topics: dict[str, int], passages: int, negative: int) -> Point:
    return Point(
        window=Window(start=START - back * WEEK, end=START - (back - 1) * WEEK),
        documents=max(passages // 90, 0),
        passages=passages,
        judged=passages,
        sentiment={
            "positive": passages // 3,
            "neutral": passages - passages // 3 - negative,
            "negative": negative,
        },
        topics=topics,
    )


def trend() -> list[Point]:
    totals = {name: sum(tones[:3]) for name, tones in TONES.items()}
    earlier = [(5, 640, 80, 0.7), (4, 820, 120, 0.8), (3, 0, 0, 0.0), (2, 990, 150, 0.75), (1, 905, 160, 0.6)]
    points = [
        point(
            back,
            {name: int(count * passages / PASSAGES * factor) for name, count in totals.items()},
            passages,
            bad,
        )
        for back, passages, bad, factor in earlier
    ]
    return [*points, point(0, totals, PASSAGES, 261)]


def initiatives() -> Initiatives:
    old_pack = quote(
        "Velmora Foods", "From 2026 our trays will be made of recycled material.", "E5", page=19, year=2025
    )
    old_bees = quote(
        "Oskell Logistics", "Each depot will keep two hectares for wild bees.", "E4", page=33, year=2025
    )
    return Initiatives(
        implemented=102,
        planned=93,
        groups=[
            Group(
                topic="E1", organisation="Tarnholm Fibre", implemented=21, planned=17, quotes=[SOLAR, FLEET]
            ),
            Group(topic="E1", organisation="Velmora Foods", implemented=0, planned=9, quotes=[]),
            Group(topic="E1", organisation="Oskell Logistics", implemented=1, planned=2, quotes=[BIKES]),
            Group(topic="S1", organisation="Oskell Logistics", implemented=12, planned=4, quotes=[TRAINING]),
            Group(topic="E5", organisation="staff-reviews.csv", implemented=3, planned=8, quotes=[LEAFLET]),
        ],
        groups_left=11,
        followed=[
            Followed(
                organisation="Tarnholm Fibre",
                status="implemented",
                similarity=0.8312,
                before=OLD_PLAN,
                now=SOLAR,
            ),
            Followed(
                organisation="Velmora Foods",
                status="planned",
                similarity=0.912,
                before=old_pack,
                now=PACKAGING,
            ),
            Followed(
                organisation="Oskell Logistics", status="vanished", similarity=0.41, before=old_bees, now=None
            ),
        ],
        followed_counts={"implemented": 6, "planned": 3, "vanished": 2},
        compared=3,
    )


def overview() -> Overview:
    return Overview(
        received=17,
        completed=13,
        copies=1,
        passages=PASSAGES,
        rejected={"encrypted": 1, "no-text": 1},
        failed=1,
        problems=[
            Problem(
                document="c0ffee", name="reports/locked.pdf", state="rejected", code="encrypted",
                message="The file is encrypted.", hint="Upload it without its password.", replay=None,
            ),
            Problem(
                document="ab12cd", name="reports/brontal/integrated-report.pdf", state="failed",
                code="timeout", message="The model did not answer in time.",
                hint="Replay it when the service is well again.",
                replay="headrace replay ab12cd --project acme-sustainability",
            ),
        ],
        waiting=2,
        oldest=Unfinished(document="77aa", name="scans/archive-1998.pdf", state="delegated", seconds=262_000),
    )  # fmt: skip


def reported(organisation: str, year: int, value: float, page: int = 40) -> Reported:
    of = quote(organisation, "-", page=page)
    place = {name: getattr(of, name) for name in ("document", "bucket", "name", "title", "page", "row")}
    return Reported(**place, period=str(year), value=value, metric="Emissions > Scope 1")


def datapoint_change(
    organisation: str, before: Reported, now: Reported, unit: str = "tCO2e", code: str = "E1-6.scope1"
) -> DatapointChange:
    relative = round(100 * (now.value - before.value) / before.value, 2) if before.value else None
    return DatapointChange(
        organisation=organisation, code=code, name="Gross Scope 1 GHG emissions", unit=unit, change=relative,
        before=before, now=now,
    )  # fmt: skip


def datapoints() -> Datapoints:
    return Datapoints(
        changes=[
            datapoint_change(
                "Tarnholm Fibre",
                reported("Tarnholm Fibre", 2025, 13_400),
                reported("Tarnholm Fibre", 2026, 9_100),
            ),
            datapoint_change(
                "Velmora Foods",
                reported("Velmora Foods", 2025, 812.5, 61),
                reported("Velmora Foods", 2026, 899, 70),
            ),
        ],
        compared=9,
        changed=2,
        organisations=2,
    )


def rich() -> Digest:
    """Something in every section."""
    told = "Climate took 30% of the passages, and Tarnholm Fibre has done what it announced."
    return Digest(
        id="board-weekly-20261123T060000Z",
        schedule="board-weekly",
        zone=ZONE,
        window=Window(start=START, end=START + WEEK),
        filter=Filter(prefix="reports/", language="en"),
        line="13 documents completed, 1,164 passages: E1 climate change is up, and so is bad news of water.",
        overview=overview(),
        sentiments=[
            measure("positive", 402, PASSAGES, [change(0.33, 402 / PASSAGES, 0.41)]),
            measure("neutral", 501, PASSAGES, [change(0.49, 501 / PASSAGES, 0.12)]),
            measure(
                "negative", 261, PASSAGES, [change(0.18, 261 / PASSAGES, 0.021), change(0.17, 0.22, None, 4)]
            ),
        ],
        topics=[topic_row(name) for name in sorted(TONES)],
        trend=trend(),
        test=(
            "A share is compared with the windows before, a document being the unit; flagged where p < 0.05 "
            "after the correction of Holm."
        ),
        datapoints=datapoints(),
        initiatives=initiatives(),
        incidents=[WATER, REVIEW],
        positives=[TRAINING],
        novel=[
            Novel(
                quote=quote(
                    "Oskell Logistics",
                    "We tested a cargo airship on the route to the islands.",
                    "E1",
                    page=51,
                ),
                similarity=0.3312,
            )
        ],
        novel_among=212,
        summary=[SOLAR, WATER],
        narrative=Narrative(
            model="gemini-2.5-flash", sentences=[NarrativeSentence(text=told, cites=[SOLAR, OLD_PLAN])]
        ),
        notes=[
            "The 40 largest of 51 groups of initiatives are listed.",
            "Passages in other languages are not judged.",
        ],
    )


def empty() -> Digest:
    """Nothing came in."""
    return Digest(
        id="board-weekly-20261130T060000Z",
        schedule="board-weekly",
        zone=ZONE,
        window=Window(start=START + WEEK, end=START + 2 * WEEK),
        filter=Filter(),
        line="No document was uploaded.",
        overview=Overview(
            received=0, completed=0, copies=0, passages=0, rejected={}, failed=0, problems=[], oldest=None
        ),
        sentiments=[],
        topics=[],
        trend=[],
        test="Nothing to test.",
        initiatives=Initiatives(
            implemented=0, planned=0, groups=[], groups_left=0, followed=[], followed_counts={}, compared=0
        ),
        incidents=[],
        positives=[],
        novel=[],
        novel_among=0,
        summary=[],
    )


def single() -> Digest:
    """The first window, of one document."""
    full = rich()
    row = full.topics[0]
    return full.model_copy(
        update={
            "schedule": "now",
            "filter": Filter(),
            "overview": full.overview.model_copy(
                update={
                    "received": 1,
                    "completed": 1,
                    "rejected": {},
                    "failed": 0,
                    "problems": [],
                    "waiting": 0,
                    "oldest": None,
                }
            ),
            "sentiments": [one.model_copy(update={"changes": []}) for one in full.sentiments],
            "topics": [row.model_copy(update={"share": row.share.model_copy(update={"changes": []})})],
            "trend": full.trend[-1:],
            "datapoints": empty().datapoints,
            "initiatives": empty().initiatives,
            "incidents": [],
            "positives": [],
            "novel": [],
            "summary": [],
            "narrative": None,
            "notes": [],
        }
    )
