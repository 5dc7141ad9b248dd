"""What an attempt at a digest leaves that died is found; what one that lives needs is left to it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.digests import made
from benchmarks.digests.made import MONDAY, record
from functions.sweep import main as sweeping
from shared.digests import issue as issuing
from shared.digests import store as drafts
from shared.digests.issue import issue
from shared.digests.redact import erase
from shared.digests.render import as_json
from shared.digests.store import read, write_files
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import now
from shared.platform.clients import storage_client
from shared.platform.settings import settings
from tests.integration.digest_window import Store
from tests.integration.firestore_server import firestore
from tests.integration.storage_server import storing
from tests.integration.sweeps import tick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.firestore import Client

    from shared.digests.compute import Made
    from shared.digests.records import Digest
    from shared.digests.store import StoredDigest
    from tests.integration.pubsub_server import LocalServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with firestore(tmp_path_factory.mktemp("firestore")) as running, storing(tmp_path_factory.mktemp("gcs")):
        for bucket in (settings().work_bucket, settings().results_bucket):
            storage_client().create_bucket(bucket)
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


def open_drafts(client: Client) -> int:
    return len(list(client.collection(drafts.DRAFTS).stream()))


def age_drafts(client: Client) -> None:
    for draft in client.collection(drafts.DRAFTS).stream():
        draft.reference.update({"begun_at": now() - drafts.ABANDONED - timedelta(minutes=1)})


def killed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt is ended while it asks the model: its files are there, and no record."""

    def die(_: Digest) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(issuing, "narrate", die)
        with pytest.raises(KeyboardInterrupt):
            issue(store.client, store.request())
    assert len(files()) == 3
    assert open_drafts(store.client) == 1


def assert_whole(stored: StoredDigest) -> None:
    """The files are there, and say what the record says."""
    assert len(files()) == 3
    assert files()["digests/weekly/test.json"].strip() == as_json(stored.digest).strip()


def test_nothing_is_left_of_an_attempt_that_ended(store: Store, ids: list[str]) -> None:
    """Its record tells of the files now."""
    assert_whole(issue(store.client, store.request()))
    assert open_drafts(store.client) == 0
    assert len(ids) == 3


def test_an_erasure_finds_what_an_attempt_left_that_was_killed(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No record names the document; and another document's erasure has no part in it."""
    killed(store, monkeypatch)
    other = store.put("other.pdf", made.passages(9, 20, 2026))
    erase(store.client, other)
    assert len(files()) == 3
    erase(store.client, ids[0])
    assert files() == {}


def test_a_sweep_removes_what_was_left_for_a_day(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was killed, and whether or not anything was erased; not before that."""
    killed(store, monkeypatch)
    monkeypatch.setattr(sweeping, "firestore_client", lambda: store.client)
    tick()
    assert len(files()) == 3
    age_drafts(store.client)
    tick()
    assert (files(), open_drafts(store.client)) == ({}, 0)
    assert len(ids) == 3


def test_an_erasure_takes_no_file_from_an_attempt_that_lives(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It removes them, and the attempt writes them again without the document."""

    def meanwhile(_: Digest) -> tuple[None, None]:
        erase(store.client, ids[0])
        assert files() == {}
        return None, None

    monkeypatch.setattr(issuing, "narrate", meanwhile)
    stored = issue(store.client, store.request())
    assert stored.erased == [ids[0]]
    assert_whole(stored)
    assert open_drafts(store.client) == 0


@pytest.mark.parametrize("by", ["erasure", "sweep"])
def test_files_that_another_attempt_may_need_stay(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """One was killed; the next has written its files, and does not name the document that is erased."""
    killed(store, monkeypatch)
    age_drafts(store.client)
    later = store.make().digest
    later = later.model_copy(update={"id": "test", "notes": ["the next one"]})
    monkeypatch.setattr(type(later), "documents", lambda _: [])
    drafts.begin(store.client, later)
    write_files(later)
    if by == "erasure":
        erase(store.client, ids[0])
    else:
        drafts.remove_abandoned(store.client)
    assert "the next one" in files()["digests/weekly/test.json"]
    assert open_drafts(store.client) == (2 if by == "erasure" else 1)


def test_a_sweep_mends_what_a_slower_attempt_wrote_over_a_record(store: Store, ids: list[str]) -> None:
    """It had a document in it that was erased by then, and died before it saw that there is a record."""
    slower = store.make().digest
    drafts.begin(store.client, slower)
    issue(store.client, store.request())
    erase(store.client, ids[0])
    write_files(slower)
    assert ids[0] in files()["digests/weekly/test.json"]
    age_drafts(store.client)
    assert drafts.remove_abandoned(store.client) == 1
    found = read(store.client, "test")
    assert found is not None
    assert_whole(found)
    assert ids[0] not in files()["digests/weekly/test.json"]
    assert open_drafts(store.client) == 0


def test_a_bucket_that_is_gone_holds_up_no_sweep(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name was another one when the attempt began."""
    killed(store, monkeypatch)
    age_drafts(store.client)
    for draft in store.client.collection(drafts.DRAFTS).stream():
        draft.reference.update({"html": "gs://no-such-bucket/digests/weekly/test.html"})
    assert drafts.remove_abandoned(store.client) == 1
    assert open_drafts(store.client) == 0
    assert len(ids) == 3


def again(store: Store, state: str, **more: Any) -> None:
    """The same file is uploaded, and got that far."""
    anew = record("0.pdf", MONDAY + timedelta(hours=9), state=state) | {"created_at": now()} | more
    store.client.collection(DOCUMENTS).document(anew["id"]).set(anew)


@pytest.mark.parametrize("state", ["extracting", "rejected", "completed"])
def test_what_is_erased_and_uploaded_again_meanwhile_is_taken_out(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch, state: str
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
