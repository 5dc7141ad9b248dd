"""A round of sweep: what it counts as standing still, and that one document holds up no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.sweep import main as sweeping
from shared.digests.store import erase
from shared.documents.model import Document
from shared.documents.recovery import recover
from shared.documents.store import document_id, now
from shared.platform import clients
from shared.platform.clients import firestore_client
from shared.platform.errors import Retryable, Superseded
from shared.platform.settings import BATCHES, UPLOADS, settings
from tests.integration.documents_life import Life
from tests.integration.documents_parts import plan_of
from tests.integration.documents_servers import PROJECT, serving_files
from tests.integration.sweeps import tick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import firestore

    from shared.platform.records import UploadEvent

LONG_AGO = timedelta(hours=1)
TOGETHER = 8


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, Pub/Sub with the topics of a document, and storage."""
    with serving_files(tmp_path_factory.mktemp("rounds")):
        for topic in (UPLOADS, BATCHES):
            clients.publisher().create_topic(name=f"projects/{PROJECT}/topics/{topic}")
        yield


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Documents whose upload the sweep publishes again."""
    found: list[str] = []

    def note(events: list[UploadEvent]) -> None:
        found.extend(document_id(event.bucket, event.name) for event in events)

    monkeypatch.setattr("shared.documents.recovery.notify_all", note)
    return found


def reference(document: str) -> firestore.DocumentReference:
    return firestore_client().collection("documents").document(document)


def record(document: str) -> dict[str, Any]:
    return reference(document).get().to_dict() or {}


def planned() -> str:
    """A document that has waited for its batches for long, and has no artefacts."""
    life = Life()
    claim = life.claim(1)
    life.documents.plan(claim, plan_of(claim.id, (1,)))
    reference(claim.id).update({"updated_at": now() - LONG_AGO})
    return claim.id


def expired(count: int) -> list[str]:
    """Documents whose time is over, the first one's longest."""
    found = []
    for number in range(count):
        life = Life()
        claim = life.claim(1)
        life.analyze(claim, 1)
        reference(claim.id).update({"expires_at": now() - timedelta(days=count - number)})
        found.append(claim.id)
    return found


def test_deliveries_that_fail_are_no_standstill(asked: list[str]) -> None:
    """An outage lasts for many ticks: each delivery takes the run over and releases it; none is in vain."""
    life = Life()
    for _ in range(settings().sweep_attempts + 3):
        claim = life.claim(1)
        life.documents.release(claim)
        reference(claim.id).update({"lease.expires_at": now() - LONG_AGO})
        tick()
    found = record(claim.id)
    assert (found["state"], found["recovery"]["attempts"], asked) == ("extracting", 1, [claim.id])
    life.analyze(life.claim(1), 1)
    assert record(claim.id)["state"] == "completed"


def test_what_no_delivery_takes_over_is_given_up(asked: list[str]) -> None:
    """Not even the uploads that the sweep publishes reach anybody."""
    life = Life()
    claim = life.claim(1)
    for attempts in range(1, settings().sweep_attempts + 1):
        reference(claim.id).update({"lease.expires_at": now() - LONG_AGO})
        tick()
        assert record(claim.id)["recovery"]["attempts"] == attempts
    reference(claim.id).update({"lease.expires_at": now() - LONG_AGO})
    tick()
    found = record(claim.id)
    assert (found["state"], found["error"]["code"]) == ("failed", "stuck")
    assert asked == [claim.id] * settings().sweep_attempts


def test_deliveries_that_are_acknowledged_in_vain_come_to_an_end(asked: list[str]) -> None:
    """Each upload that the sweep publishes is taken up, found superseded, and never comes again."""
    life = Life()
    claim = life.claim(1)
    looks = answered = 0
    while record(claim.id)["state"] == "extracting":
        reference(claim.id).update({"lease.expires_at": now() - LONG_AGO})
        tick()
        looks += 1
        assert looks <= 3 * settings().sweep_attempts
        if len(asked) > answered:
            answered = len(asked)
            life.documents.release(life.claim(1))
    found = record(claim.id)
    assert (found["state"], found["error"]["code"]) == ("failed", "stuck")
    assert len(asked) == settings().sweep_attempts


def test_a_document_whose_batches_are_gone_is_given_up() -> None:
    """What is to be published cannot be read: that is counted like any attempt, and ends."""
    document = planned()
    for _ in range(settings().sweep_attempts):
        tick()
        assert record(document)["state"] == "analyzing"
        reference(document).update({"updated_at": now() - LONG_AGO})
    tick()
    assert (record(document)["state"], record(document)["error"]["code"]) == ("failed", "stuck")


def test_sweeps_at_once_count_once() -> None:
    """All of them have listed the same document; whoever comes later sees that it has been moved."""
    document = planned()
    stored = record(document)
    documents = Life().documents

    def late(_: int) -> bool:
        try:
            recover(documents, Document.model_validate(stored))
        except Superseded:
            return True
        except Exception:  # noqa: BLE001 - its batches are not there to be published
            return False
        return False

    with ThreadPoolExecutor(TOGETHER) as pool:
        assert sum(pool.map(late, range(TOGETHER))) == TOGETHER - 1
    assert (record(document)["state"], record(document)["recovery"]["attempts"]) == ("analyzing", 1)


def test_a_document_that_cannot_be_erased_holds_up_no_other() -> None:
    """A digest that quotes the first cannot be read; the second's time is over as well."""
    first, second = expired(2)
    broken = firestore_client().collection("digests").document("broken")
    broken.set({"quoted": [first], "a_field_of_a_newer_release": 1})
    try:
        tick()
    finally:
        broken.delete()
    assert record(second) == {}
    assert record(first)["id"] == first
    tick()
    assert record(first) == {}


def test_what_passes_by_itself_brings_the_tick_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One document is left, the next one is erased; then the tick is not acknowledged."""
    first, second = expired(2)

    def contended(client: firestore.Client, document: str, *of: Any) -> None:
        if document == first:
            raise Retryable
        erase(client, document, *of)

    with monkeypatch.context() as patch:
        patch.setattr(sweeping, "erase", contended)
        with pytest.raises(Retryable):
            tick()
    assert (record(first)["id"], record(second)) == (first, {})
    tick()


def test_an_outage_is_not_waited_for_with_each_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call would wait as long as a call may; the tick comes again instead."""
    tried: list[str] = []

    def out(_: firestore.Client, document: str, *__: Any) -> None:
        tried.append(document)
        raise Retryable

    several = expired(sweeping.MAX_OUTAGES + 2)
    with monkeypatch.context() as patch:
        patch.setattr(sweeping, "erase", out)
        with pytest.raises(Retryable):
            tick()
    assert tried == several[: sweeping.MAX_OUTAGES]
    tick()
    assert not any(record(document) for document in several)
