"""Files of which nobody was notified: found in the bucket, notified again, and nothing else with them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from cli.doctor import UPLOADS_SHOWN, Target, check_uploads
from cli.main import headrace
from local.provision import subscriber
from shared.digests.store import erase
from shared.documents.store import TOMBSTONE_KEPT, Documents, document_id, now
from shared.documents.uploads import is_file
from shared.intake import reconciliation
from shared.intake.reconciliation import COLLECTION, EVERY, GRACE, LOOK_BACK, reconcile
from shared.platform import clients
from shared.platform.clients import firestore_client, storage_client
from shared.platform.pubsub import Push, upload_event
from shared.platform.records import UploadEvent
from shared.platform.settings import UPLOADS, settings
from tests.integration.documents_servers import PROJECT, serving_files
from tests.integration.sweeps import tick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.pubsub_v1 import SubscriberClient

pytestmark = pytest.mark.filterwarnings("ignore:The return_immediately flag is deprecated")

BUCKET = f"{PROJECT}-uploads"
SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/all"


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, storage, and a Pub/Sub whose uploads can be pulled; storage itself notifies nobody."""
    with serving_files(tmp_path_factory.mktemp("reconciliation")), pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_RETENTION", '{"brief/": 3}')
        settings.cache_clear()  # the next one is of other servers, and forgets all
        topic = f"projects/{PROJECT}/topics/{UPLOADS}"
        clients.publisher().create_topic(name=topic)
        pubsub().create_subscription(name=SUBSCRIPTION, topic=topic)
        yield


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    """Nothing in the bucket, of no pass, and no message from the test before."""
    yield
    for blob in storage_client().list_blobs(BUCKET):
        blob.delete()
    firestore_client().collection(COLLECTION).document(BUCKET).delete()
    notified()


def pubsub() -> SubscriberClient:
    """Connect to the Pub/Sub that this module's servers include."""
    return subscriber(os.environ["PUBSUB_EMULATOR_HOST"])


def put(name: str, content: bytes = b"We cut emissions.", **metadata: str) -> int:
    """Upload a file; its generation."""
    blob = storage_client().bucket(BUCKET).blob(name)
    blob.metadata = metadata
    blob.upload_from_string(content, content_type="text/plain")
    return int(blob.generation)


def claimed(name: str, generation: int) -> str:
    """The document of a file whose notification came; its id."""
    event = UploadEvent(bucket=BUCKET, name=name, generation=generation, event_type="OBJECT_FINALIZE", size=1)
    Documents(firestore_client()).claim(event, published=now(), lease_seconds=60)
    return document_id(BUCKET, name)


def notified() -> list[UploadEvent]:
    """What was published since the last call, as ingest reads it."""
    found = []
    client = pubsub()
    while pulled := client.pull(
        subscription=SUBSCRIPTION, max_messages=1000, return_immediately=True
    ).received_messages:
        client.acknowledge(subscription=SUBSCRIPTION, ack_ids=[one.ack_id for one in pulled])
        for one in pulled:
            push = Push(
                message_id=one.message.message_id,
                published=datetime.now(UTC),
                data=one.message.data,
                attributes=dict(one.message.attributes),
                subscription="all",
                delivery_attempt=None,
            )
            found.append(upload_event(push))
    return sorted(found, key=lambda event: event.name)


def names() -> list[str]:
    return [event.name for event in notified()]


def test_a_file_without_a_document_is_notified_as_storage_would() -> None:
    """With all that storage says of it, so that it goes the usual way; one with a document is not."""
    generation = put("lost.txt", text="yes")
    claimed("there.txt", put("there.txt"))
    tick(reconcile="now")
    [event] = notified()
    assert event == UploadEvent(
        bucket=BUCKET,
        name="lost.txt",
        generation=generation,
        event_type="OBJECT_FINALIZE",
        content_type="text/plain",
        size=len(b"We cut emissions."),
        metadata={"text": "yes"},
    )
    claimed("lost.txt", generation)
    tick(reconcile="now")
    assert notified() == []


def test_a_newer_generation_than_the_documents_is_notified() -> None:
    """The file was overwritten, and nobody was notified of that."""
    claimed("overwritten.txt", put("overwritten.txt"))
    newer = put("overwritten.txt", b"Something else.")
    tick(reconcile="now")
    assert [event.generation for event in notified()] == [newer]


@pytest.mark.parametrize("by", ["erase", "retention"])
def test_what_was_erased_does_not_come_back(by: str) -> None:
    """Its file stays in the bucket, young enough to be looked at; a newer one is notified."""
    document = claimed("erased.txt", put("erased.txt"))
    if by == "erase":
        erase(firestore_client(), document)
    else:
        ended = {"state": "completed", "lease": None, "expires_at": now() - timedelta(days=1)}
        Documents(firestore_client()).reference(document).update(ended)
        tick()
    assert not Documents(firestore_client()).reference(document).get().exists
    tick(reconcile="now")
    assert notified() == []
    newer = put("erased.txt")
    tick(reconcile="now")
    assert [event.generation for event in notified()] == [newer]


def test_tombstones_outlive_the_search() -> None:
    """Whatever was erased of a file that is still looked at has its tombstone."""
    assert LOOK_BACK + timedelta(days=1) <= TOMBSTONE_KEPT


def test_older_files_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether they were erased long ago cannot be told."""
    put("old.txt")
    monkeypatch.setattr(reconciliation, "LOOK_BACK", timedelta(0))
    tick(reconcile="now")
    assert notified() == []


def test_files_that_are_no_documents_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would have expired by now."""
    put("brief/note.txt")
    put("z.txt")
    tick(reconcile="now")
    assert names() == ["brief/note.txt", "z.txt"]
    in_four_days = now() + timedelta(days=4)
    monkeypatch.setattr(reconciliation, "now", lambda: in_four_days)
    tick(reconcile="now")
    assert names() == ["z.txt"]


@pytest.mark.parametrize(
    ("name", "size", "is_one"), [("a.txt", 0, True), ("a/b", 1, True), ("a/", 1, True), ("a/", 0, False)]
)
def test_a_folders_placeholder_is_no_file(name: str, size: int, *, is_one: bool) -> None:
    """The local Cloud Storage lists none, so of the object alone."""
    blob = storage_client().bucket(BUCKET).blob(name)
    blob._properties["size"] = str(size)  # as a listing sets it
    assert is_file(blob) == is_one


def test_a_notification_has_time_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass of its own accord leaves young files alone; a later one finds them."""
    put("young.txt")
    tick()
    assert notified() == []
    later = now() + max(GRACE, EVERY) + timedelta(seconds=1)
    monkeypatch.setattr(reconciliation, "now", lambda: later)
    tick()
    assert names() == ["young.txt"]


def test_a_tick_looks_at_a_part_and_the_next_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is found once in a pass; then none begins until its time."""
    monkeypatch.setattr(reconciliation, "PAGE", 3)
    monkeypatch.setattr(reconciliation, "PAGES", 2)
    every = [f"part-{number}.txt" for number in range(10)]
    for name in every:
        put(name)
    found = []
    for round_ in range(3):
        found.append(reconcile(firestore_client(), at_once=not round_))
        for event in notified():
            claimed(event.name, event.generation)
    assert found == [6, 4, 0]
    put("part-99.txt")
    assert reconcile(firestore_client(), at_once=False) == 0
    after = now() + EVERY + GRACE
    monkeypatch.setattr(reconciliation, "now", lambda: after)
    assert [reconcile(firestore_client(), at_once=False) for _ in range(3)] == [0, 1, 0]
    assert names() == ["part-99.txt"]


def test_a_pass_that_was_broken_off_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before it has published its part of the bucket: the next tick publishes that part."""
    monkeypatch.setattr(reconciliation, "PAGE", 2)
    monkeypatch.setattr(reconciliation, "PAGES", 1)
    every = [f"broken-{number}.txt" for number in range(4)]
    for name in every:
        put(name)

    def killed(_: list[UploadEvent]) -> None:
        raise KeyboardInterrupt

    tick(reconcile="now")
    with monkeypatch.context() as patch:
        patch.setattr(reconciliation, "notify_all", killed)
        with pytest.raises(KeyboardInterrupt):
            tick()
    for _ in range(2):  # a part begins with the last file of the one before
        tick()
    assert sorted(set(names())) == every


def test_a_pass_between_passes_reads_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick costs nothing where a pass has just ended: the bucket is not listed."""
    tick(reconcile="now")
    monkeypatch.setattr(reconciliation, "lost", None)
    assert reconcile(firestore_client(), at_once=False) == 0


def test_a_bucket_that_may_not_be_listed_holds_up_nothing_else() -> None:
    """The round ends as it would have; it is not asked for again and again."""
    here = settings().model_copy(update={"uploads_bucket": "there-is-none"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconciliation, "settings", lambda: here)
        tick(reconcile="now")


def test_missing_files_are_notified_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a prefix, however young; what a terminal would obey in a name is not printed."""
    monkeypatch.setattr("cli.options.connect", lambda *_: None)
    put("in/lost\x1b[2J.txt")
    put("out/lost.txt")
    claimed("in/there.txt", put("in/there.txt"))
    command = ["import", f"gs://{BUCKET}/in/", "--missing"]
    done = CliRunner().invoke(headrace, command, catch_exceptions=False)
    identifier = document_id(BUCKET, "in/lost\x1b[2J.txt")
    assert done.output.startswith(identifier)
    assert "\x1b" not in done.output
    assert names() == ["in/lost\x1b[2J.txt"]
    done = CliRunner().invoke(headrace, [*command, "--json"], catch_exceptions=False)
    assert json.loads(done.output) == [identifier]
    [event] = notified()
    claimed(event.name, event.generation)
    done = CliRunner().invoke(headrace, command, catch_exceptions=False)
    assert (done.output, notified()) == (
        "Every file of the last 14 days has a document, or was erased.\n",
        [],
    )


@pytest.mark.parametrize(
    "arguments", [["20261130-1"], ["gs://b/", "--wait"], ["gs://b/", "--tasks", "2"]], ids=str
)
def test_missing_goes_with_an_address_alone(arguments: list[str]) -> None:
    """There is no job to be waited for, and none to be divided."""
    done = CliRunner().invoke(headrace, ["import", "--missing", *arguments])
    assert "--missing goes with an address" in done.output


def test_doctor_names_files_without_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once their notification should have come; a few of them, and the command."""
    target = Target(Path("none"), Path("none"), None, cloud=False)
    [finding] = check_uploads(target)
    assert (finding.status, finding.detail) == ("ok", "every uploaded file has a document")
    for number in range(UPLOADS_SHOWN + 1):
        put(f"lost-{number}.txt")
    [finding] = check_uploads(target)
    assert finding.status == "ok"
    monkeypatch.setattr("cli.doctor.GRACE", timedelta(0))
    [finding] = check_uploads(target)
    assert finding.status == "wrong"
    assert finding.detail.startswith(f"{UPLOADS_SHOWN + 1} uploaded files have had no document")
    assert finding.detail.endswith("lost-0.txt, lost-1.txt, lost-2.txt, lost-3.txt, lost-4.txt and others.")
    assert str(finding.fix).endswith(f"headrace import gs://{BUCKET}/ --missing")
    monkeypatch.setattr("cli.doctor.UPLOADS_PAGES", 1)
    monkeypatch.setattr(reconciliation, "PAGE", 2)
    [finding] = check_uploads(target)
    assert "2 uploaded files have had no document for 0 minutes or more among the first 2 files" in str(
        finding.detail
    )
