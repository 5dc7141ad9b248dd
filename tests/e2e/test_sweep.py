"""The sweep: whatever stands still is driven, ended or removed; whatever is in order is left alone."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.pubsub_v1 import PubsubMessage, PullRequest, PushConfig

from cli.options import MODEL
from local.provision import subscriber
from shared.documents import artefacts
from shared.documents.model import Batches, Facts, Plan, Seconds
from shared.documents.store import Documents, document_id
from shared.inference.manifest import read_manifest
from shared.platform.clients import firestore_client, publisher, storage_client
from shared.platform.records import Passage, UploadEvent
from shared.platform.settings import TICKS
from tests.documents import made
from tests.e2e.running import NO_TICKS, RunningStack, free_ports
from tests.e2e.test_failures import stored, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.documents.model import Document

pytestmark = [
    pytest.mark.usefixtures("clients"),
    pytest.mark.filterwarnings("ignore:The return_immediately flag is deprecated"),
]

PROJECT = "headrace-local"
QUIET = f"{PROJECT}-quiet"
"""A bucket that notifies nobody, so that an upload happens only as far as a test lets it."""
LONG_AGO = timedelta(hours=1)
DRIVES = 2
PER_TICK = 50
TEXT = "In 2025 we cut our emissions by 12%. We plan to use no coal by 2030."


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack whose sweep gives up after two drives, and keeps results under `brief/` for three days.

    Times are not waited for but written: what stands still for an hour does so whatever the machine's speed.
    """
    extra = {"HEADRACE_SWEEP_ATTEMPTS": str(DRIVES), "HEADRACE_RETENTION": '{"brief/": 3}'}
    running = RunningStack(tmp_path_factory.mktemp("sweep"), free_ports(), extra, patch=NO_TICKS)
    running.up()
    yield running
    running.end()


def tick(stack: RunningStack) -> dict[str, Any]:
    """Publish a heartbeat; what the sweep says that it did on it."""
    message = PubsubMessage(data=b"{}", attributes={"kind": "sweep"})
    topic = f"projects/{PROJECT}/topics/{TICKS}"
    [identifier] = publisher().publish(topic=topic, messages=[message]).message_ids
    log = stack.data / "logs" / "sweep.log"

    def handled() -> list[dict[str, Any]]:
        text = log.read_text() if log.exists() else ""  # there is no process before the first call
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        ours = [line for line in lines if line.get("message_id") == identifier]
        return ours if any(line["message"] == "event handled" for line in ours) else []

    lines = until(handled)
    [swept] = [line for line in lines if line["message"] == "swept"]
    return dict(swept)


def did(swept: dict[str, Any]) -> dict[str, int]:
    """The counts of a round."""
    return {kind: swept[kind] for kind in ("recovered", "announced", "purged", "expired") if kind in swept}


def put(document: str, **fields: Any) -> None:
    """Write fields of a document by hand."""
    reference = Documents(firestore_client()).reference(document)
    reference.update({name.replace("__", "."): value for name, value in fields.items()})


def past() -> datetime:
    return datetime.now(UTC) - LONG_AGO


def claimed(name: str) -> tuple[Document, UploadEvent]:
    """A file of which nobody was told, claimed by an ingest that died at once and long ago."""
    client = storage_client()
    if client.lookup_bucket(QUIET) is None:
        client.create_bucket(QUIET)
    blob = client.bucket(QUIET).blob(name)
    blob.upload_from_string(TEXT.encode(), content_type="text/plain")
    event = UploadEvent(
        bucket=QUIET,
        name=name,
        generation=int(blob.generation),
        event_type="OBJECT_FINALIZE",
        content_type="text/plain",
        size=len(TEXT),
    )
    claim = Documents(firestore_client()).claim(
        event, published=past(), lease_seconds=-LONG_AGO.total_seconds()
    )
    assert claim is not None
    return claim, event


def planned(name: str, passages: int) -> tuple[str, int]:
    """A document planned long ago, all of whose batch messages were lost; its id and number of batches."""
    claim, event = claimed(name)
    text = TEXT * passages
    cut = [
        Passage(index=at, span=(at * len(TEXT), (at + 1) * len(TEXT)), text=TEXT, tokens=24)
        for at in range(passages)
    ]
    written = artefacts.write(claim.id, claim.run, event.generation, text, cut)
    plan = Plan(
        facts=Facts(passages=passages, tokens=24 * passages),
        batches=Batches(
            total=len(written.ranges),
            passages=passages,
            model=read_manifest(MODEL).digest,
            artefact=written.artefact,
        ),
        content_key=f"of {event.name}",
        source=None,
        duplicate_of=None,
        seconds=Seconds(0.0, 0.0),
    )
    Documents(firestore_client()).plan(claim, plan)
    put(claim.id, updated_at=past())
    return claim.id, len(written.ranges)


@contextmanager
def unheard(stack: RunningStack, function: str) -> Iterator[None]:
    """Push nothing to a function meanwhile; what is published waits."""
    client = subscriber(stack.stack()["environment"]["PUBSUB_EMULATOR_HOST"])
    name = f"projects/{PROJECT}/subscriptions/{function}"
    pushed = client.get_subscription(subscription=name).push_config
    client.modify_push_config(subscription=name, push_config=PushConfig())
    try:
        yield
    finally:
        client.modify_push_config(subscription=name, push_config=pushed)


def completed(document: str, run: int = 1) -> dict[str, Any]:
    """The document's record, once that run has completed and is announced."""

    def ready() -> dict[str, Any] | None:
        now = stored(document)
        settled = (now.get("run"), now.get("state"), now.get("results_pending")) == (run, "completed", False)
        return now if settled else None

    return dict(until(ready))


def everything() -> dict[str, dict[str, Any]]:
    """All that Firestore holds of documents, dead letters and contents."""
    found: dict[str, dict[str, Any]] = {}
    for collection in ("documents", "dead_letters", "contents"):
        for snapshot in firestore_client().collection(collection).stream():
            found[snapshot.reference.path] = snapshot.to_dict() or {}
            for part in snapshot.reference.collections():
                found |= {one.reference.path: one.to_dict() or {} for one in part.stream()}
    return found


def test_a_document_whose_ingest_died_is_recovered_and_completes(stack: RunningStack) -> None:
    """Claimed, then nothing, and no message is left: its lease is over, so the sweep asks ingest again."""
    claim, _ = claimed("orphan.txt")
    swept = tick(stack)
    assert did(swept) == {"recovered": 1}
    assert swept["oldest_seconds"] == pytest.approx(LONG_AGO.total_seconds(), abs=60)
    done = completed(claim.id)
    assert (done["recovery"]["attempts"], done["error"]) == (1, None)
    assert sum(done["sentiment"].values()) == done["passages"]


def test_lost_batches_are_published_again(stack: RunningStack) -> None:
    """Planned, but no batch was ever delivered: the sweep publishes every batch that has no record."""
    document, batches = planned("lost.txt", 150)
    assert batches == 3
    assert did(tick(stack)) == {"recovered": 1}
    done = completed(document)
    assert sum(done["sentiment"].values()) == 150
    records = firestore_client().collection("documents").document(document).collection("batches").stream()
    assert [(one.to_dict() or {})["failures"] for one in records] == [0] * batches


def test_a_document_without_missing_batches_is_completed(stack: RunningStack) -> None:
    """The last batch was committed by an instance that died before it looked whether it was the last."""
    document, _ = planned("unnoticed.txt", 10)
    tick(stack)
    first = completed(document)
    put(document, state="analyzing", published_run=None, updated_at=past())
    assert did(tick(stack)) == {"recovered": 1}
    again = completed(document)
    changing = {"updated_at", "cost", "timings", "recovery"}
    assert {name: again[name] for name in again.keys() - changing} == {
        name: first[name] for name in first.keys() - changing
    }


def test_a_document_that_keeps_standing_still_fails_with_its_command(stack: RunningStack) -> None:
    """Driven as often as the setting says, then failed as `stuck`, announced, and completed by the replay."""
    claim, event = claimed("stuck.txt")
    with unheard(stack, "ingest"):
        for drive in range(1, DRIVES + 1):
            assert did(tick(stack)) == {"recovered": 1}
            assert (stored(claim.id)["state"], stored(claim.id)["recovery"]["attempts"]) == (
                "extracting",
                drive,
            )
            put(claim.id, lease__expires_at=past())
        tick(stack)
    [shown] = stack.json("show", claim.id, status=1)
    assert (shown["state"], shown["error"]["code"]) == ("failed", "stuck")
    assert f"headrace replay {claim.id}" in shown["error"]["hint"]
    failed = stored(claim.id)
    assert not failed["results_pending"]
    time.sleep(1)  # ingest hears of the drives now, too late
    assert stored(claim.id) == failed
    assert stack.command("replay", claim.id).returncode == 0
    assert completed(claim.id, run=2)["generation"] == str(event.generation)


def test_a_result_that_nobody_heard_of_is_announced(stack: RunningStack, tmp_path: Path) -> None:
    """The instance that completed the run died before it published: the sweep publishes, and says so once."""
    report = tmp_path / "unheard.txt"
    report.write_text(TEXT + " Nobody heard of it.")
    [shown] = stack.json("drop", str(report), "--wait")
    completed(shown["id"])
    heard(stack)
    put(shown["id"], results_pending=True, updated_at=past())
    assert did(tick(stack)) == {"announced": 1}
    assert not stored(shown["id"])["results_pending"]
    assert heard(stack) == [(shown["id"], 1, "completed")]


def heard(stack: RunningStack) -> list[tuple[str, int, str]]:
    """Document, run and state of the results that were announced since the last call."""
    client = subscriber(stack.stack()["environment"]["PUBSUB_EMULATOR_HOST"])
    results = f"projects/{PROJECT}/subscriptions/results"
    pulled: list[Any] = []
    ask = PullRequest(subscription=results, max_messages=100, return_immediately=True)
    while found := client.pull(ask, timeout=30, retry=None).received_messages:
        client.acknowledge(subscription=results, ack_ids=[one.ack_id for one in found])
        pulled += found
    messages = [json.loads(one.message.data) for one in pulled]
    return [(message["document"], message["run"], message["state"]) for message in messages]


def test_leftovers_of_an_older_run_are_purged(stack: RunningStack, tmp_path: Path) -> None:
    """Passages and batches of a run that was replaced go; those of the published run stay."""
    report = tmp_path / "replaced.txt"
    report.write_text(TEXT + " It was replaced.")
    [shown] = stack.json("drop", str(report), "--wait")
    stack.command("replay", shown["id"])
    completed(shown["id"], run=2)
    until(lambda: not stored(shown["id"])["purge_pending"])
    reference = Documents(firestore_client()).reference(shown["id"])
    kept = {part: names(reference, part) for part in ("passages", "batches")}
    reference.collection("passages").document("1-0").set({"run": 1, "index": 0})
    reference.collection("batches").document("1-0").set({"run": 1, "batch": 0, "done": True})
    put(shown["id"], purge_pending=True, updated_at=past())
    assert did(tick(stack)) == {"purged": 1}
    assert {part: names(reference, part) for part in ("passages", "batches")} == kept
    assert not stored(shown["id"])["purge_pending"]


def names(reference: Any, part: str) -> set[str]:
    return {one.id for one in reference.collection(part).stream()}


def test_an_expired_document_is_erased_wholly(stack: RunningStack) -> None:
    """Its time is counted from its upload, and a replay does not lengthen it; the file stays its owner's."""
    uploads = storage_client().bucket(f"{PROJECT}-uploads")
    for name in ("brief/note.txt", "kept.txt"):
        uploads.blob(name).upload_from_string(f"{TEXT} This is {name}.".encode())
    brief, kept = (document_id(uploads.name, name) for name in ("brief/note.txt", "kept.txt"))
    first = completed(brief)
    assert completed(kept)["expires_at"] is None
    assert first["expires_at"] - first["timings"]["uploaded_at"] == timedelta(days=3)
    stack.command("replay", brief)
    assert completed(brief, run=2)["expires_at"] == first["expires_at"]
    before = everything()
    put(brief, expires_at=past())
    assert did(tick(stack)) == {"expired": 1}
    gone = {
        path
        for path, fields in before.items()
        if brief in path or (path.startswith("contents/") and fields["document"] == brief)
    }
    assert len(gone) > 5
    assert everything() == {path: fields for path, fields in before.items() if path not in gone}
    work = storage_client().bucket(f"{PROJECT}-work")
    assert not list(work.list_blobs(prefix=f"runs/{brief}/"))
    assert list(work.list_blobs(prefix=f"runs/{kept}/"))
    assert uploads.blob("brief/note.txt").exists()


def test_a_second_tick_changes_nothing(stack: RunningStack) -> None:
    """What one round put in order, the next one leaves alone, whatever it finds half done."""
    claim, _ = claimed("twice.txt")
    document, _ = planned("both.txt", 10)
    assert did(tick(stack)) == {"recovered": 2}
    completed(claim.id)
    completed(document)
    before = everything()
    assert did(tick(stack)) == {}
    assert everything() == before


def test_a_drive_that_is_under_way_is_not_repeated(stack: RunningStack) -> None:
    """Heartbeats come at least once: two at once drive a document once, since it has just been moved."""
    with unheard(stack, "analyze"):
        document, _ = planned("once.txt", 10)
        assert did(tick(stack)) == {"recovered": 1}
        assert did(tick(stack)) == {}
        assert stored(document)["recovery"]["attempts"] == 1
    completed(document)


def test_a_round_is_bounded(stack: RunningStack) -> None:
    """However much has expired, one round takes fifty, and the next one takes the rest."""
    documents = firestore_client().collection("documents")
    batch = firestore_client().batch()
    for number in range(PER_TICK + 7):
        document = made(id=f"old-{number}", expires_at=past())
        batch.set(documents.document(document.id), document.model_dump())
    batch.commit()
    assert did(tick(stack)) == {"expired": PER_TICK}
    assert did(tick(stack)) == {"expired": 7}
    assert did(tick(stack)) == {}
