"""The table of mutants keeps up with the code."""

from __future__ import annotations

import pytest

from tests.mutants import MUTANTS, ROOT, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.guard)
def test_a_mutant_changes_one_place_and_names_tests(mutant: Mutant) -> None:
    """What it replaces stands in its function exactly once, the result is Python, and its tests exist."""
    changed = mutant.applied(ROOT)
    assert changed != mutant.path(ROOT).read_text("utf-8")
    compile(changed, mutant.place, "exec")
    for test in mutant.tests.split():
        path, _, name = test.partition("::")
        assert f"def {name}" in (ROOT / path).read_text("utf-8")
