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

import gzip
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from model_export.labelled import OWN, Example, Split, exhaustive, split_of
from shared.inference.manifest import Source
from shared.platform.errors import Rejected
from shared.platform.records import ActionLabel, Record, SentimentLabel
from training.corpora import read_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SOURCE = Source(
    name="corporate reports of 124 companies, passages and sentences read for this project",
    revision="1",
    licence="the texts are their companies'; the labels Apache-2.0",
    use="training passages for every head",
)
PASSAGES, SENTENCES, COMPANIES = "passages.tsv", "sentences.tsv", "companies.tsv"
CACHE = Path("build/training")
_DIGITS = 16
_KEY = b"0" * 32
"""Redacts texts as it did when they were labelled, so that they have the same hash."""


class Labels(Record):
    """What a reader said of a passage or a sentence."""

    reader: str
    """Round and reader."""
    topics: str
    """Codes with commas between; empty: none applies."""
    action: ActionLabel
    outcome: SentimentLabel
    salience: Annotated[int, Field(ge=0, le=3)]
    initiative: Literal["yes", "no"]


class Passage(Labels):
    """A line of `passages.tsv`."""

    id: str
    company: str
    """Empty: a sentence of a public corpus."""
    source: str
    how: str
    """`random`, or what it was searched for."""
    kind: Literal["prose", "row", "heading", "cut", "junk"]


class Sentence(Labels):
    """A line of `sentences.tsv`: characters `start` to `end` of a passage."""

    passage: str
    start: NonNegativeInt
    end: PositiveInt


class Company(Record):
    """A line of `companies.tsv`."""

    company: str
    split: Split


@dataclass(frozen=True, slots=True)
class Labelled:
    """What was found of the labels that there are."""

    examples: list[Example]
    missing: int
    """Labels whose texts are not in the folder."""


def read_passages(folder: Path | None, report: Callable[[str], None] = lambda _: None) -> Labelled:
    """The labelled passages and sentences whose texts are under `folder`; none without one."""
    rows = [Passage.model_validate(row) for row in read_rows(OWN / PASSAGES)]
    if folder is None:
        return Labelled([], len(rows))
    wanted = {row.id for row in rows}
    texts = {key: text for key, text in _listed(folder) if key in wanted}
    splits: dict[str, Split] = {
        company.company: company.split for company in map(Company.model_validate, read_rows(OWN / COMPANIES))
    }
    corpora: dict[str, Split] = {}
    for example in read_directory(folder):
        if (key := digest(example.text)) in wanted:
            texts.setdefault(key, " ".join(example.text.split()))
            corpora[key] = split_of(example)
    lacking = {row.source for row in rows if row.id not in texts}
    for path in sorted(folder.rglob("*.txt.gz")):
        if path.name.removesuffix(".txt.gz") in lacking:
            report(f"cut {path.name}")
            texts |= {key: text for key, text in _cut(path) if key in wanted}
    found = {
        row.id: example_of(row, texts[row.id], "passages", splits.get(row.company, corpora.get(row.id)))
        for row in rows
        if row.id in texts
    }
    sentences = [
        example_of(row, whole.text[row.start : row.end], "sentences", whole.split)
        for row in map(Sentence.model_validate, read_rows(OWN / SENTENCES))
        if (whole := found.get(row.passage))
    ]
    return Labelled([*found.values(), *sentences], len(rows) - len(found))


def example_of(labels: Labels, text: str, source: str, split: Split | None) -> Example:
    """What is said of a passage or sentence, with its text."""
    return Example(
        text,
        source,
        exhaustive([topic for topic in labels.topics.split(",") if topic]),
        action=labels.action,
        sentiment=labels.outcome,
        salience=labels.salience,
        initiative=labels.initiative == "yes",
        split=split,
    )


def digest(text: str) -> str:
    """By which a text is named."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:_DIGITS]


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """The lines of a table with tabs between cells and no quotes, by the names in the first."""
    with path.open(encoding="utf-8") as file:
        names = file.readline().rstrip("\n").split("\t")
        for line in file:
            yield dict(zip(names, line.rstrip("\n").split("\t"), strict=True))


def _listed(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.tsv")):
        with path.open(encoding="utf-8", errors="replace") as file:
            names = file.readline().rstrip("\n").split("\t")
        if {"id", "text"} <= set(names):
            yield from ((row["id"], row["text"]) for row in read_rows(path))


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
