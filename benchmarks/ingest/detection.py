"""Telling a file's format: by its first bytes, or by a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.ingest.process import OURS, Reader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

STARTS = 3


def report(file: Path, peers: Path) -> str:
    """What it takes until the first file's format is known, imports included."""
    return sentence([(name, *_measured(file, name, peers)) for name in (OURS, "magika")])


def _measured(file: Path, name: str, peers: Path) -> tuple[float, int]:
    """Seconds of processor time, the best of some starts; bytes."""
    starts = []
    for _ in range(STARTS):
        with Reader(peers, "detection", name) as reader:
            answer = reader.read(file)
            starts.append((reader.loading + answer.seconds, answer.peak))
    return min(starts)


def sentence(figures: Iterable[tuple[str, float, int]]) -> str:
    """Of names, seconds and bytes."""
    told = (f"{name} {seconds * 1000:,.0f} ms and {peak / 1e6:.0f} MB" for name, seconds, peak in figures)
    return (
        "Processor time and memory of a new process until it knows a file's format, imports included:\n"
        f"{', '.join(told)}."
    )
