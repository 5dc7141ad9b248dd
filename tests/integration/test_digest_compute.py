"""What a digest says of documents that are really stored: each once, in its window, in any order."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.digests import made
from benchmarks.digests.made import MONDAY, record, store_problem
from shared.digests.compute import window
from shared.digests.issue import verify
from shared.digests.records import Filter
from shared.platform.records import ErrorInfo
from tests.integration.digest_window import WEEK, Store, plain, stored_digest, week

if TYPE_CHECKING:
    from shared.platform.records import State
    from tests.integration.pubsub_server import LocalServer

ERROR = ErrorInfo(code="too_many_pages", message="It has too many pages.", hint="Divide it.")
HOUR = timedelta(hours=1)


def verified(store: Store, of: Any) -> list[str]:
    return [one.what for one in verify(store.client, stored_digest(of))]


def test_an_empty_window(store: Store) -> None:
    """There is nothing to tell, and that is told; nothing fails for want of documents."""
    digest = store.make(earlier=8).digest
    assert digest.line == "No document ended in the week to 22 November 2026."
    assert digest.empty
    assert digest.quotes() == []
    assert [one.count for one in digest.sentiments] == [0, 0, 0]
    assert [one.share for one in digest.sentiments] == [None] * 3
    assert len(digest.trend) == 9
    assert digest.topics == []
    assert verified(store, store.make(earlier=8)) == []


def test_a_window_of_one_document(store: Store) -> None:
    """Its counts are the digest's, its summary too, and nothing is tested."""
    store.put("a.pdf", made.passages(1, 40, 2026), organisation="Tarnholm Mills", year=2026)
    of = store.make(earlier=2)
    digest = of.digest
    assert digest.line == "In the week to 22 November 2026, 1 document completed."
    assert (digest.overview.completed, digest.overview.passages) == (1, 40)
    assert sum(one.count for one in digest.sentiments) == 40
    assert {quote.document for quote in digest.quotes()} == {record("a.pdf", MONDAY)["id"]}
    assert 5 <= len(digest.summary) <= 6
    assert not any(one.changes for one in digest.sentiments)
    assert {group.organisation for group in digest.initiatives.groups} == {"Tarnholm Mills"}
    assert digest.novel == []
    assert digest.novel_among == 0
    assert verified(store, of) == []


def test_a_document_on_the_edge_of_two_windows_is_in_the_later_one(store: Store) -> None:
    """Windows begin with their start and end before their end."""
    store.put("edge.pdf", [plain(1)], MONDAY)
    store.put("last.pdf", [plain(2)], MONDAY + WEEK - timedelta(microseconds=1))
    store.put("next.pdf", [plain(3)], MONDAY + WEEK)
    digest = store.make(earlier=1).digest
    assert [point.documents for point in digest.trend] == [0, 2]
    assert store.make(window=week(1)).digest.overview.completed == 0
    assert store.make(window=week(-1)).digest.overview.completed == 1


@pytest.mark.usefixtures("store")
def test_same_documents_same_bytes(digest_server: LocalServer) -> None:
    """In whatever order they were stored, and however often it is asked."""
    documents = [
        (
            f"{at % 3}/{at}.pdf",
            made.passages(at % 9, 24, 2026),
            MONDAY + at * HOUR,
            {"organisation": f"Org {at % 4}"},
        )
        for at in range(24)
    ]
    documents += [
        (
            f"old/{at}.pdf",
            made.passages(40 + at, 24, 2025),
            MONDAY - at * HOUR - HOUR,
            {"organisation": f"Org {at % 4}"},
        )
        for at in range(12)
    ]
    texts = set()
    for seed in range(2):
        mine = Store(digest_server)
        random.Random(seed).shuffle(documents)
        for name, results, at, facts in documents:
            mine.put(name, results, at, **facts)
        texts |= {mine.make(earlier=3).model_dump_json() for _ in range(2)}
    assert len(texts) == 1
    assert verified(mine, mine.make(earlier=3)) == []


def test_archives_do_not_count_and_copies_count_once(store: Store) -> None:
    """An archive is none of the documents; a copy is one whose passages are not counted again."""
    original = store.put("a.pdf", [plain(1, mood="negative")])
    store.put("b.pdf", [plain(1, mood="negative")], duplicate_of=original)
    store.put("all.zip", [], members=2)
    of = store.make()
    told = of.digest.overview
    assert (told.received, told.completed, told.copies, told.passages) == (2, 2, 1, 1)
    assert {quote.document for quote in of.digest.quotes()} == {original}
    assert of.statistics.documents == 1
    assert verified(store, of) == []


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (Filter(), {"a/1.pdf", "a/2.pdf", "b/3.pdf"}),
        (Filter(prefix="a/"), {"a/1.pdf", "a/2.pdf"}),
        (Filter(organisation="tarnholm MILLS, Plc"), {"a/1.pdf", "b/3.pdf"}),
        (Filter(language="de"), {"a/2.pdf"}),
        (Filter(prefix="a/", organisation="Tarnholm Mills plc"), {"a/1.pdf"}),
        (Filter(prefix="a/", language="fr"), set()),
    ],
)
def test_a_filter_leaves_documents_out(store: Store, asked: Filter, names: set[str]) -> None:
    """Of what has completed, been uploaded, failed, and is still being read, alike."""
    facts: dict[str, dict[str, Any]] = {
        "a/1.pdf": {"organisation": "Tarnholm Mills plc", "language": "en"},
        "a/2.pdf": {"organisation": "Velm Power", "language": "de"},
        "b/3.pdf": {"organisation": "TARNHOLM MILLS PLC", "language": "en"},
    }
    for at, (name, fact) in enumerate(facts.items()):
        store.put(name, [plain(at, mood="negative")], **fact)
        bad = record(f"{name}.bad", MONDAY + HOUR, state="failed", **fact)
        store_problem(store.client, bad, "failed", ERROR, MONDAY + HOUR)
    of = store.make(asked)
    told = of.digest.overview
    assert {quote.name for quote in of.digest.incidents} == names
    assert told.completed == told.passages == told.failed == len(names)
    assert told.received == 2 * len(names)
    assert {one.name for one in told.problems} == {f"{name}.bad" for name in names}
    assert verified(store, of) == []


def test_a_digest_on_a_topic(store: Store) -> None:
    """Counts and quotes its passages alone; its share is of all that the model judged."""
    results = [
        plain(0, ("E1",), mood="negative", action="planned"),
        plain(1, ("E1", "S1"), mood="positive", action="implemented"),
        plain(2, ("S1",), mood="negative", action="planned"),
        plain(3, ()),
        plain(4, ("E1",), mood=None),  # in a language that the model does not know
    ]
    store.put("a.pdf", results)
    of = store.make(Filter(topic="E1"))
    digest = of.digest
    assert digest.overview.passages == 2
    assert {one.name: one.count for one in digest.sentiments} == {"positive": 1, "neutral": 0, "negative": 1}
    [row] = digest.topics
    assert (row.name, row.share.count, row.share.of) == ("E1", 2, 4)
    assert (row.negative.count, row.negative.of) == (1, 2)
    assert (digest.initiatives.implemented, digest.initiatives.planned) == (1, 1)
    assert {quote.index for quote in digest.quotes()} == {0, 1}
    assert any("languages" in note for note in digest.notes)
    assert verified(store, of) == []


def test_problems_are_told_with_what_to_do(store: Store) -> None:
    """Failed ones first, with the command that tries again; rejected ones by their code."""
    for at in range(window.MAX_PROBLEMS):
        bad = record(f"{at}.pdf", MONDAY, state="rejected")
        store_problem(store.client, bad, "rejected", ERROR, MONDAY + at * HOUR)
    failed = record("failed.pdf", MONDAY, state="failed")
    store_problem(store.client, failed, "failed", ERROR, MONDAY + 30 * HOUR)
    store_problem(store.client, record("later.pdf", MONDAY, state="failed"), "failed", ERROR, MONDAY + WEEK)
    digest = store.make().digest
    assert (digest.overview.failed, digest.overview.rejected) == (
        1,
        {"too_many_pages": window.MAX_PROBLEMS},
    )
    assert len(digest.overview.problems) == window.MAX_PROBLEMS
    assert digest.overview.problems[0].replay == f"headrace replay {failed['id']}"
    assert {one.replay for one in digest.overview.problems[1:]} == {None}
    assert digest.notes == ["1 of 21 problems are not listed."]
    assert "1 failed; 20 were rejected" in digest.line


def test_the_oldest_unfinished(store: Store) -> None:
    """Of those uploaded before the window's end, and as long as it had waited then."""
    states: dict[int, State] = {50: "analyzing", 30: "extracting", 400: "analyzing", 1: "completed"}
    for hours, state in states.items():
        stored = record(f"{hours}.pdf", MONDAY + hours * HOUR, state=state)
        store.client.collection("documents").document(stored["id"]).set(stored)
    told = store.make().digest.overview
    oldest = told.oldest
    assert oldest is not None
    assert told.waiting == 2
    assert (oldest.name, oldest.state) == ("30.pdf", "extracting")
    assert oldest.seconds == (7 * 24 - 30) * 3600 + 30
    told = store.make(Filter(prefix="5")).digest.overview
    assert told.oldest is not None
    assert (told.oldest.name, told.waiting) == ("50.pdf", 1)


def test_a_pipeline_that_stands_still_is_told(store: Store) -> None:
    """Nothing ended, and that is not all."""
    for at in range(3):
        stored = record(f"{at}.pdf", MONDAY + 5 * HOUR, state="analyzing")
        store.client.collection("documents").document(stored["id"]).set(stored)
    of = store.make()
    assert not of.digest.empty
    assert of.digest.line == (
        "No document ended in the week to 22 November 2026; 3 were received; "
        "3 were waiting at its end, the longest for 7 days."
    )
    assert verified(store, of) == []
    later = store.make(window=week(-1)).digest  # nothing came in it, and still nothing ended
    assert not later.empty
    assert (later.overview.received, later.overview.waiting) == (0, 3)
    before = store.make(window=week(1)).digest
    assert before.empty
    assert before.line == "No document ended in the week to 15 November 2026."


def test_what_is_analyzed_again_was_received_when_it_was_uploaded(store: Store) -> None:
    """A new run of the same content has times of its own, and moves it into no other window."""
    document = store.put("a.pdf", [plain(1)], MONDAY - WEEK + HOUR)
    before = store.make(window=week(1))
    again = {"uploaded_at": MONDAY + HOUR, "claimed_at": MONDAY + HOUR}
    update = {"state": "delegated", "timings": again, "waiting_since": MONDAY + HOUR}
    store.client.collection("documents").document(document).update(update)
    assert verified(store, before) == []
    assert store.make(window=week(1)).digest.overview == before.digest.overview
    told = store.make().digest.overview
    assert (told.received, told.waiting) == (0, 1)
    assert told.oldest is not None
    assert told.oldest.seconds == (WEEK - HOUR).total_seconds()
