"""Choosing and counting for a digest: bounded, the same in any order, nothing counted twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.digests.compute.make import line
from shared.digests.compute.measures import JUDGED, Measures, Tally, in_order, measures, sums, trend
from shared.digests.compute.quotes import ALIKE, Best, Sentence, cosines, distinct, unit
from shared.digests.compute.rows import Doc, fingerprint, fits
from shared.digests.records import Filter, Overview, Unfinished, Window
from shared.digests.render.outline import series
from shared.documents.outcomes import Cells, Outcome
from tests.digest_example import rich

if TYPE_CHECKING:
    from shared.digests.store import Statistics

DAY = datetime(2026, 11, 16, tzinfo=UTC)
COUNTS = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))


def doc(name: str = "a") -> Doc:
    return Doc(name, "bucket", f"{name}.pdf", None, None, None, None, DAY, "s")


def found(direction: list[int], document: str = "a", index: int = 0) -> Sentence:
    return Sentence(doc(document), {"index": index, "text": ""}, np.array(direction, np.int8).tobytes())


def outcome(positive: int, neutral: int, negative: int, others: int = 0, document: str = "a") -> Outcome:
    """Of a document whose positive and negative passages are on E1; `others` are in no language known."""
    judged = positive + neutral + negative
    cells = Cells(passages=positive + negative, positive=positive, negative=negative)
    return Outcome(
        document=document, bucket="b", name="n", organisation=None, organisation_key=None, year=None,
        title=None, language=None, members=None, duplicate_of=None, run=1, generation="1", received_at=DAY,
        completed_at=DAY, passages=judged + others, actions={}, problem=None,
        topics={"E1": cells} if cells.passages else {},
        sentiment={"positive": positive, "neutral": neutral, "negative": negative},
    )  # fmt: skip


def statistics(several: list[Outcome], topic: str | None = None) -> Statistics:
    tally = Tally(topic)
    for one in several:
        tally.add(one)
    return tally.statistics()


@given(st.lists(st.integers(0, 300), max_size=80, unique=True), st.integers(1, 12), st.randoms())
def test_the_best_are_the_same_in_any_order(keys: list[int], limit: int, chance: Any) -> None:
    """As sorting all of them would have it, whatever was let go on the way."""
    chance.shuffle(keys)
    best: Best[int] = Best(limit)
    for key in keys:
        best.add((key,), key)
    assert best.all() == sorted(keys)[:limit]


def test_near_duplicates_stand_for_the_first_of_them() -> None:
    """Even where they come after all that is taken; further ones of a document are left out uncounted."""
    sentences = [
        found([100, 0, 0]),
        found([0, 100, 0], index=1),
        found([0, 0, 100], index=2),  # a third of one document
        found([100, 9, 0], "b"),
        found([0, 0, 90], "c"),
        found([99, 0, 9], "d"),
    ]
    chosen = distinct(sentences, limit=3, per_document=2)
    assert [(sentence.at[:2], also) for sentence, also in chosen] == [
        (("a", 0), 2),
        (("a", 1), 0),
        (("c", 0), 0),
    ]


def test_a_sentence_without_a_vector_is_like_no_other() -> None:
    """Another model read it, so it cannot be compared."""
    other = found([9, 9], "b")._replace(vector=b"")
    chosen = distinct([found([9, 9]), other, found([9, 9], "c")], 5, 5)
    assert [(sentence.doc.document, also) for sentence, also in chosen] == [("a", 1), ("b", 0)]


def test_alike_is_a_cosine() -> None:
    """Of vectors just within it, and just without."""
    for near, also in ((ALIKE + 0.01, 1), (ALIKE - 0.01, 0)):
        other = [round(100 * near), round(100 * (1 - near**2) ** 0.5)]
        assert distinct([found([100, 0]), found(other, "b")], 5, 5)[0][1] == also


def test_nothing_is_like_a_vector_of_zeros() -> None:
    """Nor does it end in a division by zero."""
    both = unit(np.array([[0, 0], [3, 4]], np.int8))
    assert cosines(both, both).tolist() == [[0.0, 0.0], [0.0, 1.0]]


@given(st.lists(COUNTS, max_size=12), st.integers(0, 12))
def test_windows_add_up(documents: list[tuple[int, int, int]], cut: int) -> None:
    """Sums of two windows are those of one with the documents of both: a topic may occur in one alone."""
    outcomes = [outcome(*counts) for counts in documents]
    whole, first, second = (statistics(each) for each in (outcomes, outcomes[:cut], outcomes[cut:]))
    for measure in ("sentiment/negative", "topic/E1", "negative/E1", "topic/E2", JUDGED):
        assert sums(first, measure).plus(sums(second, measure)) == sums(whole, measure)


def test_what_the_model_does_not_judge_is_in_no_share() -> None:
    """Three of four passages; two of them on the topic, one of which is negative."""
    of = statistics([outcome(1, 1, 1, others=1)])
    assert of.passages == 4
    assert sums(of, "sentiment/negative")[:3] == (1, 1, 3)
    assert sums(of, "topic/E1")[:3] == (1, 2, 3)
    assert sums(of, "negative/E1")[:3] == (1, 1, 2)
    assert sums(of, "topic/S1")[:3] == (1, 0, 3)
    assert sums(of, "negative/S1")[:3] == (0, 0, 0)
    assert sums(statistics([outcome(1, 1, 1)], "E1"), "sentiment/negative")[:3] == (1, 1, 2)


def test_a_share_that_is_not_tested_has_no_p() -> None:
    """Its difference is told all the same."""
    now, before = statistics([outcome(2, 1, 1)]), statistics([outcome(1, 1, 2)])
    told = measures(now, before, [before, statistics([outcome(0, 2, 2)])], {}, None)
    [positive] = [one for one in told.sentiments if one.name == "positive"]
    assert positive.share == 0.5
    assert [(one.against, one.windows, one.difference, one.p, one.flagged) for one in positive.changes] == [
        ("previous", 1, 0.25, None, False),
        ("trailing", 2, 0.375, None, False),
    ]


def test_a_topic_that_only_was_before_is_told_as_gone() -> None:
    """With a share of 0, which is less than it was."""
    told = measures(statistics([outcome(0, 4, 0)]), None, [statistics([outcome(1, 1, 0)])], {}, None)
    [row] = told.topics
    assert (row.name, row.share.share, row.share.changes[0].difference) == ("E1", 0.0, -0.5)
    assert row.negative.share is None
    assert row.negative.changes == []


@pytest.mark.parametrize("topic", [None, "E1"])
def test_the_trend_ends_with_the_shares_that_are_told_as_measures(topic: str | None) -> None:
    """Whether a digest is about one topic or all, and however much is in languages that are not judged."""
    now = statistics([outcome(1, 5, 1, others=8), outcome(2, 1, 0, others=3)], topic)
    told = measures(now, None, [], {}, topic)
    points = trend([], Window(start=DAY, end=DAY + timedelta(days=7)), now)
    lines = {one.name: one.values[-1] for one in series(rich().model_copy(update={"trend": points}))}
    [negative] = [one.share for one in told.sentiments if one.name == "negative"]
    assert lines["Negative in tone"] == pytest.approx(negative, abs=1e-6)
    assert lines["E1 climate change"] == pytest.approx(told.topics[0].share.share, abs=1e-6) == 0.4


def test_topics_of_another_taxonomy_come_last() -> None:
    """In the order of their names."""
    assert in_order(["zeta", "G1", "alpha", "E1"]) == ["E1", "G1", "alpha", "zeta"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Filter(), Filter(prefix=""), True),
        (Filter(organisation="Velm Power"), Filter(organisation="VELM  power."), True),
        (Filter(organisation="Velm Power"), Filter(organisation="Velm"), False),
        (Filter(prefix="a"), Filter(topic="a"), False),
    ],
)
def test_filters_that_mean_the_same_have_one_fingerprint(one: Filter, other: Filter, same: bool) -> None:  # noqa: FBT001
    """So that windows which were asked alike are compared, and no others."""
    assert (fingerprint(one) == fingerprint(other)) is same


def test_a_filter_on_the_organisation_is_met_by_the_whole_name() -> None:
    """Not by its beginning."""
    row = {"name": "a", "organisation": "Velm Power AG", "language": None}
    assert fits(row, Filter(organisation="velm power ag"))
    assert not fits(row, Filter(organisation="velm power"))


@pytest.mark.parametrize(
    ("days", "zone", "completed", "failed", "rejected", "told"),
    [
        (
            7,
            "UTC",
            14,
            1,
            2,
            "In the week to 22 November 2026, 14 documents completed; 1 failed; 2 were rejected.",
        ),
        (7, "UTC", 1, 0, 1, "In the week to 22 November 2026, 1 document completed; 1 was rejected."),
        (1, "UTC", 0, 1, 0, "On 16 November 2026, 0 documents completed; 1 failed."),
        (3, "UTC", 2, 0, 0, "From 16 to 18 November 2026, 2 documents completed."),
        (7, "UTC", 0, 0, 0, "No document ended in the week to 22 November 2026."),
        (1, "UTC", 0, 0, 0, "No document ended on 16 November 2026."),
    ],
)
def test_the_line(days: int, zone: str, completed: int, failed: int, rejected: int, told: str) -> None:
    """What ended, and how, in one sentence."""
    overview = Overview(
        received=0, completed=completed, copies=0, passages=0, failed=failed, problems=[], oldest=None,
        rejected={"too_large": rejected} if rejected else {},
    )  # fmt: skip
    window = Window(start=DAY, end=DAY + timedelta(days=days))
    assert line(window, zone, overview, Measures([], [])) == told


@pytest.mark.parametrize(
    ("received", "completed", "waiting", "told"),
    [
        (
            30,
            0,
            30,
            "No document ended {}; 30 were received; 30 were waiting at its end, the longest for 7 days.",
        ),
        (0, 0, 1, "No document ended {}; 1 was waiting at its end, for 7 days."),
        (1, 0, 0, "No document ended {}; 1 was received."),
        (4, 4, 1, "On 16 November 2026, 4 documents completed; 1 was waiting at its end, for 7 days."),
    ],
)
def test_the_line_says_what_waits(received: int, completed: int, waiting: int, told: str) -> None:
    """And since when: a pipeline that stands still is not a week without documents."""
    oldest = Unfinished(document="d", name="n", state="analyzing", seconds=6.8 * 86_400) if waiting else None
    overview = Overview(
        received=received, completed=completed, copies=0, passages=0, failed=0, rejected={}, problems=[],
        waiting=waiting, oldest=oldest,
    )  # fmt: skip
    window = Window(start=DAY, end=DAY + timedelta(days=1))
    assert line(window, "UTC", overview, Measures([], [])) == told.format("on 16 November 2026")
