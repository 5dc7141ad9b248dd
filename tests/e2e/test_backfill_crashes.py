"""A backfill that dies between two steps of one document: whoever comes next finds it, and ends it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cli.options import MODEL
from long_job.backfill import begin
from model_export.bucket import push
from shared.documents import artefacts
from shared.documents.delegation import job_path
from shared.documents.store import Documents, now
from shared.jobs.listing import Entry
from shared.platform.clients import firestore_client
from shared.platform.settings import settings
from tests.e2e.backfills import check_redone, dropped, entry, listed, runs_with_passages, task
from tests.e2e.jobs import ended
from tests.e2e.other_model import other_model
from tests.e2e.running import NO_TICKS, RunningStack, free_ports
from tests.e2e.test_failures import stored, until
from tests.e2e.test_sweep import tick

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("clients")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path_factory.mktemp("crashes"), free_ports(), patch=NO_TICKS)
    running.up()
    yield running
    running.end()


@pytest.fixture
def other(clients: None, tmp_path_factory: pytest.TempPathFactory) -> str:  # noqa: ARG001 - these come first
    """The digest of the other model, which is in the bucket."""
    folder = tmp_path_factory.mktemp("models") / "other"
    digest = other_model(MODEL, folder)
    push(folder, settings().models_bucket)
    return digest


def begun(prefix: str, model: str, *, copied: bool) -> tuple[dict[str, object], str]:
    """A document whose run a task began, and died; as it was before, and its backfill."""
    [before] = dropped(prefix, [12])
    backfill = listed(prefix, model)
    wanted = Entry.model_validate(entry(backfill, before["id"]))
    documents = Documents(firestore_client())
    assert begin(documents, wanted, backfill, model, f"{job_path()}/executions/gone") == "begun"
    assert begin(documents, wanted, backfill, model, "another") == "begun"
    if copied:
        artefacts.copy(documents.reference(before["id"]), 1, 2)
    after = stored(before["id"])
    assert (after["run"], after["published_run"], after["state"]) == (2, 1, "delegated")
    assert after["sentiment"] == before["sentiment"]
    return before, backfill


@pytest.mark.parametrize("copied", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_next_attempt_goes_on(stack: RunningStack, other: str, *, copied: bool) -> None:
    """Begun, or begun and copied, and not planned: the same run is planned and completes."""
    before, backfill = begun(f"attempt-{copied}", other, copied=copied)
    assert ended(task(stack, backfill)) == 0
    after = stored(str(before["id"]))
    check_redone(before, after, other)
    assert after["run"] == 2
    assert entry(backfill, after["id"])["outcome"] == "completed"


def test_the_sweep_ends_what_nobody_comes_back_for(stack: RunningStack, other: str) -> None:
    """It starts the job for that document alone, which also compares; the backfill then finds it done."""
    before, backfill = begun("abandoned", other, copied=False)
    document = str(before["id"])
    reference = Documents(firestore_client()).reference(document)
    reference.update({"updated_at": now() - timedelta(hours=1)})
    assert tick(stack)["recovered"] == 1
    until(lambda: entry(backfill, document)["settled"])
    until(lambda: runs_with_passages(document) == {2})
    check_redone(before, stored(document), other)
    assert entry(backfill, document)["comparison"]["passages"] == 12
    assert stack.json("backfill", "resume", backfill, "--wait")["counts"] == {"completed": 1}
