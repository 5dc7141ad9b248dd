"""Measure, print, and write the table of docs/extraction.md: `python -m benchmarks.ingest --peers PYTHON`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = Path(os.environ.get("HEADRACE_SHARED", ROOT.parent / "shared")) / "data" / "samples"
PAGE = ROOT / "docs" / "extraction.md"
BEGIN, END = "<!-- figures: written by make bench-ingest -->", "<!-- end of figures -->"
PEERS = ("pypdf", "pdfminer.six", "markitdown")
OURS = "Headrace"
GOAL = 5
MAX_PEAK = 400_000_000  # bytes
MAX_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """What a reader said of a file; `error` names why it could not read it."""

    seconds: float
    peak: int
    pages: int = 0
    characters: int = 0
    error: str = ""


class Reader:
    """A reader in its process."""

    def __init__(self, python: str, name: str) -> None:
        script = Path(__file__).with_name("reader.py")
        self._process = subprocess.Popen(
            [python, str(script), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def read(self, path: Path) -> Answer:
        """Raises RuntimeError where the process ended."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a reader ended on {path.name}")
        return Answer(**json.loads(line))


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


def measure(files: Sequence[Path], peers: str) -> Iterator[Row]:
    """Every file by every reader in turns, each in one warm process; and by ours in a process of its own."""
    with ExitStack() as stack:
        readers = {OURS: stack.enter_context(Reader(sys.executable, OURS))}
        readers |= {name: stack.enter_context(Reader(peers, name)) for name in PEERS}
        warm = files[0]
        for reader in readers.values():
            reader.read(warm)
        for path in files:
            with Reader(sys.executable, OURS) as afresh:
                fresh = afresh.read(path)
            speeds: dict[str, float | None] = dict.fromkeys(readers)
            if not fresh.error:
                for name, reader in readers.items():
                    answer = reader.read(path)
                    speeds[name] = None if answer.error else fresh.pages / answer.seconds
            row = Row(path.name, fresh.pages, speeds, fresh)
            print(_cells(row), flush=True)
            yield row


def _cells(row: Row) -> str:
    speeds = ["" if speed is None else f"{speed:,.1f}" for speed in row.speeds.values()]
    times = "" if row.times_pypdf is None else f"{row.times_pypdf:.1f}"
    outcome = row.fresh.error or f"{row.pages:,}"
    cells = (row.name, outcome, *speeds, times, f"{row.fresh.seconds:.2f}", f"{row.fresh.peak / 1e6:.0f}")
    return "| " + " | ".join(cells) + " |"


def report(rows: Sequence[Row]) -> str:
    """The table, and what it comes to."""
    compared = [row for row in rows if row.times_pypdf is not None]
    times = [row.times_pypdf for row in compared if row.times_pypdf is not None]
    heads = ("file", "pages", OURS, *PEERS, "times pypdf", "seconds", "peak MB")
    medians = {
        name: median(speed for row in compared if (speed := row.speeds[name]) is not None)
        for name in (OURS, *PEERS)
    }
    peak = max(rows, key=lambda row: row.fresh.peak)
    slow = max(rows, key=lambda row: row.fresh.seconds)
    return "\n".join(
        (
            "Pages per second of processor time, one core, each reader in one warm process, in turns; then",
            "what Headrace takes for the file in a process of its own, its imports included in the memory.",
            "",
            "| " + " | ".join(heads) + " |",
            "| --- |" + " ---: |" * (len(heads) - 1),
            *map(_cells, rows),
            "",
            f"Median over {len(compared)} files: "
            + ", ".join(f"{name} {speed:,.1f}" for name, speed in medians.items())
            + f" pages/s; {median(times):.1f} times pypdf (goal: {GOAL}), at least {min(times):.1f} times.",
            f"Most memory: {peak.fresh.peak / 1e6:.0f} MB for {peak.name} (limit: {MAX_PEAK / 1e6:.0f} MB).",
            f"Slowest: {slow.fresh.seconds:.2f} s for {slow.name} (limit: {MAX_SECONDS} s).",
        )
    )


def insert(page: Path, figures: str) -> None:
    """Put `figures` between the markers of a page."""
    before, begin, rest = page.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no markers {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}", "utf-8")


def main() -> None:
    """Fails on errors alone: what misses a goal is told."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="the Python of the peers' environment")
    parser.add_argument("files", nargs="*", type=Path, help="PDFs; the sample reports where none are named")
    arguments = parser.parse_args()
    reports = arguments.files or sorted(SAMPLES.glob("pdf/*.pdf"))
    if not reports:
        parser.error(f"there are no reports in {SAMPLES / 'pdf'}; name PDFs")
    figures = report(list(measure(reports, arguments.peers)))
    print(f"\n{figures}")
    if not arguments.files:
        insert(PAGE, figures)
        print(f"\nwritten to {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
