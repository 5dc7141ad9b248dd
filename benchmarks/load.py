"""Measure many tiny documents beside a long one: `python -m benchmarks.load`.

Starts a stack of its own on free ports, drops a document of 7,000 passages and 500 of one or two sentences
at once, and prints how long the tiny ones waited and which process spent how many processor seconds. Before
that, a stack that counts calls says what one tiny document asks of Firestore, Pub/Sub and Cloud Storage.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.cost.stack import DELIVERED, counted_stack, until
from benchmarks.pipeline import fresh_stack
from local.processes import free_ports
from local.services import TITLES
from local.stack import read_stack

if TYPE_CHECKING:
    from collections.abc import Mapping

UPLOADERS = 8
LONG = "load-long.txt"
SAMPLE = 20
"""Tiny documents that are counted."""
LOOK_SECONDS = 1.0
"""Counting the documents is work for Firestore too."""


def tiny(number: int) -> str:
    """A document of one or two sentences, unlike every other."""
    first = f"Site {number} cut its energy use by {number % 40 + 1}% in year {number} of its life."
    return f"{first} Nobody was hurt at site {number}." if number % 2 else first


def long(passages: int) -> str:
    """A document of so many distinct passages."""
    return "\n\n".join(
        f"Plant {number} used {number % 90 + 10} GWh of electricity and bought {number} tonnes of steel."
        for number in range(passages)
    )


def drop(name: str, text: str) -> None:
    """Upload a text to the connected stack."""
    from shared.platform.clients import storage_client
    from shared.platform.settings import settings

    bucket = storage_client().bucket(f"{settings().project}-uploads")
    bucket.blob(name).upload_from_string(text, content_type="text/plain")


def drop_all(documents: int, prefix: str = "load") -> None:
    """Upload so many tiny documents, several at a time."""
    with ThreadPoolExecutor(UPLOADERS) as pool:
        list(pool.map(lambda number: drop(f"{prefix}-{number:05}.txt", tiny(number)), range(documents)))


def completed() -> int:
    """Count the completed documents."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    from shared.platform.clients import firestore_client

    query = firestore_client().collection("documents").where(filter=FieldFilter("state", "==", "completed"))
    counting: Any = query.count()
    [[counted]] = counting.get()
    return int(counted.value)


def waited() -> dict[str, float]:
    """Seconds from upload to completion of each document, by name."""
    from shared.platform.clients import firestore_client

    found = firestore_client().collection("documents").select(["name", "timings"]).stream()
    documents = [snapshot.to_dict() or {} for snapshot in found]
    return {one["name"]: one["timings"]["total_seconds"] for one in documents}


def spent(data: Path) -> dict[str, float]:
    """Processor seconds so far of each service; those of the processes that read files apart."""
    found: dict[str, float] = {}
    for service in read_stack(data)["processes"]:
        if service["pid"] is None:
            continue
        root = psutil.Process(service["pid"])
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                reads = any("zygote" in part for part in process.cmdline())
                times = process.cpu_times()
                seconds = times.user + times.system
                # Of children only those that have ended: the others stand in the list.
                seconds += times.children_user + times.children_system
                name = f"{service['name']}, reading files" if reads else service["name"]
                found[name] = found.get(name, 0.0) + seconds
    return found


def refusals(data: Path, function: str) -> int:
    """Count the pushes that a function answered with 429."""
    return (data / "logs" / f"{function}.log").read_text().count('"no instance was free"')


def measure(documents: int, passages: int) -> None:
    """Drop them, wait, print."""
    with tempfile.TemporaryDirectory() as name, fresh_stack(Path(name)) as (_, data):
        drop_all(SAMPLE, "warm")
        until(lambda: completed() == SAMPLE + 1)
        before, started = spent(data), time.monotonic()
        if passages:
            drop(LONG, long(passages))
        drop_all(documents)
        dropped = time.monotonic() - started
        while completed() < SAMPLE + 1 + documents + bool(passages):
            time.sleep(LOOK_SECONDS)
        total, after = time.monotonic() - started, spent(data)
        took = {name: seconds for name, seconds in waited().items() if name.startswith("load")}
        refused = {function: refusals(data, function) for function in DELIVERED.values()}
    of_long = took.pop(LONG, 0.0)
    print(f"{documents} tiny documents, one of {passages:,} passages")
    print(
        f"all completed after {total:.1f} s, the long one after {of_long:.1f} s; dropped in {dropped:.1f} s"
    )
    print(f"tiny: median {statistics.median(took.values()):.1f} s, at most {max(took.values()):.1f} s")
    print("pushes refused for want of a place:", *(f"{name} {number}" for name, number in refused.items()))
    cpu = {service: seconds - before.get(service, 0.0) for service, seconds in after.items()}
    print(f"processor seconds: {sum(cpu.values()):.1f}")
    for service, seconds in sorted(cpu.items(), key=lambda item: -item[1]):
        print(f"  {service:<24} {seconds:6.1f} s  {seconds / documents * 1000:6.1f} ms a tiny document")


def counts() -> dict[str, float]:
    """What a tiny document asks of each service."""
    with tempfile.TemporaryDirectory() as name:
        port = free_ports(len(TITLES))
        with counted_stack(Path(name), port, {}) as stack:
            drop_all(SAMPLE, "warm")
            until(lambda: completed() == SAMPLE and stack.at_rest())
            before = stack.snapshot()
            drop_all(SAMPLE)
            until(lambda: completed() == 2 * SAMPLE and stack.at_rest())
            found = stack.snapshot() - before
    return {what: number / SAMPLE for what, number in found.items()}


def show_counts(found: Mapping[str, float]) -> None:
    """Print them."""
    print("A tiny document:")
    for what, name in {
        "firestore.calls": "calls of Firestore",
        "firestore.reads": "documents read",
        "firestore.writes": "documents written",
        "pubsub.calls": "calls that publish",
        **{f"deliveries.{function}": f"pushes to {function}" for function in DELIVERED.values()},
        "storage.class_a": "writes to Cloud Storage",
        "storage.class_b": "reads from Cloud Storage",
    }.items():
        print(f"  {name:<24} {found.get(what, 0.0):6.1f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--passages", type=int, default=7000)
    options = parser.parse_args()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:  # gRPC must not be forked later
        show_counts(pool.submit(counts).result())
    measure(options.documents, options.passages)


if __name__ == "__main__":
    main()
