"""PDFs: every report by every reader in turns, and by Headrace in a process of its own."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.ingest.page import row, table
from benchmarks.ingest.process import OURS, Answer, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PDFIUM = "pdfium alone"
PEERS = ("pypdf", "pdfminer.six", "markitdown", PDFIUM)
GOAL = 5
MAX_PEAK = 400_000_000  # bytes
MAX_SECONDS = 30


@dataclass(frozen=True)
class Row:
    """A file: how fast each reader is, in pages a second of processor time, and what ours takes afresh."""

    name: str
    pages: int
    speeds: dict[str, float | None]
    fresh: Answer

    @property
    def times_pypdf(self) -> float | None:
        ours, theirs = self.speeds[OURS], self.speeds["pypdf"]
        return ours / theirs if ours and theirs else None

    @property
    def pdfium(self) -> float | None:
        """The part of our time that pdfium takes to read the file."""
        ours, theirs = self.speeds[OURS], self.speeds[PDFIUM]
        return ours / theirs if ours and theirs else None

    @property
    def cells(self) -> tuple[str, ...]:
        speeds = ["" if speed is None else f"{speed:,.1f}" for speed in self.speeds.values()]
        times = "" if self.times_pypdf is None else f"{self.times_pypdf:.1f}"
        outcome = self.fresh.error or f"{self.pages:,}"
        return (
            self.name,
            outcome,
            *speeds,
            times,
            f"{self.fresh.seconds:.2f}",
            f"{self.fresh.peak / 1e6:.0f}",
        )


def measure(files: Sequence[Path], peers: Path) -> Iterator[Row]:
    """Each in one warm process; raises Ended where a reader does not survive a file."""
    with ExitStack() as stack:
        readers = {name: stack.enter_context(Reader(peers, "pdf", name)) for name in (OURS, *PEERS)}
        warm = files[0]
        for reader in readers.values():
            reader.read(warm)
        for path in files:
            with Reader(peers, "pdf", OURS) as afresh:
                fresh = afresh.read(path)
            speeds: dict[str, float | None] = dict.fromkeys(readers)
            if not fresh.error:
                for name, reader in readers.items():
                    answer = reader.read(path)
                    speeds[name] = None if answer.error else fresh.pages / answer.seconds
            measured = Row(path.name, fresh.pages, speeds, fresh)
            print(row(measured.cells), flush=True)
            yield measured


def report(rows: Sequence[Row]) -> str:
    """The table, and what it comes to."""
    compared = [row for row in rows if row.times_pypdf is not None]
    times = [row.times_pypdf for row in compared if row.times_pypdf is not None]
    medians = {
        name: median(speed for row in compared if (speed := row.speeds[name]) is not None)
        for name in (OURS, *PEERS)
    }
    parts = [row.pdfium for row in compared if row.pdfium is not None]
    share = f"{median(parts):.0%} of Headrace's time at the median, {min(parts):.0%} to {max(parts):.0%}"
    reached = sum(time >= GOAL for time in times)
    peak = max(rows, key=lambda row: row.fresh.peak)
    slow = max(rows, key=lambda row: row.fresh.seconds)
    return "\n".join(
        (
            "Pages per second of processor time, one core, each reader in one warm process, in turns; then",
            "what Headrace takes for the file in a process of its own, its imports included in the memory.",
            "",
            table(
                ("file", "pages", OURS, *PEERS, "times pypdf", "seconds", "peak MB"),
                [row.cells for row in rows],
            ),
            "",
            f"Median over {len(compared)} files: "
            + ", ".join(f"{name} {speed:,.1f}" for name, speed in medians.items())
            + f" pages/s; {median(times):.1f} times pypdf (goal: {GOAL}, reached on {reached}), "
            + f"at least {min(times):.1f} times.",
            f"pdfium alone (pages parsed, characters put in order) took {share}.",
            f"Most memory: {peak.fresh.peak / 1e6:.0f} MB for {peak.name} (limit: {MAX_PEAK / 1e6:.0f} MB).",
            f"Slowest: {slow.fresh.seconds:.2f} s for {slow.name} (limit: {MAX_SECONDS} s).",
        )
    )
