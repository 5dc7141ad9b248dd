"""What a superseded run leaves disappears however the next one ends; what is whole stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.documents import completion
from shared.documents.completion import finish, purge
from shared.documents.passages import purge_runs
from shared.platform.records import ErrorInfo
from tests.integration.documents_life import SIZES, Life
from tests.integration.documents_parts import batch_of, commit, plan_of
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

BROKEN = ErrorInfo(code="broken", message="It is broken.", hint="Mend it.")


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("leftovers")):
        yield


def superseded() -> tuple[Life, str]:
    """Run 1 is published; run 2, half analyzed, is superseded by the claim of run 3."""
    life = Life()
    first = life.claim(1)
    life.analyze(first, 1)
    life.analyze(life.claim(2), 2, batches=1)
    assert life.kept(first.id) == {"passages": {1, 2}, "batches": {1, 2}}
    return life, first.id


def test_the_next_run_fails() -> None:
    """The superseded run's passages go; the last whole result and what the failed run found stay."""
    life, document = superseded()
    life.analyze(life.claim(3), 3, batches=1)
    life.documents.fail(document, 3, 3, BROKEN)
    finish(life.documents, document)
    stored = life.documents.reference(document).get().to_dict() or {}
    assert (stored["state"], stored["published_run"], stored["purge_pending"]) == ("failed", 1, False)
    assert life.kept(document) == {"passages": {1, 3}, "batches": {1, 3}}


def test_the_next_run_is_rejected() -> None:
    """The newest content cannot be read: nothing of an older content is shown as its result."""
    life, document = superseded()
    life.documents.reject(life.claim(3), BROKEN)
    finish(life.documents, document)
    stored = life.documents.reference(document).get().to_dict() or {}
    assert (stored["state"], stored["published_run"], stored["purge_pending"]) == ("rejected", None, False)
    assert life.kept(document) == {"passages": set(), "batches": set()}


def test_the_next_run_completes() -> None:
    """It alone is left."""
    life, document = superseded()
    life.analyze(life.claim(3), 3)
    assert life.kept(document) == {"passages": {3}, "batches": {3}}


def test_a_replay_that_fails_keeps_what_it_copies_from() -> None:
    """Its next replay still finds what either found; only a run that succeeds makes them needless."""
    life, document = superseded()
    life.analyze(life.claim(3), 3, batches=1)
    life.documents.fail(document, 3, 3, BROKEN)
    life.analyze(life.claim(3, restart=3), 3, batches=1)
    life.documents.fail(document, 4, 3, BROKEN)
    finish(life.documents, document)
    assert life.kept(document) == {"passages": {1, 3, 4}, "batches": {1, 3, 4}}
    life.analyze(life.claim(3, restart=4), 3, batches=0)
    life.documents.fail(document, 5, 3, BROKEN)
    finish(life.documents, document)
    assert life.kept(document) == {"passages": {1, 4}, "batches": {1, 4}}
    life.analyze(life.claim(3, restart=5), 3)
    assert life.kept(document) == {"passages": {6}, "batches": {6}}


def test_a_run_that_ends_while_its_document_is_purged_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweep purges for the run before; the newer one completes meanwhile, and its instance dies."""
    life = Life()
    life.analyze(life.claim(1), 1)
    with monkeypatch.context() as patch:
        patch.setattr(completion, "settle", lambda *_: None)
        life.analyze(life.claim(2), 2)
    claim = life.claim(3)
    life.documents.plan(claim, plan_of(f"{claim.id}-3", SIZES))
    for number, bounds in enumerate(((0, SIZES[0]), (SIZES[0], sum(SIZES)))):
        commit(life.documents, batch_of(claim.id, 3, 3, number, bounds), range(*bounds))

    def then_it_completes(*of: Any) -> int:
        deleted = purge_runs(*of)
        with monkeypatch.context() as patch:
            patch.setattr(completion, "settle", lambda *_: None)
            finish(life.documents, claim.id, 3)
        return deleted

    with monkeypatch.context() as patch:
        patch.setattr(completion, "purge_runs", then_it_completes)
        purge(life.documents, claim.id)
    assert life.kept(claim.id) == {"passages": {2, 3}, "batches": {2, 3}}
    purge(life.documents, claim.id)
    assert life.kept(claim.id) == {"passages": {3}, "batches": {3}}
