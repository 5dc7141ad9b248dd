"""Tasks of the long job are killed at random moments: the document is completed as after a quiet run.

What starts them again is this test, as Cloud Run does: the same task, one attempt further.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.caches import forget
from tests.e2e.jobs import BY_HAND, idle_job, task
from tests.e2e.running import HOWEVER_OFTEN, RunningStack, free_ports
from tests.e2e.test_failures import stored, until
from tests.soak.expected import expected, outcome
from tests.soak.histories import text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.commands import Forked

PATIENCE = 90.0
KILLS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack whose every document is the job's, and whose job does nothing by itself."""
    running = RunningStack(tmp_path_factory.mktemp("job"), free_ports(), BY_HAND, patch=HOWEVER_OFTEN)
    running.up()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in running.stack()["environment"].items():
            patch.setenv(name, value)
        forget()
        idle_job()
        yield running
    forget()
    running.down(signal.SIGTERM)


@dataclass
class Started:
    """A task, and how often it was started."""

    process: Forked
    attempt: int = 0


def test_killed_tasks_complete_the_document_once(
    job_seed: int, by_hand: RunningStack, tmp_path: Path
) -> None:
    """Every passage once, every label as in one process, whatever was killed when."""
    from shared.documents.store import Documents, document_id
    from shared.platform.clients import firestore_client, storage_client

    random = Random(job_seed)
    content = b"\n\n".join(part for _ in range(8) if (part := text(random, job_seed)).isascii())
    name = f"job-{job_seed}.txt"
    bucket = "headrace-local-uploads"
    storage_client().bucket(bucket).blob(name).upload_from_string(content, content_type="text/plain")
    identifier = document_id(bucket, name)
    wanted = expected(content, tmp_path)
    if wanted["state"] == "completed":
        until(lambda: stored(identifier).get("state") == "delegated")
        run_with_kills(by_hand, identifier, random)
    until(lambda: not stored(identifier).get("results_pending", True))
    found = outcome(Documents(firestore_client()).reference(identifier))
    sound = found.pop("sound")
    assert all(sound.values()), sound
    assert found.pop("generation")
    assert found == wanted


def run_with_kills(stack: RunningStack, identifier: str, random: Random) -> None:
    """Start the tasks of an execution, kill some of them, start those again, until all have ended well."""
    document = stored(identifier)
    count = random.choice((1, 2, 3))
    tasks = {index: Started(task(stack, document, index, count)) for index in range(count)}
    kills = sorted((random.uniform(0.3, 3.5), random.randrange(count)) for _ in range(random.randint(1, 3)))
    begun = time.monotonic()
    while tasks:
        assert time.monotonic() - begun < PATIENCE, stored(identifier)
        while kills and time.monotonic() - begun > kills[0][0]:
            _, victim = kills.pop(0)
            if victim in tasks:
                tasks[victim].process.send_signal(random.choice(KILLS))
        for index, started in list(tasks.items()):
            status = started.process.poll()
            if status == 0:
                del tasks[index]
            elif status is not None:
                started.attempt += 1
                started.process = task(stack, document, index, count, attempt=started.attempt)
        time.sleep(0.02)
