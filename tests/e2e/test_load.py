"""Many files at once: all complete, none is given up where instances are busy or a large one came first."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pytest

from local.services import SIZES
from tests.e2e.running import RunningStack, free_ports
from tests.e2e.test_sweep import tick

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "headrace-local-uploads"
UPLOADERS = 8
LARGE = "load-large.txt"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack that has nothing else to do."""
    running = RunningStack(tmp_path_factory.mktemp("load"), free_ports())
    running.up()
    yield running
    running.end()


def text(number: int, passages: int = 1) -> str:
    return "\n\n".join(
        f"Site {number}-{passage} cut its energy use by {passage % 40 + 1}% in year {number} of its life."
        for passage in range(passages)
    )


def drop(name: str, content: str) -> None:
    from shared.platform.clients import storage_client

    storage_client().bucket(BUCKET).blob(name).upload_from_string(content, content_type="text/plain")


def completed() -> int:
    """How many of the documents have."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    from shared.platform.clients import firestore_client

    query = firestore_client().collection("documents").where(filter=FieldFilter("name", ">=", "load-"))
    query = query.where(filter=FieldFilter("name", "<", "load-~"))
    counting: Any = query.where(filter=FieldFilter("state", "==", "completed")).count()
    [[counted]] = counting.get()
    return int(counted.value)


def load(
    stack: RunningStack, small: int, large: int, seconds: float
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Drop a large file and then the small ones, and wait; figures, and the documents by name."""
    from shared.platform.clients import firestore_client

    started = time.monotonic()
    drop(LARGE, text(0, large))
    with ThreadPoolExecutor(UPLOADERS) as pool:
        list(pool.map(lambda number: drop(f"load-{number:04}.txt", text(number)), range(1, small + 1)))
    dropped = time.monotonic() - started
    oldest = tick(stack)["oldest_seconds"]
    assert 0 < oldest < time.monotonic() - started
    while (count := completed()) < small + 1:
        assert time.monotonic() - started < seconds, f"{count} of {small + 1} documents completed"
        time.sleep(0.5)
    elapsed = time.monotonic() - started
    assert tick(stack)["oldest_seconds"] == 0
    every = [one.to_dict() or {} for one in firestore_client().collection("documents").stream()]
    documents = {one["name"]: one for one in every if one["name"].startswith("load-")}
    waited = sorted(one["timings"]["total_seconds"] for name, one in documents.items() if name != LARGE)
    figures = {
        "documents": small,
        "dropped_seconds": round(dropped, 1),
        "seconds": round(elapsed, 1),
        "documents_per_second": round(small / elapsed, 1),
        "refused": {function: refused(stack, function) for function in ("ingest", "analyze")},
        "large_passages": large,
        "large_seconds": documents[LARGE]["timings"]["total_seconds"],
        "small_p50_seconds": waited[len(waited) // 2],
        "small_p95_seconds": waited[len(waited) * 95 // 100],
        "small_max_seconds": waited[-1],
    }
    return figures, documents


def at_work(stack: RunningStack, function: str) -> int:
    """The most events that a function had in hand at any time, by its log."""
    changes = []
    for line in (stack.data / "logs" / f"{function}.log").read_text().splitlines():
        if '"event handled"' in line:
            event = json.loads(line)
            end = datetime.fromisoformat(event["time"])
            changes += [(end - timedelta(milliseconds=event["elapsed_ms"]), 1), (end, -1)]
    return max(accumulate(step for _, step in sorted(changes)))


def refused(stack: RunningStack, function: str) -> int:
    """How many deliveries found no instance free."""
    return (stack.data / "logs" / f"{function}.log").read_text().count('"no instance was free"')


def check(stack: RunningStack, documents: dict[str, dict[str, Any]], early: float) -> None:
    """Nothing was given up, nothing was done twice, the limits held, and the large one let others pass."""
    from shared.platform.clients import firestore_client

    identifiers = {one["id"] for one in documents.values()}
    letters = [one.to_dict() or {} for one in firestore_client().collection("dead_letters").stream()]
    assert [letter for letter in letters if letter["document"] in identifiers] == []
    assert {one["run"] for one in documents.values()} == {1}
    assert all(one["passages"] == sum(one["sentiment"].values()) > 0 for one in documents.values())
    for function in ("ingest", "analyze"):
        processes, places = SIZES[function]
        assert 1 <= at_work(stack, function) <= processes * places
    assert refused(stack, "ingest") + refused(stack, "analyze") > 0, "the load was none"
    end = documents[LARGE]["timings"]["completed_at"]
    before = [one for one in documents.values() if one["timings"]["completed_at"] < end]
    assert len(before) >= early * (len(documents) - 1)


@pytest.mark.slow
@pytest.mark.usefixtures("clients")
def test_a_hundred_and_fifty_documents_at_once(stack: RunningStack) -> None:
    """All complete, and most of the small ones before the large one that came first."""
    figures, documents = load(stack, 150, 2500, seconds=150)
    print(json.dumps(figures))  # noqa: T201 - shown with -s, or where the test fails
    check(stack, documents, early=0.8)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("clients")
def test_two_thousand_documents_at_once(stack: RunningStack) -> None:
    """The same with more than the stack can take at once."""
    figures, documents = load(stack, 2000, 20000, seconds=1700)
    print(json.dumps(figures))  # noqa: T201 - the figures are what it is run for
    check(stack, documents, early=0.8)
