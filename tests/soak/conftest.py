"""The stack under test, and the seeds: `make soak SEED=17 COUNT=1`."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.caches import forget
from tests.e2e.running import HOWEVER_OFTEN, RunningStack, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_SEED = int(os.environ.get("SOAK_SEED") or 1)
HISTORIES = int(os.environ.get("SOAK_COUNT") or 3)
JOB_HISTORIES = max(1, HISTORIES // 4)
"""Of the long job, each several times as long as the others."""
QUICK = {
    "HEADRACE_INGEST_TIMEOUT": "3",
    "HEADRACE_SWEEP_GRACE": "1",
    "HEADRACE_SWEEP_PATIENCE": "5",
    "HEADRACE_SWEEP_ATTEMPTS": "50",
    "HEADRACE_BATCH_PASSAGES": "8",
    "HEADRACE_BATCH_LANES": "3",
}
"""Short leases, an impatient sweep, and several batches of even a short text."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(FIRST_SEED, FIRST_SEED + HISTORIES))
    if "job_seed" in metafunc.fixturenames:
        metafunc.parametrize("job_seed", range(FIRST_SEED, FIRST_SEED + JOB_HISTORIES))


@pytest.fixture(scope="module")
def harassed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack whose processes are killed all the time, and this process's clients pointed at it."""
    running = RunningStack(tmp_path_factory.mktemp("soak"), free_ports(), QUICK, patch=HOWEVER_OFTEN)
    running.up()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in running.stack()["environment"].items():
            patch.setenv(name, value)
        forget()
        yield running
    forget()
    running.down(signal.SIGTERM)  # SIGINT does nothing where a shell started the tests in the background
