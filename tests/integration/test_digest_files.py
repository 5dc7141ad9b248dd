"""Files of digests: written once, and again after a kill or an erasure, always as the record is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.digests import made
from benchmarks.digests.made import MONDAY, record
from functions.sweep import main as sweeping
from shared.digests import issue as issuing
from shared.digests import store as digests
from shared.digests.issue import issue
from shared.digests.render import as_json
from shared.digests.store import erase, read, write_files
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import now
from shared.platform.clients import storage_client
from shared.platform.settings import settings
from tests.integration.digest_window import Store, stores
from tests.integration.sweeps import tick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.firestore import Client

    from shared.digests.compute import Made
    from shared.digests.store import StoredDigest
    from shared.platform.records import State
    from tests.integration.pubsub_server import LocalServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with stores(tmp_path_factory) as running:
        yield running


@pytest.fixture
def store(server: LocalServer) -> Iterator[Store]:
    settings.cache_clear()
    yield Store(server)
    for blob in storage_client().list_blobs(settings().results_bucket):
        blob.delete()
    settings.cache_clear()


@pytest.fixture
def ids(store: Store) -> list[str]:
    """Three documents of the week."""
    return [store.put(f"{at}.pdf", made.passages(at, 20, 2026)) for at in range(3)]


def files() -> dict[str, str]:
    found = storage_client().list_blobs(settings().results_bucket, prefix="digests/")
    return {blob.name: blob.download_as_text() for blob in found}


def age(client: Client) -> None:
    """Let the digest's record be as old as one whose files nobody writes any more."""
    overdue = now() - digests.ABANDONED - timedelta(minutes=1)
    client.collection(digests.COLLECTION).document("test").update({"unwritten_since": overdue})


def killed(store: Store, monkeypatch: pytest.MonkeyPatch, after: int = 0) -> None:
    """An attempt is ended once it has written the files so many times: the record is there, marked."""
    written: list[StoredDigest] = []

    def die(stored: StoredDigest) -> None:
        if len(written) == after:
            raise KeyboardInterrupt
        write_files(stored)
        written.append(stored)

    with monkeypatch.context() as patch:
        patch.setattr(digests, "write_files", die)
        with pytest.raises(KeyboardInterrupt):
            issue(store.client, store.request())


def stored_now(store: Store) -> StoredDigest:
    found = read(store.client, "test")
    assert found is not None
    return found


def assert_whole(stored: StoredDigest) -> None:
    """The files are there, and say what the record says."""
    assert len(files()) == 3
    assert files()["digests/weekly/test.json"].strip() == as_json(stored.digest).strip()


def test_the_files_of_a_digest_are_written(store: Store, ids: list[str]) -> None:
    """And the record says so."""
    assert_whole(issue(store.client, store.request()))
    assert stored_now(store).unwritten_since is None
    assert len(ids) == 3


def test_the_next_attempt_writes_what_a_killed_one_did_not(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes no other digest."""
    killed(store, monkeypatch)
    assert files() == {}
    monkeypatch.setattr(issuing, "make", None)
    assert_whole(issue(store.client, store.request()))
    assert stored_now(store).unwritten_since is None
    assert len(ids) == 3


def test_a_sweep_writes_what_a_killed_attempt_did_not(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while the attempt may live."""
    killed(store, monkeypatch)
    monkeypatch.setattr(sweeping, "firestore_client", lambda: store.client)
    tick()
    assert files() == {}
    age(store.client)
    tick()
    assert_whole(stored_now(store))
    assert digests.unwritten(store.client) == []
    assert len(ids) == 3


def test_an_erasure_takes_a_document_out_of_a_digest_without_files(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its attempt was killed; another document's erasure has no part in it."""
    killed(store, monkeypatch)
    other = store.put("other.pdf", made.passages(9, 20, 2026))
    erase(store.client, other)
    assert files() == {}
    erase(store.client, ids[0])
    assert stored_now(store).erased == [ids[0]]
    assert_whole(stored_now(store))
    assert not [text for text in files().values() if ids[0] in text]


def test_a_sweep_writes_over_what_a_slower_attempt_wrote(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It read the record before an erasure, wrote after it, and was killed before it looked again."""
    killed(store, monkeypatch)
    slower = stored_now(store)
    erase(store.client, ids[0])
    write_files(slower)
    assert ids[0] in files()["digests/weekly/test.json"]
    age(store.client)
    monkeypatch.setattr(sweeping, "firestore_client", lambda: store.client)
    tick()
    assert_whole(stored_now(store))
    assert ids[0] not in files()["digests/weekly/test.json"]


def test_an_erasure_that_was_killed_before_the_files_is_found_again(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is without the document by then, and still names it to be found."""
    issue(store.client, store.request())

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(digests, "write_files", die)
        with pytest.raises(KeyboardInterrupt):
            erase(store.client, ids[0])
    assert ids[0] in files()["digests/weekly/test.json"]
    erase(store.client, ids[0])
    assert_whole(stored_now(store))
    assert ids[0] not in stored_now(store).quoted
    assert ids[0] not in files()["digests/weekly/test.json"]


def test_a_bucket_that_is_gone_stops_no_sweep(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name was another one when the digest was made."""
    killed(store, monkeypatch)
    age(store.client)
    missing = "gs://no-such-bucket/digests/weekly/test.html"
    store.client.collection(digests.COLLECTION).document("test").update({"html": missing})
    monkeypatch.setattr(sweeping, "firestore_client", lambda: store.client)
    tick()
    assert [found["id"] for found in digests.unwritten(store.client)] == ["test"]
    assert len(ids) == 3


def again(store: Store, state: State, **more: Any) -> None:
    """The same file is uploaded, and got that far."""
    anew = record("0.pdf", MONDAY + timedelta(hours=9), state=state) | {"created_at": now()} | more
    store.client.collection(DOCUMENTS).document(anew["id"]).set(anew)


@pytest.mark.parametrize("state", ["extracting", "rejected", "completed"])
def test_what_is_erased_and_uploaded_again_meanwhile_is_taken_out(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    """There is a record of its id again, but what the digest quotes was erased."""
    before = store.make()

    def meanwhile(*_: object) -> Made:
        erase(store.client, ids[0])
        again(store, state)
        return before

    monkeypatch.setattr(issuing, "make", meanwhile)
    stored = issue(store.client, store.request())
    assert (stored.redacted, stored.erased) == (True, [ids[0]])
    assert not [quote for quote in stored.digest.quotes() if quote.document == ids[0]]
    assert not [text for text in files().values() if "0.pdf" in text]
    assert_whole(stored)


def test_what_only_waits_is_no_reason_to_take_anything_out(store: Store, ids: list[str]) -> None:
    """It has nothing published, and no sentence in the digest."""
    slow = record("slow.pdf", MONDAY, state="analyzing")
    slow["timings"].pop("completed_at")
    store.client.collection(DOCUMENTS).document(slow["id"]).set(slow)
    stored = issue(store.client, store.request())
    assert slow["id"] in stored.quoted
    assert not stored.redacted
    assert len(ids) == 3
