"""Measure how long a digest takes, and how much memory: `make bench-digest`.

The table is written into docs/digests.md.

A local Firestore is filled with a week of documents of 100 passages each, of 30 organisations; with reports
of theirs from a year before, a tenth as many; and with eight earlier weeks, of an eighth as many documents
each. All go through the code that stores them in the pipeline. Passages themselves, which a digest does not
read, are stored for the smaller week alone. Of documents there are 200 kinds, so that to make them takes
minutes, not hours; each kind's vectors and texts come again in others.

A child process makes the digest: first with no digests of the weeks before (cold), then with them (steady).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.digests import made
from benchmarks.digests.made import MONDAY
from benchmarks.pipeline import processor
from local.services import ROOT
from shared.digests.compute import Request, fingerprint, make
from shared.digests.records import Filter, Window
from shared.digests.store import COLLECTION, StoredDigest, to_fields
from shared.platform.clients import firestore_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.text.summary import Aggregate

PAGE = ROOT / "docs" / "digests.md"
MARK, END = "<!-- bench-digest -->", "<!-- /bench-digest -->"
KINDS = 200
ORGANISATIONS = 30
PASSAGES = 100
WEEKS = 8
CORES = 2
TOGETHER = 40
"""Documents stored in one commit."""
WITH_PASSAGES = 1_000
"""Documents up to which passages are stored too."""
GOALS = {1_000: (10, 300), 10_000: (20, 600)}
"""Seconds and MB, by documents."""


def week(back: int = 0) -> Window:
    """Return the measured week, or one before it."""
    start = MONDAY - timedelta(days=7 * back)
    return Window(start=start, end=start + timedelta(days=7))


def request(back: int = 0) -> Request:
    """Request the digest of the measured week, or of one before it."""
    return Request(
        id=f"bench-{back}",
        schedule="bench",
        zone="UTC",
        window=week(back),
        filter=Filter(),
        earlier=[week(back + nth) for nth in range(1, WEEKS + 1)],
    )


@contextmanager
def firestore(data: Path) -> Iterator[str]:
    """Start a local Firestore, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "local.firestore", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen([*command, "--data", str(data)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    if server.stdout.readline() != "ready\n":
        sys.exit("the local Firestore did not start")
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def fill(documents: int) -> int:
    """Store the documents to be read, and return their number."""
    client = firestore_client()
    kinds = [made.passages(seed, PASSAGES, 2026) for seed in range(KINDS)]
    aggregates = [made.aggregate(results) for results in kinds]
    plan = [(f"new/{at}.pdf", MONDAY, 2026) for at in range(documents)]
    plan += [(f"old/{at}.pdf", MONDAY - timedelta(days=365), 2025) for at in range(documents // 10)]
    for back in range(1, WEEKS + 1):
        start = MONDAY - timedelta(days=7 * back)
        plan += [(f"week-{back}/{at}.pdf", start, 2026) for at in range(documents // WEEKS)]
    waiting: list[tuple[dict[str, Any], Aggregate]] = []
    for at, (name, start, year) in enumerate(plan):
        moment = start + timedelta(seconds=at % documents * (6 * 86_400 / documents))
        stored = made.record(name, moment, organisation=f"Organisation {at % ORGANISATIONS}", year=year)
        kind = made.hash_of(name) % KINDS
        if documents <= WITH_PASSAGES and name.startswith("new/"):
            made.store(client, stored, aggregates[kind], kinds[kind])
            continue
        waiting.append((stored, aggregates[kind]))
        if len(waiting) == TOGETHER:
            made.store_all(client, waiting)
            waiting.clear()
    made.store_all(client, waiting)
    return len(plan)


def store_earlier() -> None:
    """Store the digests of the weeks before."""
    client = firestore_client()
    for back in range(1, WEEKS + 1):
        of = make(client, request(back).model_copy(update={"earlier": []}))
        stored = StoredDigest(
            digest=of.digest,
            schedule=of.digest.schedule,
            end=of.digest.window.end,
            statistics=of.statistics,
            asked=fingerprint(of.digest.filter),
            quoted=[],
            html="gs://bench/none.html",
            reads=of.reads,
            seconds=0.0,
            made_at=of.digest.window.end,
        )
        client.collection(COLLECTION).document(stored.digest.id).set(to_fields(stored))


def child() -> None:
    """Make the digest, and print what it took."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    client = firestore_client()
    started, cpu = time.perf_counter(), time.process_time()
    of = make(client, request())
    figures = {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "peak": peak(),
        "reads": of.reads,
        "completed": of.digest.overview.completed,
        "quotes": len(of.digest.quotes()),
        "followed": sum(of.digest.initiatives.followed_counts.values()),
        "notes": of.digest.notes,
    }
    print(json.dumps(figures))


def peak() -> float:
    """Return the most MB that were resident; `ru_maxrss` would be the parent's if that had more."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))


def measure(runs: int) -> list[dict[str, Any]]:
    """Return the child's figures, of several runs."""
    results = []
    for _ in range(runs):
        command = [sys.executable, "-m", "benchmarks.digests", "--child"]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        results.append(json.loads(done.stdout))
    return results


def row(documents: int, what: str, results: list[dict[str, Any]]) -> str:
    """Return a line of the table: medians, with the range of seconds, and whether the goal was met."""
    seconds = sorted(run["seconds"] for run in results)
    cpu, peak = (statistics.median(run[name] for run in results) for name in ("cpu", "peak"))
    goal = ""
    if limits := GOALS.get(documents):
        met = statistics.median(seconds) <= limits[0] and peak <= limits[1]
        goal = f"{limits[0]} s, {limits[1]} MB: {'met' if met else 'missed'}"
    return (
        f"| {documents:,} | {what} | {statistics.median(seconds):.1f} ({seconds[0]:.1f}-{seconds[-1]:.1f}) "
        f"| {cpu:.1f} | {peak:.0f} | {results[0]['reads']:,} | {goal} |"
    )


def write(table: list[str]) -> None:
    """Write the table between the marks of the page, which is created if it does not exist."""
    text = PAGE.read_text("utf-8") if PAGE.exists() else f"# Digests\n\n{MARK}\n{END}\n"
    before, _, rest = text.partition(MARK)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{MARK}\n" + "\n".join(table) + f"\n{END}{after}", "utf-8")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=list(GOALS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-write", action="store_true", help="only print the table")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child()
        return
    table = [
        "| documents | digests before | seconds | of the processor | peak MB | reads | goal |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for documents in options.documents:
        with tempfile.TemporaryDirectory() as folder, firestore(Path(folder)) as address:
            os.environ["FIRESTORE_EMULATOR_HOST"] = address
            firestore_client.cache_clear()
            started = time.perf_counter()
            total = fill(documents)
            print(f"{total:,} documents stored in {time.perf_counter() - started:.0f} s", file=sys.stderr)
            table.append(row(documents, "none", measure(options.runs)))
            print(table[-1], file=sys.stderr)
            store_earlier()
            results = measure(options.runs)
            table.append(row(documents, "all", results))
            print(
                table[-1],
                {name: results[0][name] for name in ("quotes", "followed", "notes")},
                file=sys.stderr,
            )
    cores = f"{os.cpu_count()} cores, {processor()}, Python {platform.python_version()}"
    table += [
        "",
        f"{cores}; the local Firestore ran on the same cores. Median of {options.runs} runs, with the range.",
    ]
    table[-1] += (
        f" Passages themselves, which a digest does not read, were stored up to {WITH_PASSAGES:,} documents."
    )
    print("\n".join(table))
    if not options.no_write:
        write(table)


if __name__ == "__main__":
    main()
