"""Drops a document of every class on a counted stack; `measured.json` is what came of it."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cost.documents import samples
from benchmarks.cost.stack import DELIVERED, counted_stack, pushed_bytes, until
from benchmarks.pipeline import processor
from local.services import ROOT
from shared.inference.manifest import read_manifest

if TYPE_CHECKING:
    from collections import Counter

    from benchmarks.cost.documents import Sample
    from benchmarks.cost.stack import Stack

PORT = 9881
TO_THE_JOB = {"HEADRACE_FUNCTION_SECONDS": "0.0001", "HEADRACE_JOB_TASKS": "1"}
"""A document that is the job's by the default would keep two cores busy for minutes."""
SECONDS = 600.0
WARM = 12
"""Short texts at once, so that each process has had some."""


def measure() -> dict[str, Any]:
    """All figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = list(samples(folder))
        functions = [sample for sample in found if not sample.by_job]
        job = [sample for sample in found if sample.by_job]
        by_functions = apart(folder / "functions", functions, {})
        by_job = apart(folder / "job", job, TO_THE_JOB)
    return {
        "machine": f"{os.cpu_count()} cores ({processor()}), Python {platform.python_version()}",
        "date": datetime.now(UTC).date().isoformat(),
        "tokens_per_second": read_manifest(ROOT / "build" / "model").metrics["tokens_per_second"],
        "start": by_functions[0],
        "classes": by_functions[1:] + by_job[1:],
    }


def apart(data: Path, found: list[Sample], settings: dict[str, str]) -> list[dict[str, Any]]:
    """`measured`, in a process of its own: one that has spoken gRPC must not fork the next stack."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measured, data, found, settings).result()


def measured(data: Path, found: list[Sample], settings: dict[str, str]) -> list[dict[str, Any]]:
    """First what starting took and a heartbeat of sweep reads, then each document."""
    with counted_stack(data, PORT, settings) as stack:
        warm(stack, data)
        started = stack.snapshot()
        start = {
            "cpu_seconds": {name: started[f"cpu_ms.{name}"] / 1000 for name in DELIVERED.values()},
            "peak_mib": {name: started[f"peak_mib.{name}"] for name in DELIVERED.values()},
            "sweep": swept(stack),
        }
        documents = []
        for sample in found:
            before = stack.snapshot()
            shown = dropped(stack, sample.path)
            documents.append(figures(sample, shown, before, stack.snapshot()))
        return [start, *documents]


def warm(stack: Stack, folder: Path) -> None:
    """Let every process load what it loads once."""
    from cli.results import drop, follow

    items = []
    for number in range(WARM):
        path = folder / f"warm-{number}.txt"
        path.write_text(f"The works has name number {number}.")
        items.append(drop(path))
    list(follow(items, SECONDS))
    until(stack.at_rest)
    time.sleep(2.0)  # what they announce


def dropped(stack: Stack, path: Path) -> dict[str, Any]:
    """The document, once nothing more is done for it."""
    from cli.results import drop, follow
    from shared.documents.store import find

    item = drop(path)
    list(follow([item], SECONDS))
    until(lambda: not find(item.id).results_pending)
    until(stack.at_rest)
    time.sleep(0.5)  # a call is counted a moment after it was answered
    shown = find(item.id).model_dump()
    if shown["state"] != "completed":
        raise RuntimeError(f"{path.name}: {shown['state']}: {shown['error']}")
    return shown


def swept(stack: Stack) -> dict[str, int]:
    """What one heartbeat of sweep takes where there is nothing to do."""
    from local.heartbeat import Heartbeat

    before = stack.snapshot()
    Heartbeat().tick("sweep")
    until(lambda: stack.handled("sweep"))
    time.sleep(0.5)
    taken = stack.snapshot() - before
    return {
        "reads": taken["firestore.reads"],
        "writes": taken["firestore.writes"],
        "elapsed_ms": round(stack.handled("sweep")[-1]["elapsed_ms"]),
    }


def figures(
    sample: Sample, shown: dict[str, Any], before: Counter[str], after: Counter[str]
) -> dict[str, Any]:
    """What one document took."""
    taken = after - before
    published = sum(taken[f"pubsub.{topic}.billed"] for topic in (*DELIVERED, "results"))
    delivered = sum(pushed_bytes(taken, topic) for topic in DELIVERED)
    job = shown["job"] or {}
    return {
        "kind": sample.kind,
        "route": shown["route"],
        "why": job.get("why"),
        "tasks": job.get("tasks", 0),
        "ingest_seconds": job.get("ingest_seconds", 0.0),
        "pages": shown["pages"] or 1,
        "passages": shown["passages"],
        "tokens": shown["tokens"],
        "batches": shown["batches"]["total"],
        "size": shown["size"],
        "characters": characters(shown),
        "recorded_cpu": shown["cost"]["cpu_seconds"],
        "analyze_cpu": round(analyzed(shown), 3),
        "recognised": len(shown["recognised"]),
        "recorded_usd": shown["cost"]["usd"],
        "extract_seconds": shown["timings"]["extract_seconds"],
        "infer_seconds": shown["timings"]["infer_seconds"],
        "total_seconds": shown["timings"]["total_seconds"],
        "cpu_seconds": {name: taken[f"cpu_ms.{name}"] / 1000 for name in ("ingest", "analyze", "run")},
        "deliveries": {name: taken[f"deliveries.{name}"] for name in DELIVERED.values()},
        "handled_seconds": {name: taken[f"handled_ms.{name}"] / 1000 for name in DELIVERED.values()},
        "peak_mib": {name: after[f"peak_mib.{name}"] for name in DELIVERED.values()},
        "reads": taken["firestore.reads"],
        "writes": taken["firestore.writes"],
        "deletes": taken["firestore.deletes"],
        "written_bytes": taken["firestore.bytes"],
        "calls": taken["firestore.calls"] + taken["pubsub.calls"],
        "messages": sum(taken[f"pubsub.{topic}.messages"] for topic in (*DELIVERED, "results")),
        "message_bytes": published + delivered,
        "class_a": taken["storage.class_a"],
        "class_b": taken["storage.class_b"],
        "stored_bytes": taken["storage.stored"],
        "log_bytes": taken["log_bytes"],
    }


def analyzed(shown: dict[str, Any]) -> float:
    """Processor seconds that a document's batches say they took."""
    from shared.documents import batches
    from shared.documents.store import Documents
    from shared.platform.clients import firestore_client

    reference = Documents(firestore_client()).reference(shown["id"])
    return float(sum(record["cpu_seconds"] for record in batches.records(reference, shown["run"])))


def characters(shown: dict[str, Any]) -> int:
    """Bytes of a document's text."""
    from shared.platform.clients import storage_client
    from shared.platform.settings import settings

    blob = storage_client().bucket(settings().work_bucket).get_blob(f"{shown['batches']['artefact']}text.txt")
    return int(blob.size)
