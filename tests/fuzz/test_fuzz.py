"""A short run of the mutants: every one is read or refused, in bounded time and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.run import fuzz, mutants

if TYPE_CHECKING:
    from pathlib import Path


def test_every_mutant_is_read_or_refused(tmp_path: Path) -> None:
    """No reader falls over, hangs or takes memory without bound; most formats are both read and refused."""
    report = fuzz(seed=2026, count=200, folder=tmp_path)
    assert not report.failures
    assert report.slowest[0] < 10
    assert report.largest[0] < 400 * 1024
    read = {outcome for outcome in report.outcomes if outcome.startswith("read: ")}
    refused = {outcome for outcome in report.outcomes if outcome.startswith("rejected: ")}
    assert len(read) >= 8, report.outcomes
    assert len(refused) >= 5, report.outcomes


def test_the_same_seed_gives_the_same_mutants() -> None:
    """Or no failure could be looked at again."""
    assert list(mutants(3, 60)) == list(mutants(3, 60))
    assert list(mutants(3, 60)) != list(mutants(4, 60))
