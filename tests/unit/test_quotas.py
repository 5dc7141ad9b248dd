"""What an installation needs fits what a new project has."""

from __future__ import annotations

import pytest

from deploy.quotas import BYTES, INFRA, SIZES, needs, table

NEW_PROJECT = {"CpuAllocPerProjectRegion": 20_000, "MemAllocPerProjectRegion": 40 << 30}
"""The least that projects were seen to begin with, in a region."""
GRANTED_GPUS = 3
"""L4s without zonal redundancy that Cloud Run grants a project."""


def amounts(size: str, *, gpu: bool = False, job: bool = True) -> dict[str, int]:
    """Amount of each quota."""
    return {need.quota: need.amount for need in needs(size, gpu=gpu, job=job)}


@pytest.mark.parametrize("gpu", [False, True])
def test_small_fits_a_new_project(*, gpu: bool) -> None:
    """All functions and a task of the job together, and beside them a candidate of two processors."""
    found = amounts("small", gpu=gpu)
    assert found["CpuAllocPerProjectRegion"] + 2_000 <= NEW_PROJECT["CpuAllocPerProjectRegion"]
    assert found["MemAllocPerProjectRegion"] + (2 << 30) <= NEW_PROJECT["MemAllocPerProjectRegion"]
    assert found.get("NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion", 0) == (1 if gpu else 0)


def test_large_fits_an_established_project() -> None:
    """200 processors and 400 GiB are what projects have once they have paid for a while."""
    found = amounts("large")
    assert found["CpuAllocPerProjectRegion"] <= 200_000
    assert found["MemAllocPerProjectRegion"] <= 400 << 30


def test_medium_takes_the_gpus_that_are_granted() -> None:
    """Only large has to ask for more."""
    gpus = [amounts(size, gpu=True)["NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"] for size in SIZES]
    assert gpus == sorted(gpus)
    assert gpus[1] == GRANTED_GPUS < gpus[2]


@pytest.mark.parametrize("size", SIZES)
def test_the_job_is_counted_only_where_it_is(size: str) -> None:
    """Without it its processors are not needed, nor a GPU."""
    with_job, without = amounts(size), amounts(size, gpu=True, job=False)
    assert set(without) == set(NEW_PROJECT)
    assert all(without[quota] < with_job[quota] for quota in without)


@pytest.mark.parametrize("quota", NEW_PROJECT)
def test_a_greater_size_needs_more(quota: str) -> None:
    """Otherwise a size would be of no use."""
    assert amounts("small")[quota] < amounts("medium")[quota] < amounts("large")[quota]


def test_a_misspelt_size_is_refused() -> None:
    """With the sizes that there are."""
    with pytest.raises(ValueError, match="'smal' is not a size: small, medium, large"):
        needs("smal")


def test_each_need_can_be_read_by_a_person() -> None:
    """In processors and GiB, as the documentation has them."""
    assert [need.what for need in needs("small", gpu=True)] == [
        "Cloud Run: 18 processors in the region",
        "Cloud Run: 27 GiB of memory in the region",
        "Cloud Run: 1 nvidia-l4 without zonal redundancy in the region",
    ]


@pytest.mark.parametrize("size", SIZES)
def test_the_documentation_has_these_amounts(size: str) -> None:
    """Both its table of sizes and the tasks that a document is divided among."""
    processors, memory, gpus = (need.amount for need in needs(size, gpu=True))
    row = f"| {processors // 1000} | {memory / BYTES['Gi']:g} | {gpus} |"
    documentation = (INFRA.parent / "docs" / "operations.md").read_text()
    [told] = [line for line in documentation.splitlines() if line.startswith(f"| `{size}`")]
    assert row in told


def test_the_documentation_says_what_a_deployment_starts() -> None:
    """An instance of each function's candidate."""
    assert sum(function["cpu"] for function in table("functions").values()) == 10
    assert "candidate, ten processors" in (INFRA.parent / "docs" / "operations.md").read_text()
