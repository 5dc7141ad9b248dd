"""Measure text recognition beside its peers and write docs/ocr.md: `python -m benchmarks.ocr`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.ingest.page import table
from benchmarks.ocr.documents import documents
from benchmarks.ocr.pages import COARSE, KINDS, ROOT, SAMPLES, TURNED
from benchmarks.ocr.rivals import Rival, measure, rivals

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = ROOT / "docs" / "ocr.md"
PEERS = ROOT / "build" / "bench-ocr-env" / "bin" / "python"
RESOLUTIONS = (150, 200, 300)
RESOLVED = KINDS[1:2]
OURS = "headrace"
LIMITS = (0.0, 0.8, 0.9, 0.95, 0.98, 1.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, default=PEERS, help="the Python of the peers' environment")
    parts = {
        "engines": _engines,
        "resolution": _resolutions,
        "confidence": _confidence,
        "documents": _documents,
    }
    parser.add_argument("--only", choices=tuple(parts), help="one part of the page")
    arguments = parser.parse_args()
    if not SAMPLES.exists():
        parser.error(f"there are no samples in {SAMPLES}")
    for name, part in parts.items():
        if arguments.only in {None, name}:
            with TemporaryDirectory() as folder:
                _write(name, part(Path(folder), list(rivals(arguments.peers))))


def _engines(folder: Path, found: Sequence[Rival]) -> str:
    for rival in found:
        measure(rival, folder, (*KINDS, *TURNED) if rival.name == OURS else KINDS)
    return _comparison(found)


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


def _resolutions(folder: Path, found: Sequence[Rival]) -> str:
    rows = []
    for dpi in RESOLUTIONS:
        rival = replace(found[0], outcomes=[])
        measure(rival, folder, RESOLVED, dpi)
        rows.append((f"{dpi} dpi", *(_rate(rival, kind.name) for kind in RESOLVED), f"{rival.seconds:.2f}"))
    return table(("drawn with", *(f"{kind.name}, letters wrong, %" for kind in RESOLVED), "s/page"), rows)


def _confidence(folder: Path, found: Sequence[Rival]) -> str:
    """Page by page, the surest first."""
    measure(found[0], folder, (KINDS[1], *COARSE))
    pages = sorted(found[0].outcomes, key=lambda page: -page.confidence)
    rows = []
    for least, most in pairwise(LIMITS):
        some = [page for page in pages if least <= page.confidence < most]
        rates = [100 * page.errors.rate for page in some]
        span = f"{min(rates):.1f} to {max(rates):.1f}" if rates else ""
        rows.append((f"{least} to {min(most, 1)}", str(len(some)), span))
    return table(("page's confidence", "pages", "letters wrong, %"), rows)


def _documents(_folder: Path, _found: Sequence[Rival]) -> str:
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
