"""What a document is said to have cost, and that settings, documentation and calculation agree on it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import pytest

from benchmarks.cost import model, report
from shared.documents import cost
from shared.documents.cost import ANALYZE, GPU_JOB, INGEST, JOB, PRICES, Usage, Work
from shared.documents.model import Batches, Delegation
from shared.platform.records import Recognition
from shared.platform.settings import Settings
from tests.documents import made
from tests.unit.cuts import read_apart

ROOT = Path(__file__).parents[2]
FOUND = model.measured()
KINDS = [one["kind"] for one in FOUND["classes"]]
SMALL = Work(read_cpu=0.1, analyze_cpu=0.2, passages=10, batches=1)
LONG = Work(read_cpu=1.0, analyze_cpu=400.0, passages=3_000, batches=50, tasks=2)
OF_PRICES = {
    "function_vcpu_second": "run_vcpu_second",
    "function_gib_second": "run_gib_second",
    "request": "run_request",
    "gpu_second": "job_gpu_second",
    "class_a": "storage_class_a",
    "class_b": "storage_class_b",
}
"""Names in `prices.toml`, where they are others."""


def test_the_prices_are_those_that_are_documented() -> None:
    """Each price of the estimate stands in `prices.toml`, with where it was found."""
    known = model.prices()
    for name, price in asdict(PRICES).items():
        if name == "message_byte":
            assert price * model.GIB == pytest.approx(known["pubsub_gib"].usd)
        else:
            assert price == pytest.approx(known[OF_PRICES.get(name, name)].usd), name


def test_every_price_says_where_it_is_from() -> None:
    """An address, and how it was found."""
    for name, price in model.prices().items():
        assert price.source.startswith("https://"), name
        assert price.how in report.HOW, name
        assert price.usd > 0, name


def test_instances_are_those_that_are_deployed() -> None:
    """Processors, memory and deliveries at once, as infra/ has them."""
    deployed = json.loads((ROOT / "infra/functions.json").read_text())
    for name, instance in (("ingest", INGEST), ("analyze", ANALYZE)):
        made = deployed[name]
        assert (made["cpu"], made["memory"]) == (instance.vcpus, f"{instance.gib:.0f}Gi"), name
        assert made["concurrency"] == instance.places, name
    made = json.loads((ROOT / "infra/job.json").read_text())
    for job in (JOB, GPU_JOB):
        assert (made["cpu"], made["memory"]) == (job.vcpus, f"{job.gib:.0f}Gi")


def test_recovery_is_counted_where_it_is_switched_on() -> None:
    """Firestore bills what it keeps for it, and nothing of that is free."""
    variables = (ROOT / "infra/variables.tf").read_text()
    assert re.search(r'variable "point_in_time_recovery" \{[^}]*default\s*=\s*true', variables)
    kept = model.stored(FOUND["classes"][0])
    assert kept["firestore_pitr_gib_month"] == kept["firestore_gib_month"] * model.RECOVERABLE > 0
    assert model.usd(kept, free=True)["firestore_pitr_gib_month"] > 0


def test_every_price_of_a_document_has_its_share() -> None:
    """What is missing among the groups would be missing in the table of shares."""
    grouped = [name for names in report.GROUPS.values() for name in names]
    month = model.month(FOUND, report.REPORT, 1_000)
    assert month.keys() <= set(grouped)
    assert len(grouped) == len(set(grouped))


@pytest.mark.parametrize("kind", KINDS)
def test_an_estimate_is_near_what_was_counted(kind: str) -> None:
    """For each class: operations within a fifth, the price within a quarter."""
    one = model.of_kind(FOUND, kind)
    used = cost.usage(model.work(one))
    for name in ("reads", "writes", "class_a", "class_b"):
        assert getattr(used, name) == pytest.approx(one[name], rel=0.2, abs=4), name
    counted = cost.price(model.counted(one))
    assert cost.usd(model.work(one)) == pytest.approx(counted, rel=0.25)


@pytest.mark.parametrize("route", ["function", "job"])
def test_the_estimates_add_up_to_what_was_counted(route: str) -> None:
    """Of all documents of a route together, within a tenth."""
    classes = [one for one in FOUND["classes"] if one["route"] == route]
    counted = math.fsum(cost.price(model.counted(one)) for one in classes)
    assert math.fsum(cost.usd(model.work(one)) for one in classes) == pytest.approx(counted, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_records_nearly_all_processor_time(kind: str) -> None:
    """What it stores, and what handling is assumed to take beside, is what the processes took.

    But for the start of a task, and drawing the pages that it recognises: some seconds.
    """
    one = model.of_kind(FOUND, kind)
    by_job = one["route"] == "job"
    beside = cost.DOCUMENT.cpu_seconds + one["batches"] * (
        cost.JOB_BATCH.cpu_seconds if by_job else cost.BATCH.cpu_seconds
    )
    took = sum(one["cpu_seconds"].values())
    assert one["recorded_cpu"] + beside == pytest.approx(took, rel=0.15, abs=5.0 if by_job else 0.2)


def test_the_bill_of_the_estimate_is_the_bill_of_the_month() -> None:
    """Two ways to price the same usage."""
    used = Usage(10, 20, 30, 4, 5_000, 600, 700, 8, 90, 100)
    for job in (JOB, GPU_JOB):
        by_name = math.fsum(model.usd(model.quantities(used, job)).values())
        assert cost.price(used, job) == pytest.approx(by_name)


@pytest.mark.parametrize(
    "more",
    [
        replace(SMALL, read_cpu=0.2),
        replace(SMALL, analyze_cpu=0.4),
        replace(SMALL, passages=20),
        replace(SMALL, batches=2),
        replace(SMALL, tasks=1),
        replace(SMALL, recognised=3),
    ],
    ids=["read_cpu", "analyze_cpu", "passages", "batches", "tasks", "recognised"],
)
def test_more_work_costs_more(more: Work) -> None:
    """Each part of the work has a price."""
    assert cost.usd(more) > cost.usd(SMALL)


def test_a_copied_document_costs_what_is_written() -> None:
    """Its passages are another document's, so nothing was computed; they are stored all the same."""
    copied = replace(SMALL, analyze_cpu=0.0)
    assert 0 < cost.usd(copied) < cost.usd(SMALL)


def test_a_task_is_billed_for_a_minute_at_least() -> None:
    """However little it does; with two tasks, twice."""
    little = replace(SMALL, tasks=2)
    assert cost.usage(little).job_seconds == pytest.approx(2 * cost.JOB_LEAST_SECONDS)
    in_job = LONG.analyze_cpu + LONG.batches * cost.JOB_BATCH.cpu_seconds
    seconds = cost.JOB_START_SECONDS + in_job / 2 / JOB.vcpus
    assert cost.usage(LONG).job_seconds == pytest.approx(2 * seconds)


def test_a_file_that_the_job_read_is_not_billed_to_ingest() -> None:
    """Recognition is the job's work."""
    scan = replace(SMALL, read_cpu=500.0, tasks=1)
    by_job = replace(scan, read_by_job=True)
    assert cost.usage(by_job).ingest_seconds < 2 < cost.usage(scan).ingest_seconds
    assert cost.usage(by_job).job_seconds > cost.usage(scan).job_seconds


def test_what_ingest_tried_before_the_job_is_billed_too() -> None:
    """A file that was too slow: a minute of two processors and their memory, beside the job's own."""
    slow = replace(SMALL, tasks=1, read_by_job=True)
    more = cost.usd(replace(slow, ingest_seconds=60.0)) - cost.usd(slow)
    assert more == pytest.approx(
        60 * (2 * PRICES.function_vcpu_second + 2 * PRICES.function_gib_second), abs=1e-6
    )


def test_what_was_done_is_read_from_the_document() -> None:
    """As Firestore stores it when its last batch is there."""
    batches = Batches(total=2, passages=7, model="m", artefact="a/")
    document = made(cost={"cpu_seconds": 0.5}, passages=7, batches=batches)
    assert cost.work_of(document, 1.5) == Work(0.5, 1.5, 7, 2)
    scan = document.altered(
        job=Delegation(why="ocr", tasks=3, model="m"), recognised=[Recognition(page=1, confidence=0.9)]
    )
    assert cost.work_of(scan, 1.5) == Work(0.5, 1.5, 7, 2, 3, read_by_job=True, recognised=1)
    slow = document.altered(job=Delegation(why="too_slow", tasks=1, model="m", ingest_seconds=60.5))
    assert cost.work_of(slow, 1.5) == Work(0.5, 1.5, 7, 2, 1, read_by_job=True, ingest_seconds=60.5)
    long = document.altered(job=Delegation(why="tokens", tasks=1, model="m"))
    assert cost.work_of(long, 1.5) == Work(0.5, 1.5, 7, 2, 1)


@pytest.mark.parametrize(("job", "speed"), [(JOB, 4.0), (JOB, 6.0), (GPU_JOB, 9.0), (GPU_JOB, 100.0)])
def test_at_the_crossover_both_cost_the_same(job: cost.Instance, speed: float) -> None:
    """The functions' price of the work is the task's, its start and its least minute included."""
    function = model.function_second(FOUND)
    work = model.crossover(function, job, speed)
    billed = max(cost.JOB_LEAST_SECONDS, cost.JOB_START_SECONDS + work / speed)
    assert work * function == pytest.approx(billed * job.job_second())


def test_a_slow_gpu_never_pays() -> None:
    """Where a second of it does less than its price buys of the functions."""
    function = model.function_second(FOUND)
    assert math.isinf(model.crossover(function, GPU_JOB, GPU_JOB.job_second() / function * 0.99))


@pytest.mark.parametrize("name", ["function_seconds", "job_task_seconds"])
def test_the_default_is_the_crossover(name: str) -> None:
    """Of a job without a GPU: not above it, and no more than a quarter below."""
    calculated = model.crossover(model.function_second(FOUND), JOB, model.cpu_speed(FOUND))
    assert 0.75 * calculated <= Settings.model_fields[name].default <= calculated


def test_the_documentation_says_what_is_calculated() -> None:
    """docs/cost.md has the report of the figures that are kept, and names the setting's default."""
    text = report.DOCS.read_text()
    assert report.report(FOUND) in text
    default = Settings.model_fields["function_seconds"].default
    assert f"`HEADRACE_FUNCTION_SECONDS` is {default:.0f}." in text
    long_job = (ROOT / "docs/long-job.md").read_text()
    assert f"`HEADRACE_FUNCTION_SECONDS` ({default:.0f})" in long_job


def test_the_documentation_says_where_and_when_prices_hold() -> None:
    """The region and the day that `prices.toml` names, and that the region of a deployment is another."""
    region, read = model.listed()
    assert date.fromisoformat(read).year >= 2026
    made = re.search(
        r'variable "region" \{[^}]*default\s*=\s*"([^"]+)"', (ROOT / "infra/variables.tf").read_text()
    )
    assert made is not None
    assert made[1] == report.DEPLOYED != region
    text = report.DOCS.read_text()
    for said in (f"US dollars in {region}, as read on {read}", f"`infra/` deploys to {made[1]}"):
        assert said in text


def test_reading_a_file_counts_the_time_of_the_process_that_reads(tmp_path: Path, tokenizer: Path) -> None:
    """Which is another than the one that is asked."""
    path = tmp_path / "long.txt"
    path.write_text("The works has a new roof. " * 20_000)
    assert 0.001 < read_apart(path, tokenizer, path.name).seconds.cpu < 60
