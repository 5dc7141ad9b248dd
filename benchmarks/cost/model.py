"""What does a month cost? From what was measured, by the prices; every quantity by the name of its price."""

from __future__ import annotations

import json
import math
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.services import ROOT
from shared.documents import cost
from shared.documents.cost import ANALYZE, DOCUMENT, INGEST, JOB, ROUND_TRIP, Instance, Usage, Work
from shared.documents.delegation import MARGIN

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent
MEASURED = FOLDER / "measured.json"
PRICES = FOLDER / "prices.toml"
GIB = 1 << 30
HOURS, SECONDS = 730, 730 * 3600
"""Of a month."""

INDEXED = 2.0
"""Assumed: bytes that Firestore stores for a byte written, its indexes and the vectors' included."""
RECOVERABLE = 1.0
"""Assumed: bytes kept for point-in-time recovery for a byte stored. What was changed or deleted in the last
week is counted too, and that is not in here."""
IDLE = 900.0
"""Assumed: seconds after its last request for which Cloud Run keeps an instance, which then starts anew."""
HEARTBEATS = {"sweep": 12 * HOURS, "digest": 12 * HOURS}
"""In a month: one every five minutes. What a digest's heartbeat takes is taken to be what sweep's does."""
SCHEDULES, SECRETS = 2, 2
EVALUATED = 30.0
"""Seconds after which Cloud Monitoring evaluates a condition anew."""
IMAGES_GB = 6.0
"""Assumed: images were never built for a registry here."""
PROMPT_TOKENS, PROMPT_PASSAGES = 700, 20
"""Assumed of a language model that does the same: its instructions, and how many passages go with them."""
ANSWER_TOKENS = 35
"""Assumed: an answer for one passage, as JSON."""
VM_BUSY = 0.6
"""Assumed: the share of a month that a machine which is never off can be kept at work."""


@dataclass(frozen=True)
class Price:
    """Of one thing."""

    usd: float
    free: float
    what: str
    how: str
    source: str


def listed() -> tuple[str, str]:
    """Where the prices hold and when they were read: a region and a day."""
    found = tomllib.loads(PRICES.read_text())
    return found["region"], found["read"]


def prices() -> dict[str, Price]:
    """By name."""
    found = tomllib.loads(PRICES.read_text())
    return {name: Price(**entry) for name, entry in found.items() if isinstance(entry, dict)}


def measured() -> dict[str, Any]:
    """What the last `make cost` found."""
    found: dict[str, Any] = json.loads(MEASURED.read_text())
    return found


def work(found: Mapping[str, Any]) -> Work:
    """What a document's own record says was done for it."""
    return Work(
        read_cpu=found["recorded_cpu"] - found["analyze_cpu"],
        analyze_cpu=found["analyze_cpu"],
        passages=found["passages"],
        batches=found["batches"],
        tasks=found["tasks"],
        read_by_job=found["why"] not in {None, "tokens"},
        recognised=found["recognised"],
        ingest_seconds=found.get("ingest_seconds", 0.0),
    )


def counted(found: Mapping[str, Any], job: Instance = JOB) -> Usage:
    """What is billed for a document, by what was counted from outside."""
    cpu = found["cpu_seconds"]
    waiting = (found["calls"] + found["class_a"] + found["class_b"] - 1 - DOCUMENT.calls) * ROUND_TRIP
    at_once = min(found["batches"], ANALYZE.places)
    beside = (cpu["analyze"] - found["analyze_cpu"] + waiting) * ANALYZE.vcpus / at_once
    by_job = found["route"] == "job"
    in_task = cost.JOB_START_SECONDS + cpu["run"] / job.vcpus
    return Usage(
        ingest_seconds=INGEST.vcpus * (cpu["ingest"] + DOCUMENT.calls * ROUND_TRIP),
        analyze_seconds=0.0 if by_job else found["analyze_cpu"] + beside,
        job_seconds=max(cost.JOB_LEAST_SECONDS, in_task) if by_job else 0.0,
        requests=sum(found["deliveries"].values()),
        **{
            name: found[name]
            for name in ("message_bytes", "reads", "writes", "deletes", "class_a", "class_b")
        },
    )


def quantities(used: Usage, job: Instance = JOB) -> dict[str, float]:
    """Usage by the names of prices."""
    memory = used.ingest_seconds * INGEST.gib / INGEST.vcpus
    memory += used.analyze_seconds * ANALYZE.gib / ANALYZE.vcpus
    return {
        "run_vcpu_second": used.ingest_seconds + used.analyze_seconds,
        "run_gib_second": memory,
        "run_request": used.requests,
        "job_vcpu_second": used.job_seconds * job.vcpus,
        "job_gib_second": used.job_seconds * job.gib,
        "job_gpu_second": used.job_seconds if job.gpu else 0.0,
        "firestore_read": used.reads,
        "firestore_write": used.writes,
        "firestore_delete": used.deletes,
        "pubsub_gib": used.message_bytes / GIB,
        "storage_class_a": used.class_a,
        "storage_class_b": used.class_b,
    }


def stored(found: Mapping[str, Any]) -> dict[str, float]:
    """What a document leaves: a month of it."""
    gib = found["written_bytes"] * INDEXED / GIB
    return {
        "firestore_gib_month": gib,
        "firestore_pitr_gib_month": gib * RECOVERABLE,
        "storage_gib_month": found["stored_bytes"] / GIB,
        "logging_gib": found["log_bytes"] / GIB,
    }


def conditions() -> int:
    """Return how many conditions the alerts of infra/ have. Each reads one time series: the sum of all."""
    text = (ROOT / "infra" / "alerts.tf").read_text()
    return len(re.findall(r"^ +filter += .*metric\.type", text, re.MULTILINE))


def fixed(found: Mapping[str, Any]) -> dict[str, float]:
    """What a month takes in which nobody drops anything."""
    sweep = found["start"]["sweep"]
    beats = sum(HEARTBEATS.values())
    seconds = math.ceil(sweep["elapsed_ms"] / 100) / 10 + sweep["reads"] * ROUND_TRIP
    return {
        "scheduler_job_month": SCHEDULES,
        "secret_version_month": SECRETS,
        "registry_gb_month": IMAGES_GB,
        "alert_condition_month": conditions(),
        "alert_point": conditions() * SECONDS / EVALUATED,
        "run_request": beats,
        "run_vcpu_second": beats * seconds,
        "run_gib_second": beats * seconds,
        "firestore_read": beats * sweep["reads"],
        "firestore_write": beats * sweep["writes"],
        "pubsub_gib": 2 * beats * 1_000 / GIB,
    }


def starts(found: Mapping[str, Any], documents: float) -> dict[str, float]:
    """Of ingest and analyze, where documents come evenly: the chance that the last instance is gone."""
    cold = documents * math.exp(-documents * IDLE / SECONDS)
    cpu = sum(found["start"]["cpu_seconds"].values())
    return {"run_vcpu_second": 2 * cold * cpu, "run_gib_second": 2 * cold * cpu, "secret_access": cold}


def added(*parts: Mapping[str, float]) -> dict[str, float]:
    """Quantities together."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: math.fsum(part.get(name, 0.0) for part in parts) for name in names}


def times(part: Mapping[str, float], number: float) -> dict[str, float]:
    """Quantities so many times."""
    return {name: amount * number for name, amount in part.items()}


def usd(amounts: Mapping[str, float], *, free: bool = False) -> dict[str, float]:
    """By name of price; with `free`, after what a month has free."""
    known = prices()
    return {
        name: max(0.0, amount - (known[name].free if free else 0.0)) * known[name].usd
        for name, amount in amounts.items()
    }


def month(found: Mapping[str, Any], kind: str, pages: float, job: Instance = JOB) -> dict[str, float]:
    """Quantities of a month in which so many pages of documents of a class come, without the fixed ones."""
    one = of_kind(found, kind)
    documents = pages / one["pages"]
    return added(
        times(quantities(counted(one, job), job), documents),
        times(stored(one), documents),
        starts(found, documents) if one["route"] == "function" else {},
    )


def of_kind(found: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The document of a class."""
    [one] = [each for each in found["classes"] if each["kind"] == kind]
    return dict(one)


def estimated(found: Mapping[str, Any], one: Mapping[str, Any]) -> float:
    """Processor seconds that the plan of ingest takes a document's analysis for."""
    return float(one["tokens"] / found["tokens_per_second"] * MARGIN)


def function_second(found: Mapping[str, Any], kind: str = "48-page report") -> float:
    """Price of an estimated processor second by the functions."""
    one = of_kind(found, kind)
    batch = estimated(found, one) / one["batches"]
    batch_cpu = one["analyze_cpu"] / one["batches"]
    return float(ANALYZE.vcpu_second() * (batch_cpu + cost.batch_beside(ANALYZE.places)) / batch)


def crossover(function: float, job: Instance, speed: float) -> float:
    """Estimated processor seconds from which a task of the job costs no more than the functions.

    Infinite: it always costs more.

    Args:
        function: price of one by the functions.
        job: what the task runs on.
        speed: how many of them the task does in a second.
    """
    second = job.job_second()
    least = cost.JOB_LEAST_SECONDS * second / function
    if least <= (cost.JOB_LEAST_SECONDS - cost.JOB_START_SECONDS) * speed:
        return least
    saved = function - second / speed
    return cost.JOB_START_SECONDS * second / saved if saved > 0 else math.inf


def cpu_speed(found: Mapping[str, Any], kind: str = "200-page report") -> float:
    """Estimated processor seconds that a task without a GPU does in a second."""
    one = of_kind(found, kind)
    return float(JOB.vcpus * estimated(found, one) / one["cpu_seconds"]["run"])


def language_model(one: Mapping[str, Any]) -> dict[str, float]:
    """Quantities of a page by a language model: topics, sentiment and action of every passage."""
    calls = one["passages"] / PROMPT_PASSAGES
    return {
        "llm_token_in": (one["tokens"] + calls * PROMPT_TOKENS) / one["pages"],
        "llm_token_out": one["passages"] * ANSWER_TOKENS / one["pages"],
    }


def managed(one: Mapping[str, Any], parser: str) -> dict[str, float]:
    """Quantities of a page by managed services: its text, and the sentiment of it. No topics, no action."""
    return {parser: 1.0, "comprehend_unit": one["characters"] / 100 / one["pages"]}


def vm_pages(one: Mapping[str, Any], vcpus: int = 2) -> float:
    """Pages that a machine which is never off can do in a month."""
    cpu = one["cpu_seconds"]["ingest"] + one["cpu_seconds"]["analyze"]
    return float(vcpus * SECONDS * VM_BUSY / (cpu / one["pages"]))
