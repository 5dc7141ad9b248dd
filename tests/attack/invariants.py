"""What must hold of a stack after any attack: `look` takes a snapshot of it, `judge` lists what is wrong."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.platform.records import TERMINAL
from shared.platform.retry import is_transient

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from google.cloud import firestore

    from tests.e2e.running import RunningStack

EXPLAINED = {"not_a_push", "not_a_notification", "not_a_batch", "batch_not_planned"}
"""Reasons of dead letters of messages that were never ours; one of no function or subscription is forged."""
GONE = {"deleted"}
"""How a document of an object that is not there may have ended."""
READS, READ_SECONDS = 10, 30.0
MIN_TEXT, MAX_TEXT = 30, 80
"""Characters of a passage that are looked for in the logs: shorter ones may stand there by chance."""


@dataclass
class Held:
    """A document as it is stored."""

    record: dict[str, Any]
    passages: list[dict[str, Any]] = field(default_factory=list)
    batches: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""
    """The redacted text that its passages are slices of."""


@dataclass
class Snapshot:
    """Everything that `judge` looks at."""

    objects: dict[str, tuple[str, str]]
    """Generation and SHA-256 of each object in the uploads bucket, by name."""
    documents: dict[str, Held]
    """By the object's name."""
    letters: list[dict[str, Any]]
    logs: dict[str, str]
    doctor: list[dict[str, Any]]
    """Findings of `headrace doctor --json`."""


def judge(snapshot: Snapshot, secrets: Collection[str] = ()) -> list[str]:
    """Say what is wrong, one line each; `secrets` may stand in no log."""
    wrong = [line for name in snapshot.objects for line in _document(snapshot, name)]
    silent = bool(wrong) and not any(one["status"] in {"wrong", "warning"} for one in snapshot.doctor)
    for name in snapshot.documents.keys() - snapshot.objects.keys():
        error = snapshot.documents[name].record["error"] or {}
        if error.get("code") not in GONE:
            wrong.append(f"{name!r:.60} has a document and no object")
    wrong += [
        f"a dead letter of {letter['function']}: {letter['reason']['code']}"
        for letter in snapshot.letters
        if letter["reason"]["code"] not in EXPLAINED and (letter["function"] or letter["subscription"])
    ]
    texts = {text for held in snapshot.documents.values() for text in _samples(held)}
    for log, content in snapshot.logs.items():
        if any(secret in content for secret in secrets):
            wrong.append(f"{log} holds a secret or personal data")
        if any(text in content for text in texts):
            wrong.append(f"{log} holds the text of a passage")
    if silent:
        wrong.append("the doctor says that all is well")
    complaints = [f"{one['check']}: {one['detail']}" for one in snapshot.doctor if one["status"] == "wrong"]
    return wrong or [f"the doctor finds wrong what is not: {one:.200}" for one in complaints]


def _document(snapshot: Snapshot, name: str) -> Iterator[str]:
    """Whether an object's document ended with the right content, exactly once."""
    generation, sha256 = snapshot.objects[name]
    held = snapshot.documents.get(name)
    if held is None:
        yield f"{name!r:.60} has no document"
        return
    record, shown = held.record, f"{name!r:.60}"
    if record["generation"] != generation:
        yield f"{shown} is at another generation than its object"
    elif record["state"] not in TERMINAL:
        yield f"{shown} stands still as {record['state']}"
    elif record["state"] == "rejected":
        error = record["error"]
        if not (error["code"] and error["message"] and error["hint"]) or error["code"] in GONE:
            yield f"{shown} was rejected as {error['code']!r} without a reason"
        if held.passages:
            yield f"{shown} was rejected and has {len(held.passages)} passages"
    elif record["state"] != "completed":
        yield f"{shown} ended as {record['state']} ({(record['error'] or {}).get('code')})"
    else:
        yield from (f"{shown}: {line}" for line in _result(held, sha256))
    if record["results_pending"] or record.get("purge_pending"):
        yield f"{shown} is not announced, or not purged"


def _result(held: Held, sha256: str) -> Iterator[str]:
    record, passages, batches = held.record, held.passages, held.batches
    run = record["run"]
    if record["sha256"] != sha256:
        yield "the result is of another content"
    if record["published_run"] != run:
        yield f"run {record['published_run']} is published, not {run}"
    if {one["run"] for one in (*passages, *batches)} - {run}:
        yield "something is left of another run"
    if sorted(one["index"] for one in passages) != list(range(record["passages"])):
        yield f"passages are not numbered 0 to {record['passages'] - 1}, each once"
    if {one["batch"] for one in batches} != set(range(record["batches"]["total"])) or not all(
        one["done"] for one in batches
    ):
        yield "batch records are not those of the plan"
    if any(held.text[slice(*one["span"])] != one["text"] for one in passages):
        yield "a passage is not what the text has in its place"
    sentiment = Counter(one["sentiment"]["label"] for one in passages if one["sentiment"])
    prose = [one for one in passages if one.get("kind", "text") == "text"]
    topics = Counter(topic for one in prose for topic in one["topic_names"])
    initiatives = sum(one["initiative"] for one in passages)
    if +Counter(record["sentiment"]) != sentiment or +Counter(record["topics"]) != topics:
        yield "the counts are not those of its passages"
    if record["initiatives"] != initiatives:
        yield f"{record['initiatives']} initiatives are counted, and {initiatives} stored"


def _samples(held: Held) -> Iterator[str]:
    for passage in held.passages[:20]:
        text = json.dumps(passage["text"], ensure_ascii=False)[1:-1][:MAX_TEXT]
        if len(text) >= MIN_TEXT:
            yield text


def look(stack: RunningStack) -> Snapshot:
    """Take a snapshot of a stack that this process's clients point at."""
    from shared.platform.clients import firestore_client, storage_client
    from shared.platform.settings import settings

    work = storage_client().bucket(settings().work_bucket)
    objects = {
        blob.name: (
            str(blob.generation),
            hashlib.sha256(blob.download_as_bytes(raw_download=True)).hexdigest(),
        )
        for blob in storage_client().list_blobs(settings().uploads_bucket)
    }
    documents = {}
    for record in read(firestore_client().collection("documents")):
        reference = firestore_client().collection("documents").document(record["id"])
        held = Held(record, read(reference.collection("passages")), read(reference.collection("batches")))
        if held.passages:
            held.text = work.blob(f"{held.record['batches']['artefact']}text.txt").download_as_text()
        documents[held.record["name"]] = held
    letters = read(firestore_client().collection("dead_letters"))
    logs = {path.name: path.read_text(errors="replace") for path in _logs(stack.data)}
    doctor = json.loads(stack.command("doctor", "--json").stdout)
    return Snapshot(objects, documents, letters, logs, doctor)


def read(collection: firestore.CollectionReference) -> list[dict[str, Any]]:
    """Every record of a collection, tried again while Firestore is killed or busy."""
    for _ in range(READS):
        try:
            return [one.to_dict() or {} for one in collection.stream(timeout=READ_SECONDS)]
        except Exception as error:
            if not is_transient(error):
                raise
            time.sleep(1)
    raise AssertionError("Firestore does not answer")


def _logs(data: Path) -> Iterator[Path]:
    yield from data.glob("logs/*.log")
    yield from data.glob("run/logs/*")
