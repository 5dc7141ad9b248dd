"""Two hundred batches of one document commit together, and all see at once that they might be the last."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared import batches, completion
from shared.clients import firestore_client
from shared.documents import Documents, Plan, Seconds
from shared.records import BatchMessage, UploadEvent
from shared.summary import partial
from tests.integration.documents_servers import serving
from tests.integration.test_documents_model import result_of

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
    facts = {"passages": BATCHES}
    documents.plan(claim, Plan(facts, BATCHES, "m", "a", "key", None, Seconds(0.0, 0.0)))
    reference = documents.reference(claim.document)
    seen: set[object] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            timings: dict[str, Any] = (reference.get().to_dict() or {})["timings"]
            seen.add(timings.get("completed_at"))

    def work(number: int) -> None:
        message = BatchMessage(
            document=claim.document,
            run=claim.run,
            generation=1,
            model="m",
            batch=number,
            lanes=BATCHES,
            start=number,
            end=number + 1,
            byte_start=0,
            byte_end=1,
        )
        result = result_of(1, number)
        batches.commit(documents, message, [result], [partial([result])], Seconds(0.0, 0.0))
        completion.finish(documents, claim.document, claim.run)

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
