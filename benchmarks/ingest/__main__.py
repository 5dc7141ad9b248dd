"""Measure and write the figures of docs/extraction.md: `python -m benchmarks.ingest KIND --peers PYTHON`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.ingest import detection, office, pdf, web
from benchmarks.ingest.page import insert
from benchmarks.ingest.process import ROOT

SAMPLES = Path(os.environ.get("HEADRACE_SHARED", ROOT.parent / "shared")) / "data" / "samples"
PAGE = ROOT / "docs" / "extraction.md"


def main() -> None:
    """Fails on errors alone: what misses a goal is told."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    pdfs = kinds.add_parser("pdf", help="PDFs")
    formats = kinds.add_parser("formats", help="Office documents, web pages, and telling formats apart")
    for kind in (pdfs, formats):
        kind.add_argument("--peers", required=True, type=Path, help="the Python of the peers' environment")
    pdfs.add_argument("files", nargs="*", type=Path, help="PDFs; the sample reports where none are named")
    arguments = parser.parse_args()
    if arguments.kind == "formats":
        for name, figures in _formats(arguments.peers).items():
            _write(name, figures)
        return
    reports = arguments.files or sorted(SAMPLES.glob("pdf/*.pdf"))
    if not reports:
        parser.error(f"there are no reports in {SAMPLES / 'pdf'}; name PDFs")
    figures = pdf.report(list(pdf.measure(reports, arguments.peers)))
    if arguments.files:
        print(f"\n{figures}")
    else:
        _write("figures", figures)


def _formats(peers: Path) -> dict[str, str]:
    """Figures by the names of their markers."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        documents = office.report(list(office.measure(sorted(SAMPLES.glob("docx/*.docx")), folder, peers)))
        told = detection.report(folder / "long.docx", peers)
        pages = web.report(list(web.measure(folder, peers)))
    return {"office": documents, "web": pages, "detection": told}


def _write(name: str, figures: str) -> None:
    print(f"\n{figures}")
    insert(PAGE, name, figures)
    print(f"\nwritten to {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
