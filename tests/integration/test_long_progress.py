"""The progress of a long job in its document: seldom enough for Firestore, and never after the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from long_job import delegated
from long_job.delegated import DelegatedRun, Meter
from long_job.task import Task
from shared.documents.store import Documents
from tests.documents import made
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERVAL = 0.25


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documents]:
    """The state machine over a Firestore of the tests' own."""
    from shared.platform.clients import firestore_client

    with serving(tmp_path_factory.mktemp("progress")):
        yield Documents(firestore_client())


@pytest.fixture(autouse=True)
def _short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delegated, "PROGRESS_SECONDS", INTERVAL)


def put(documents: Documents, name: str, **fields: Any) -> None:
    document = made(id=name, **({"state": "delegated"} | fields))
    documents.reference(name).set(document.model_dump())


def noted(
    documents: Documents, name: str, *, seconds: float, tasks: int = 1, enough: int = 10**6
) -> set[Any]:
    """Note every few milliseconds, one unit done each time; when the document was written."""
    done = iter(range(10**6))
    run = DelegatedRun(documents, Task(index=0, count=tasks, attempt=0, execution="e"), name, 1, 1)
    meter = Meter(run, unit="passages", total=10**6, count=lambda: next(done))
    until = time.monotonic() + seconds
    written: set[Any] = set()
    while time.monotonic() < until and len(written) < enough:
        meter.note()
        written.add(documents.reference(name).get().update_time)
        time.sleep(0.005)
    return written


def test_it_is_written_at_intervals(documents: Documents) -> None:
    """However often something is done."""
    put(documents, "often")
    started = time.monotonic()
    written = noted(documents, "often", seconds=30, enough=4)
    assert (time.monotonic() - started) / INTERVAL >= 3
    assert len(written) == 4
    stored = documents.reference("often").get().to_dict() or {}
    assert stored["progress"]["unit"] == "passages"
    assert 0 < stored["progress"]["done"] < stored["progress"]["total"]
    assert stored["progress"]["rate"] > 0
    assert stored["progress"]["eta_seconds"] > 0


def test_more_tasks_write_less_often_each(documents: Documents) -> None:
    """All of them together write as often as one alone would."""
    put(documents, "shared")
    assert len(noted(documents, "shared", seconds=3 * INTERVAL, tasks=10)) == 1


@pytest.mark.parametrize("fields", [{"state": "completed"}, {"run": 2}], ids=["ended", "another run"])
def test_what_has_ended_is_left_alone(documents: Documents, fields: dict[str, Any]) -> None:
    """A task that comes last does not make a completed document look unfinished."""
    put(documents, "ended", **fields)
    assert len(noted(documents, "ended", seconds=3 * INTERVAL)) == 1
