"""Two hundred batches of one document commit together, and all see at once that they might be the last."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared.documents import completion
from shared.documents.store import Documents
from shared.platform.clients import firestore_client
from shared.platform.records import UploadEvent
from tests.integration.documents_parts import batch_of, commit, plan_of
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCHES = 200
AT_ONCE = 64
"""As many as instances of analyze may be at work; more would measure this process's own threads."""


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("contention")):
        yield


def test_two_hundred_batches_finish_together() -> None:
    """None runs out of attempts; the document completes once, with every passage once."""
    documents = Documents(firestore_client())
    event = UploadEvent(bucket="b", name="n", generation=1, event_type="OBJECT_FINALIZE", size=1)
    claim = documents.claim(event, published=datetime.now(UTC), lease_seconds=60)
    assert claim is not None
    documents.plan(claim, plan_of("key", [1] * BATCHES))
    reference = documents.reference(claim.id)
    seen: set[object] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            timings: dict[str, Any] = (reference.get().to_dict() or {})["timings"]
            seen.add(timings.get("completed_at"))

    def work(number: int) -> None:
        message = batch_of(claim.id, claim.run, 1, number, (number, number + 1), lanes=BATCHES)
        commit(documents, message, [number])
        completion.finish(documents, claim.id, claim.run)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(work, range(BATCHES)))
    finally:
        over.set()
        watcher.join()
    stored = reference.get().to_dict() or {}
    assert (stored["state"], stored["published_run"], stored["results_pending"]) == ("completed", 1, False)
    assert stored["sentiment"] == {"positive": 0, "neutral": BATCHES, "negative": 0}
    assert seen <= {None, stored["timings"]["completed_at"]}
    indexes = sorted((one.to_dict() or {})["index"] for one in reference.collection("passages").stream())
    assert indexes == list(range(BATCHES))
