"""Which quotas does an installation need, and how much of each?

New projects begin with little: 20,000 milli-processors and 40 GiB of Cloud Run in a region. Cloud Run
refuses a revision whose instances could together take more, and instances of all services and of the job
share it. `infra/functions.json` and `infra/job.json` say what each may take at each size; `needs` adds it up.

Standard library only: the installer reads it before anything is installed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INFRA = Path(__file__).resolve().parents[1] / "infra"
SIZES = ("small", "medium", "large")
"""Values of Terraform's variable `size`; the first is its default."""
BYTES = {"Mi": 1 << 20, "Gi": 1 << 30}


@dataclass(frozen=True)
class Need:
    """How much of a regional quota of the Cloud Quotas API an installation takes at most."""

    service: str
    quota: str
    """Its `quotaId`."""
    amount: int
    unit: str
    what: str
    """Its meaning, for whoever has to ask for more."""


def needs(size: str, *, gpu: bool = False, job: bool = True) -> list[Need]:
    """Return what all functions at their most instances and one execution of the long job take together.

    `gpu`: the job's tasks have a GPU each; `job`: there is a job.

    Raises:
        ValueError: `size` is not one of `SIZES`.
    """
    if size not in SIZES:
        raise ValueError(f"{size!r} is not a size: {', '.join(SIZES)}")
    instances = [(function, function["max_instances"][size]) for function in table("functions").values()]
    long_job = table("job")
    tasks: int = long_job["tasks"][size] if job else 0
    instances.append((long_job, tasks))
    processors = sum(count * each["cpu"] for each, count in instances)
    memory = sum(count * _bytes(each["memory"]) for each, count in instances)
    found = [
        Need(
            "run.googleapis.com",
            "CpuAllocPerProjectRegion",
            processors * 1000,
            "milli-processors",
            f"Cloud Run: {processors} processors in the region",
        ),
        Need(
            "run.googleapis.com",
            "MemAllocPerProjectRegion",
            memory,
            "bytes",
            f"Cloud Run: {memory / BYTES['Gi']:g} GiB of memory in the region",
        ),
    ]
    if gpu and tasks:
        found.append(
            Need(
                "run.googleapis.com",
                "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion",
                tasks,
                "GPUs",
                f"Cloud Run: {tasks} nvidia-l4 without zonal redundancy in the region",
            )
        )
    return found


def table(name: str) -> dict[str, Any]:
    """Return a table of infra/ by its name: `functions`, `job` or `apis`."""
    found: dict[str, Any] = json.loads((INFRA / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _bytes(memory: str) -> int:
    return int(memory[:-2]) * BYTES[memory[-2:]]
