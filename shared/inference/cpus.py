"""How many processors may this process really use? Libraries ask the host; a container's limit is smaller."""

from __future__ import annotations

import math
import os
from pathlib import Path


def cpu_limit(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """The lesser of the processors this process may be scheduled on and its cgroup's quota, at least 1.

    Reads `cpu.max` (cgroup v2) or `cpu.cfs_quota_us` (v1) under `cgroup`; a quota of 1.5 processors counts
    as 2, since the work comes in bursts shorter than the quota's period.
    """
    usable = len(os.sched_getaffinity(0))
    quota = _quota_v2(cgroup) or _quota_v1(cgroup)
    return usable if quota is None else max(1, min(usable, math.ceil(quota)))


def _quota_v2(cgroup: Path) -> float | None:
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(cgroup: Path) -> float | None:
    try:
        quota = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        period = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 else None
