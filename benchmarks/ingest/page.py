"""Tables in Markdown, and their place in the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, names: int = 1) -> str:
    """The first `names` columns and those whose heads end in a colon hold words, the others figures."""
    rules = ["---" if at < names or head.endswith(":") else "---:" for at, head in enumerate(heads)]
    return "\n".join((row(head.rstrip(":") for head in heads), row(rules), *map(row, rows)))


def insert(page: Path, name: str, figures: str, target: str = "bench-ingest") -> None:
    """Put `figures` between the markers of that name; raises ValueError where the page has none."""
    begin, end = f"<!-- {name}: written by make {target} -->", f"<!-- end of {name} -->"
    before, found, rest = page.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{page} has no markers {begin} and {end}")
    page.write_text(f"{before}{begin}\n\n{figures}\n\n{end}{after}", "utf-8")
