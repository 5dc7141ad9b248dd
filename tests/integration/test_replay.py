"""`headrace replay` over many documents: each is restarted once, in few calls."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.documents.replay import replay
from shared.documents.store import document_id
from shared.platform import clients
from shared.platform.errors import HeadraceError
from shared.platform.settings import UPLOADS
from tests.documents import made
from tests.integration.documents_servers import PROJECT, serving
from tests.integration.pubsub_server import Clients

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED, OLD, COMPLETED = 1200, 30, 20
"""More failed documents than one publish call takes."""
BUCKET = f"{PROJECT}-uploads"
WRITTEN_AT_ONCE = 400


@pytest.fixture(scope="module")
def pubsub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Servers with documents that failed just now, failed long ago, and completed."""
    with serving(tmp_path_factory.mktemp("replay")):
        clients.publisher().create_topic(name=f"projects/{PROJECT}/topics/{UPLOADS}")
        store()

        pubsub = Clients(os.environ["PUBSUB_EMULATOR_HOST"])
        yield pubsub
        pubsub.close()


def store() -> None:
    """Write their records."""
    now = datetime.now(UTC)
    documents = clients.firestore_client().collection("documents")
    records = [record(f"new-{number}.txt", "failed", now) for number in range(FAILED)]
    records += [record(f"old-{number}.txt", "failed", now - timedelta(hours=3)) for number in range(OLD)]
    records += [record(f"whole-{number}.txt", "completed", now) for number in range(COMPLETED)]
    for first in range(0, len(records), WRITTEN_AT_ONCE):
        batch = clients.firestore_client().batch()
        for one in records[first : first + WRITTEN_AT_ONCE]:
            batch.set(documents.document(one["id"]), one)
        batch.commit()


def record(name: str, state: str, updated: datetime) -> dict[str, Any]:
    return made(
        id=document_id(BUCKET, name),
        bucket=BUCKET,
        name=name,
        generation=1764000000000001,
        run=3,
        size=7,
        content_type="text/plain",
        metadata={"text-column": "report"},
        state=state,
        updated_at=updated,
        summary=[{"page": None, "text": "It is long. " * 20}] * 8,
    ).model_dump()


def heard(pubsub: Clients, hours: float | None, count: int) -> tuple[list[Any], float]:
    """The notifications that a replay publishes, and the seconds it takes."""
    subscription = pubsub.subscription(f"projects/{PROJECT}/topics/{UPLOADS}")
    started = time.monotonic()
    restarted = replay([], since=None if hours is None else timedelta(hours=hours))
    seconds = time.monotonic() - started
    received = [one.message for one in pubsub.pull_all(subscription, count)]
    assert len(restarted) == len(received) == count
    assert not pubsub.pull(subscription, wait=0.2)
    assert {document.name for document in restarted} == {one.attributes["objectId"] for one in received}
    return received, seconds


def test_every_failed_document_is_restarted_once(pubsub: Clients) -> None:
    """However many: a publish call takes a thousand, so two take them all. Those that completed stay."""
    received, seconds = heard(pubsub, None, FAILED + OLD)
    assert seconds < 10
    assert len({one.attributes["objectId"] for one in received}) == FAILED + OLD
    assert len({one.publish_time for one in received}) <= 2
    first = received[0]
    name = first.attributes["objectId"]
    assert dict(first.attributes) == {
        "bucketId": BUCKET,
        "objectId": name,
        "objectGeneration": "1764000000000001",
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
        "restartRun": "3",
    }
    metadata = {"text-column": "report"}
    assert json.loads(first.data) == {"size": "7", "contentType": "text/plain", "metadata": metadata}


def test_only_what_failed_lately(pubsub: Clients) -> None:
    """By the hours that are named."""
    received, _ = heard(pubsub, 1, FAILED)
    assert all(one.attributes["objectId"].startswith("new-") for one in received)


@pytest.mark.usefixtures("pubsub")
def test_documents_by_name_or_id() -> None:
    """Whatever their state; one that is not there is said before anything is restarted."""
    chosen = ["whole-1.txt", document_id(BUCKET, "old-2.txt")]
    assert [document.name for document in replay(chosen, since=None)] == ["whole-1.txt", "old-2.txt"]
    with pytest.raises(HeadraceError, match=r"no document nothing\.txt"):
        replay(["nothing.txt"], since=None)
