"""Passages and sentences of reports, read and labelled one by one by the guideline.

The labels are in `model_export/data/`, the texts are not: they are their companies'. `passages.tsv` names a
passage by the first 16 hexadecimal digits of the SHA-256 of its text, white space collapsed, with the report
it is from; `sentences.tsv` a sentence by its place in a passage; `companies.tsv` says which split a company
is in, so that none is in two. Texts are found in a folder that holds

- tab-separated files with the columns `id` and `text`, at any depth;
- reports as `NAME.txt.gz`: read as Markdown by Headrace's own reader and cut into passages, which takes
  about a second for 300 passages and is kept under `build/training`;
- the public corpora, of which some sentences are labelled by the guideline as well.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model_export.labelled import OWN, Example, Split, exhaustive, split_of
from shared.platform.errors import Rejected
from training.corpora import read_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PASSAGES, SENTENCES, COMPANIES = "passages.tsv", "sentences.tsv", "companies.tsv"
CACHE = Path("build/training")
_DIGITS = 16
_KEY = b"0" * 32
"""Redacts texts as it did when they were labelled, so that they have the same hash."""
_MAX_FIELD = 1 << 20
"""Characters of one cell."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What was found of the labels that there are."""

    examples: list[Example]
    missing: int
    """Labels whose texts are not in the folder."""


def read_passages(folder: Path | None, report: Callable[[str], None] = lambda _: None) -> Labelled:
    """The labelled passages and sentences whose texts are under `folder`; none without one."""
    rows = list(_rows(OWN / PASSAGES))
    if folder is None:
        return Labelled([], len(rows))
    wanted = {row["id"] for row in rows}
    texts = {key: text for key, text in _listed(folder) if key in wanted}
    split = {row["company"]: row["split"] for row in _rows(OWN / COMPANIES)}
    corpora: dict[str, Split] = {}
    for example in read_directory(folder):
        key = digest(example.text)
        if key in wanted:
            texts.setdefault(key, example.text)
            corpora[key] = split_of(example)
    lacking = {row["source"] for row in rows if row["id"] not in texts}
    for path in sorted(folder.rglob("*.txt.gz")):
        name = path.name.removesuffix(".txt.gz")
        if name in lacking:
            report(f"cut {path.name}")
            texts |= {key: text for key, text in _cut(path) if key in wanted}
    examples = {
        row["id"]: example_of(
            row, texts[row["id"]], "passages", split.get(row["company"], corpora.get(row["id"]))
        )
        for row in rows
        if row["id"] in texts
    }
    sentences = [row for row in _rows(OWN / SENTENCES) if row["passage"] in examples]
    quoted = [
        example_of(
            row,
            texts[row["passage"]][int(row["start"]) : int(row["end"])],
            "sentences",
            examples[row["passage"]].split,
        )
        for row in sentences
    ]
    return Labelled([*examples.values(), *quoted], len(rows) - len(examples))


def example_of(row: Mapping[str, str], text: str, source: str, split: Split | None) -> Example:
    """A line of `passages.tsv` or `sentences.tsv` with its text."""
    return Example(
        text,
        source,
        exhaustive([topic for topic in row["topics"].split(",") if topic]),
        action=row["action"],  # type: ignore[arg-type] - checked by a test over the whole file
        sentiment=row["outcome"],  # type: ignore[arg-type]
        salience=int(row["salience"]),
        initiative=row["initiative"] == "yes",
        split=split,
    )


def digest(text: str) -> str:
    """By which a text is named."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:_DIGITS]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    csv.field_size_limit(_MAX_FIELD)
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def _listed(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.tsv")):
        with path.open(encoding="utf-8", errors="replace") as file:
            names = file.readline().rstrip("\n").split("\t")
        if {"id", "text"} <= set(names):
            yield from ((row["id"], row["text"]) for row in _rows(path))


def _cut(path: Path) -> Sequence[tuple[str, str]]:
    """Passages of one report as (hash, text)."""
    content = gzip.decompress(path.read_bytes())
    kept = CACHE / f"{hashlib.sha256(content).hexdigest()[:32]}.txt"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{text}\n" for text in _passages(content, path.name))
        scratch = kept.with_suffix(".part")
        scratch.write_text(lines, encoding="utf-8")
        scratch.rename(kept)
    return [(digest(text), text) for text in kept.read_text(encoding="utf-8").split("\n") if text]


def _passages(content: bytes, name: str) -> Iterator[str]:
    from cli.inprocess import SETTINGS
    from shared.intake.read import read_file

    with tempfile.NamedTemporaryFile(suffix=".md") as file:
        file.write(content)
        file.flush()
        try:
            reading = read_file(
                Path(file.name),
                name=name.replace(".txt.gz", ".md"),
                content_type=None,
                metadata={},
                tokenizer=Path("build/model/tokenizer.json"),
                redaction_key=_KEY,
                settings=SETTINGS,
            )
        except Rejected:
            return
    for passage in reading.passages:
        yield " ".join(passage.text.split())
