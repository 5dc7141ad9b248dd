"""The transaction that commits the only batch of a run completes the run, once, whenever its plan comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import ServiceUnavailable

from shared.documents.completion import finish, finish_as_read
from shared.platform.transaction import RawTransaction
from tests.integration.documents_life import Life
from tests.integration.documents_parts import batch_of, commit, plan_of
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 3


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("alone")):
        yield


def stored(life: Life, document: str) -> dict[str, Any]:
    return life.documents.reference(document).get().to_dict() or {}


def test_the_commit_of_the_only_batch_completes_the_run() -> None:
    """Nothing but the announcement is left to do."""
    life = Life()
    claim = life.claim(1)
    life.documents.plan(claim, plan_of(f"{claim.id}-1", (SIZE,)))
    commit(life.documents, batch_of(claim.id, 1, 1, 0, (0, SIZE)), range(SIZE))
    document = stored(life, claim.id)
    assert (document["state"], document["published_run"]) == ("completed", 1)
    assert sum(document["sentiment"].values()) == SIZE
    assert document["results_pending"]
    finish(life.documents, claim.id, 1)
    assert not stored(life, claim.id)["results_pending"]


def test_a_part_of_the_only_batch_completes_nothing() -> None:
    """A batch that ran into its time limit has committed what it had."""
    life = Life()
    claim = life.claim(1)
    life.documents.plan(claim, plan_of(f"{claim.id}-1", (SIZE,)))
    message = batch_of(claim.id, 1, 1, 0, (0, SIZE))
    commit(life.documents, message, range(SIZE - 1))
    assert stored(life, claim.id)["state"] == "analyzing"
    commit(life.documents, message, range(SIZE - 1, SIZE))
    document = stored(life, claim.id)
    assert (document["state"], sum(document["sentiment"].values())) == ("completed", SIZE)


def test_a_batch_before_its_plan_is_completed_after_it() -> None:
    """Ingest looks after its plan, since the batch, which came first, has seen none."""
    life = Life()
    claim = life.claim(1)
    commit(life.documents, batch_of(claim.id, 1, 1, 0, (0, SIZE)), range(SIZE))
    assert stored(life, claim.id)["state"] == "extracting"
    finish_as_read(life.documents, life.documents.plan(claim, plan_of(f"{claim.id}-1", (SIZE,))))
    document = stored(life, claim.id)
    assert (document["state"], document["results_pending"]) == ("completed", False)


def test_a_commit_whose_answer_was_lost_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is repeated, finds the run completed by itself, and so its delivery goes on to announce that."""
    life = Life()
    claim = life.claim(1)
    life.documents.plan(claim, plan_of(f"{claim.id}-1", (SIZE,)))
    commits: list[int] = []
    honest = RawTransaction._commit

    def lossy(self: RawTransaction) -> Any:
        answer = honest(self)
        commits.append(1)
        if len(commits) == 1:
            raise ServiceUnavailable("lost")  # type: ignore[no-untyped-call]
        return answer

    monkeypatch.setattr(RawTransaction, "_commit", lossy)
    commit(life.documents, batch_of(claim.id, 1, 1, 0, (0, SIZE)), range(SIZE))
    assert len(commits) == 2
    document = stored(life, claim.id)
    assert (document["state"], sum(document["sentiment"].values())) == ("completed", SIZE)
