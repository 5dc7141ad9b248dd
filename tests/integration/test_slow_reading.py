"""A text that takes for ever to cut is given up within the limit, and holds up nobody meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from functions.ingest import main as ingest
from shared.documents.store import Documents, document_id, now
from shared.intake import read as received
from shared.platform import clients
from shared.platform.clients import firestore_client, storage_client
from shared.platform.records import UploadEvent
from shared.platform.settings import BATCHES, settings
from tests.integration.documents_servers import PROJECT, serving_files
from tests.unit.cuts import write_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 6
SLOW = "We cut emissions by 5 percent, as jane@example.com said; the works has a new roof. " * 200_000
"""Read in a moment; to redact and to cut it takes far longer than the limit."""
TEXT = "The works cut its emissions by five percent."


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, Pub/Sub and storage, a tokenizer, and no long job that would take over."""
    folder = tmp_path_factory.mktemp("slow")
    write_tokenizer(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_EXTRACT_SECONDS", str(SECONDS))
        patch.setenv("HEADRACE_EXTRACT_MEMORY", str(1 << 30))
        patch.setenv("HEADRACE_JOB_NAME", "")
        patch.setenv("HEADRACE_MODEL_DIR", str(folder))
        patch.setattr(received, "secret", lambda *_: b"key")
        patch.setattr(ingest, "manifest", lambda: SimpleNamespace(digest="m", metrics={}))
        with serving_files(folder):
            clients.publisher().create_topic(name=f"projects/{PROJECT}/topics/{BATCHES}")
            yield


def ingested(name: str, text: str) -> dict[str, Any]:
    """The document of a new file, as ingest leaves it."""
    bucket, documents = settings().uploads_bucket, Documents(firestore_client())
    blob = storage_client().bucket(bucket).blob(name)
    blob.upload_from_string(text)
    event = UploadEvent(
        bucket=bucket, name=name, generation=blob.generation, event_type="OBJECT_FINALIZE", size=len(text)
    )
    claim = documents.claim(event, published=now(), lease_seconds=60)
    assert claim is not None
    ingest.extract(documents, claim, event)
    return documents.reference(document_id(bucket, name)).get().to_dict() or {}


def test_a_text_that_is_slow_to_cut_is_rejected_and_others_go_on() -> None:
    """Four uploads are read by the same process while the slow one is at its limit."""
    ingested("first.txt", TEXT)  # all is loaded
    with ThreadPoolExecutor(5) as pool:
        slow = pool.submit(ingested, "slow.txt", SLOW)
        others = [pool.submit(ingested, f"{number}.txt", TEXT) for number in range(4)]
        assert [other.result()["state"] for other in others] == ["analyzing"] * 4
        assert not slow.done()
        found = slow.result(timeout=10 * SECONDS)
    assert (found["state"], found["error"]["code"]) == ("rejected", "too_slow")
