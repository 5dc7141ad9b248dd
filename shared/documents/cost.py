"""Estimate what a document cost in US dollars, when its run completes.

The estimate multiplies what was measured (processor seconds, passages, batches, tasks of the job) by list
prices, without any free tier. It leaves out what belongs to no single document: storage by the month, cold
starts, heartbeats, and reads by people. docs/cost.md compares it with a run in which everything was counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.documents.model import Document

MILLION = 1_000_000
TIB = 1 << 40


@dataclass(frozen=True)
class Prices:
    """US dollars, in us-central1. Where and when each was found: benchmarks/cost/prices.toml."""

    function_vcpu_second: float = 0.000024
    function_gib_second: float = 0.0000025
    request: float = 0.40 / MILLION
    job_vcpu_second: float = 0.000018
    job_gib_second: float = 0.000002
    gpu_second: float = 0.0001867
    """An nvidia-l4 without zonal redundancy."""
    firestore_read: float = 0.03 / 100_000
    firestore_write: float = 0.09 / 100_000
    firestore_delete: float = 0.01 / 100_000
    message_byte: float = 40 / TIB
    class_a: float = 0.005 / 1_000
    """An operation of Cloud Storage that writes or lists."""
    class_b: float = 0.0004 / 1_000
    """One that reads."""


PRICES = Prices()


@dataclass(frozen=True)
class Instance:
    """What Cloud Run gives a container."""

    vcpus: int
    gib: float
    places: int = 1
    """Deliveries at work at once, while there are so many."""
    gpu: bool = False

    def vcpu_second(self, prices: Prices = PRICES) -> float:
        """Return the price of a second of one processor of a function, with its share of the memory."""
        return prices.function_vcpu_second + self.gib / self.vcpus * prices.function_gib_second

    def job_second(self, prices: Prices = PRICES) -> float:
        """Return the price of a second of the whole instance in a job."""
        gpu = prices.gpu_second if self.gpu else 0.0
        return self.vcpus * prices.job_vcpu_second + self.gib * prices.job_gib_second + gpu


INGEST, ANALYZE = Instance(2, 2, places=2), Instance(2, 1, places=2)
JOB, GPU_JOB = Instance(4, 16), Instance(4, 16, gpu=True)
"""As infra/ makes them."""

JOB_START_SECONDS = 20.0
"""Assumed: the image is pulled, the program starts, the model loads. Never measured on Cloud Run."""
JOB_LEAST_SECONDS = 60.0
"""Billed of a task, however short."""
ROUND_TRIP = 0.02
"""Assumed: seconds that a call of another service is waited for, while the instance is billed."""


@dataclass(frozen=True)
class Step:
    """What one delivery or one document takes, as `make cost` counted it, beside the work itself."""

    cpu_seconds: float = 0.0
    calls: float = 0.0
    """That are waited for."""
    reads: float = 0.0
    writes: float = 0.0
    message_bytes: float = 0.0
    """Published and delivered, 1,000 at least each time."""
    class_a: float = 0.0
    class_b: float = 0.0


DOCUMENT = Step(0.04, calls=24, reads=11, writes=10, message_bytes=3_400, class_a=4, class_b=2)
BATCH = Step(0.06, calls=10.5, reads=9, writes=1, message_bytes=1_550, class_b=1)
JOB_DOCUMENT = Step(0.04, calls=40, reads=38, writes=20, message_bytes=3_000, class_a=5, class_b=3)
JOB_BATCH = Step(0.035, calls=6, reads=6.2, writes=1.1, class_b=0.25)
PAGE = Step(class_a=3, class_b=1)
"""A page that is recognised, beside."""


@dataclass(frozen=True)
class Work:
    """What was done for a document."""

    read_cpu: float
    """Processor seconds: extraction and recognition."""
    analyze_cpu: float
    passages: int
    batches: int
    tasks: int = 0
    """Tasks of the job; 0: functions did it all."""
    read_by_job: bool = False
    recognised: int = 0
    """Pages."""
    ingest_seconds: float = 0.0
    """For which ingest was at a file before it gave it to the job to read."""


@dataclass(frozen=True)
class Usage:
    """What is billed for it."""

    ingest_seconds: float = 0.0
    """Seconds of a processor."""
    analyze_seconds: float = 0.0
    job_seconds: float = 0.0
    """Seconds of an instance."""
    requests: float = 0.0
    message_bytes: float = 0.0
    reads: float = 0.0
    writes: float = 0.0
    deletes: float = 0.0
    class_a: float = 0.0
    class_b: float = 0.0


def usage(work: Work, job: Instance = JOB) -> Usage:
    """Return what is billed for a document, if only its own batches share an instance."""
    if work.tasks:
        return _job_usage(work, job)
    return Usage(
        ingest_seconds=_ingest_seconds(work.read_cpu),
        analyze_seconds=work.analyze_cpu + work.batches * batch_beside(work.batches),
        requests=1 + work.batches,
        **_operations(work, DOCUMENT, BATCH),
    )


def _job_usage(work: Work, job: Instance) -> Usage:
    in_job = work.analyze_cpu + work.batches * JOB_BATCH.cpu_seconds
    in_job += work.read_cpu if work.read_by_job else 0.0
    at_once = work.tasks * (1 if job.gpu else job.vcpus)
    seconds = max(JOB_LEAST_SECONDS, JOB_START_SECONDS + in_job / at_once)
    return Usage(
        ingest_seconds=_ingest_seconds(work.ingest_seconds if work.read_by_job else work.read_cpu),
        job_seconds=work.tasks * seconds,
        requests=1,
        **_operations(work, JOB_DOCUMENT, JOB_BATCH),
    )


def _ingest_seconds(reading: float) -> float:
    """Return the processor seconds billed while one processor reads a file and the others wait."""
    return INGEST.vcpus * (reading + DOCUMENT.cpu_seconds + DOCUMENT.calls * ROUND_TRIP)


def batch_beside(batches: int) -> float:
    """Return the processor seconds billed for a batch in addition to the model's.

    `batches` of the document; those that are at work at once in an instance share it.
    """
    waiting = BATCH.cpu_seconds + BATCH.calls * ROUND_TRIP
    return waiting * ANALYZE.vcpus / min(max(batches, 1), ANALYZE.places)


def _operations(work: Work, document: Step, batch: Step) -> dict[str, float]:
    names = ("reads", "writes", "message_bytes", "class_a", "class_b")
    counts = {
        name: getattr(document, name)
        + work.batches * getattr(batch, name)
        + work.recognised * getattr(PAGE, name)
        for name in names
    }
    return counts | {"writes": counts["writes"] + work.passages}


def bill(used: Usage, job: Instance = JOB, prices: Prices = PRICES) -> dict[str, float]:
    """Return US dollars by what they are for."""
    return {
        "ingest": used.ingest_seconds * INGEST.vcpu_second(prices),
        "analyze": used.analyze_seconds * ANALYZE.vcpu_second(prices),
        "job": used.job_seconds * job.job_second(prices),
        "requests": used.requests * prices.request,
        "Firestore": used.reads * prices.firestore_read
        + used.writes * prices.firestore_write
        + used.deletes * prices.firestore_delete,
        "Pub/Sub": used.message_bytes * prices.message_byte,
        "Cloud Storage": used.class_a * prices.class_a + used.class_b * prices.class_b,
    }


def usd(work: Work, job: Instance = JOB, prices: Prices = PRICES) -> float:
    """Return US dollars for a document, rounded to a millionth."""
    return round(math.fsum(bill(usage(work, job), job, prices).values()), 6)


def work_of(document: Document, analyze_cpu: float) -> Work:
    """Return what was done for a document whose run is about to complete.

    Args:
        document: with the facts of that run.
        analyze_cpu: processor seconds of its batches.
    """
    job, read_by_job = document.job, bool(document.job and document.job.why != "tokens")
    return Work(
        read_cpu=document.cost.cpu_seconds,
        analyze_cpu=analyze_cpu,
        passages=document.passages or 0,
        batches=document.batches.total if document.batches else 0,
        tasks=job.tasks if job else 0,
        read_by_job=read_by_job,
        recognised=len(document.recognised),
        ingest_seconds=job.ingest_seconds if job and read_by_job else 0.0,
    )
