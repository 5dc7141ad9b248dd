"""Processes are killed at random moments while files come and change: the end is as after a quiet run.

A seed draws the history, not the scheduling of the processes, so a rare failure may need a few attempts to
come again: make soak SEED=17 COUNT=1
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import GoogleAPICallError, RetryError

from tests.soak.expected import expected, outcome
from tests.soak.histories import Step, history

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.running import RunningStack

BUCKET = "headrace-local-uploads"
QUIET_SECONDS = 2.0
"""In which everything should come right by itself; then the sweep is called, every `TICK_SECONDS`."""
TICK_SECONDS = 2.0
PATIENCE = 90.0


def test_history(seed: int, harassed: RunningStack, tmp_path: Path) -> None:
    """Every document ends in the right state with the right content, once, with nothing older beside it."""
    from shared.documents.store import Documents, document_id
    from shared.platform.clients import firestore_client

    steps = history(seed)
    generations = play(steps, harassed)
    last = {step.target: step.content for step in steps if step.kind in {"drop", "recreate"}}
    documents = Documents(firestore_client())
    wanted = {name: expected(content, tmp_path) for name, content in last.items()}
    started, ticked = time.monotonic(), time.monotonic() - TICK_SECONDS + QUIET_SECONDS
    while True:
        wrong = {}
        for name in last:
            found = outcome(documents.reference(document_id(BUCKET, name)))
            sound = found.pop("sound", {})
            if (
                found.pop("generation", None) != str(generations[name][-1])
                or found != wanted[name]
                or not all(sound.values())
            ):
                wrong[name] = found.get("state"), sound, difference(found, wanted[name])
        if not wrong:
            break
        waited = time.monotonic() - started
        assert waited < PATIENCE, f"seed {seed}: {wrong}\n" + "\n".join(map(str, told(steps)))
        if time.monotonic() - ticked > TICK_SECONDS:
            ticked = time.monotonic()
            tick()
        time.sleep(0.2)
    letters = [one.to_dict() or {} for one in firestore_client().collection("dead_letters").stream()]
    ours = {document_id(BUCKET, name) for name in last}
    assert [letter for letter in letters if letter["document"] in ours] == []


def play(steps: list[Step], stack: RunningStack) -> dict[str, list[int]]:
    """Let it happen; the generations of each name."""
    generations: dict[str, list[int]] = {}
    started = time.monotonic()
    for step in steps:
        time.sleep(max(started + step.at - time.monotonic(), 0))
        if step.kind == "kill":
            stack.kill(step.target)
        elif step.kind == "announce":
            announce(step.target, generations[step.target], step.number)
        else:
            generations.setdefault(step.target, []).append(upload(step))
    return generations


def upload(step: Step) -> int:
    """The generation that the object then has."""
    from shared.platform.clients import storage_client

    blob = storage_client().bucket(BUCKET).blob(step.target)
    if step.kind == "recreate":
        blob.delete()
    blob.upload_from_string(step.content, content_type="text/plain")
    return int(blob.generation)


def announce(name: str, generations: list[int], back: int) -> None:
    """Publish the notification of a generation once more, as Cloud Storage may, late or not."""
    from shared.platform.pubsub import publish
    from shared.platform.settings import UPLOADS

    attributes = {
        "bucketId": BUCKET,
        "objectId": name,
        "objectGeneration": str(generations[max(len(generations) - 1 - back, 0)]),
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
    }
    publish(UPLOADS, [(json.dumps({"size": "1"}).encode(), attributes)])


def tick() -> None:
    """What the scheduler does every few minutes; one that is lost is followed by another."""
    from shared.platform.pubsub import publish
    from shared.platform.settings import TICKS

    try:
        publish(TICKS, [(b"{}", {"kind": "sweep"})], seconds=2.0)
    except (GoogleAPICallError, RetryError):
        return


def difference(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The parts that differ, lists by their length alone where that does."""
    parts = {}
    for key in found.keys() | wanted.keys():
        one, other = found.get(key), wanted.get(key)
        if one != other:
            counts = isinstance(one, list) and isinstance(other, list) and len(one) != len(other)
            parts[key] = (len(one or ()), len(other or ())) if counts else (one, other)
    return parts


def told(steps: list[Step]) -> list[tuple[float, str, str, int]]:
    return [(round(step.at, 2), step.kind, step.target, len(step.content)) for step in steps]
