"""One event, delivered many times at once: one run, one result, and no delivery acknowledged too early."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared.documents.store import document_id
from tests.e2e.test_again import LONG, passages_of, settled
from tests.e2e.test_failures import stored, until
from tests.e2e.test_faults import ACKNOWLEDGED, AGAIN, BUSY, frozen, handled, upload_push

if TYPE_CHECKING:
    from tests.e2e.running import RunningStack

QUIET = "headrace-local-quiet"
"""A bucket that notifies nobody: nothing is delivered but what a test delivers."""
TIMES, PASSAGES = 20, 100
LATE = "another delivery has taken this run over"
REFUSED = "Another delivery is doing this step right now."


def upload(name: str) -> bytes:
    """A file of `PASSAGES` passages; the delivery of its notification."""
    from shared.platform.clients import storage_client

    content = "\n\n".join(LONG.replace("Site", name).split("\n\n")[:PASSAGES])
    client = storage_client()
    if client.lookup_bucket(QUIET) is None:
        client.create_bucket(QUIET)
    blob = client.bucket(QUIET).blob(name)
    blob.upload_from_string(content, content_type="text/plain")
    return upload_push(name, int(blob.generation), len(content), QUIET)


def push(stack: RunningStack, body: bytes) -> int:
    """Deliver it once to ingest; the answer."""
    port = next(item["port"] for item in stack.stack()["processes"] if item["name"] == "ingest")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/", body, {"Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status


def deliver(stack: RunningStack, body: bytes) -> list[int]:
    """Deliver it until it is acknowledged, as Pub/Sub does; every answer."""
    answers = [push(stack, body)]
    while answers[-1] != ACKNOWLEDGED:
        time.sleep(0.2)
        answers.append(push(stack, body))
    return answers


def everything(document: str) -> dict[str, Any]:
    """All that is stored of it."""
    return stored(document) | {"passages of it": passages_of(document)}


def check(stack: RunningStack, document: str) -> None:
    """One run with every passage, announced; nothing was acknowledged before that was planned."""
    from shared.documents.store import Documents
    from shared.platform.clients import firestore_client

    shown = settled(stack, document, 1)
    assert len(passages_of(document)) == shown["passages"] == PASSAGES
    runs = Documents(firestore_client()).reference(document).collection("runs").stream()
    assert {one.id: (one.to_dict() or {})["state"] for one in runs} == {"1": "completed"}
    until(lambda: not stored(document)["results_pending"])
    events = handled(stack, "ingest", document)
    # Whoever held the lease while the storage stood still may have given up by itself.
    assert {event["outcome"] for event in events if event["status"] == AGAIN} <= {REFUSED, "RetryError"}
    planned = stored(document)["timings"]["planned_at"]
    # A holder whose lease ended while it read may go: the message of who took over is there.
    acknowledged = [event for event in events if event["status"] == ACKNOWLEDGED and event["outcome"] != LATE]
    assert acknowledged
    assert all(datetime.fromisoformat(event["time"]) > planned for event in acknowledged)


@pytest.mark.usefixtures("clients")
def test_a_new_document_delivered_twenty_times_at_once(stack: RunningStack) -> None:
    """Nobody has seen it before: one delivery claims it; the others are refused, come again, find it done."""
    body, document = upload("new.txt"), document_id(QUIET, "new.txt")
    with ThreadPoolExecutor(TIMES) as pool:
        with frozen(stack, "storage"):  # whoever has the lease waits for the file
            delivering = [pool.submit(deliver, stack, body) for _ in range(TIMES)]
            until(lambda: handled(stack, "ingest", document))
            time.sleep(1)
            assert not any(one.done() for one in delivering)
        answers = [one.result() for one in delivering]
    assert sum(len(one) > 1 for one in answers) >= TIMES // 2, "hardly any delivery met the lease"
    assert {status for one in answers for status in one} <= {ACKNOWLEDGED, AGAIN, BUSY}
    check(stack, document)
    before = everything(document)
    assert push(stack, body) == ACKNOWLEDGED
    assert everything(document) == before
