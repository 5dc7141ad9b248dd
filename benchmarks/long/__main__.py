"""`make bench-long`: prints the figures of the long job and writes them into docs/long-job.md."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.long.document import Task, delegated, idle_job
from benchmarks.model.texts import gather
from benchmarks.pipeline import UNCONNECTED, completed, fresh_stack, processor
from local.services import ROOT
from local.stack import read_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.long.document import Ended

DOCS = ROOT / "docs" / "long-job.md"
BEGIN, END = "<!-- figures: written by make bench-long -->", "<!-- end of figures -->"
EQUAL = 300
"""Passages that are compared."""
ALL_TO_THE_JOB = {"HEADRACE_FUNCTION_SECONDS": "0.0001"}
ROUTES = {"job": ALL_TO_THE_JOB, "function": {}}


class Bench:
    """One stack, whose job is started by hand."""

    def __init__(self, folder: Path, environment: dict[str, str], texts: Sequence[str]) -> None:
        """`environment` is the stack's; `texts` are the passages of every document."""
        self._path = folder / "passages.jsonl"
        self._environment = environment
        self._texts = texts
        self._numbers = iter(range(10**6))

    def job(self, count: int, workers: int, *, pinned: bool = False) -> list[Ended]:
        """A new document through so many tasks at once; `pinned`, each on a core of its own."""
        document = delegated(self._path, self._texts, next(self._numbers))
        cores = range(count) if pinned else [None] * count
        tasks = [
            Task(self._environment, document, index, count, 0, workers, core)
            for index, core in enumerate(cores)
        ]
        return [task.wait() for task in tasks]

    def engine(self, workers: int) -> float:
        """Tokens a second of the engine alone, on the passages of the last document."""
        command = [sys.executable, "-m", "benchmarks.long.engine", str(self._path), str(workers)]
        done = subprocess.run(command, env=UNCONNECTED, cwd=ROOT, capture_output=True, text=True, check=True)
        return float(done.stdout)

    def inside(self, rounds: int, workers: int) -> float:
        """Tokens a second inside the job, as a share of the engine's own."""
        shares = []
        for _ in range(rounds):
            [task] = self.job(1, workers)
            shares.append(task.tokens / task.analyzed_seconds / self.engine(workers))
        return statistics.median(shares)

    def two_tasks(self, rounds: int) -> float:
        """What two tasks do in a second, each on a core of its own, in what one on a core of its own does."""
        ratios = []
        for _ in range(rounds):
            [one] = self.job(1, 1, pinned=True)
            two = self.job(2, 1, pinned=True)
            together = sum(task.tokens for task in two) / max(task.analyzed_seconds for task in two)
            ratios.append(together / (one.tokens / one.analyzed_seconds))
        return statistics.median(ratios)

    def resumed(self, rounds: int) -> float:
        """Processor seconds of a task killed half-way and the next attempt, beyond one not killed."""
        from shared.documents import batches
        from shared.documents.store import Documents
        from shared.platform.clients import firestore_client

        extra = []
        for _ in range(rounds):
            [whole] = self.job(1, 2)
            document = delegated(self._path, self._texts, next(self._numbers))
            reference = Documents(firestore_client()).reference(document["id"])
            task = self._task(document, 0, 1, 0, 2)
            while batches.count_done(reference, 1) < document["batches"]["total"] // 2:
                time.sleep(0.05)
            task.process.kill()
            parts = [task.wait(), self._task(document, 0, 1, 1, 2).wait()]
            extra.append(sum(part.cpu_seconds for part in parts) / whole.cpu_seconds - 1)
        return statistics.median(extra)

    def _task(self, document: dict[str, Any], index: int, count: int, attempt: int, workers: int) -> Task:
        return Task(self._environment, document, index, count, attempt, workers)


def equal(folder: Path, texts: Sequence[str]) -> tuple[int, int, float]:
    """The same passages by job and function: how many there are, how many labels differ, the least cosine."""
    routes = [analyzed(folder / name, texts, settings) for name, settings in ROUTES.items()]
    differ, least = 0, 1.0
    for pair in zip(*routes, strict=True):
        labels = [(one["sentiment"], one["action"], one["topic_names"], one["figures"]) for one in pair]
        differ += labels[0] != labels[1]
        one, other = (list(stored["embedding"]) for stored in pair)
        dot = sum(a * b for a, b in zip(one, other, strict=True))
        least = min(least, dot / math.hypot(*one) / math.hypot(*other))
    return len(routes[0]), differ, least


def analyzed(folder: Path, texts: Sequence[str], settings: dict[str, str]) -> list[dict[str, Any]]:
    """The passages that a stack of these settings stores, with labels in place of scores."""
    from shared.documents.store import Documents
    from shared.platform.clients import firestore_client

    folder.mkdir()
    path = folder / "passages.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts[:EQUAL]))
    with fresh_stack(folder, settings):
        forget()
        _, shown = completed(path, path.name)
        stored = Documents(firestore_client()).reference(shown["id"]).collection("passages")
        found = [snapshot.to_dict() or {} for snapshot in stored.order_by("index").stream()]
    names = ("sentiment", "action")
    return [one | {name: one[name] and one[name]["label"] for name in names} for one in found]


def forget() -> None:
    """Make new clients: this process has seen another stack."""
    from shared.platform import clients
    from shared.platform.settings import settings

    for made in (clients.storage_client, clients.firestore_client, clients.publisher, clients.jobs, settings):
        made.cache_clear()


def rows(options: argparse.Namespace, texts: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """What was measured, the figure, and its target."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with fresh_stack(folder, ALL_TO_THE_JOB) as (_, data):
            forget()
            idle_job()
            bench = Bench(folder, read_stack(data)["environment"], texts)
            bench.job(1, 2)  # files are read for the first time
            cores = os.cpu_count() or 1
            what = "tokens/s inside the job, against the engine alone"
            yield f"{what}: {cores} threads", f"{bench.inside(options.rounds, cores):.0%}", "95%"
            yield (
                f"{what}: 1 thread, the servers on another core",
                f"{bench.inside(options.rounds, 1):.0%}",
                "",
            )
            yield (
                "two tasks, each on a core of its own, against one on one",
                f"{bench.two_tasks(options.rounds):.2f} times",
                "1.8 times",
            )
            yield "a task killed half-way: extra work", f"{bench.resumed(options.rounds):.0%}", "10%"
        count, differ, least = equal(folder, texts)
        yield f"passages of {count} with other labels than by the function", str(differ), "0"
        yield "least cosine of their embeddings", f"{least:.6f}", "0.9999"


def main() -> None:
    """Measure and print; write the table where the documentation has its place."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--passages", type=int, default=4_000)
    options = parser.parse_args()
    found, source = gather(ROOT / "build" / "model" / "tokenizer.json")
    texts = [f"{at // len(found)}. {found[at % len(found)]}" for at in range(options.passages)]
    lines = [
        f"{os.cpu_count()} cores ({processor()}), Python {platform.python_version()}; {len(texts):,}",
        f"{source};",
        f"medians of {options.rounds} rounds, side by side. The local servers share the cores.",
        "",
        "| what | figure | target |",
        "| --- | ---: | ---: |",
    ]
    print("\n".join(lines))
    for what, figure, target in rows(options, texts):
        lines.append(f"| {what} | {figure} | {target} |")
        print(lines[-1], flush=True)
    before, _, rest = DOCS.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCS.write_text(before + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + after)


if __name__ == "__main__":
    main()
