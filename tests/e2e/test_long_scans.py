"""Files that the long job has to read itself: scans, and what is beyond a function's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from reportlab.lib.pagesizes import A5
from reportlab.pdfgen.canvas import Canvas

from tests.e2e.jobs import BY_HAND, ended, idle_job, task, while_running
from tests.e2e.running import RunningStack, free_ports
from tests.e2e.test_again import passages_of
from tests.e2e.test_failures import stored, until
from tests.e2e.test_long_job import delegated
from tests.unit.test_ocr import TEXT, picture, scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = 10
"""More than one shard, and as many as a function may read."""
TOWNS = [
    "Ashford",
    "Brennick",
    "Coldwell",
    "Dunmore",
    "Elmswick",
    "Farley",
    "Glenholm",
    "Hartwood",
    "Inverlee",
    "Kirkdale",
]
LIMITS = {"HEADRACE_MAX_PAGES": str(PAGES), "HEADRACE_JOB_MAX_PAGES": str(PAGES + 2)}
WORK = "headrace-local-work"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack with small limits, whose job does nothing by itself."""
    running = RunningStack(tmp_path_factory.mktemp("scans"), free_ports(), BY_HAND | LIMITS)
    running.up()
    yield running
    running.end()


@pytest.fixture
def by_hand(stack: RunningStack, clients: None) -> None:  # noqa: ARG001 - the clients come first
    """Let the stack's job do nothing."""
    idle_job()


def kept(document: str) -> dict[str, bytes]:
    """The recognised pages that lie in the work bucket."""
    from shared.platform.clients import storage_client

    blobs = storage_client().list_blobs(WORK, prefix=f"runs/{document}/1/ocr/")
    return {blob.name: blob.download_as_bytes() for blob in blobs}


@pytest.mark.usefixtures("by_hand")
def test_scans_are_recognised_by_two_tasks_of_which_one_is_killed(
    stack: RunningStack, tmp_path: Path
) -> None:
    """Every page is there once, in order, redacted; what was kept meanwhile was unreadable, and is gone."""
    lines = ("Page {} says: write to jane.doe@example.org.", "The forest of {} is cut every tenth year.")
    pages = [
        picture([lines[0].format(number), lines[1].format(town)]) for number, town in enumerate(TOWNS, 1)
    ]
    document = delegated(stack, scan(tmp_path / "scans.pdf", *pages))
    assert (document["job"]["why"], document["ocr_pages"]) == ("ocr", list(range(1, PAGES + 1)))
    assert document["batches"] is None
    tasks = [task(stack, document, index, 2) for index in range(2)]
    for _ in while_running(tasks[0]):
        if len(found := kept(document["id"])) > 1:
            tasks[0].kill()
    assert all(b"forest" not in content and b"jane" not in content for content in found.values())
    ended(tasks[0])
    again = task(stack, document, 0, 2, attempt=1)
    assert [ended(one) for one in (tasks[1], again)] == [0, 0]
    done = stored(document["id"])
    assert (done["state"], done["pages"], done["ocr_pages"]) == ("completed", PAGES, [])
    assert [item["page"] for item in done["recognised"]] == list(range(1, PAGES + 1))
    passages = passages_of(document["id"])
    assert [passage["index"] for passage in passages] == list(range(done["passages"]))
    for number, town in enumerate(TOWNS, 1):
        text = " ".join(passage["text"] for passage in passages if passage["page"] == number)
        assert f"Page {number} says" in text
        assert f"The forest of {town} is cut" in text
        assert "[email:" in text
        assert "jane" not in text
    assert kept(document["id"]) == {}


def report(path: Path, pages: int) -> Path:
    canvas = Canvas(str(path), pagesize=A5)
    for number in range(1, pages + 1):
        for at, line in enumerate((f"This is page {number} of a long report.", *TEXT)):
            canvas.drawString(40, 500 - 18 * at, line)
        canvas.showPage()
    canvas.save()
    return path


@pytest.mark.usefixtures("by_hand")
def test_what_is_beyond_a_functions_limit_is_within_the_jobs(stack: RunningStack, tmp_path: Path) -> None:
    """The job reads and analyzes it."""
    document = delegated(stack, report(tmp_path / "long.pdf", PAGES + 1))
    assert document["job"]["why"] == "too_many_pages"
    assert ended(task(stack, document)) == 0
    done = stored(document["id"])
    assert (done["state"], done["route"], done["pages"]) == ("completed", "job", PAGES + 1)
    assert {passage["page"] for passage in passages_of(document["id"])} == set(range(1, PAGES + 2))


@pytest.mark.usefixtures("by_hand")
def test_what_is_beyond_the_jobs_limit_too_is_rejected(stack: RunningStack, tmp_path: Path) -> None:
    """With the code of the limit, and the job's number in the sentence."""
    document = delegated(stack, report(tmp_path / "longer.pdf", PAGES + 3))
    assert ended(task(stack, document)) == 0
    until(lambda: not stored(document["id"])["results_pending"])
    done = stored(document["id"])
    assert (done["state"], done["error"]["code"]) == ("rejected", "too_many_pages")
    assert str(PAGES + 2) in done["error"]["message"]
