"""The doctor: what is broken is named, with what to do; what is well is left alone."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.pubsub_v1 import PubsubMessage, PushConfig

from cli import doctor
from cli.doctor import Target, check_deliveries, check_secrets, check_subscriptions, examine
from cli.options import MODEL
from local.provision import expected, make_job, subscriber
from shared.documents.delegation import job_path
from shared.documents.store import Documents
from shared.platform.clients import firestore_client, jobs, publisher, secrets, storage_client
from shared.platform.records import UploadEvent
from tests.e2e.running import NO_TICKS, RunningStack, free_ports
from tests.e2e.test_failures import stored, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.api.findings import Finding

pytestmark = pytest.mark.usefixtures("clients")

PROJECT = "headrace-local"
LONG_AGO = timedelta(hours=1)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack that the tests break, each one repairing what it broke; its own sweep leaves them time."""
    patient = {"HEADRACE_SWEEP_GRACE": "1e6", "HEADRACE_SWEEP_PATIENCE": "1e6"}
    running = RunningStack(tmp_path_factory.mktemp("doctor"), free_ports(), patient, patch=NO_TICKS)
    running.up()
    yield running
    running.end()


def complaints(stack: RunningStack, model: Path = MODEL) -> list[Finding]:
    """What the doctor finds that is not in order."""
    return [finding for finding in examine(stack.data, None, model) if finding.status != "ok"]


def subscriptions(stack: RunningStack) -> Any:
    return subscriber(stack.stack()["environment"]["PUBSUB_EMULATOR_HOST"])


def orphan(name: str) -> str:
    """A document that was claimed an hour ago, and of which nobody was told; its id."""
    event = UploadEvent(bucket="elsewhere", name=name, generation=1, event_type="OBJECT_FINALIZE", size=1)
    claim = Documents(firestore_client()).claim(
        event, published=datetime.now(UTC) - LONG_AGO, lease_seconds=-LONG_AGO.total_seconds()
    )
    assert claim is not None
    return claim.id


@contextmanager
def document(name: str, **fields: Any) -> Iterator[str]:
    """Such a document, some fields of it written by hand, for the time of a test."""
    identifier = orphan(name)
    reference = Documents(firestore_client()).reference(identifier)
    try:
        if fields:
            reference.update(fields)
        yield identifier
    finally:
        firestore_client().recursive_delete(reference)


def test_a_sound_stack_has_no_complaints(stack: RunningStack) -> None:
    """Every check says that all is well, nothing secret is printed, and the status is 0."""
    text = stack.command("doctor")
    assert text.returncode == 0, text.stdout
    assert text.stdout.strip().endswith("all is well")
    key = (stack.data / "api-key").read_text().strip()
    path = f"projects/{PROJECT}/secrets/api-key-hash/versions/1"
    assert key not in text.stdout
    assert secrets().access_secret_version(name=path).payload.data.decode() not in text.stdout
    found = stack.json("doctor")
    assert {finding["status"] for finding in found} == {"ok"}
    assert all(set(finding) == {"check", "status", "detail", "fix"} for finding in found)
    checks = [finding["check"] for finding in found]
    assert sorted(set(checks), key=checks.index) == [
        *("settings", "model", "processes", "deliveries", "disk"),
        *("secrets", "buckets", "topics", "subscriptions", "job"),
        *("failed", "dead letters", "standing still", "results", "model of results"),
        *("schedules", "digests", "notified", "keys", "uploads"),
    ]


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stack and no project: that is the only finding."""
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST")
    [finding] = examine(tmp_path, None, MODEL)
    assert (finding.check, finding.status, finding.fix) == (
        "stack",
        "wrong",
        f"headrace up --data {tmp_path}",
    )


def test_a_setting_that_does_not_parse_is_named(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else can be asked then."""
    monkeypatch.setenv("HEADRACE_MAX_PAGES", "many")
    [finding] = examine(stack.data, None, MODEL)
    assert (finding.check, finding.status) == ("settings", "wrong")
    assert "HEADRACE_MAX_PAGES" in finding.detail


def test_a_missing_subscription_is_named(stack: RunningStack) -> None:
    """With its topic; here a start of the stack makes it, in the cloud Terraform does."""
    client, wanted = subscriptions(stack), expected("analyze", PROJECT)
    client.delete_subscription(subscription=wanted.name)
    try:
        assert stack.command("doctor").returncode == 1
        [finding] = complaints(stack)
        cloud = Target(stack.data, MODEL, None, cloud=True)
        [in_cloud] = [one for one in check_subscriptions(cloud) if one.status != "ok"]
    finally:
        wanted.push_config = PushConfig(push_endpoint=f"http://127.0.0.1:{stack.port + 5}/")
        client.create_subscription(request=wanted)
    assert (finding.check, finding.status) == ("subscriptions", "wrong")
    assert finding.detail == "analyze: missing, so nothing of the topic batches is delivered."
    assert finding.fix == f"Stop the stack, then: headrace up --data {stack.data}"
    assert in_cloud.fix == "terraform -chdir=infra apply"
    assert not complaints(stack)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"ack_deadline_seconds": 10}, "ack_deadline_seconds is 10, not 600"),
        ({"dead_letter_policy": None}, "dead_letter_policy is unset, not"),
        ({"retry_policy": None}, "it has no retry policy, so what is refused comes again at once"),
        (
            {
                "retry_policy": {
                    "minimum_backoff": timedelta(seconds=9),
                    "maximum_backoff": timedelta(seconds=9),
                }
            },
            "its backoff differs",
        ),
        (
            {"message_retention_duration": timedelta(hours=1)},
            "message_retention_duration is 1:00:00, not 7 days",
        ),
        ({"push_config": {}}, "it is not pushed to ingest"),
        (
            {"push_config": {"push_endpoint": "http://127.0.0.1:9/"}},
            "it is pushed to http://127.0.0.1:9/, where ingest does not listen",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_subscription_that_is_set_otherwise_is_named(
    stack: RunningStack, fields: dict[str, Any], named: str
) -> None:
    """Each setting that the functions rely on is compared with what provisioning would make."""
    client = subscriptions(stack)
    name = expected("ingest", PROJECT).name
    before = client.get_subscription(subscription=name)
    mask = {"paths": list(fields)}
    changed = {"name": name, **{key: value for key, value in fields.items() if value is not None}}
    client.update_subscription(request={"subscription": changed, "update_mask": mask})
    try:
        [finding] = complaints(stack)
    finally:
        client.update_subscription(request={"subscription": before, "update_mask": mask})
    assert (finding.check, finding.status) == ("subscriptions", "wrong")
    assert finding.detail.startswith(f"ingest: {named}")


def test_a_filter_that_keeps_ticks_away_is_named(stack: RunningStack) -> None:
    """A filter cannot be changed, so the subscription is made anew with another."""
    client, wanted = subscriptions(stack), expected("sweep", PROJECT)
    before = client.get_subscription(subscription=wanted.name)
    client.delete_subscription(subscription=wanted.name)
    wrong = expected("sweep", PROJECT)
    wrong.filter = 'attributes.kind = "digest"'
    wrong.push_config = before.push_config
    client.create_subscription(request=wrong)
    try:
        [finding] = complaints(stack)
    finally:
        client.delete_subscription(subscription=wanted.name)
        wanted.push_config = before.push_config
        client.create_subscription(request=wanted)
    assert 'sweep: filter is attributes.kind = "digest", not attributes.kind = "sweep"' in finding.detail


def test_a_missing_topic_and_bucket_are_named(stack: RunningStack) -> None:
    """A topic that was deleted leaves its subscription behind, which is named too."""
    topic = f"projects/{PROJECT}/topics/results"
    publisher().delete_topic(topic=topic)
    storage_client().bucket(f"{PROJECT}-work").delete(force=True)
    try:
        found = complaints(stack)
    finally:
        storage_client().create_bucket(f"{PROJECT}-work")
        publisher().create_topic(name=topic)
        subscriptions(stack).delete_subscription(subscription=expected("results", PROJECT).name)
        subscriptions(stack).create_subscription(request=expected("results", PROJECT))
    assert [finding.check for finding in found] == ["buckets", "topics", "subscriptions"]
    assert f"{PROJECT}-work" in found[0].detail
    assert found[1].detail == "Missing: results."
    assert "topic is _deleted-topic_" in found[2].detail


def test_a_missing_job_is_named(stack: RunningStack) -> None:
    """And made by the next start of the stack."""
    jobs().delete_job(name=job_path())
    try:
        [finding] = complaints(stack)
    finally:
        make_job(PROJECT)
    assert (finding.check, finding.status) == ("job", "wrong")
    assert job_path() in finding.detail
    assert "headrace up" in str(finding.fix)
    assert complaints(stack) == []


def test_a_missing_or_useless_secret_is_named(stack: RunningStack) -> None:
    """The version that the settings pin, not whichever there is; its content is judged, not shown."""
    for name in ("redaction-key", "api-key-hash"):
        secrets().delete_secret(name=f"projects/{PROJECT}/secrets/{name}")
    made = {"parent": f"projects/{PROJECT}", "secret": {"replication": {"automatic": {}}}}
    secrets().create_secret(request=made | {"secret_id": "api-key-hash"})
    path = f"projects/{PROJECT}/secrets/api-key-hash"
    secrets().add_secret_version(request={"parent": path, "payload": {"data": b"hunter2"}})
    missing, useless = complaints(stack)
    secrets().disable_secret_version(name=f"{path}/versions/1")
    _, disabled = complaints(stack)
    *_, in_cloud = check_secrets(Target(stack.data, MODEL, None, cloud=True))
    secrets().create_secret(request=made | {"secret_id": "redaction-key"})
    key = f"projects/{PROJECT}/secrets/redaction-key"
    secrets().add_secret_version(request={"parent": key, "payload": {"data": b"k" * 32}})
    secrets().enable_secret_version(name=f"{path}/versions/1")
    secrets().delete_secret(name=path)
    secrets().create_secret(request=made | {"secret_id": "api-key-hash"})
    secrets().add_secret_version(request={"parent": path, "payload": {"data": b"0" * 64}})
    assert {finding.check for finding in (missing, useless, disabled)} == {"secrets"}
    assert missing.detail == "redaction-key has no version 1."
    assert "must hold the SHA-256 of each key" in useless.detail
    assert "hunter2" not in useless.detail
    assert disabled.detail == "Version 1 of api-key-hash is disabled or destroyed."
    assert str(in_cloud.fix).startswith(
        "Deploy with another version (docs/security.md), or if this one did not leak"
    )
    assert not complaints(stack)


def test_processes_that_hang_are_named(stack: RunningStack) -> None:
    """A function and a server that accept connections and say nothing; the report does not hang too."""
    stopped = {name: stack.pid(name) for name in ("api", "secretmanager")}
    for pid in stopped.values():
        os.killpg(pid, signal.SIGSTOP)
    os.utime(stack.data / "logs" / "api.log", (0, 0))
    try:
        process, service = complaints(stack)
    finally:
        for pid in stopped.values():
            os.killpg(pid, signal.SIGCONT)
    assert (process.check, process.status) == ("processes", "wrong")
    assert process.detail == f"api (process {stopped['api']}) does not answer within 5 s."
    assert str(process.fix).startswith(f"kill -9 {stopped['api']} ")
    assert (service.check, service.status) == ("Secret Manager", "wrong")
    assert service.detail == "A service does not answer as it should: DeadlineExceeded."


def test_a_delivery_that_is_open_for_long_is_named(
    stack: RunningStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its function, its message and its file; nothing of the message's data is shown."""
    monkeypatch.setattr(doctor, "DELIVERY_SECONDS", 0.5)
    attributes = {"bucketId": "elsewhere", "objectId": "hung.txt", "objectGeneration": "1"}
    message = PubsubMessage(data=b'{"size": 1}', attributes=attributes | {"eventType": "OBJECT_DELETE"})
    os.killpg(stack.pid("ingest"), signal.SIGSTOP)
    try:
        topic = f"projects/{PROJECT}/topics/uploads"
        [identifier] = publisher().publish(topic=topic, messages=[message]).message_ids
        target = Target(stack.data, MODEL, stack.stack(), cloud=False)

        def named() -> list[Finding]:
            return [finding for finding in check_deliveries(target) if finding.status == "warning"]

        until(lambda: bool(named()))
        [finding] = named()
    finally:
        os.killpg(stack.pid("ingest"), signal.SIGCONT)
    assert finding.detail.startswith(f"ingest has not answered message {identifier} (hung.txt) for ")
    assert f"kill -9 {stack.pid('ingest')} " in str(finding.fix)
    until(lambda: not named())


def test_a_model_that_was_altered_is_named(stack: RunningStack, tmp_path: Path) -> None:
    """One byte is enough, and so is a missing file."""
    altered = tmp_path / "model"
    shutil.copytree(MODEL, altered)
    with (altered / "model.onnx").open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    [finding] = complaints(stack, altered)
    assert (finding.check, finding.status, finding.fix) == ("model", "wrong", "make model")
    assert "was altered" in finding.detail
    (altered / "manifest.json").unlink()
    [finding] = complaints(stack, altered)
    assert "There is no model" in finding.detail


def test_results_of_another_model_are_counted(stack: RunningStack) -> None:
    """They are no fault, so the status stays 0."""
    with document("old.txt", state="completed", model="f" * 64, lease=None):
        [finding] = complaints(stack)
        assert stack.command("doctor").returncode == 0
    assert (finding.check, finding.status) == ("model of results", "warning")
    assert finding.detail == "1 of 1 results are of another model; search needs the same encoder."


def test_an_expired_lease_is_named(stack: RunningStack) -> None:
    """With the document, how long ago it was, and the command."""
    with document("orphan.txt") as identifier:
        [still] = complaints(stack)
    assert (still.check, still.status) == ("standing still", "wrong")
    assert still.detail.startswith(f"{identifier} (orphan.txt): its lease ended 36")
    assert f"headrace replay {identifier}" in str(still.fix)


def test_a_document_without_progress_is_named(stack: RunningStack) -> None:
    """As long as no batch of it moves; one that is just long is left alone."""
    past = datetime.now(UTC) - LONG_AGO
    with document("slow.txt", state="analyzing", lease=None, updated_at=past) as identifier:
        [still] = complaints(stack)
        record = {"run": 1, "batch": 0, "done": True, "updated_at": datetime.now(UTC)}
        Documents(firestore_client()).reference(identifier).collection("batches").document("1-0").set(record)
        assert not complaints(stack)
    assert still.detail.startswith(f"{identifier} (slow.txt): no batch of it has moved for 36")


def test_a_result_that_was_not_announced_is_named(stack: RunningStack) -> None:
    """After a minute, in which whoever completed it should have done so."""
    past = datetime.now(UTC) - LONG_AGO
    ended = {"state": "rejected", "lease": None, "results_pending": True}
    with document("unheard.txt", **ended, updated_at=past):
        [finding] = complaints(stack)
    assert (finding.check, finding.status) == ("results", "wrong")
    with document("fresh.txt", **ended, updated_at=datetime.now(UTC)):
        assert not complaints(stack)


def test_failures_and_dead_letters_are_counted(stack: RunningStack) -> None:
    """A message that is not ours, and a document that failed: warnings, with the reason and the command."""
    topic = f"projects/{PROJECT}/topics/uploads"
    publisher().publish(request={"topic": topic, "messages": [{"data": b"what is this"}]})
    letters = firestore_client().collection("dead_letters")
    [letter] = until(lambda: list(letters.stream()), 90)
    with document("failed.txt", state="failed", lease=None) as identifier:
        failed, dead = complaints(stack)
        assert stored(identifier)["state"] == "failed"
    letter.reference.delete()
    assert (failed.detail, failed.status) == ("1 document has failed; headrace show says why.", "warning")
    assert failed.fix == "When the cause is gone: headrace replay --all"
    assert dead.status == "warning"
    assert dead.detail == (
        "1 in the last day, 1 in all; the newest: The message is not a Cloud Storage notification."
    )
    assert dead.fix == letter.to_dict()["reason"]["hint"]
