"""The local stack, measured as a user meets it: `make bench`.

Starts a stack of its own, drops a report and a short text again and again, and prints what it took. The
report is `--report FILE`, or the 48-page ATOSS report of 2023 where `../shared` has it, or else this
repository's own sample with its pages repeated up to 48.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from cli.connect import connect
from local.processes import free_ports
from local.services import ANALYZE_THREADS, ROOT, TITLES
from local.stack import read_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SHARED_REPORT = ROOT.parent / "shared/data/samples/pdf/atoss_sustainability_2023.pdf"
OWN_REPORT = ROOT / "samples" / "tarnholm_sustainability_report_2025.pdf"
PAGES = 48
PARAGRAPH = (
    "We cut the energy use of the plant by 12% in 2025 and will buy only renewable electricity from 2027. "
    "An oil leak in May polluted two hectares of the river bank, for which the authority fined us EUR 40,000."
)
MIB = 1024 * 1024
UNCONNECTED = dict(os.environ)
"""This process connects to a stack; the next stack must not take that for a user's emulators."""


def report_at_hand(folder: Path) -> Path:
    """The report to measure with."""
    if SHARED_REPORT.is_file():
        return SHARED_REPORT
    import pypdfium2

    own = pypdfium2.PdfDocument(OWN_REPORT)
    repeated = pypdfium2.PdfDocument.new()
    while len(repeated) < PAGES:
        repeated.import_pages(own, list(range(min(len(own), PAGES - len(repeated)))))
    path = folder / "repeated.pdf"
    repeated.save(path)
    return path


def resident(supervisor: int) -> tuple[float, float]:
    """MiB of the stack's processes: summed resident sets, and with shared pages counted once."""
    processes = [psutil.Process(supervisor), *psutil.Process(supervisor).children(recursive=True)]
    full = [process.memory_full_info() for process in processes]
    return sum(item.rss for item in full) / MIB, sum(item.pss for item in full) / MIB


def row(what: str, figure: str, target: str) -> None:
    """One line of the table."""
    print(f"| {what:<58} | {figure:>22} | {target:>10} |")


def seconds(values: Sequence[float]) -> str:
    """Median with the range."""
    return f"{statistics.median(values):.2f} s ({min(values):.2f}-{max(values):.2f})"


def completed(path: Path, name: str) -> tuple[float, dict[str, Any]]:
    """Seconds from the start of the upload until the document has ended, and the document."""
    from cli.results import document, drop, follow

    started = time.perf_counter()
    item = drop(path, name=name)
    list(follow([item], 120))
    return time.perf_counter() - started, document(item.id)


@contextmanager
def fresh_stack(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[tuple[float, Path]]:
    """A stack that has seen nothing, its model loaded by one short text; seconds until it was ready."""
    data = folder / "data"
    started = time.perf_counter()
    command = [
        sys.executable,
        "-c",
        "from cli.main import main; main()",
        "up",
        "--data",
        str(data),
        "--reset",
    ]
    stack = subprocess.Popen(
        [*command, "--port", str(free_ports(len(TITLES)))],
        stdout=subprocess.PIPE,
        text=True,
        env=UNCONNECTED | dict(settings or {}),
    )
    assert stack.stdout is not None
    if stack.stdout.readline().strip() != "ready":
        sys.exit(1)
    ready = time.perf_counter() - started
    try:
        connect(data, None)
        warm = data / "warm.txt"
        warm.write_text("The works has a new name.")
        completed(warm, "warm.txt")
        yield ready, data
    finally:
        stack.terminate()
        stack.wait(30)


def measure(report: Path, folder: Path, runs: int, texts: int) -> None:
    """Print the table. Each report meets a fresh stack: the same content would be copied, not computed."""
    starts: list[float] = []
    took: list[float] = []
    shares: list[float] = []
    small: list[float] = []
    for _ in range(runs):
        with fresh_stack(folder) as (ready, data):
            starts.append(ready)
            elapsed, shown = completed(report, report.name)
            if shown["state"] != "completed":
                sys.exit(f"{report}: {shown['state']}: {shown['error']}")
            took.append(elapsed)
            timings = shown["timings"]
            work = timings["extract_seconds"] + timings["infer_seconds"] / ANALYZE_THREADS
            shares.append(work / elapsed)
            for number in range(len(small), len(small) + texts // runs):
                paragraph = data / "paragraph.txt"
                paragraph.write_text(f"{number}. {PARAGRAPH}")
                small.append(completed(paragraph, f"text-{number}.txt")[0])
            rss, pss = resident(read_stack(data)["supervisor"])
    row("start to ready", seconds(starts), "6 s")
    what = f"{shown['pages']} pages, {shown['passages']} passages, drop to completed"
    row(what, seconds(took), "6 s")
    row("of that, extraction and inference", f"{statistics.median(shares):.0%}", "50%")
    row("one paragraph, drop to completed, p50", seconds(small), "0.5 s")
    row("whole stack, resident (shared pages counted once)", f"{rss:.0f} ({pss:.0f}) MiB", "1,200 MiB")
    print(f"\nThe report: {report.name}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--texts", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"{os.cpu_count()} cores, {processor()}, Python {platform.python_version()}\n")
        row("what", "median (range)", "target")
        row("-" * 58, "-" * 22, "-" * 10)
        measure(options.report or report_at_hand(Path(folder)), Path(folder), options.runs, options.texts)


def processor() -> str:
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
