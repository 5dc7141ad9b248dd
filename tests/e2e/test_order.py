"""Batches in any order and number, and a newer file while the old one is at work: as after one quiet run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.test_again import LONG, notify_again, passages_of, settled
from tests.e2e.test_drop import GOOD_AND_BAD
from tests.e2e.test_failures import stored, until
from tests.e2e.test_faults import frozen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.running import RunningStack

pytestmark = pytest.mark.usefixtures("clients")
RESULT = ("sentiment", "topics", "initiatives", "summary", "passages", "tokens", "model")


def shape(passage: dict[str, Any]) -> tuple[object, ...]:
    """What a passage says, in a form that can be compared."""
    return (
        passage["index"],
        passage["text"],
        (passage["sentiment"] or {}).get("label"),
        [topic["name"] for topic in passage["topics"]],
        (passage["action"] or {}).get("label"),
    )


def publish(document: str, times: int) -> None:
    """All batches of a document's run, the last one first."""
    from shared.documents.artefacts import all_batches
    from shared.documents.model import Document
    from shared.platform.pubsub import publish_record
    from shared.platform.settings import BATCHES

    publish_record(BATCHES, list(reversed(all_batches(Document.model_validate(stored(document))))) * times)


def test_batches_twice_in_reverse_and_after_the_end(stack: RunningStack, tmp_path: Path) -> None:
    """The same counts, passages and digests as of an analysis without any stack, and nothing after that."""
    report = tmp_path / "order.txt"
    report.write_text(LONG.replace("Site", "Order"))
    quiet = stack.json("analyze", str(report))
    with frozen(stack, "analyze"):
        [dropped] = stack.json("drop", str(report))
        until(lambda: stored(dropped["id"]).get("state") == "analyzing")
        publish(dropped["id"], 2)
    shown = settled(stack, dropped["id"], 1, seconds=60)
    assert {name: shown[name] for name in RESULT} == {name: quiet["document"][name] for name in RESULT}
    before = passages_of(dropped["id"])
    assert list(map(shape, before)) == list(map(shape, quiet["passages"]))
    assert {(passage["run"], passage["model"]) for passage in before} == {(1, quiet["document"]["model"])}
    publish(dropped["id"], 2)
    time.sleep(2)
    assert passages_of(dropped["id"]) == before
    assert stack.json("show", dropped["id"]) == [shown]


def test_a_newer_file_while_the_old_one_is_analyzed(stack: RunningStack, tmp_path: Path) -> None:
    """The old run is superseded and leaves nothing; its batches and event, coming last, change nothing."""
    from shared.documents.store import Documents
    from shared.platform.clients import firestore_client

    report = tmp_path / "newer.txt"
    report.write_text(LONG.replace("Site", "Old mill"))
    with frozen(stack, "analyze"):
        [old] = stack.json("drop", str(report))
        until(lambda: stored(old["id"]).get("state") == "analyzing")
        publish(old["id"], 1)
        report.write_text(GOOD_AND_BAD.replace("Brackwater", "Newer"))
        [new] = stack.json("drop", str(report))
        until(lambda: stored(old["id"]).get("run") == 2)
    shown = settled(stack, old["id"], 2, seconds=60)
    assert (shown["generation"], shown["published_run"]) == (new["generation"], 2)
    runs = Documents(firestore_client()).reference(old["id"]).collection("runs")
    assert [one.to_dict()["state"] for one in runs.order_by("run").stream()] == ["superseded", "completed"]
    until(lambda: {passage["run"] for passage in passages_of(old["id"])} == {2})
    before = passages_of(old["id"])
    notify_again(old | {"size": 1}, 3)
    time.sleep(2)
    assert passages_of(old["id"]) == before
    assert stack.json("show", old["id"]) == [shown]
