"""Estimate what a document cost in US dollars, when its run completes.

The estimate multiplies what was measured (processor seconds, passages, batches, tasks of the job) by list
prices, without any free tier. It leaves out what belongs to no single document: storage by the month, cold
starts, heartbeats, and reads by people. docs/cost.md compares it with a run in which everything was counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.documents.model import Document


@dataclass(frozen=True)
class Prices:
    """US dollars, in us-central1. Where and when each was found: benchmarks/cost/prices.toml."""

    function_vcpu_second: float = 0.000024
    function_gib_second: float = 0.0000025
    request: float = 0.40 / 1_000_000
    job_vcpu_second: float = 0.000018
    job_gib_second: float = 0.000002
    gpu_second: float = 0.0001867
    """An nvidia-l4 without zonal redundancy."""
    firestore_read: float = 0.03 / 100_000
    firestore_write: float = 0.09 / 100_000
    firestore_delete: float = 0.01 / 100_000
    message_byte: float = 40 / (1 << 40)
    class_a: float = 0.005 / 1_000
    class_b: float = 0.0004 / 1_000
    """Operations of Cloud Storage: class A writes or lists, class B reads."""


PRICES = Prices()


@dataclass(frozen=True)
class Instance:
    """What Cloud Run gives a container."""

    vcpus: int
    gib: float
    places: int = 1
    """Deliveries at work at once, while there are so many."""
    gpu: bool = False

    def vcpu_second(self) -> float:
        """Return the price of a second of one processor of a function, with its share of the memory."""
        return PRICES.function_vcpu_second + self.gib / self.vcpus * PRICES.function_gib_second

    def job_second(self) -> float:
        """Return the price of a second of the whole instance in a job."""
        gpu = PRICES.gpu_second if self.gpu else 0.0
        return self.vcpus * PRICES.job_vcpu_second + self.gib * PRICES.job_gib_second + gpu


INGEST, ANALYZE = Instance(2, 2, places=2), Instance(2, 1, places=2)
JOB, GPU_JOB = Instance(4, 16), Instance(4, 16, gpu=True)
"""The instances of functions and of the job, as infra/ makes them."""

JOB_START_SECONDS = 20.0
"""Assumed: the image is pulled, the program starts, the model loads. Never measured on Cloud Run."""
JOB_LEAST_SECONDS = 60.0
"""Billed of a task, however short."""
ROUND_TRIP = 0.02
"""Assumed: seconds that a call of another service is waited for, while the instance is billed."""


@dataclass(frozen=True)
class Step:
    """What a batch, a document or a recognised page takes beside the work itself, as `make cost` counted."""

    cpu_seconds: float = 0.0
    calls: float = 0.0
    """Calls that are waited for."""
    reads: float = 0.0
    writes: float = 0.0
    message_bytes: float = 0.0
    """Published and delivered, 1,000 at least each time."""
    class_a: float = 0.0
    class_b: float = 0.0


DOCUMENT = Step(0.04, calls=24, reads=6, writes=10, message_bytes=3_400, class_a=4, class_b=2)
BATCH = Step(0.06, calls=10.5, reads=6.3, writes=1, message_bytes=1_550, class_b=1)
JOB_DOCUMENT = Step(0.04, calls=40, reads=38, writes=20, message_bytes=3_000, class_a=5, class_b=3)
JOB_BATCH = Step(0.035, calls=6, reads=6.2, writes=1.1, class_b=0.25)
PAGE = Step(class_a=3, class_b=1)


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
    """Seconds for which ingest worked on a file before it gave it to the job to read."""


@dataclass(frozen=True)
class Usage:
    """What is billed for it."""

    ingest_seconds: float
    analyze_seconds: float
    """Seconds of a processor."""
    job_seconds: float
    """Seconds of an instance."""
    requests: float
    message_bytes: float
    reads: float
    writes: float
    deletes: float
    class_a: float
    class_b: float


def usage(work: Work, job: Instance = JOB) -> Usage:
    """Return what is billed for a document, if only its own batches share an instance."""
    document, batch = (JOB_DOCUMENT, JOB_BATCH) if work.tasks else (DOCUMENT, BATCH)
    analyze = in_tasks = 0.0
    if work.tasks:
        cpu = work.analyze_cpu + work.batches * batch.cpu_seconds + work.read_by_job * work.read_cpu
        at_once = work.tasks * (1 if job.gpu else job.vcpus)
        in_tasks = work.tasks * max(JOB_LEAST_SECONDS, JOB_START_SECONDS + cpu / at_once)
    else:
        analyze = work.analyze_cpu + work.batches * batch_beside(work.batches)
    # One processor reads a file, and the others wait and are billed.
    reading = work.ingest_seconds if work.read_by_job else work.read_cpu

    def count(name: str) -> float:
        pages = work.recognised * getattr(PAGE, name)
        return float(getattr(document, name) + work.batches * getattr(batch, name) + pages)

    return Usage(
        ingest_seconds=INGEST.vcpus * (reading + DOCUMENT.cpu_seconds + DOCUMENT.calls * ROUND_TRIP),
        analyze_seconds=analyze,
        job_seconds=in_tasks,
        requests=1 if work.tasks else 1 + work.batches,
        message_bytes=count("message_bytes"),
        reads=count("reads"),
        writes=count("writes") + work.passages,
        deletes=0,
        class_a=count("class_a"),
        class_b=count("class_b"),
    )


def batch_beside(batches: int) -> float:
    """Return the processor seconds billed for a batch in addition to the model's.

    `batches` of the document; those that are at work at once in an instance share it.
    """
    waiting = BATCH.cpu_seconds + BATCH.calls * ROUND_TRIP
    return waiting * ANALYZE.vcpus / min(max(batches, 1), ANALYZE.places)


def price(used: Usage, job: Instance = JOB) -> float:
    """Return US dollars for what is billed."""
    return (
        used.ingest_seconds * INGEST.vcpu_second()
        + used.analyze_seconds * ANALYZE.vcpu_second()
        + used.job_seconds * job.job_second()
        + used.requests * PRICES.request
        + used.message_bytes * PRICES.message_byte
        + used.reads * PRICES.firestore_read
        + used.writes * PRICES.firestore_write
        + used.deletes * PRICES.firestore_delete
        + used.class_a * PRICES.class_a
        + used.class_b * PRICES.class_b
    )


def usd(work: Work, job: Instance = JOB) -> float:
    """Return US dollars for a document, rounded to a millionth."""
    return round(price(usage(work, job), job), 6)


def work_of(document: Document, analyze_cpu: float) -> Work:
    """Return what was done for a document whose run is about to complete and has its facts already."""
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
