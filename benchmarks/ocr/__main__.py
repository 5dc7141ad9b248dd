"""Measure text recognition beside its peers and write docs/ocr.md: `python -m benchmarks.ocr`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.ingest.page import table
from benchmarks.ocr.documents import documents
from benchmarks.ocr.pages import KINDS, ROOT, SAMPLES, TURNED
from benchmarks.ocr.rivals import Rival, measure, rivals
from benchmarks.ocr.score import total

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = ROOT / "docs" / "ocr.md"
PEERS = ROOT / "build" / "bench-ocr-env" / "bin" / "python"
RESOLUTIONS = (150, 300)
RESOLVED = KINDS[1:2]
LIMITS = (0.98, 0.95, 0.9, 0.8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, default=PEERS, help="the Python of the peers' environment")
    parser.add_argument("--only", choices=("engines", "documents"), help="one part of the page")
    arguments = parser.parse_args()
    if not SAMPLES.exists():
        parser.error(f"there are no samples in {SAMPLES}")
    if arguments.only != "documents":
        _engines(arguments.peers)
    if arguments.only != "engines":
        _write("documents", _documents())


def _engines(peers: Path) -> None:
    found = list(rivals(peers))
    with TemporaryDirectory() as folder:
        for rival in found:
            own = (*KINDS, *TURNED) if rival.name == "headrace" else KINDS
            measure(rival, Path(folder), own)
        _write("engines", _comparison(found))
        _write("confidence", _confidence(found[0]))
        resolved = []
        for dpi in RESOLUTIONS:
            rival = replace(found[0], label=f"{dpi} dpi", outcomes=[])
            measure(rival, Path(folder), RESOLVED, dpi)
            resolved.append(rival)
        usual = [outcome for outcome in found[0].outcomes if outcome.kind == RESOLVED[0].name]
        resolved.insert(1, replace(found[0], label="200 dpi", outcomes=usual))
        _write("resolution", _resolution(resolved))


def _comparison(found: Sequence[Rival]) -> str:
    kinds = [kind.name for kind in (*KINDS, *TURNED)]
    letters = {name: found[0].errors(name).letters for name in kinds}
    rows = [("letters", *(f"{letters[name]:,}" for name in kinds), "", "", "")]
    rows += [
        (
            rival.label,
            *(_rate(rival, name) for name in kinds),
            f"{rival.seconds:.2f}",
            f"{rival.loading:.1f}",
            f"{rival.peak / 1e6:.0f}",
        )
        for rival in found
    ]
    return table(("letters wrong, %", *kinds, "s/page", "loading s", "peak MB"), rows)


def _rate(rival: Rival, kind: str) -> str:
    errors = rival.errors(kind)
    return f"{100 * errors.rate:.2f}" if errors.letters else ""


def _resolution(found: Sequence[Rival]) -> str:
    kinds = [kind.name for kind in RESOLVED]
    return table(
        ("drawn with", *(f"{name}, letters wrong, %" for name in kinds), "s/page"),
        [
            (
                rival.label,
                *(_rate(rival, name) for name in kinds),
                f"{rival.seconds:.2f}",
            )
            for rival in found
        ],
    )


def _confidence(ours: Rival) -> str:
    """Of the pages that hold text alone: what is read in a drawing is no error of letters."""
    pages = [outcome for outcome in ours.outcomes if outcome.kind != "drawings"]
    rows = []
    for limit in LIMITS:
        below = [page for page in pages if page.confidence < limit]
        above = [page for page in pages if page.confidence >= limit]
        rows.append(
            (
                f"{limit}",
                f"{len(below)} of {len(pages)}",
                f"{100 * total(page.errors for page in below).rate:.1f}" if below else "",
                f"{100 * total(page.errors for page in above).rate:.1f}",
                f"{100 * max(page.errors.rate for page in above):.1f}",
            )
        )
    heads = (
        "page's confidence",
        "pages below",
        "letters wrong below, %",
        "at or above, %",
        "worst page above, %",
    )
    return table(heads, rows)


def _documents() -> str:
    found = list(documents())
    rows = [
        (
            document.name,
            str(document.pages),
            document.outcome,
            f"{document.blocks:,}",
            f"{document.words:,}",
            f"{document.known:.2f}",
            f"{document.confidence:.2f}",
            f"{document.seconds:.1f}",
        )
        for document in found
    ]
    seconds = mean(document.seconds for document in found)
    heads = ("file", "pages", "outcome:", "blocks", "words", "known", "confidence", "s/page")
    return f"{table(heads, rows)}\n\n{seconds:.1f} s a page on average, two workers."


def _write(name: str, figures: str) -> None:
    """Put `figures` between the markers of that name."""
    print(f"\n{figures}\n", flush=True)
    begin, end = f"<!-- {name}: written by python -m benchmarks.ocr -->", f"<!-- end of {name} -->"
    before, found, rest = PAGE.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        sys.exit(f"{PAGE} has no markers {begin} and {end}")
    PAGE.write_text(f"{before}{begin}\n\n{figures}\n\n{end}{after}", "utf-8")


if __name__ == "__main__":
    main()
