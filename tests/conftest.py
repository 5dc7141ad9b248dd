"""What holds for all tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.caches import forget

if TYPE_CHECKING:
    from collections.abc import Generator

LONGEST_FIRST = ("e2e", "soak", "browser", "fuzz", "integration", "unit")
"""Kinds of tests by how long a file of them takes: the last files are short, and all workers end together."""
SHARED_STACKS = 2
"""Each for every second file of those that need just a stack."""
STAYS = frozenset(
    {
        "LD_LIBRARY_PATH",
        "OPENBLAS_NUM_THREADS",
        "ORT_DISABLE_TELEMETRY",
        "PYTEST_CURRENT_TEST",
        "RAYON_NUM_THREADS",
    }
)
"""What modules of the product and OpenCV set when they are imported, maybe within a test; pytest's own."""

# A deadline for one example says how busy the machine is, not whether the code is right. A change is held
# against the same examples as the one before it; `make soak` draws others each time.
settings.register_profile("headrace", deadline=None, max_examples=50, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=200)
settings.load_profile("headrace")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by kind, and say which files run in one process, for `pytest --dist loadgroup`.

    A file does, and so do files that share what is dear to start: those of one shared stack, and those that
    name a group themselves. Within a kind the shared stacks' files come first, since they take longest.
    """
    shared = sorted({item.path for item in items if _uses_shared_stack(item)})
    stacks = {path: f"stack {number % SHARED_STACKS}" for number, path in enumerate(shared)}

    def order(item: pytest.Item) -> tuple[int, str]:
        kind = item.path.relative_to(item.config.rootpath / "tests").parts[0]
        return LONGEST_FIRST.index(kind), "" if kind != "e2e" else stacks.get(item.path, "the others")

    items.sort(key=order)
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(stacks.get(item.path, str(item.path))))


def _uses_shared_stack(item: pytest.Item) -> bool:
    """Whether a test uses the fixture `stack` of tests/e2e, not one of its file's own."""
    fixtures = getattr(item, "_fixtureinfo", None)
    found = fixtures.name2fixturedefs.get("stack") if fixtures else None
    return bool(found and found[-1].baseid == "tests/e2e")


def pytest_collection_finish() -> None:
    """Remember the environment: what a module sets at its import, it sets in every process."""
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
