"""A stored digest: what is erased while it is made is not in it, and what differs later is explained."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.digests import made
from benchmarks.digests.made import MONDAY, record, store_problem
from shared.digests import issue as issuing
from shared.digests import store as redacting
from shared.digests import store as storing_digests
from shared.digests.issue import ASKED_BEFORE, issue, verify
from shared.digests.records import Filter
from shared.digests.store import erase, read, write_files
from shared.digests.ticks import TICKS
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.platform.clients import storage_client
from shared.platform.records import ErrorInfo
from shared.platform.settings import settings
from tests.integration.digest_window import WEEK, Store, stored_digest, stores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.firestore import Client

    from shared.digests.issue import Difference
    from shared.digests.records import Digest
    from shared.digests.store import StoredDigest
    from shared.platform.records import State
    from tests.integration.pubsub_server import LocalServer

ERROR = ErrorInfo(code="broken", message="It is broken.", hint="Mend it.")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with stores(tmp_path_factory) as running:
        yield running


@pytest.fixture
def store(server: LocalServer) -> Iterator[Store]:
    settings.cache_clear()
    yield Store(server)
    settings.cache_clear()


@pytest.fixture
def ids(store: Store) -> list[str]:
    """Three documents of the week."""
    return [store.put(f"{at}.pdf", made.passages(at, 20, 2026)) for at in range(3)]


def files() -> str:
    """What the three files of the digest say."""
    bucket = storage_client().bucket(settings().results_bucket)
    found = [bucket.blob(f"digests/weekly/test.{form}").download_as_text() for form in ("html", "json", "md")]
    return "".join(found)


def stored(store: Store) -> StoredDigest:
    found = read(store.client, "test")
    assert found is not None
    return found


def assert_forgotten(store: Store, document: str, name: str) -> None:
    """It is named nowhere, although the record says that there was one."""
    assert document not in stored(store).digest.model_dump_json()
    assert document not in stored(store).quoted
    assert (stored(store).redacted, stored(store).erased) == (True, [document])
    assert document not in files()
    assert name not in files()
    assert store.client.collection(DOCUMENTS).document(document).get().exists is False


def test_what_is_erased_while_a_digest_is_made(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure has looked for digests before there is one, and has not deleted the record yet."""
    before = store.make()
    assert ids[0] in before.digest.documents()
    monkeypatch.setattr(issuing, "make", lambda *_: before)
    redact = redacting.redact

    def then_issue(client: Client, document: str) -> int:
        count = redact(client, document)
        issue(client, store.request())
        return count

    monkeypatch.setattr(redacting, "redact", then_issue)
    erase(store.client, ids[0])
    assert_forgotten(store, ids[0], "0.pdf")


def test_who_was_slower_writes_nothing_erased_back(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two makers the second reads the first one's record, and writes it after an erasure."""
    issue(store.client, store.request())
    reads = []

    def reading(client: Client, identifier: str) -> StoredDigest | None:
        reads.append(identifier)
        if len(reads) == 1:
            return None
        found = read(client, identifier)
        if len(reads) == 2:
            erase(client, ids[0])
        return found

    monkeypatch.setattr(issuing, "read", reading)
    monkeypatch.setattr(storing_digests, "read", reading)
    assert ids[0] not in issue(store.client, store.request()).digest.documents()
    assert_forgotten(store, ids[0], "0.pdf")


def test_what_is_written_while_a_document_is_taken_out(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another erasure wrote the files from the record as it was before this one, and looks again after."""
    issue(store.client, store.request())
    written: list[str] = []

    def writing(stored: StoredDigest) -> None:
        if not written:
            written.append("first")
            erase(store.client, ids[0])
        write_files(stored)

    monkeypatch.setattr(storing_digests, "write_files", writing)
    erase(store.client, ids[1])
    assert stored(store).erased == sorted(ids[:2])
    assert not [document for document in ids[:2] if document in files()]


@pytest.mark.usefixtures("ids")
def test_a_model_is_asked_once_for_a_slot(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt that asked died; the next one says why there is no narrative."""
    for name, value in {"url": "https://model.example/v1", "model": "small", "max_usd": "1"}.items():
        monkeypatch.setenv(f"HEADRACE_NARRATIVE_{name.upper()}", value)
    for price in ("IN", "OUT"):
        monkeypatch.setenv(f"HEADRACE_NARRATIVE_USD_PER_MILLION_{price}", "1")
    settings.cache_clear()
    store.client.collection(TICKS).document("test").set({"state": "claimed"})
    asked: list[Digest] = []

    def dying(digest: Digest) -> tuple[None, None]:
        asked.append(digest)
        raise RuntimeError("killed")

    monkeypatch.setattr(issuing, "narrate", dying)
    with pytest.raises(RuntimeError):
        issue(store.client, store.request())
    assert ASKED_BEFORE in issue(store.client, store.request()).digest.notes
    assert len(asked) == 1


def differing(found: list[Difference]) -> dict[str, tuple[str, str]]:
    return {one.what: (one.stored, one.found) for one in found if not one.what.startswith("document ")}


def explained(found: list[Difference]) -> list[tuple[str, str]]:
    reasons = (one for one in found if one.what.startswith("document "))
    return [(one.found, one.what.removeprefix("document ").partition(",")[0]) for one in reasons]


@pytest.mark.parametrize("end", ["completed", "failed"])
def test_a_replay_explains_a_failure_that_is_gone(store: Store, ids: list[str], end: State) -> None:
    """Whether it succeeds or fails once more, a week later."""
    bad, later = record("bad.pdf", MONDAY, state="failed"), MONDAY + WEEK + timedelta(hours=3)
    store_problem(store.client, bad, "failed", ERROR, MONDAY + timedelta(hours=30))
    digest = stored_digest(store.make(earlier=1))
    assert verify(store.client, digest) == []
    again = record("bad.pdf", later, state=end, run=2) | {"received_at": bad["received_at"]}
    if end == "failed":
        store_problem(store.client, again, "failed", ERROR, later)
    else:
        results = made.passages(7, 9, 2026)
        made.store(store.client, again, made.aggregate(results), results)
    found = verify(store.client, digest)
    assert differing(found)["overview.failed"] == ("1", "0")
    assert explained(found) == [("read again since", bad["id"])]
    assert len(ids) == 3


@pytest.mark.parametrize("asked", [Filter(), Filter(organisation="Velm Power")])
def test_what_was_unfinished_makes_no_difference(store: Store, ids: list[str], asked: Filter) -> None:
    """It ends after the digest; whose it is, and so whether it counts as received, is known only then."""
    slow = record("slow.pdf", MONDAY + WEEK, state="analyzing")
    slow["timings"].pop("completed_at")
    store.client.collection(DOCUMENTS).document(slow["id"]).set(slow)
    digest = stored_digest(store.make(asked, earlier=1))
    assert (digest.digest.overview.oldest is not None) == (asked == Filter())
    results = made.passages(7, 9, 2026)
    ended = record("slow.pdf", MONDAY + WEEK + timedelta(hours=1), organisation="Velm Power")
    made.store(store.client, ended | {"received_at": slow["received_at"]}, made.aggregate(results), results)
    assert verify(store.client, digest) == []
    assert len(ids) == 3


def test_received_is_counted_again_where_nothing_came_later(store: Store, ids: list[str]) -> None:
    """No document can explain that it says one more."""
    of = store.make()
    more = of.digest.overview.model_copy(update={"received": len(ids) + 1})
    wrong = stored_digest(of).model_copy(update={"digest": of.digest.model_copy(update={"overview": more})})
    assert differing(verify(store.client, wrong)) == {"overview.received": ("4", "3")}


def test_an_erasure_explains_numbers(store: Store, ids: list[str]) -> None:
    """Its sentences are out of the digest, its counts are not."""
    issue(store.client, store.request())
    erase(store.client, ids[0])
    found = verify(store.client, stored(store))
    assert differing(found)["overview.completed"] == ("3", "2")
    assert explained(found) == [("erased since", ids[0])]


def test_new_content_explains_that_a_document_left_the_window(store: Store) -> None:
    """Also one that the digest does not name: of another it is a copy."""
    first = store.put("a.pdf", made.passages(1, 20, 2026))
    copy = store.put("b.pdf", made.passages(1, 20, 2026), duplicate_of=first)
    digest = stored_digest(store.make())
    assert copy not in digest.quoted
    runs = store.client.collection(DOCUMENTS).document(copy).collection("runs")
    runs.document("1").set({"state": "completed", "ended_at": MONDAY + timedelta(hours=9)})
    results = made.passages(7, 9, 2026)
    newer: dict[str, Any] = record("b.pdf", MONDAY + WEEK + timedelta(days=2), run=2) | {"generation": "2"}
    made.store(store.client, newer, made.aggregate(results), results)
    found = verify(store.client, digest)
    assert differing(found)["overview.completed"] == ("2", "1")
    assert differing(found)["overview.copies"] == ("1", "0")
    assert explained(found) == [("read again since", copy)]


def test_what_was_read_anew_and_says_the_same_is_right(store: Store, ids: list[str]) -> None:
    """No number differs, so there is nothing to explain."""
    digest = stored_digest(store.make())
    late = digest.made_at + timedelta(days=1)
    store.client.collection(DOCUMENTS).document(ids[0]).update({"timings.completed_at": late})
    assert verify(store.client, digest) == []
