"""Count how many of the first dozen initiatives shown of a document an analyst would list.

What the product shows is judged by reading, sentence by sentence: right, if by the guideline it would be
listed among what the company has done or will do about sustainability. What nobody has judged yet is counted
and written to a file for somebody to judge.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.passages import digest, read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = Path(__file__).parent / "data" / "shown.tsv"
FIRST = 12


def read_judged(path: Path = SHOWN) -> dict[str, bool]:
    """Whether a sentence shown is right, by the hash of its text."""
    return {row["text"]: row["right"] == "yes" for row in read_rows(path)}


def table(analyses: Mapping[str, Mapping[str, Any]], unjudged: Path) -> str:
    """Markdown: right ones among the first twelve of each document; writes those not judged to `unjudged`."""
    judged = read_judged()
    rows, unknown = [], []
    for name, analysis in sorted(analyses.items()):
        listed = analysis["document"]["initiatives_top"][:FIRST]
        known = [judged[digest(one["text"])] for one in listed if digest(one["text"]) in judged]
        unknown += [(name, one) for one in listed if digest(one["text"]) not in judged]
        rows.append((name, len(listed), sum(known), len(known)))
    _write(unjudged, unknown)
    count, right, total = (sum(column) for column in zip(*(row[1:] for row in rows), strict=True))
    share = f"{right / total:.3f}" if total else ""
    lines = [
        "| | shown | unjudged | right | share (goal 0.90) |",
        "| --- | ---: | ---: | ---: | ---: |",
        f"| of the first 12 shown of each document | {count} | {count - total} | {right} | {share} |",
    ]
    for name, listed, good, of in rows:
        lines.append(f"| {name} | {listed} | {listed - of} | {good} | {f'{good / of:.2f}' if of else ''} |")
    return "\n".join(lines)


def _write(path: Path, unknown: list[tuple[str, Mapping[str, Any]]]) -> None:
    """A table to fill in: the column `right` says yes or no, and the rows go to `shown.tsv` without texts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writerow(["document", "text", "right", "page", "sentence"])
        for name, one in unknown:
            writer.writerow([name, digest(one["text"]), "", one["page"] or "", " ".join(one["text"].split())])
