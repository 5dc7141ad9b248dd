"""What cannot be done is counted, kept with its reason, and completes when its cause is gone."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.test_again import LONG, PASSAGES, passages_of, settled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.running import RunningStack


def until(condition: Any, seconds: float = 80) -> Any:
    """What `condition` gives, once it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to pass; the logs below may say why"
        time.sleep(0.1)
    return found


def stored(document: str) -> dict[str, Any]:
    """The document's record, empty where there is none yet."""
    from shared.documents.store import Documents
    from shared.platform.clients import firestore_client

    return Documents(firestore_client()).reference(document).get().to_dict() or {}


@pytest.mark.usefixtures("clients")
def test_a_poisoned_batch_fails_the_document_and_a_replay_completes_it(
    stack: RunningStack, tmp_path: Path
) -> None:
    """Five real failures, a dead letter, a failed document; the replay computes only what is missing."""
    from shared.documents.store import Documents
    from shared.platform.clients import firestore_client, storage_client

    report = tmp_path / "poisoned.txt"
    report.write_text(LONG.replace("Site", "Works"))
    analyze = stack.pid("analyze")
    os.killpg(analyze, signal.SIGSTOP)
    try:
        [dropped] = stack.json("drop", str(report))
        until(lambda: stored(dropped["id"]).get("state") == "analyzing")
        blob = (
            storage_client()
            .bucket("headrace-local-work")
            .blob(f"{stored(dropped['id'])['batches']['artefact']}passages.jsonl")
        )
        lines = blob.download_as_bytes().splitlines(keepends=True)
        lines[70] = b"?" * (len(lines[70]) - 1) + b"\n"
        blob.upload_from_string(b"".join(lines))
    finally:
        os.killpg(analyze, signal.SIGCONT)

    until(lambda: stored(dropped["id"]).get("state") == "failed")
    [shown] = json.loads(stack.command("show", dropped["id"], "--json").stdout)
    assert shown["error"]["code"] == "batch_failed"
    assert f"headrace replay {dropped['id']}" in shown["error"]["hint"]
    letters = firestore_client().collection("dead_letters").stream()
    [letter] = [record for one in letters if (record := one.to_dict() or {})["document"] == dropped["id"]]
    assert letter["reason"] == shown["error"]
    assert letter["replay"] == f"headrace replay {dropped['id']}"
    batches = Documents(firestore_client()).reference(dropped["id"]).collection("batches")
    first = {
        record["batch"]: record for one in batches.stream() if (record := one.to_dict() or {})["run"] == 1
    }
    [poisoned] = [record for record in first.values() if not record["done"]]
    assert poisoned["failures"] == 5
    assert len(first) == stored(dropped["id"])["batches"]["total"] > 1

    assert stack.command("replay", dropped["id"]).returncode == 0
    again = settled(stack, dropped["id"], 2)
    assert again["error"] is None
    assert len(passages_of(dropped["id"])) == again["passages"] == PASSAGES
    second = {
        record["batch"]: record for one in batches.stream() if (record := one.to_dict() or {})["run"] == 2
    }
    computed = [number for number, record in second.items() if record["infer_seconds"] > 0]
    assert computed == [poisoned["batch"]]
    runs = Documents(firestore_client()).reference(dropped["id"]).collection("runs")
    states = {one.id: (one.to_dict() or {})["state"] for one in runs.stream()}
    assert states == {"1": "failed", "2": "completed"}


@pytest.mark.usefixtures("clients")
def test_a_malformed_message_is_dead_lettered_at_once() -> None:
    """A message that is no notification becomes a record with its reason, after one delivery."""
    from shared.platform.clients import firestore_client
    from shared.platform.pubsub import publish
    from shared.platform.settings import UPLOADS

    publish(UPLOADS, [(b"what is this", {"from": "a stranger"})])

    def found() -> dict[str, Any] | None:
        letters = [one.to_dict() or {} for one in firestore_client().collection("dead_letters").stream()]
        ours = [letter for letter in letters if letter["reason"]["code"] == "not_a_notification"]
        return ours[0] if ours else None

    letter = until(found)
    assert letter["function"] == "ingest"
    assert letter["document"] is None
    assert letter["data"]["size"] == len(b"what is this")
