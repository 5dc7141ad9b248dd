"""All training sentences of a directory: the corpora we know, and a user's own files."""

from __future__ import annotations

import csv
import dataclasses
import tomllib
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationError

from model_export.heads import HEAD_NAMES, HeadName
from model_export.labelled import OWN, Example, never_tested, read_labelled, read_line
from shared.platform.errors import SetupError
from shared.platform.records import TOPICS, Record
from training.corpora import read_directory

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path


class Topic(Record):
    """One label of a taxonomy."""

    code: Annotated[str, Field(min_length=1)]
    name: str


class Taxonomy(Record):
    """The topics that a text is sorted into."""

    topic: Annotated[tuple[Topic, ...], Field(min_length=1)]

    @property
    def codes(self) -> tuple[str, ...]:
        """In the order of the model's columns."""
        return tuple(topic.code for topic in self.topic)


def read_taxonomy(path: Path) -> Taxonomy:
    """Read a TOML file of `[[topic]]` tables, each with `code` and `name`.

    Raises:
        SetupError: it is missing, or not of this form, or names a code twice.
    """
    try:
        taxonomy = Taxonomy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SetupError(f"{path} is no taxonomy: {error}") from None
    if len(set(taxonomy.codes)) < len(taxonomy.codes):
        raise SetupError(f"{path} names a code twice.")
    return taxonomy


def read_examples(
    data: Path | None, topics: Sequence[str] = TOPICS, permissive: Collection[HeadName] = ()
) -> list[Example]:
    """Our own sentences, the corpora we know under `data`, and its *.jsonl and *.csv files of labelled lines.

    Heads named in `permissive` get no sentence whose licence is unclear. With topics of one's own, labels of
    the ESRS topics say nothing: of our sentences and the corpora, action and sentiment alone are used.
    """
    examples = own_sentences()
    if data is not None:
        everything = read_directory(data)
        examples += _with_labels(everything, [name for name in HEAD_NAMES if name not in permissive])
        if permissive:
            examples += _with_labels(read_directory(data, permissive_only=True), permissive)
    if tuple(topics) != TOPICS:
        examples = _with_labels(examples, ("action", "sentiment"))
    if data is not None:
        examples += _users(data, topics)
    return list({(e.text, e.source, bool(e.sentiment)): e for e in examples}.values())


def own_sentences() -> list[Example]:
    """Those written for this project: `train.jsonl` to learn from, `heldout.jsonl` to test on."""
    learnt = read_labelled(OWN / "train.jsonl")
    held = read_labelled(OWN / "heldout.jsonl")
    return [dataclasses.replace(e, source="own", split=never_tested(e)) for e in learnt] + [
        dataclasses.replace(e, source="own", split="test") for e in held
    ]


def _users(data: Path, topics: Sequence[str]) -> list[Example]:
    examples = [example for path in sorted(data.rglob("*.jsonl")) for example in read_labelled(path, topics)]
    for path in sorted(data.rglob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            # Known corpora are CSV too, with columns of their own.
            if reader.fieldnames and {"text", "labels"} <= set(reader.fieldnames):
                examples += [
                    read_line(_from_csv(row), path.stem, f"{path}, line {reader.line_num}", topics)
                    for row in reader
                ]
    return examples


def _from_csv(row: dict[str, str]) -> dict[str, object]:
    """`labels` are codes with commas or spaces between, empty for none of the topics."""
    found: dict[str, object] = {
        "text": row["text"],
        "topics": row["labels"].replace(",", " ").split(),
    }
    return found | {name: row[name] for name in ("action", "sentiment") if row.get(name)}


def _with_labels(examples: Sequence[Example], names: Collection[str]) -> list[Example]:
    """`examples` with the labels of heads `names` alone, and without those that then say nothing."""
    kept = []
    for example in examples:
        left = example
        if "topic" not in names:
            left = dataclasses.replace(left, topics={}, any_of=(), aspects=None, pillars={})
        if "action" not in names:
            left = dataclasses.replace(left, action=None, not_planned=False)
        if "sentiment" not in names:
            left = dataclasses.replace(left, sentiment=None, polar=False)
        if left.topics or left.any_of or left.action or left.not_planned or left.sentiment:
            kept.append(left)
    return kept
