"""What a superseded run leaves disappears however the next one ends; what is whole stays."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from shared.clients import firestore_client
from shared.completion import finish, settle
from shared.documents import Documents
from shared.records import ErrorInfo, UploadEvent
from tests.integration.documents_parts import batch_of, commit, plan_of
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.transitions import Claim

BROKEN = ErrorInfo(code="broken", message="It is broken.", hint="Mend it.")
SIZES = (2, 1)
"""Passages in the batches of every run."""
_numbers = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("leftovers")):
        yield


class Life:
    """A document, moved on step by step."""

    def __init__(self) -> None:
        self.documents = Documents(firestore_client())
        self.name = f"report-{next(_numbers)}.txt"

    def claim(self, generation: int, restart: int | None = None) -> Claim:
        event = UploadEvent(
            bucket="uploads",
            name=self.name,
            generation=generation,
            event_type="OBJECT_FINALIZE",
            size=1,
            restart_run=restart,
        )
        claim = self.documents.claim(event, published=datetime.now(UTC), lease_seconds=60)
        assert claim is not None
        return claim

    def analyse(self, claim: Claim, generation: int, batches: int = len(SIZES)) -> None:
        """Plan a run and commit its first batches."""
        self.documents.plan(claim, plan_of(f"{claim.document}-{claim.run}", SIZES))
        for number in range(batches):
            start = sum(SIZES[:number])
            bounds = (start, start + SIZES[number])
            commit(
                self.documents,
                batch_of(claim.document, claim.run, generation, number, bounds),
                range(*bounds),
            )
        finish(self.documents, claim.document, claim.run)

    def kept(self, document: str) -> dict[str, set[int]]:
        """Of which runs there are passages, and batches."""
        reference = self.documents.reference(document)
        return {
            part: {(one.to_dict() or {})["run"] for one in reference.collection(part).stream()}
            for part in ("passages", "batches")
        }


def superseded() -> tuple[Life, str]:
    """Run 1 is published; run 2, half analysed, is superseded by the claim of run 3."""
    life = Life()
    first = life.claim(1)
    life.analyse(first, 1)
    life.analyse(life.claim(2), 2, batches=1)
    assert life.kept(first.document) == {"passages": {1, 2}, "batches": {1, 2}}
    return life, first.document


def test_the_next_run_fails() -> None:
    """The superseded run's passages go; the last whole result and what the failed run found stay."""
    life, document = superseded()
    life.analyse(life.claim(3), 3, batches=1)
    life.documents.fail(document, 3, 3, BROKEN)
    settle(life.documents, document)
    stored = life.documents.reference(document).get().to_dict() or {}
    assert (stored["state"], stored["published_run"], stored["purge_pending"]) == ("failed", 1, False)
    assert life.kept(document) == {"passages": {1, 3}, "batches": {1, 3}}


def test_the_next_run_is_rejected() -> None:
    """The newest content cannot be read: nothing of an older content is shown as its result."""
    life, document = superseded()
    life.documents.reject(life.claim(3), BROKEN)
    settle(life.documents, document)
    stored = life.documents.reference(document).get().to_dict() or {}
    assert (stored["state"], stored["published_run"], stored["purge_pending"]) == ("rejected", None, False)
    assert life.kept(document) == {"passages": set(), "batches": set()}


def test_the_next_run_completes() -> None:
    """It alone is left."""
    life, document = superseded()
    life.analyse(life.claim(3), 3)
    assert life.kept(document) == {"passages": {3}, "batches": {3}}


def test_a_replay_that_fails_keeps_what_it_copies_from() -> None:
    """Its next replay still finds what either found; only a run that succeeds makes them needless."""
    life, document = superseded()
    life.analyse(life.claim(3), 3, batches=1)
    life.documents.fail(document, 3, 3, BROKEN)
    life.analyse(life.claim(3, restart=3), 3, batches=1)
    life.documents.fail(document, 4, 3, BROKEN)
    settle(life.documents, document)
    assert life.kept(document) == {"passages": {1, 3, 4}, "batches": {1, 3, 4}}
    life.analyse(life.claim(3, restart=4), 3, batches=0)
    life.documents.fail(document, 5, 3, BROKEN)
    settle(life.documents, document)
    assert life.kept(document) == {"passages": {1, 4}, "batches": {1, 4}}
    life.analyse(life.claim(3, restart=5), 3)
    assert life.kept(document) == {"passages": {6}, "batches": {6}}
