"""One event, delivered many times at once, and whoever has the lease is killed."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from google.pubsub_v1 import PubsubMessage

from shared.documents.store import document_id
from tests.e2e.running import RunningStack, free_ports
from tests.e2e.test_deliveries import QUIET, TIMES, check, upload
from tests.e2e.test_failures import stored, until
from tests.e2e.test_faults import ACKNOWLEDGED, frozen, handled

if TYPE_CHECKING:
    from collections.abc import Iterator

LEASE = 15.0
"""Seconds; for so long a killed holder keeps others away."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack with short leases, longer than a process that has just started takes to read a file."""
    extra = {"HEADRACE_INGEST_TIMEOUT": str(LEASE)}
    running = RunningStack(tmp_path_factory.mktemp("deliveries"), free_ports(), extra)
    running.up()
    yield running
    running.end()


@pytest.mark.usefixtures("clients")
def test_the_holder_is_killed_among_twenty_deliveries(stack: RunningStack) -> None:
    """By Pub/Sub's own deliveries: none is acknowledged, one takes over once the lease has ended, all end."""
    from shared.platform.clients import publisher
    from shared.platform.settings import UPLOADS

    body, document = upload("orphan.txt"), document_id(QUIET, "orphan.txt")
    message = json.loads(body)["message"]
    message = PubsubMessage(data=base64.b64decode(message["data"]), attributes=message["attributes"])
    topic = f"projects/headrace-local/topics/{UPLOADS}"
    with frozen(stack, "storage"):
        identifiers = publisher().publish(topic=topic, messages=[message] * TIMES).message_ids
        lease = until(lambda: stored(document).get("lease"))
        stack.kill("ingest")
    check(stack, document)
    assert lease["token"] == 1
    assert stored(document)["timings"]["planned_at"] > lease["expires_at"]

    def acknowledged() -> set[str]:
        events = handled(stack, "ingest", document)
        return {event["message_id"] for event in events if event["status"] == ACKNOWLEDGED}

    until(lambda: acknowledged() == set(identifiers))
