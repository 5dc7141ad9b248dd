"""A training must publish what is better, nothing else, and each thing once; `train_servers` has its rows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from long_job import examination
from long_job.main import DONE, FAILED, LEFT, main
from long_job.task import Task
from model_export import bucket, gate
from shared.documents.corrected import Correction, text_hash
from shared.documents.store import now
from shared.inference.engine import Engine
from shared.platform.clients import firestore_client, storage_client
from tests.integration.train_servers import DATA, MODEL, MODELS, Servers, ruled, serving, shuffled
from training import compare
from training import retrain as learn
from training.in_use import in_use
from training.rows import own_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not (MODEL / "manifest.json").exists() or not list(Path("build/weights").glob("*.whl")),
        reason="no model: run make model",
    ),
]
ROWS = 150


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with serving(tmp_path_factory.mktemp("train")) as running:
        yield running


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of our sentences; without the slowest gate and the measuring of speed.

    Of so few that are held out three make more than the loss allowed, and which of them lie at the edge
    differs from processor to processor.
    """
    ours = own_sentences()
    monkeypatch.setattr(learn, "own_sentences", lambda: ours[::3])
    monkeypatch.setattr(compare, "MAX_LOSS", 3 * compare.MAX_LOSS)
    monkeypatch.setattr(gate, "check_exact", lambda *_: {})
    monkeypatch.setattr("model_export.build.tokens_per_second", lambda *_: 1000.0)


@pytest.fixture(scope="module")
def better(servers: Servers) -> str:
    return servers.put("better.jsonl", ruled(ROWS))


def train(servers: Servers, uri: str, *more: str) -> tuple[int, dict[str, Any]]:
    """The exit status, and the record with the fields of its report."""
    known = {record["id"]: record["updated_at"] for record in servers.records()}
    status = main(["train", "--data", uri, *more])
    (changed,) = [r for r in servers.records() if r["updated_at"] != known.get(r["id"])]
    return status, changed | (changed["report"] or {})


def report(identifier: str) -> dict[str, Any]:
    content = storage_client().bucket(MODELS).blob(f"trainings/{identifier}/report.json").download_as_bytes()
    found: dict[str, Any] = json.loads(content)
    return found


def test_what_is_better_is_published(servers: Servers, better: str, tmp_path: Path) -> None:
    """By digest, with its heads, so that the next training begins there; doing it again does nothing."""
    status, record = train(servers, better)
    assert (status, record["state"], record["code"]) == (DONE, "published", "better")
    action, sentiment = record["heads"]["action"], record["heads"]["sentiment"]
    assert action["held_out"]["in_use"] < 0.5
    assert action["held_out"]["candidate"] > 0.9
    assert action["held_out"]["low"] > 0
    assert (sentiment["retrained"], sentiment["own"]["verdict"]) == (False, "no difference beyond chance")
    assert sentiment["own"]["in_use"] == sentiment["own"]["candidate"]
    assert record["rows"]["learnt"] + record["rows"]["held_out"] == ROWS
    told = report(record["id"])
    assert told["candidate"] == record["candidate"] != record["model"]
    # As a build takes it: nothing that deploys reads HEADRACE_MODEL_DIGEST.
    assert f"_MODEL_DIGEST={record['candidate']} " in told["next"]
    bucket.pull(MODELS, record["candidate"], tmp_path / "model")
    outputs = Engine(tmp_path / "model").run(
        ["It was cheddar that they liked.", "It was a tram that they liked."]
    )
    assert outputs.action.argmax(axis=1).tolist() == [0, 1]
    assert in_use(tmp_path / "model", record["candidate"], tmp_path).manifest.digest == record["candidate"]
    before = servers.models()
    status, again = train(servers, better)
    assert (status, again["attempts"], again["ended_at"]) == (DONE, 1, record["ended_at"])
    assert len(again["met_by"]) == 2
    assert servers.models() == before


def test_labels_without_a_rule_publish_nothing(servers: Servers) -> None:
    before = servers.models()
    status, record = train(servers, servers.put("shuffled.jsonl", shuffled(ROWS)))
    assert (status, record["state"], record["code"]) == (DONE, "kept", "nothing_learnt")
    assert servers.models() - before == {f"trainings/{record['id']}/report.json"}


def test_what_people_corrected_is_learnt_without_other_rows(servers: Servers) -> None:
    """And the report says of how many of these texts each model is right."""
    documents = firestore_client().collection("documents")
    for number, row in enumerate(ruled(ROWS), 1):
        one = Correction(
            id=f"{number:06}",
            number=number,
            kind="passage",
            text_hash=text_hash(row["text"]),
            run=1,
            index=number,
            text=row["text"],
            passage="text",
            language="en",
            fields={"action": row["action"]},
            by="Ada",
            made_at=now(),
        )
        documents.document("a" * 24).collection("corrections").document(one.id).set(one.model_dump())
    try:
        status = main(["train"])
        (record,) = [
            each["report"] for each in servers.records() if (each["report"] or {}).get("corrections")
        ]
    finally:
        firestore_client().recursive_delete(documents.document("a" * 24))
    assert (status, record["code"], record["data"]["uri"]) == (DONE, "better", "corrections")
    assert (record["rows"]["used"], record["rows"]["corrections"]) == (ROWS, ROWS)
    learnt = record["corrections"]["action"]
    assert (learnt["rows"], learnt["held_out"]) == (ROWS, record["rows"]["held_out"])
    assert learnt["in_use"] < ROWS / 2 < learnt["candidate"]
    assert learnt["held_out_in_use"] < learnt["held_out_candidate"]
    assert list(record["corrections"]) == ["action"]


def test_nothing_to_learn_from_is_said(servers: Servers) -> None:
    """Nobody has corrected anything, and no rows were named."""
    assert main(["train"]) == DONE
    assert "no_data" in {each["report"]["code"] for each in servers.records() if each["report"]}


@pytest.mark.slow
def test_a_failed_gate_publishes_nothing(
    servers: Servers, better: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise gate.GateFailed("int8 strays too far")

    monkeypatch.setattr(gate, "check_exact", fail)
    before = servers.models()
    status, record = train(servers, better, "--id", "gate")
    assert (status, record["state"], record["code"]) == (DONE, "kept", "gate_failed")
    assert "int8 strays too far" in record["reason"]
    assert not any(name.startswith("models/") for name in servers.models() - before)


@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [
        ([], "too_few_rows", "The rows say nothing of it"),
        (ruled(60), "too_few_rows", "60 and 30 are needed"),
        ([row | {"action": "none"} for row in ruled(ROWS)], "too_few_rows", "0 rows to learn implemented"),
        (b"\xff\xfe\n{\n", "too_few_rows", "too few"),
    ],
)
def test_too_few_rows_are_not_compared(
    servers: Servers,
    rows: list[dict[str, Any]] | bytes,
    code: str,
    words: str,
    request: pytest.FixtureRequest,
) -> None:
    uri = servers.put(f"few/{request.node.name}.jsonl", rows)
    status, record = train(servers, uri)
    assert (status, record["state"], record["code"], record["candidate"]) == (DONE, "rejected", code, None)
    assert words in record["reason"]
    assert report(record["id"])["reason"] == record["reason"]


@pytest.mark.parametrize("uri", [f"gs://{DATA}/nobody-put-this", "gs://nobody-made-this/labels"])
def test_no_data(servers: Servers, uri: str) -> None:
    status, record = train(servers, uri)
    assert (status, record["state"], record["code"]) == (DONE, "rejected", "no_data")


def test_damaged_rows_are_listed_without_their_texts(servers: Servers) -> None:
    """By file, line and reason; what is sound in the same files is counted."""
    lines = [
        b'{"text": "a secret", "action": "dance"}',
        b'{"text": "cut of',
        b"\xff",
        b'{"text": "fine", "topics": ["E9"]}',
    ]
    servers.put("damaged/one.jsonl", b"\n".join([*lines, json.dumps(ruled(1)[0]).encode()]))
    servers.put("damaged/two.csv", b'text,labels\n"another secret",E1\n"open secret,E1\n')
    _, record = train(servers, f"gs://{DATA}/damaged/")
    rows = record["rows"]
    assert (rows["read"], rows["used"]) == (7, 2)
    assert [(left["file"], left["line"], left["code"]) for left in rows["listed"]] == [
        ("damaged/one.jsonl", 1, "unknown_action"),
        ("damaged/one.jsonl", 2, "not_json"),
        ("damaged/one.jsonl", 3, "not_utf8"),
        ("damaged/one.jsonl", 4, "unknown_topic"),
        ("damaged/two.csv", 3, "damaged_from_here_on"),
    ]
    assert "secret" not in json.dumps(report(record["id"]))


def test_an_id_of_other_data_is_refused(servers: Servers, better: str) -> None:
    first = servers.put("other.jsonl", ruled(3))
    train(servers, first, "--id", "mine")
    assert main(["train", "--data", better, "--id", "mine"]) == FAILED
    assert servers.record("mine")["report"]["data"]["uri"] == first


def test_a_model_that_cannot_be_had(servers: Servers, better: str) -> None:
    """It fails, the record says what is missing, and nobody is left waiting for a lease."""
    status, record = train(servers, better, "--model", "0" * 64)
    assert (status, record["state"], record["error"]["code"], record["lease"]) == (
        FAILED,
        "failed",
        "not_set_up",
        None,
    )
    assert "python -m model_export push" in record["error"]["message"]


def test_only_the_first_task_works(servers: Servers, better: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_RUN_TASK_INDEX", "1")
    monkeypatch.setenv("CLOUD_RUN_TASK_COUNT", "2")
    assert main(["train", "--data", better, "--id", "second"]) == DONE
    assert servers.record("second") == {}


def test_asked_to_stop(servers: Servers, better: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that work is left, and gives its lease back."""
    monkeypatch.setattr(Task, "listen", lambda task: task.stop.set())
    assert main(["train", "--data", better, "--id", "stopped"]) == LEFT
    record = servers.record("stopped")
    assert (record["state"], record["lease"]) == ("running", None)


def test_a_report_that_was_stored_ends_the_training(
    servers: Servers, better: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between report and record: another execution waits for the lease's end, and trains nothing."""
    _, record = train(servers, better)
    monkeypatch.setattr(examination.Examination, "report", lambda *_, **__: pytest.fail("trained again"))
    reference = firestore_client().collection("jobs").document(record["id"])
    lease = {"token": 1, "holder": "killed/0", "expires_at": now() + timedelta(seconds=60)}
    reference.update({"state": "running", "lease": lease})
    assert train(servers, better)[1]["state"] == "running"
    reference.update({"lease.expires_at": now()})
    status, again = train(servers, better)
    assert (status, again["state"], again["candidate"]) == (DONE, "published", record["candidate"])


@pytest.mark.slow
def test_killed_and_started_twice(servers: Servers, tmp_path: Path) -> None:
    """Two executions at once: one works, one leaves it. It is killed: its next attempt does all of it."""
    uri = servers.put("killed.jsonl", ruled(ROWS))
    command = [sys.executable, "-m", "long_job", "train", "--data", uri, "--id", "killed"]
    environment = {**os.environ, "CLOUD_RUN_EXECUTION": "first"}
    log = tmp_path / "log"
    with log.open("wb") as lines:
        first = subprocess.Popen(command, env=environment, stderr=lines)
        try:
            until = time.monotonic() + 60
            while servers.record("killed").get("step") != "building":
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.05)
            assert main(command[3:]) == DONE
        finally:
            first.send_signal(signal.SIGKILL)
            first.wait()
    # The lease outlives its holder: until it is over, another execution cannot know that nobody is at it.
    assert main(command[3:]) == DONE
    record = servers.record("killed")
    assert (record["state"], record["attempts"]) == ("running", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUD_RUN_EXECUTION", "first")
        patch.setenv("CLOUD_RUN_TASK_ATTEMPT", "1")
        status, record = train(servers, uri, "--id", "killed")
    assert (status, record["state"], record["attempts"]) == (DONE, "published", 2)
    assert set(record["met_by"]) > {"first"}
    assert "cheddar" not in log.read_text()
