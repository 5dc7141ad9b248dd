"""What holds for all tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from shared import clients
from shared import settings as product

if TYPE_CHECKING:
    from collections.abc import Generator

LONGEST_FIRST = ("e2e", "soak", "browser", "fuzz", "integration", "unit")
"""Kinds of tests by how long a file of them takes: the last files are short, and all workers end together."""
STAYS = frozenset({"OPENBLAS_NUM_THREADS", "ORT_DISABLE_TELEMETRY", "RAYON_NUM_THREADS", "PYTEST_CURRENT_TEST"})
"""What modules of the product set for their libraries when they are imported, and pytest for itself."""
CACHES = (
    product.settings,
    clients.storage_client,
    clients.firestore_client,
    clients.publisher,
    clients.secrets,
    clients.secret,
    clients.jobs,
    clients.executions,
)

# A deadline for one example says how busy the machine is, not whether the code is right. Each run draws other
# examples, and a push runs all tests: fewer of them each time find the same, a little later.
settings.register_profile("headrace", deadline=None, max_examples=50)
settings.load_profile("headrace")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by kind; within a kind files stay in their order."""
    items.sort(
        key=lambda item: LONGEST_FIRST.index(item.path.relative_to(item.config.rootpath / "tests").parts[0])
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """After a file, hold the environment against what it was before all: which file follows it is chance.

    Fixtures of the file are gone by now, those of the session are not: one of them that sets a variable would
    do so for whatever runs later in this process.
    """
    yield
    if nextitem is not None and nextitem.path == item.path:
        return
    for cached in CACHES:
        cached.cache_clear()
    found = _environment()
    changed = sorted(name for name in found.keys() | _BEFORE.keys() if found.get(name) != _BEFORE.get(name))
    for name in changed:
        if name in _BEFORE:
            os.environ[name] = _BEFORE[name]
        else:
            del os.environ[name]
    assert not changed, f"{item.path.name} left variables behind: {changed}"


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in STAYS}


_BEFORE = _environment()
