"""What was on its way when a document was erased does not bring it back; what is asked for later does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.deadletter import main as burying
from long_job.imports import ImportWork, Upload
from long_job.task import Task
from shared.api import erasing
from shared.digests.store import erase
from shared.documents.store import TOMBSTONE_KEPT as KEPT
from shared.documents.store import TOMBSTONES as COLLECTION
from shared.documents.store import document_id, now
from shared.jobs.record import Import, create
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import Superseded
from shared.platform.pubsub import Push
from shared.platform.records import UploadEvent
from shared.platform.settings import settings
from tests.integration.documents_life import Life
from tests.integration.documents_servers import serving_files
from tests.integration.sweeps import tick

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, Pub/Sub and storage, with the buckets of a project."""
    with serving_files(tmp_path_factory.mktemp("erasure-late"), "uploads"):
        yield


def analyzed(generation: int = 1) -> tuple[Life, str]:
    life = Life()
    claim = life.claim(generation)
    life.analyze(claim, generation)
    return life, claim.id


def stored(collection: str, document: str) -> dict[str, Any]:
    return firestore_client().collection(collection).document(document).get().to_dict() or {}


def buried(life: Life, generation: int, **more: str) -> None:
    """The dead letter of an upload's notification, as Pub/Sub sends it on."""
    attributes = {
        "bucketId": "uploads",
        "objectId": life.name,
        "objectGeneration": str(generation),
        "eventType": "OBJECT_FINALIZE",
    }
    push = Push(
        message_id="1",
        published=datetime.now(UTC),
        data=json.dumps({"size": "1", "metadata": {"author": "somebody"}}).encode(),
        attributes=attributes | more,
        subscription="deadletter",
        delivery_attempt=1,
    )
    burying.on_dead_letter(push)


@pytest.mark.parametrize("by", ["erase", "sweep"])
@pytest.mark.parametrize("restart", [None, 1])
def test_a_late_message_does_not_bring_it_back(by: str, restart: int | None) -> None:
    """Neither the notification of an upload, old or newest, nor a request to begin again."""
    life, document = analyzed(5)
    if by == "erase":
        erase(firestore_client(), document)
    else:
        life.documents.reference(document).update({"expires_at": now() - timedelta(days=1)})
        tick()
    for generation in (4, 5):
        with pytest.raises(Superseded, match="was erased"):
            life.claim(generation, restart)
    assert stored("documents", document) == {}


@pytest.mark.parametrize("more", [{}, {"restartRun": "1"}], ids=["upload", "restart"])
def test_a_late_dead_letter_does_not_bring_it_back(more: dict[str, str]) -> None:
    """It is kept as a record, without the file's name."""
    life, document = analyzed()
    erase(firestore_client(), document)
    buried(life, 1, **more)
    assert stored("documents", document) == {}
    letters = firestore_client().collection("dead_letters").stream()
    [letter] = [one.to_dict() or {} for one in letters if (one.to_dict() or {})["document"] == document]
    assert (letter["run"], life.name in str(letter)) == (None, False)


def test_what_is_uploaded_later_begins_anew_and_can_be_erased_again() -> None:
    """With its first run; then messages about that file are refused too."""
    life, document = analyzed(1)
    erase(firestore_client(), document)
    claim = life.claim(2)
    assert claim.run == 1
    life.analyze(claim, 2)
    assert stored("documents", document)["state"] == "completed"
    erase(firestore_client(), document)
    erase(firestore_client(), document)
    with pytest.raises(Superseded):
        life.claim(2)
    assert life.claim(3).run == 1


def test_nothing_of_it_is_kept_but_a_number_and_for_a_while() -> None:
    """Until no message can be on its way; then whoever names the file may have it again."""
    life, document = analyzed(7)
    erase(firestore_client(), document)
    kept = stored(COLLECTION, document)
    assert kept["expires_at"] - kept["erased_at"] == KEPT
    assert {name: kept[name] for name in kept if not name.endswith("_at")} == {"generation": "7"}
    firestore_client().collection(COLLECTION).document(document).update({"expires_at": now()})
    assert life.claim(7).run == 1


def test_what_was_asked_for_after_the_erasure_is_no_late_message() -> None:
    """An import of files that are there; one that was under way already leaves the document erased."""
    life, document = analyzed()
    before = now()
    erase(firestore_client(), document)
    event = UploadEvent(bucket="uploads", name=life.name, generation=1, event_type="OBJECT_FINALIZE", size=1)
    with pytest.raises(Superseded):
        life.documents.claim(event, published=now(), lease_seconds=60, asked=before)
    claim = life.documents.claim(event, published=now(), lease_seconds=60, asked=now())
    assert claim is not None
    assert claim.id == document


def test_an_import_passes_over_what_was_erased_while_it_was_under_way() -> None:
    """It has ended for it: nobody waits for a result."""
    life, document = analyzed()
    blob = storage_client().bucket("uploads").blob(life.name)
    blob.upload_from_string("its file stays")
    life.analyze(life.claim(blob.generation), blob.generation)
    wanted = create(firestore_client(), Import, bucket="uploads", prefix=life.name)
    erase(firestore_client(), document)
    work = ImportWork(life.documents, Task(index=0, count=1, attempt=0, execution="1"), wanted)
    assert work._settle(Upload(blob, document, None))
    assert stored("documents", document) == {}


def test_a_file_that_was_deleted_before_its_notification_came() -> None:
    """Newer than the document's, or of no document yet: told by its name, it would be there as rejected."""
    life, document = analyzed()
    bucket = storage_client().bucket("uploads")
    blob = bucket.blob(life.name)
    blob.upload_from_string("its notification is still to come")
    unknown = storage_client().bucket(settings().uploads_bucket).blob("unknown.txt")
    unknown.upload_from_string("and of this one too")
    erasing.erase(erasing.subjects([document, "unknown.txt"], with_file=True))
    with pytest.raises(Superseded):
        life.claim(blob.generation)
    assert stored(COLLECTION, document_id(unknown.bucket.name, unknown.name))["generation"] == str(
        unknown.generation
    )
    assert life.claim(blob.generation + 1).run == 1
