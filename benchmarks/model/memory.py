"""Memory: the peak over a thousand mixed passages, and how it goes up and stays while a process works."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

from benchmarks.model.contestant import Contestant, ours, peer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from benchmarks.model.contestant import Paths, Spec

MIB = 1024 * 1024
SAMPLE_SECONDS = 0.05
TRACED_TEXTS = 200
BATCH = 32


@dataclass
class Trace:
    """Resident memory of a contestant from its start on."""

    name: str
    points: list[tuple[float, float]] = field(default_factory=list)
    """Seconds, MiB."""

    @property
    def peak(self) -> float:
        """MiB."""
        return max(mib for _, mib in self.points)


def peak_of_all_texts(directory: Path, paths: Paths, count: int) -> float:
    """Peak resident MiB of a process that imports, loads and runs `count` texts in one call."""
    with Contestant(ours("ours", directory), paths.texts) as contestant:
        contestant.seconds(0, count)
        return contestant.peak_mib()


def traces(paths: Paths, directories: Mapping[str, Path], best: Spec) -> list[Trace]:
    """Everybody over the same texts, one after the other."""
    specs = {
        "Headrace int8, all heads": ours("ours", directories["int8"]),
        "Headrace fp32, embedding": ours("ours", directories["fp32-embedding"]),
        "fastembed at its best": best,
        f"fastembed, batch {BATCH}": peer(paths, "fastembed", batch_size=BATCH),
        "sentence-transformers": peer(paths, "sentence-transformers"),
        "the book's app": peer(paths, "book"),
    }
    return [_trace(name, spec, paths) for name, spec in specs.items()]


def _trace(name: str, spec: Spec, paths: Paths) -> Trace:
    trace = Trace(name)
    with _sampling(trace), Contestant(spec, paths.texts) as contestant:
        contestant.seconds(0, TRACED_TEXTS)
    return trace


@contextmanager
def _sampling(trace: Trace) -> Iterator[None]:
    """Add the memory of all processes started inside the block to the trace."""
    stop = threading.Event()
    before = {child.pid for child in psutil.Process().children()}
    began = time.perf_counter()

    def sample() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            resident = 0.0
            for child in psutil.Process().children():
                if child.pid not in before:
                    with suppress(psutil.NoSuchProcess):
                        resident += child.memory_info().rss / MIB
            trace.points.append((time.perf_counter() - began, resident))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield
    finally:
        stop.set()
        sampler.join()


def proportional_mib(pid: int) -> float:
    """Memory of a process and its descendants with shared pages counted once (PSS), MiB."""
    root = psutil.Process(pid)
    return (
        float(sum(process.memory_full_info().pss for process in (root, *root.children(recursive=True)))) / MIB
    )
