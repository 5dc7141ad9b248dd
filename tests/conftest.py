"""What holds for all tests."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, settings

from tests.caches import forget

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LONGEST_FIRST = ("e2e", "soak", "browser", "fuzz", "integration", "unit")
"""Kinds of tests by how long a file of them takes: the last files are short, and all workers end together."""
SHARED_STACKS = 2
"""Each for every second file of those that need just a stack."""
STAYS = frozenset(
    {
        "GRPC_ENABLE_FORK_SUPPORT",
        "LD_LIBRARY_PATH",
        "OPENBLAS_NUM_THREADS",
        "ORT_DISABLE_TELEMETRY",
        "PYTEST_CURRENT_TEST",
        "RAYON_NUM_THREADS",
        "TORCHINDUCTOR_CACHE_DIR",
    }
)
"""What modules of the product, OpenCV and torch set at their import, maybe within a test; pytest's own."""

# A deadline for one example says how busy the machine is, not whether the code is right. A change is held
# against the same examples as the one before it; `make soak` draws others each time.
settings.register_profile("headrace", deadline=None, max_examples=50, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=200)
# What a mutant breaks need not be made small.
settings.register_profile(
    "mutants", settings.get_profile("headrace"), phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("headrace")
# Collecting makes objects that live as long as the process: to look for garbage among them is vain.
gc.disable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Run a file in one process (`--dist loadfile`), and so the files that share what is dear to start."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    together = _together(config.rootpath)

    class Together(LoadFileScheduling):  # type: ignore[misc]  # Any, without stubs
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return together.get(file, file)

    return Together(config, log)


def _together(root: Path) -> dict[str, str]:
    """Groups of files by their paths: a shared stack of tests/e2e, plans of infra/, the installer."""
    ends = sorted(path for path in (root / "tests" / "e2e").glob("test_*.py") if not _has_own_stack(path))
    groups = {path: f"stack {number % SHARED_STACKS}" for number, path in enumerate(ends)}
    for path in (root / "tests" / "unit").glob("test_*.py"):
        if "from tests.unit.infra_plan import" in path.read_text("utf-8"):
            groups[path] = "infra"
    for path in (root / "tests" / "integration").glob("test_install*.py"):
        groups[path] = "install"
    return {path.relative_to(root).as_posix(): group for path, group in groups.items()}


def _has_own_stack(path: Path) -> bool:
    return "def stack(" in path.read_text("utf-8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by kind; within a kind the files of shared stacks come first, since they take longest."""
    own = {path: _has_own_stack(path) for path in {item.path for item in items}}

    def order(item: pytest.Item) -> tuple[int, bool]:
        kind = item.path.relative_to(item.config.rootpath / "tests").parts[0]
        return LONGEST_FIRST.index(kind), kind == "e2e" and own[item.path]

    items.sort(key=order)


def pytest_collection_finish() -> None:
    """Remember the environment: what a module sets at its import, it sets in every process."""
    gc.freeze()
    gc.enable()
    _before.update(_environment())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """After a file, hold the environment against what it was before all: which file follows it is chance.

    Fixtures of the file are gone by now, those of the session are not: one of them that sets a variable would
    do so for whatever runs later in this process.
    """
    if nextitem is not None and nextitem.path == item.path:
        return (yield)
    try:
        yield
    finally:
        changed = _restore()
    assert not changed, f"{item.path.name} left variables behind: {changed}"


def _restore() -> list[str]:
    """Undo what is left of a file; the variables that it left otherwise."""
    forget()
    found = _environment()
    changed = sorted(name for name in found.keys() | _before.keys() if found.get(name) != _before.get(name))
    for name in changed:
        if name in _before:
            os.environ[name] = _before[name]
        else:
            del os.environ[name]
    return changed


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in STAYS}


_before: dict[str, str] = {}
