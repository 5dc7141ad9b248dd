"""What runs keep in the work bucket goes with them, and with their document, whoever is still writing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import NotFound

from shared.digests.store import erase
from shared.documents import artefacts, delegation
from shared.documents.completion import finish
from shared.documents.store import now, run_record
from shared.platform.clients import storage_client
from shared.platform.errors import Superseded
from shared.platform.records import ErrorInfo, Passage
from shared.platform.settings import settings
from tests.integration.documents_life import Life
from tests.integration.documents_parts import plan_of
from tests.integration.documents_servers import serving_files
from tests.integration.sweeps import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.documents.model import Document

BROKEN = ErrorInfo(code="broken", message="It is broken.", hint="Mend it.")
PASSAGES = [Passage(index=0, span=(0, 4), text="Text", tokens=3)]


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, Pub/Sub and storage, with the buckets that sweep deletes from."""
    with serving_files(tmp_path_factory.mktemp("leftover-files")):
        yield


def write(claim: Document, generation: int) -> None:
    artefacts.write(claim.id, claim.run, generation, f"Text {generation}", PASSAGES)


def runs(document: str) -> set[int]:
    """Those that have anything in the work bucket."""
    found = storage_client().list_blobs(settings().work_bucket, prefix=f"runs/{document}/")
    return {int(blob.name.split("/")[2]) for blob in found}


def lived(*generations: int) -> tuple[Life, str]:
    """A document of which each generation was analyzed to its end."""
    life = Life()
    for generation in generations:
        claim = life.claim(generation)
        write(claim, generation)
        life.analyze(claim, generation)
    return life, claim.id


def test_those_of_replaced_runs_are_deleted_by_the_sweep() -> None:
    """The published run keeps its own, also while the next one is at work."""
    life, document = lived(1, 2, 3)
    assert runs(document) == {1, 2, 3}
    write(life.claim(4), 4)
    tick()
    assert runs(document) == {3, 4}
    stored = life.documents.reference(document).get().to_dict() or {}
    assert stored["stale_artefacts"] is False


def test_a_failed_run_keeps_what_its_replay_needs() -> None:
    """And a rejected one nothing."""
    life, document = lived(1, 2)
    for generation in (3, 4):
        claim = life.claim(generation)
        write(claim, generation)
    life.documents.fail(document, claim.run, 4, BROKEN)
    finish(life.documents, document)
    tick()
    assert runs(document) == {2, 4}
    claim = life.claim(5)
    write(claim, 5)
    life.documents.reject(claim, BROKEN)
    finish(life.documents, document)
    tick()
    assert runs(document) == set()


def test_what_another_run_left_meanwhile_is_still_to_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that completes while the sweep deletes: the flag stays for the next tick."""
    from shared.documents import completion

    life, document = lived(1, 2)
    claim = life.claim(3)
    write(claim, 3)

    def meanwhile(*of: Any) -> int:
        life.analyze(claim, 3)
        return artefacts.remove_runs(*of)

    with monkeypatch.context() as patch:
        patch.setattr(completion, "remove_runs", meanwhile)
        completion.remove_stale(life.documents, document)
    assert runs(document) == {2, 3}
    tick()
    assert runs(document) == {3}


def takes_back(life: Life, claim: Document, then: Callable[[], object]) -> None:
    """While a reader reads, something happens; it stores what it has read, and its plan is refused."""
    reference = life.documents.reference(claim.id)
    then()
    with artefacts.written(reference, claim.run, 1, "Text", PASSAGES):
        life.documents.plan(claim, plan_of(claim.id, (1,)))


def take_over(life: Life, document: str) -> None:
    life.documents.reference(document).update({"lease.expires_at": now() - timedelta(seconds=1)})
    life.claim(1)


@pytest.mark.parametrize(
    ("then", "left"),
    [
        (lambda life, document: erase(life.documents.client, document), set()),
        (lambda life, _: life.claim(2), set()),
        (take_over, {1}),
    ],
    ids=["erased", "overwritten", "taken over"],
)
def test_a_reader_takes_back_what_it_wrote_for_a_run_that_is_gone(
    then: Callable[[Life, str], object], left: set[int]
) -> None:
    """Nobody else would find it; but what whoever took over wrote, or may have, is left alone."""
    life = Life()
    claim = life.claim(1)
    with pytest.raises(Superseded):
        takes_back(life, claim, lambda: then(life, claim.id))
    assert runs(claim.id) == left


def test_a_copy_is_taken_back_too() -> None:
    """Of a run that a backfill begins: whole, where its plan is refused; a part, where the source is gone."""
    life, document = lived(1)
    reference = life.documents.reference(document)
    artefacts_of_first = artefacts.write(document, 1, 1, "Text 1", PASSAGES).artefact
    run_record(reference, 1).update({"artefact": artefacts_of_first})
    copied = artefacts.copy(reference, 1, 2)
    assert artefacts.exist(reference, 1)
    assert len(copied.ranges) == 1
    assert runs(document) == {1, 2}
    with pytest.raises(Superseded), artefacts.taken_back(reference, 2, 1, copied):
        raise Superseded
    assert runs(document) == {1}
    bucket = storage_client().bucket(settings().work_bucket)
    bucket.blob(f"{artefacts_of_first}batches.json").delete()
    with pytest.raises(NotFound):
        artefacts.copy(reference, 1, 2)
    assert runs(document) == {1}
    assert not artefacts.exist(reference, 1)


def test_a_document_that_is_being_read_expires_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as its lease or its execution lives."""
    life = Life()
    claim = life.claim(1)
    reference = life.documents.reference(claim.id)
    past = now() - timedelta(days=1)
    reference.update({"expires_at": past})
    tick()
    assert reference.get().exists
    job = {"why": "ocr", "tasks": 1, "model": "m", "execution": "running"}
    reference.update({"state": "delegated", "lease": None, "job": job})
    monkeypatch.setattr(delegation, "has_not_ended", lambda name: name == "running")
    tick()
    assert reference.get().exists
    reference.update({"job.execution": "ended"})
    tick()
    assert not reference.get().exists
