"""What digests need of a document follows its runs: there once, in its window, gone when the document is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from long_job.backfill import begin
from shared.documents import outcomes
from shared.documents.completion import finish
from shared.documents.store import document_id
from shared.jobs.listing import Entry
from shared.platform.records import ErrorInfo
from tests.integration.documents_life import Life
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.documents.model import Document

BROKEN = ErrorInfo(code="broken", message="It is broken.", hint="Mend it.")


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("outcomes")):
        yield


class Told(Life):
    """A document, and what is kept of it for digests."""

    def complete(self, generation: int, restart: int | None = None) -> dict[str, Any]:
        claim = self.claim(generation, restart)
        self.analyze(claim, generation)
        finish(self.documents, claim.id, claim.run)  # as a delivery that comes twice
        return self.stored(claim)

    def stored(self, claim: Document) -> dict[str, Any]:
        reference = self.documents.client.collection(outcomes.COLLECTION).document(claim.id)
        found = reference.get().to_dict()
        assert found is not None
        return dict(found)


def test_a_completed_document_is_in_a_window() -> None:
    """With its counts, what may be quoted, and the moment of its completion."""
    before = datetime.now(UTC)
    stored = Told().complete(1)
    kept = outcomes.outcome(stored)
    assert kept.completed_at is not None
    assert before <= kept.completed_at <= datetime.now(UTC)
    assert (kept.passages, kept.run, kept.problem) == (3, 1, None)
    assert kept.sentiment == {"positive": 0, "neutral": 3, "negative": 0}
    assert set(outcomes.CONTENT) <= set(stored)


def test_content_that_is_analyzed_again_stays_in_its_window() -> None:
    """A replay or another model replaces what is kept, and is no new document."""
    life = Told()
    first = life.complete(1)
    second = life.complete(1, restart=1)
    assert second["completed_at"] == first["completed_at"]
    assert (first["run"], second["run"]) == (1, 2)


def document(life: Life, claim: Document) -> dict[str, Any]:
    return life.documents.reference(claim.id).get().to_dict() or {}


def test_a_replay_is_no_new_upload() -> None:
    """What is waited for is waited for since the upload, until there is a result; new content comes anew."""
    life = Told()
    claim = life.claim(1)
    life.documents.fail(claim.id, claim.run, 1, BROKEN)
    first = document(life, claim)
    assert first["received_at"] == first["waiting_since"] == first["timings"]["uploaded_at"]
    kept = life.complete(1, restart=1)
    second = document(life, claim)
    assert second["timings"]["uploaded_at"] > first["received_at"]
    assert second["received_at"] == second["waiting_since"] == kept["received_at"] == first["received_at"]
    life.claim(1, 2)
    third = document(life, claim)
    assert third["received_at"] == first["received_at"]
    assert third["waiting_since"] == third["timings"]["uploaded_at"] > second["timings"]["uploaded_at"]
    life.claim(2)
    assert document(life, claim)["received_at"] > third["waiting_since"]


def test_a_backfill_is_no_new_upload() -> None:
    """Another model's run of what was uploaded then."""
    life = Told()
    life.complete(1)
    reference = life.documents.reference(document_id("uploads", life.name))
    first = reference.get().to_dict() or {}
    entry = Entry(document=reference.id, generation="1", published_run=1)
    assert begin(life.documents, entry, "backfill", "other", "execution") == "begun"
    second = reference.get().to_dict() or {}
    assert second["received_at"] == first["received_at"]
    assert second["waiting_since"] == second["timings"]["uploaded_at"] > first["received_at"]


def test_new_content_is_in_a_window_of_its_own() -> None:
    """A newer file of the same name is told of when it is analyzed."""
    life = Told()
    first, second = life.complete(1), life.complete(2)
    assert second["completed_at"] > first["completed_at"]


def test_a_failure_keeps_what_is_published_and_is_told_beside_it() -> None:
    """The published result can still be quoted; a replay that completes takes the problem away."""
    life = Told()
    life.complete(1)
    claim = life.claim(2)
    life.documents.fail(claim.id, claim.run, 2, BROKEN)
    failed = outcomes.outcome(life.stored(claim))
    assert (failed.generation, failed.passages) == ("1", 3)
    assert failed.problem is not None
    assert (failed.problem.state, failed.problem.code) == ("failed", "broken")
    mended = outcomes.outcome(life.complete(2, restart=2))
    assert (mended.generation, mended.problem) == ("2", None)


def test_a_failure_of_the_first_run_has_no_content() -> None:
    """It is in no window of completed documents."""
    life = Told()
    claim = life.claim(1)
    life.documents.fail(claim.id, claim.run, 1, BROKEN)
    stored = life.stored(claim)
    assert stored["completed_at"] is None
    assert not set(outcomes.CONTENT) & set(stored)


def test_a_rejection_takes_away_what_could_be_quoted() -> None:
    """As nothing of the document stays readable elsewhere."""
    life = Told()
    life.complete(1)
    claim = life.claim(2)
    life.documents.reject(claim, BROKEN)
    stored = life.stored(claim)
    assert not set(outcomes.CONTENT) & set(stored)
    rejected = outcomes.outcome(stored)
    assert (rejected.completed_at, rejected.passages) == (None, 0)
    assert rejected.problem is not None
    assert rejected.problem.state == "rejected"
