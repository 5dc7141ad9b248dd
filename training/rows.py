"""All sentences that a training learns from: our own, public corpora, and a user's labelled rows.

`read_examples` reads a directory, and ends at the first row that does not fit. `Rows` collects the rows of a
bucket's files: a row that is left out is known by file, line and a code; its text is never repeated. Those
rows are split by a hash of their text, whatever its case and spacing: a row that is held out today is held
out next week too, so what a model is compared on, no model of the job was trained on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from model_export.labelled import (
    LABELS,
    OWN,
    BadRow,
    Example,
    never_tested,
    read_labelled,
    read_rows,
    to_example,
)
from shared.platform.errors import Rejected, SetupError
from shared.platform.records import TOPICS, Record
from training.corpora import FILES, read_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from model_export.labelled import Split

SOURCE, CORRECTIONS = "users", "corrections"
"""Rows of a bucket's files, and what people corrected or confirmed."""
MAX_ROWS = 50_000
MAX_CHARACTERS = 10_000
"""In one row's text; the model reads some thousand of them."""
MAX_LISTED = 1_000
"""Rows left out that the report names one by one."""
HELD_SHARE = 0.3


class _Topic(Record):
    code: Annotated[str, Field(min_length=1)]
    name: str


class _Taxonomy(Record):
    topic: Annotated[tuple[_Topic, ...], Field(min_length=1)]


def read_taxonomy(path: Path) -> tuple[str, ...]:
    """The codes of a TOML file of `[[topic]]` tables, each with `code` and `name`; in the model's order.

    Raises:
        SetupError: it is missing, or not of this form, or names a code twice.
    """
    try:
        taxonomy = _Taxonomy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SetupError(f"{path} is not a taxonomy: {error}") from None
    codes = tuple(topic.code for topic in taxonomy.topic)
    if len(set(codes)) < len(codes):
        raise SetupError(f"{path} names a code twice.")
    return codes


def read_examples(
    data: Path | None, topics: Sequence[str] = TOPICS, *, permissive_only: bool = False
) -> list[Example]:
    """Our own sentences, the corpora we know under `data`, and its *.jsonl and *.csv files of labelled rows.

    `permissive_only` leaves out corpus sentences whose licence is unclear. With topics of one's own, labels
    of the ESRS topics say nothing: of our sentences and the corpora, the other labels alone are used.
    """
    examples = own_sentences()
    if data is not None:
        examples += read_directory(data, permissive_only=permissive_only)
    if tuple(topics) != TOPICS:
        examples = [
            dataclasses.replace(example, topics={}, any_of=(), aspects=None, pillars={})
            for example in examples
            if example.not_planned or any(getattr(example, name) is not None for name in LABELS)
        ]
    for path in sorted(data.rglob("*")) if data is not None else ():
        if path.suffix == ".jsonl" or (path.suffix == ".csv" and _is_labelled(path)):
            examples += read_labelled(path, topics)
    return list({(e.text, e.source, bool(e.sentiment)): e for e in examples}.values())


def own_sentences() -> list[Example]:
    """Sentences written for this project: `train.jsonl` to learn from, `heldout.jsonl` to test on.

    `written.jsonl`, bad news and what looks like it, is split by a hash.
    """
    learnt, held, written = (read_labelled(OWN / f"{name}.jsonl") for name in ("train", "heldout", "written"))
    examples = [dataclasses.replace(example, split=never_tested(example)) for example in learnt]
    examples += [dataclasses.replace(example, split="test") for example in held]
    return [dataclasses.replace(example, source="own") for example in examples + written]


def _is_labelled(path: Path) -> bool:
    """Whether a CSV file is ours to read: corpora have columns of their own."""
    with path.open("rb") as file:
        return path.name not in FILES and b"labels" in file.readline()


class Left(Record):
    """A row that was left out."""

    file: str
    line: int
    """From 1; of a row over several lines the last."""
    code: str


@dataclass
class Rows:
    """Collects rows, file after file."""

    topics: Sequence[str]
    """Codes that a row may name."""
    examples: list[Example] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    """The first `MAX_LISTED`."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Rows left out, by code."""
    read: int = 0
    _places: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, content: bytes) -> None:
        """Take the rows of one file.

        Raises:
            Rejected: there are too many rows.
        """
        self.take(name, read_rows(name, content), SOURCE)

    def take(self, name: str, rows: Iterable[tuple[int, Mapping[str, Any] | BadRow]], source: str) -> None:
        """Take rows, each with its number. Raises Rejected as `add` does."""
        for line, row in rows:
            self.read += 1
            if self.read > MAX_ROWS:
                raise Rejected(
                    "too_many_rows", f"There are more than {MAX_ROWS:,} rows.", "Name a longer prefix."
                )
            try:
                self._take(row, source)
            except BadRow as bad:
                self.reasons[bad.code] += 1
                if len(self.left) < MAX_LISTED:
                    self.left.append(Left(file=name, line=line, code=bad.code))

    def _take(self, row: Mapping[str, Any] | BadRow, source: str) -> None:
        """Labels of a text that stand in several rows come together, unless they contradict each other."""
        example = to_example(row, source, self.topics)
        if len(example.text) > MAX_CHARACTERS:
            raise BadRow("too_many_characters")
        if not example.topics and all(getattr(example, name) is None for name in LABELS):
            raise BadRow("no_label")
        place = self._places.setdefault(plain(example.text), len(self.examples))
        if place == len(self.examples):
            self.examples.append(dataclasses.replace(example, split=_split(example.text)))
            return
        known = self.examples[place]
        both = {name: getattr(known, name) for name in LABELS}
        both = {name: getattr(example, name) if said is None else said for name, said in both.items()}
        merged = dataclasses.replace(known, topics=known.topics or example.topics, **both)
        if example.topics and example.topics != merged.topics:
            raise BadRow("contradiction")
        if any(getattr(example, name) not in {None, said} for name, said in both.items()):
            raise BadRow("contradiction")
        if merged == known:
            raise BadRow("duplicate")
        self.examples[place] = merged


def plain(text: str) -> str:
    """What two spellings of one text have in common."""
    return " ".join(text.casefold().split())


def fold_of(text: str, folds: int) -> int:
    """Which part of a cross-validation a text is in."""
    return hashlib.sha256(plain(text).encode()).digest()[16] % folds


def _split(text: str) -> Split:
    digest = hashlib.sha256(plain(text).encode()).digest()
    return "test" if int.from_bytes(digest[:4]) / 2**32 < HELD_SHARE else "train"
