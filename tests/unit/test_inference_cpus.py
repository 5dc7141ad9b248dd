"""A container's processor limit, not the host's count, sizes the pools."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from shared.inference.session import cpu_limit

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("max 100000", 8),  # no quota
        ("200000 100000", 2),
        ("150000 100000", 2),  # one and a half: rounded up
        ("5000 100000", 1),  # a twentieth: at least one
        ("3200000 100000", 8),  # more than there are
    ],
)
def test_quota_of_version_2(tmp_path: Path, content: str, expected: int) -> None:
    """The quota of `cpu.max` bounds the count."""
    (tmp_path / "cpu.max").write_text(content + "\n")
    assert cpu_limit(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 8), ("300000", 3)])
def test_quota_of_version_1(tmp_path: Path, quota: str, expected: int) -> None:
    """So does the quota of cgroup v1, where -1 means none."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cpu_limit(tmp_path) == expected


def test_without_cgroups(tmp_path: Path) -> None:
    """Where there is no cgroup, the processors this process may run on count."""
    assert cpu_limit(tmp_path) == 8
