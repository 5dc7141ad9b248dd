"""A batch that needs several times the function's time limit: it stops by itself, and goes on later."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from shared.documents.store import Documents
from tests.e2e.running import RunningStack, free_ports
from tests.e2e.test_again import passages_of, settled
from tests.e2e.test_failures import until
from tests.e2e.test_faults import ACKNOWLEDGED, handled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSAGES = 128
"""The most that a batch may have."""
PERIOD = 0.2
"""Seconds in which a throttled process gets its share once."""
WORDS = "water energy emissions waste accidents suppliers land bribery recycling prices coal steel"


@pytest.fixture
def limit(request: pytest.FixtureRequest) -> float:
    """Seconds."""
    return float(request.param)


@pytest.fixture
def stack(limit: float, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack whose batches are as large as they may be, and whose analyze has so little time for one."""
    extra = {
        "HEADRACE_ANALYZE_TIMEOUT": str(limit),
        "HEADRACE_ANALYZE_WORKERS": "1",
        "HEADRACE_BATCH_PASSAGES": str(PASSAGES),
        "HEADRACE_BATCH_TOKENS": "1000000",
    }
    running = RunningStack(tmp_path_factory.mktemp("limit"), free_ports(), extra)
    running.up()
    yield running
    running.end()


@contextmanager
def throttled(stack: RunningStack, name: str, share: float) -> Iterator[None]:
    """Give a service a share of its processor, as an instance with less than one has it."""
    process, over = stack.pid(name), threading.Event()

    def control() -> None:
        while not over.is_set():
            os.killpg(process, signal.SIGSTOP)
            time.sleep(PERIOD * (1 - share))
            os.killpg(process, signal.SIGCONT)
            time.sleep(PERIOD * share)

    controlling = threading.Thread(target=control)
    controlling.start()
    try:
        yield
    finally:
        over.set()
        controlling.join()


def write(path: Path, name: str, length: int) -> Path:
    """A file of so many passages of so many words, no two alike."""
    words = WORDS.split()
    texts = [
        " ".join(f"{words[(row * 7 + place * 5) % len(words)]} {row * place % 97}" for place in range(length))
        for row in range(PASSAGES)
    ]
    file = path / name
    file.write_text("".join(json.dumps({"text": f"{name}: {text}."}) + "\n" for text in texts))
    return file


def records(document: str) -> list[dict[str, Any]]:
    """Of its batches: one, once that has committed."""
    from shared.platform.clients import firestore_client

    batches = Documents(firestore_client()).reference(document).collection("batches").stream()
    return [one.to_dict() or {} for one in batches]


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize(
    ("limit", "needs", "length"),
    [
        pytest.param(8.0, 13.0, 60, id="quick"),
        pytest.param(5.0, 20.0, 90, id="as promised", marks=[pytest.mark.slow]),
    ],
    indirect=["limit"],
)
def test_no_work_is_lost_to_the_limit(
    stack: RunningStack, limit: float, needs: float, length: int, tmp_path: Path
) -> None:
    """Each attempt commits what it has before the limit, the next goes on from there; every passage once."""
    [whole] = stack.json("drop", str(write(tmp_path, "unthrottled.jsonl", length)), "--wait")
    assert whole["passages"] == PASSAGES
    [record] = records(whole["id"])
    alone = record["cpu_seconds"]
    # Beside other tests a processor is shared, and no process can tell: the limit is stretched with the work.
    took = sum(event["elapsed_ms"] for event in handled(stack, "analyze", whole["id"])) / 1000
    stretched = max(took / alone, 1.0)
    [dropped] = stack.json("drop", str(write(tmp_path, "throttled.jsonl", length)))
    came_to = []
    with throttled(stack, "analyze", min(alone / needs, 1.0)):
        until(lambda: handled(stack, "ingest", dropped["id"]))
        while True:
            seen = [record["upto"] for record in records(dropped["id"])]
            came_to += [upto for upto in seen if upto not in came_to]
            if came_to[-1:] == [PASSAGES]:
                break
            time.sleep(0.05)
    shown = settled(stack, dropped["id"], 1)
    [record] = records(dropped["id"])
    assert len(record["partials"]) >= 2, "it was not continued"  # two commits may fall between two looks
    assert came_to == sorted(came_to)
    assert set(came_to) <= set(range(1, PASSAGES + 1))
    assert (record["done"], record["failures"]) == (True, 0)
    assert [passage["index"] for passage in passages_of(dropped["id"])] == list(range(PASSAGES))
    assert sum(shown["sentiment"].values()) == PASSAGES
    attempts = handled(stack, "analyze", dropped["id"])
    assert {event["status"] for event in attempts} == {ACKNOWLEDGED}
    assert max(event["elapsed_ms"] for event in attempts) < limit * stretched * 1000
