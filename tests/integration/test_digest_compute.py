"""What a digest says of documents that are really stored: each once, in its window, in any order."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.digests import made
from benchmarks.digests.made import MONDAY, passage, record, store_problem, vector
from shared.digests.compute import initiatives, moods, overview
from shared.digests.records import Filter
from shared.digests.store import to_fields
from shared.digests.verify import verify
from shared.records import ErrorInfo
from shared.settings import settings
from tests.integration.digest_window import WEEK, Store, plain, stored_digest, week
from tests.integration.firestore_server import PROJECT, firestore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.pubsub_server import LocalServer

ERROR = ErrorInfo(code="too_many_pages", message="It has too many pages.", hint="Divide it.")
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with firestore(tmp_path_factory.mktemp("firestore")) as running:
        yield running


@pytest.fixture
def store(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    settings.cache_clear()
    yield Store(server)
    settings.cache_clear()


def limit(monkeypatch: pytest.MonkeyPatch, **values: int) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"HEADRACE_{name.upper()}", str(value))
    settings.cache_clear()


def verified(store: Store, of: Any) -> list[str]:
    return [f"{one.kind} {one.what}" for one in verify(store.client, stored_digest(of))]


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
def test_same_documents_same_bytes(server: LocalServer) -> None:
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
        mine = Store(server)
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


def test_an_initiative_on_two_topics_counts_once_in_all_and_in_both_groups(store: Store) -> None:
    """Groups overlap; what there is in all does not count it twice."""
    store.put("a.pdf", [plain(1, ("E1", "S1"), action="planned")], organisation="Velm Power")
    told = store.make().digest.initiatives
    assert told.planned == 1
    assert [(one.topic, one.planned) for one in told.groups] == [("E1", 1), ("S1", 1)]


def test_problems_are_told_with_what_to_do(store: Store) -> None:
    """Failed ones first, with the command that tries again; rejected ones by their code."""
    for at in range(overview.MAX_PROBLEMS):
        bad = record(f"{at}.pdf", MONDAY, state="rejected")
        store_problem(store.client, bad, "rejected", ERROR, MONDAY + at * HOUR)
    failed = record("failed.pdf", MONDAY, state="failed")
    store_problem(store.client, failed, "failed", ERROR, MONDAY + 30 * HOUR)
    store_problem(store.client, record("later.pdf", MONDAY, state="failed"), "failed", ERROR, MONDAY + WEEK)
    digest = store.make().digest
    assert (digest.overview.failed, digest.overview.rejected) == (
        1,
        {"too_many_pages": overview.MAX_PROBLEMS},
    )
    assert len(digest.overview.problems) == overview.MAX_PROBLEMS
    assert digest.overview.problems[0].replay == f"headrace replay {failed['id']}"
    assert {one.replay for one in digest.overview.problems[1:]} == {None}
    assert digest.notes == ["1 of 21 problems are not listed."]
    assert "1 failed; 20 were rejected" in digest.line


def test_the_oldest_unfinished(store: Store) -> None:
    """Of those uploaded before the window's end, and as long as it had waited then."""
    for hours, state in ((50, "analyzing"), (30, "extracting"), (400, "analyzing"), (1, "completed")):
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


def test_what_is_analysed_again_was_received_when_it_was_uploaded(store: Store) -> None:
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


def test_what_is_told_alike_is_told_once(store: Store) -> None:
    """The sentence stands for its near-duplicates, and says how many; two of a document at most."""
    stands = "The works at Velm stood still for three weeks after the flood in the spring."
    for at in range(5):
        near = vector((stands, 1.0), (at, 0.1))
        store.put(f"{at}.pdf", [passage(0, stands, ["E1"], mood="negative", embedding=near)])
    store.put("many.pdf", [plain(at, ("E2",), mood="negative") for at in range(moods.PER_DOCUMENT + 2)])
    incidents = store.make().digest.incidents
    assert sorted(quote.also for quote in incidents) == [0, 0, 4]
    assert sum(quote.name == "many.pdf" for quote in incidents) == moods.PER_DOCUMENT


def test_initiatives_that_are_alike_are_counted_or_told_to_be_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of twenty documents with the same plan one is quoted, and nineteen are like it."""
    plan = "Our company will replace the boilers of the dye house by 2030 and save 400 MWh a year."
    for at in range(20):
        store.put(f"{at}.pdf", [passage(0, plan, ["E1"], action="planned")], organisation="Velm Power")
    for pool, more in ((initiatives.POOL, False), (10, True)):
        monkeypatch.setattr(initiatives, "POOL", pool)
        [group] = store.make().digest.initiatives.groups
        [quote] = group.quotes
        assert (group.planned, quote.also, quote.also_at_least) == (20, min(pool, 20) - 1, more)


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


def test_groups_beyond_those_listed_are_counted(store: Store) -> None:
    """The largest are listed, three quotes each."""
    many = initiatives.MAX_GROUPS + 2
    for at in range(many):
        results = [plain(at * 10 + nth, action="planned") for nth in range(5 if at == 7 else 1)]
        store.put(f"{at}.pdf", results, organisation=f"Organisation {at:02}")
    told = store.make().digest.initiatives
    assert (len(told.groups), told.groups_left) == (initiatives.MAX_GROUPS, 2)
    assert (told.groups[0].organisation, told.groups[0].planned) == ("Organisation 07", 5)
    assert len(told.groups[0].quotes) == initiatives.MAX_QUOTES


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
    assert (change.against, change.windows, change.among, change.documents) == ("trailing", 2, 5, 24)


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
