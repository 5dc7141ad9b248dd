"""Measure how many numbers of report pages are found with their meaning: `python -m benchmarks.tables`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.ingest.page import insert, table
from benchmarks.tables.draw import draw_some
from benchmarks.tables.found import Piece, found_in
from benchmarks.tables.gold import REPORTS, ROOT, Gold, by_page, load
from benchmarks.tables.score import Counts, Found, score, shares
from benchmarks.tables.words import core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.tables.gold import Value

OURS = "Headrace"
PEERS = ("pdfplumber", "camelot", "img2table")
KINDS = ("table", "prose", "chart")
PAGE = ROOT / "docs" / "extraction.md"
HEADS = ("found by", "values of", "values", "kept", "label", "label and column", "unit", "wrong")


@dataclass
class Measured:
    """What a reader made of all pages."""

    counts: dict[tuple[str, str], Counts] = field(default_factory=lambda: defaultdict(Counts))
    """By view and kind of value, "all" for every kind."""
    pages: int = 0
    seconds: float = 0.0
    peak: int = 0
    errors: list[str] = field(default_factory=list)


def measure(name: str, python: Path, gold: Gold, verbose: str | None) -> Measured:
    """Let a reader, in a process of its own, read every report; `verbose` names the view to remark on."""
    measured = Measured()
    process = subprocess.Popen(
        [str(python), "-m", "benchmarks.tables.reader", name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    with process:
        for report, pages in gold.items():
            asked = {"path": str(REPORTS / f"{report}.pdf"), "pages": sorted(pages)}
            print(json.dumps(asked), file=process.stdin, flush=True)
            line = process.stdout.readline()
            if not line:
                measured.errors.append(f"{report}: the process ended")
                break
            answer = json.loads(line)
            if answer["error"]:
                measured.errors.append(f"{report}: {answer['error']}")
            measured.pages += answer["read"]
            measured.seconds += answer["seconds"]
            measured.peak = max(measured.peak, answer["peak"])
            for page, values in pages.items():
                views = answer["pages"].get(str(page), {"tables": []})
                for view, entries in views.items():
                    _count(measured, view, values, entries, verbose)
        process.stdin.close()
    return measured


def _count(
    measured: Measured, view: str, values: Sequence[Value], entries: list[dict[str, Any]], verbose: str | None
) -> None:
    if view == "figures":
        found = [Found(**entry) for entry in entries]
    else:
        printed = {core(value.printed) for value in values} - {""}
        found = [each for entry in entries for each in found_in(Piece(**entry), sorted(printed))]
    for kind in KINDS:
        measured.counts[view, kind] += score(values, found, kind).counts
    whole = score(values, found)
    measured.counts[view, "all"] += whole.counts
    if view == verbose:
        print(f"\n{values[0].report} page {values[0].page}: {' '.join(shares(whole.counts))}")
        print("\n".join(whole.remarks))


def report(results: dict[str, Measured]) -> str:
    """Return what was measured as Markdown."""
    rows, costs = [], []
    for name, measured in results.items():
        for (view, kind), counts in measured.counts.items():
            if counts.values and (name == OURS or kind in {"table", "all"}):
                shown = f"{name}, {view}" if name == OURS else name
                rows.append((shown, kind, f"{counts.values:,}", *shares(counts)))
        speed = measured.pages / measured.seconds if measured.seconds else 0
        costs.append((name, f"{speed:,.1f}", f"{measured.peak / 1e6:.0f}"))
    return "\n\n".join((table(HEADS, rows), table(("reader", "pages/s", "peak MB"), costs)))


def main() -> None:
    """Fails on errors alone: what misses a goal is told."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--peers", type=Path, help="the Python of the peers' environment; without it, Headrace alone"
    )
    parser.add_argument("--verbose", metavar="VIEW", help="list what differs: passages, tables or figures")
    parser.add_argument(
        "--draw", type=int, default=0, metavar="N", help="draw N pages with what was found on them"
    )
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="REPORT[:PAGE]", help="some reports or pages"
    )
    arguments = parser.parse_args()
    if not REPORTS.is_dir():
        print(f"skipped: there are no reports in {REPORTS}")
        return
    gold = by_page(
        value
        for value in load()
        if not arguments.only or {value.report, f"{value.report}:{value.page}"} & set(arguments.only)
    )
    if arguments.draw:
        for path in draw_some(gold, arguments.draw):
            print(path)
        return
    results = {OURS: measure(OURS, Path(sys.executable), gold, arguments.verbose)}
    if arguments.peers:
        python = arguments.peers.absolute()
        results |= {name: measure(name, python, gold, None) for name in PEERS}
    figures = report(results)
    print(f"\n{figures}")
    for name, measured in results.items():
        for error in measured.errors:
            print(f"{name}: {error}")
    if arguments.peers and not arguments.only:
        insert(PAGE, "tables", figures, "bench-tables")


if __name__ == "__main__":
    main()
