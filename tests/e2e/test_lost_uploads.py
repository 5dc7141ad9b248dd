"""Files that Cloud Storage has acknowledged and not yet published when it is killed: they are found again."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from local.processes import accepts, port_taken
from local.services import HOST
from shared.digests.store import erase
from shared.documents.store import document_id
from shared.platform.clients import firestore_client, storage_client
from tests.e2e.running import PORTS, RunningStack, free_ports
from tests.e2e.test_failures import stored, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("clients")
UPLOADS = "headrace-local-uploads"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack whose processes are killed."""
    running = RunningStack(tmp_path_factory.mktemp("lost"), free_ports())
    running.up()
    yield running
    running.end()


def put(name: str) -> str:
    """Upload a file, which is acknowledged; the id of its document."""
    blob = storage_client().bucket(UPLOADS).blob(name)
    blob.upload_from_string(f"We cut emissions by 12% in 2025, says {name}.", content_type="text/plain")
    return document_id(UPLOADS, name)


def completed(document: str) -> dict[str, Any]:
    """Its record, once it has completed."""
    return dict(until(lambda: found if (found := stored(document)).get("state") == "completed" else None))


def lose(stack: RunningStack, name: str) -> str:
    """Upload a file while its notification can go nowhere, and kill what holds that; its document's id.

    The supervisor stands still meanwhile, so that it starts nothing again.
    """
    assert stack.process is not None
    ports = {process["name"]: process["port"] for process in stack.stack()["processes"]}
    os.kill(stack.process.pid, signal.SIGSTOP)
    stack.kill("pubsub")
    until(lambda: not accepts(HOST, ports["pubsub"]))
    document = put(name)
    stack.kill("storage")
    until(lambda: not accepts(HOST, ports["storage"]))
    return document


def test_a_file_whose_notification_was_lost_is_found_when_storage_is_back(stack: RunningStack) -> None:
    """And one that was erased is not, though its file lies in the bucket as well."""
    assert stack.process is not None
    erased = put("erased.txt")
    completed(erased)
    erase(firestore_client(), erased)
    lost = lose(stack, "lost.txt")
    os.kill(stack.process.pid, signal.SIGCONT)
    assert completed(lost)["run"] == 1
    assert stored(erased) == {}


def test_a_file_whose_notification_was_lost_is_found_by_the_next_start(stack: RunningStack) -> None:
    """The whole stack was killed."""
    assert stack.process is not None
    lost = lose(stack, "lost-at-the-end.txt")
    stack.down(signal.SIGKILL)
    until(lambda: not any(map(port_taken, range(stack.port, stack.port + PORTS))))
    stack.up()
    assert completed(lost)["run"] == 1
    assert stored(document_id(UPLOADS, "erased.txt")) == {}
