"""What holds for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings

if TYPE_CHECKING:
    import pytest

LONGEST_FIRST = ("e2e", "soak", "browser", "fuzz", "integration", "unit")
"""Kinds of tests by how long a file of them takes: the last files are short, and all workers end together."""

# A deadline for one example says how busy the machine is, not whether the code is right. Each run draws other
# examples, and a push runs all tests: fewer of them each time find the same, a little later.
settings.register_profile("headrace", deadline=None, max_examples=50)
settings.load_profile("headrace")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by kind; within a kind files stay in their order."""
    items.sort(
        key=lambda item: LONGEST_FIRST.index(item.path.relative_to(item.config.rootpath / "tests").parts[0])
    )
