"""Running stacks for the end-to-end tests: real functions, real servers, the real command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.caches import forget
from tests.e2e.running import RunningStack, free_ports

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Of a test that failed, tell what its stacks' processes said last: the tests see documents alone."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, RunningStack):
                report.sections.append((f"logs of {name}", value.last_words()))
    return report


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One stack for every test that does not harm it."""
    running = RunningStack(tmp_path_factory.mktemp("stack"), free_ports())
    running.up()
    yield running
    running.end()


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[RunningStack]:
    """A stack of the test's own, not started; ended afterwards whatever the test did."""
    running = RunningStack(tmp_path / "data", free_ports())
    yield running
    if running.process is not None and running.process.poll() is None:
        running.end()


@pytest.fixture
def clients(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point this process's clients at the shared stack."""
    for name, value in stack.stack()["environment"].items():
        monkeypatch.setenv(name, value)
    forget()
