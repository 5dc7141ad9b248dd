"""Events come twice, files are overwritten, processes die: the result is what one quiet run stores."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.test_drop import GOOD_AND_BAD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.running import RunningStack

PASSAGES = 160
"""Of a long text: three batches."""
LONG = "".join(
    f"Site {number} cut its energy use by {number % 40 + 1}% and will recycle all its water by 2030.\n\n"
    for number in range(PASSAGES)
)


def passages_of(document: str) -> list[dict[str, Any]]:
    from shared.platform.clients import firestore_client

    stored = firestore_client().collection("documents").document(document).collection("passages")
    return [snapshot.to_dict() for snapshot in stored.order_by("index").stream()]


def notify_again(shown: dict[str, Any], times: int) -> None:
    """Publish the object's notification again, as Cloud Storage may."""
    from shared.platform.pubsub import publish
    from shared.platform.settings import UPLOADS

    attributes = {
        "bucketId": "headrace-local-uploads",
        "objectId": shown["name"],
        "objectGeneration": shown["generation"],
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
    }
    publish(UPLOADS, [(json.dumps({"size": str(shown["size"])}).encode(), attributes)] * times)


def settled(stack: RunningStack, document: str, run: int, seconds: float = 60) -> dict[str, Any]:
    """The document once its run has ended and what an earlier one left is gone; it may not be known yet."""
    deadline = time.monotonic() + seconds
    while True:
        stored = stack.record(document)
        ended = (stored.get("run"), stored.get("state")) == (run, "completed")
        if ended and (run == 1 or not stored["purge_pending"]):
            [shown] = stack.json("show", document)
            return dict(shown)
        assert time.monotonic() < deadline, {key: stored.get(key) for key in ("run", "state", "error")}
        time.sleep(0.1)


@pytest.mark.usefixtures("clients")
def test_a_duplicate_event_changes_nothing(stack: RunningStack, tmp_path: Path) -> None:
    """Twenty more notifications of a completed document: still run 1, the same passages."""
    report = tmp_path / "duplicate.txt"
    report.write_text(GOOD_AND_BAD)
    [shown] = stack.json("drop", str(report), "--wait")
    before = passages_of(shown["id"])
    notify_again(shown, 20)
    time.sleep(1)
    assert stack.json("show", shown["id"]) == [shown]
    assert passages_of(shown["id"]) == before


@pytest.mark.usefixtures("clients")
def test_an_overwritten_file_replaces_its_result(stack: RunningStack, tmp_path: Path) -> None:
    """A new generation is a new run; the old one's passages disappear, and its late event does nothing."""
    report = tmp_path / "overwritten.txt"
    report.write_text(LONG)
    [old] = stack.json("drop", str(report), "--wait")
    report.write_text(GOOD_AND_BAD)
    [new] = stack.json("drop", str(report), "--wait")
    assert (new["run"], new["published_run"]) == (2, 2)
    assert int(new["generation"]) > int(old["generation"])
    deadline = time.monotonic() + 80
    while {passage["run"] for passage in passages_of(new["id"])} != {2}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(passages_of(new["id"])) == new["passages"] < old["passages"]
    notify_again(old, 3)
    time.sleep(1)
    assert stack.json("show", new["id"]) == [new]


@pytest.mark.usefixtures("clients")
def test_a_run_can_be_started_again(stack: RunningStack, tmp_path: Path) -> None:
    """Asking twice for a restart starts one new run, with the same result."""
    from shared.documents.store import Documents
    from shared.documents.uploads import restart
    from shared.platform.clients import firestore_client

    report = tmp_path / "restarted.txt"
    report.write_text(GOOD_AND_BAD)
    [first] = stack.json("drop", str(report), "--wait")
    for _ in range(2):
        restart(Documents(firestore_client()), first["id"], 1)
    second = settled(stack, first["id"], 2)
    time.sleep(1)
    assert settled(stack, first["id"], 2) == second
    for field in ("summary", "topics", "sentiment", "initiatives", "passages", "generation"):
        assert second[field] == first[field]


@pytest.mark.slow
def test_killed_processes_lose_nothing(own_stack: RunningStack, tmp_path: Path) -> None:
    """Kill -9 of every process in turn while a document is on its way: it completes, each passage once."""
    own_stack.up()
    report = tmp_path / "survivor.txt"
    report.write_text(LONG)
    [dropped] = own_stack.json("drop", str(report))
    for name in ("analyze", "pubsub", "firestore", "storage", "analyze"):
        time.sleep(0.3)
        os.killpg(own_stack.pid(name), signal.SIGKILL)
        deadline = time.monotonic() + 10
        while not alive(own_stack.pid(name)):
            assert time.monotonic() < deadline, f"{name} was not started again"
            time.sleep(0.1)
    shown = settled(own_stack, dropped["id"], 1, seconds=90)
    assert sum(shown["sentiment"].values()) == shown["passages"] == PASSAGES
    output = own_stack.down()
    assert "the function analyze was killed by signal 9 and was started again" in output


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - one line of /proc
            return stat.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.usefixtures("clients")
def test_the_same_content_is_computed_once(stack: RunningStack, tmp_path: Path) -> None:
    """Under another name it is a duplicate with a result of its own, whole when the original is erased."""
    from shared.digests.store import erase
    from shared.platform.clients import firestore_client

    text = GOOD_AND_BAD.replace("Brackwater", "Duplicated")
    (tmp_path / "original.txt").write_text(text)
    (tmp_path / "copy.txt").write_text(text)
    [original] = stack.json("drop", str(tmp_path / "original.txt"), "--wait")
    [copy] = stack.json("drop", str(tmp_path / "copy.txt"), "--wait")
    assert (original["duplicate_of"], copy["duplicate_of"]) == (None, original["id"])
    assert (copy["state"], copy["error"]) == ("completed", None)
    assert copy["timings"]["infer_seconds"] == 0
    for field in ("sentiment", "topics", "initiatives", "summary", "passages"):
        assert copy[field] == original[field]
    before = passages_of(copy["id"])
    assert [passage["embedding"] for passage in before] == [
        passage["embedding"] for passage in passages_of(original["id"])
    ]
    erase(firestore_client(), original["id"])
    assert passages_of(original["id"]) == []
    assert passages_of(copy["id"]) == before
    assert stack.json("show", copy["id"]) == [copy]
