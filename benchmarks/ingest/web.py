"""Web pages: what each reader keeps and leaves out, how long it takes, and what deep nesting does to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING

from benchmarks.ingest.page import row, table
from benchmarks.ingest.process import OURS, Ended, Reader
from tests.unit.markup_pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tests.unit.markup_pages import Page

PEERS = ("trafilatura", "readability-lxml", "justext", "selectolax", "html5lib")
ROUNDS = 10
STARTS = 3
NESTED = 100_000
MAX_SECONDS = 60  # of processor time for the nested page


@dataclass(frozen=True)
class Row:
    """A reader; times are seconds of processor time."""

    reader: str
    kept: int
    left_out: int
    page: float
    """The mean over the pages, of each page's best round."""
    loading: float
    """The best of some starts."""
    nested: str = ""
    """What became of a page of nested elements."""

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            self.reader,
            str(self.kept),
            str(self.left_out),
            f"{self.page * 1000:.2f}",
            f"{self.loading * 1000:.0f}",
            self.nested,
        )


def measure(folder: Path, peers: Path) -> Iterator[Row]:
    """The pages are written to `folder`."""
    paths = [folder / f"{at}.html" for at in range(len(PAGES))]
    for path, page in zip(paths, PAGES, strict=True):
        path.write_text(page.markup, "utf-8")
    deep, sentences = folder / "nested.html", [sentence for page in PAGES for sentence in page.content]
    longest = max(sentences, key=len)
    deep.write_text(nested(sentences), "utf-8")
    for name in (OURS, *PEERS):
        measured = replace(_measured(paths, name, peers), nested=_deep(deep, longest, name, peers))
        print(row(measured.cells), flush=True)
        yield measured


def nested(sentences: Iterable[str]) -> str:
    """A page with a paragraph inside of many elements."""
    inside = f"<p>{' '.join(dict.fromkeys(sentences))}</p>"
    return f"<!doctype html><title>Nested</title><body>{'<div>' * NESTED}{inside}{'</div>' * NESTED}</body>"


def _measured(paths: Sequence[Path], name: str, peers: Path) -> Row:
    loading = []
    for _ in range(STARTS):
        with Reader(peers, "web", name) as reader:
            loading.append(reader.loading)
    with Reader(peers, "web", name) as reader:
        texts = [reader.read(path).text for path in paths]
        times = [min(reader.read(path).seconds for _ in range(ROUNDS)) for path in paths]
    kept, left_out = count(PAGES, texts)
    return Row(name, kept, left_out, mean(times), min(loading))


def count(pages: Iterable[Page], texts: Iterable[str]) -> tuple[int, int]:
    """Parts of the content that are in the texts, and parts beside it that are not."""
    kept = left_out = 0
    for page, text in zip(pages, texts, strict=True):
        found = letters(text)
        kept += sum(letters(part) in found for part in page.content)
        left_out += sum(letters(part) not in found for part in page.beside)
    return kept, left_out


def letters(text: str) -> str:
    """And digits, without what is between: everybody separates cells and paragraphs in another way."""
    return re.sub(r"[\W_]+", "", text)


def _deep(path: Path, sentence: str, name: str, peers: Path) -> str:
    try:
        with Reader(peers, "web", name, seconds=MAX_SECONDS) as reader:
            answer = reader.read(path)
    except Ended as end:
        return str(end)
    became = "text kept" if letters(sentence) in letters(answer.text) else "text lost"
    return f"{answer.seconds:.2f} s, {answer.error or became}"


def report(rows: Sequence[Row]) -> str:
    """The table."""
    content, beside = (sum(len(getattr(page, part)) for page in PAGES) for part in ("content", "beside"))
    return "\n".join(
        (
            f"{len(PAGES)} pages, {content} parts that must stay and {beside} that must not; processor time,",
            f"for the nested page {MAX_SECONDS} s at most:",
            "",
            table(
                ("with", "kept", "left out", "ms a page", "import ms", f"{NESTED:,} nested elements:"),
                [row.cells for row in rows],
            ),
        )
    )
