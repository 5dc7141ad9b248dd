"""Instances that sleep at the worst moment, with a batch computed and not committed: nothing is stored twice.

They run in this process, on the stack's servers, so that a test can say when they wake up.
"""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from functions.analyze import main as analyze
from shared.documents import artefacts, completion
from shared.documents.model import Document
from shared.documents.store import Documents
from shared.platform.pubsub import answer
from tests.e2e.test_again import LONG, passages_of, settled
from tests.e2e.test_failures import stored, until
from tests.e2e.test_faults import ACKNOWLEDGED
from tests.e2e.test_sweep import unheard

if TYPE_CHECKING:
    from pathlib import Path

    from shared.platform.records import BatchMessage
    from tests.e2e.running import RunningStack

pytestmark = pytest.mark.usefixtures("clients")

PASSAGES = 40


class Sleepers:
    """Instances that have computed, and commit when they are woken."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.asleep = threading.Semaphore(0)
        self.awake = threading.Event()
        commit = completion.commit

        def sleep_first(*given: Any) -> Document:
            self.asleep.release()
            assert self.awake.wait(150)
            return commit(*given)

        patch.setattr(analyze, "commit", sleep_first)

    def deliver(self, message: BatchMessage) -> int:
        """The answer to a delivery of the batch."""
        data = base64.b64encode(message.model_dump_json().encode()).decode()
        envelope = {"message": {"data": data, "messageId": "1"}, "subscription": "projects/p/subscriptions/s"}
        request = Request(EnvironBuilder(method="POST", data=json.dumps(envelope)).get_environ())
        _, status = answer("analyze", request, analyze.on_batch)  # type: ignore[arg-type]  # not Flask's
        return status


@pytest.fixture
def sleepers(monkeypatch: pytest.MonkeyPatch) -> Sleepers:
    return Sleepers(monkeypatch)


def text(name: str) -> str:
    return "\n\n".join(LONG.replace("Site", name).split("\n\n")[:PASSAGES])


def planned(stack: RunningStack, report: Path) -> tuple[str, BatchMessage]:
    """A document whose only batch nobody has computed yet; its id, and the batch."""
    report.write_text(text(report.stem))
    [dropped] = stack.json("drop", str(report))
    until(lambda: stored(dropped["id"]).get("state") == "analyzing")
    [message] = artefacts.all_batches(Document.model_validate(stored(dropped["id"])))
    return dropped["id"], message


def records(document: str) -> dict[str, dict[str, Any]]:
    """Of its batches."""
    from shared.platform.clients import firestore_client

    stream = Documents(firestore_client()).reference(document).collection("batches").stream()
    return {one.id: one.to_dict() or {} for one in stream}


def test_an_instance_that_slept_through_a_newer_generation_commits_nothing(
    stack: RunningStack, sleepers: Sleepers, tmp_path: Path
) -> None:
    """The new run has completed and the old one was purged when it wakes up: all stays as it is."""
    report = tmp_path / "slept.txt"
    with ThreadPoolExecutor(1) as pool:
        with unheard(stack, "analyze"):
            document, message = planned(stack, report)
            sleeping = pool.submit(sleepers.deliver, message)
            assert sleepers.asleep.acquire(timeout=60)
            report.write_text(text("newer"))
            stack.json("drop", str(report))
        shown = settled(stack, document, 2)
        until(lambda: not stored(document)["purge_pending"] and not stored(document)["results_pending"])
        before = stored(document), passages_of(document), records(document)
        assert {passage["run"] for passage in before[1]} == {2}
        sleepers.awake.set()
        assert sleeping.result() == ACKNOWLEDGED
    assert (stored(document), passages_of(document), records(document)) == before
    assert sum(shown["sentiment"].values()) == shown["passages"] == PASSAGES


def test_twins_commit_once(stack: RunningStack, sleepers: Sleepers, tmp_path: Path) -> None:
    """Four instances compute the same batch and commit it together: it is counted once."""
    with unheard(stack, "analyze"):
        document, message = planned(stack, tmp_path / "twins.txt")
        with ThreadPoolExecutor(4) as pool:
            sleeping = [pool.submit(sleepers.deliver, message) for _ in range(4)]
            assert all(sleepers.asleep.acquire(timeout=60) for _ in sleeping)
            sleepers.awake.set()
            assert [one.result() for one in sleeping] == [ACKNOWLEDGED] * 4
        shown = settled(stack, document, 1)
        assert sum(shown["sentiment"].values()) == shown["passages"] == PASSAGES
        assert [passage["index"] for passage in passages_of(document)] == list(range(PASSAGES))
        [record] = records(document).values()
        assert (record["upto"], len(record["partials"])) == (PASSAGES, 1)
