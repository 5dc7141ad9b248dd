"""A document that completes stores what it cost, of its own run."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.ingest import main as ingest
from shared.documents import cost
from shared.documents.model import Delegation, Document
from shared.documents.views import document_view
from shared.platform.errors import Rejected
from shared.platform.records import UploadEvent
from tests.integration.documents_life import SIZES, Life
from tests.integration.documents_parts import plan_of
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("cost")):
        yield


def stored(life: Life, document: str) -> dict[str, Any]:
    return life.documents.reference(document).get().to_dict() or {}


def test_a_run_that_completes_stores_its_estimate() -> None:
    """In the document, and in what the API shows of it."""
    life = Life()
    claim = life.claim(1)
    life.analyze(claim, 1)
    found = stored(life, claim.id)
    document = Document.model_validate(found | {"cost": {"cpu_seconds": 0.0}})
    assert found["cost"]["usd"] == cost.usd(cost.work_of(document, found["cost"]["cpu_seconds"])) > 0
    assert document_view(found)["cost"] == found["cost"]


def test_a_new_run_has_no_estimate_until_it_completes() -> None:
    """That of the run before is not shown as its own."""
    life = Life()
    life.analyze(life.claim(1), 1)
    claim = life.claim(2)
    life.analyze(claim, 2, batches=len(SIZES) - 1)
    assert "usd" not in stored(life, claim.id)["cost"]


def test_what_ingest_tried_is_stored_when_the_job_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is still there, to be added to the estimate, once the job has read the file."""
    least = 0.01

    def read(*_: Any) -> None:
        started = time.monotonic()
        while time.monotonic() - started < least:
            pass
        raise Rejected("too_slow", "It takes too long.", "Let the job read it.")

    life = Life()
    claim = life.claim(1)
    event = UploadEvent(bucket="uploads", name=life.name, generation=1, event_type="OBJECT_FINALIZE", size=1)
    monkeypatch.setattr(ingest, "read", read)
    monkeypatch.setattr(ingest, "job_model", lambda: "m")
    ingest.extract(life.documents, claim, event)
    taken = stored(life, claim.id)
    assert (taken["state"], taken["job"]["why"]) == ("delegated", "too_slow")
    assert least <= taken["job"]["ingest_seconds"] < 60
    plan = replace(plan_of("too-slow", SIZES), job=Delegation.model_validate(taken["job"]))
    work = cost.work_of(life.documents.plan_delegated(claim.id, claim.run, 1, plan), 0.0)
    assert (work.read_by_job, work.ingest_seconds) == (True, taken["job"]["ingest_seconds"])
