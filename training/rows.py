"""Labelled rows of a user's files: what can be learnt from, and what was left out, where and why.

A row that is left out is known by file, line and a code; its text is never repeated. Rows are split by a hash
of their text, whatever its case and spacing: a row that is held out today is held out next week too, so what
a model is compared on, no model of this job was trained on.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from model_export.labelled import Example, exhaustive
from shared.platform.errors import Rejected
from shared.platform.records import ActionLabel, Record, SentimentLabel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from model_export.labelled import Split

SOURCE = "users"
MAX_ROWS = 50_000
MAX_CHARACTERS = 10_000
"""Of one row's text; the model reads some thousand of them."""
MAX_LISTED = 1_000
"""Rows left out that the report names one by one."""
HELD_SHARE = 0.3
DEVELOPED_SHARE = 0.15
"""Of the rest: what a fine-tuned branch is watched on while it learns."""


class Left(Record):
    """A row that was left out."""

    file: str
    line: int
    """From 1; of a row over several lines the last."""
    code: str


class _Row(Record):
    text: str
    topics: list[str] | None = None
    action: ActionLabel | None = None
    sentiment: SentimentLabel | None = None


class _Bad(Exception):
    """Its argument is the code."""


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
        for line, row in _csv(content) if name.endswith(".csv") else _jsonl(content):
            self.read += 1
            if self.read > MAX_ROWS:
                raise Rejected(
                    "too_many_rows", f"There are more than {MAX_ROWS:,} rows.", "Name a longer prefix."
                )
            try:
                self._take(self._example(row))
            except _Bad as bad:
                code = str(bad)
                self.reasons[code] += 1
                if len(self.left) < MAX_LISTED:
                    self.left.append(Left(file=name, line=line, code=code))

    def _example(self, row: Mapping[str, Any] | str) -> Example:
        if isinstance(row, str):
            raise _Bad(row)
        try:
            valid = _Row.model_validate(row)
        except ValidationError as error:
            raise _Bad(_code(error)) from None
        if not valid.text.strip():
            raise _Bad("no_text")
        if len(valid.text) > MAX_CHARACTERS:
            raise _Bad("too_many_characters")
        if set(valid.topics or ()) - set(self.topics):
            raise _Bad("unknown_topic")
        if valid.topics is None and valid.action is None and valid.sentiment is None:
            raise _Bad("no_label")
        judged = {} if valid.topics is None else exhaustive(valid.topics, topics=self.topics)
        return Example(
            valid.text,
            SOURCE,
            judged,
            action=valid.action,
            sentiment=valid.sentiment,
            split=_split(valid.text),
        )

    def _take(self, example: Example) -> None:
        """Labels of a text that stand in several rows come together, unless they contradict each other."""
        place = self._places.setdefault(plain(example.text), len(self.examples))
        if place == len(self.examples):
            self.examples.append(example)
            return
        known = self.examples[place]
        merged = dataclasses.replace(
            known,
            topics=known.topics or example.topics,
            action=known.action or example.action,
            sentiment=known.sentiment or example.sentiment,
        )
        for name in ("topics", "action", "sentiment"):
            if getattr(example, name) and getattr(example, name) != getattr(merged, name):
                raise _Bad("contradiction")
        if merged == known:
            raise _Bad("duplicate")
        self.examples[place] = merged


def plain(text: str) -> str:
    """What two spellings of one text have in common."""
    return " ".join(text.casefold().split())


def fold_of(text: str, folds: int) -> int:
    """Which part of a cross-validation a text is in."""
    return hashlib.sha256(plain(text).encode()).digest()[16] % folds


def _split(text: str) -> Split:
    digest = hashlib.sha256(plain(text).encode()).digest()
    if int.from_bytes(digest[:4]) / 2**32 < HELD_SHARE:
        return "test"
    return "dev" if int.from_bytes(digest[4:8]) / 2**32 < DEVELOPED_SHARE else "train"


def _code(error: ValidationError) -> str:
    detail = error.errors()[0]
    name = str(detail["loc"][0]) if detail["loc"] else ""
    if detail["type"] == "extra_forbidden":
        return "unknown_field"
    if name == "text":
        return "no_text"
    return f"unknown_{name.removesuffix('s')}" if name else "not_an_object"


def _jsonl(content: bytes) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for line, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            row = json.loads(raw.decode())
        except UnicodeDecodeError:
            yield line, "not_utf8"
        except (ValueError, RecursionError):
            yield line, "not_json"
        else:
            yield line, row if isinstance(row, dict) else "not_an_object"


def _csv(content: bytes) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """`text`, and of `labels` (or `topics`), `action` and `sentiment` those that there are."""
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig", "replace"), newline=""), strict=True)
    line = 0
    try:
        names = set(reader.fieldnames or ())
        if "text" not in names or not names <= {"text", "labels", "topics", "action", "sentiment"}:
            yield 1, "unknown_columns"
            return
        line = reader.line_num
        for row in reader:
            line = reader.line_num
            yield line, _from_csv(row)
    except csv.Error:
        # Where a quote is not closed, nobody knows where the next row begins.
        yield line + 1, "damaged_from_here_on"


def _from_csv(row: Mapping[str | None, Any]) -> Mapping[str, Any] | str:
    if None in row:
        return "too_many_cells"
    if any("\N{REPLACEMENT CHARACTER}" in cell for cell in row.values() if cell):
        return "not_utf8"
    found: dict[str, Any] = {"text": row["text"]}
    labels = row.get("labels") if row.get("labels") is not None else row.get("topics")
    if labels is not None:
        found["topics"] = labels.replace(",", " ").split()
    return found | {name: row[name] for name in ("action", "sentiment") if row.get(name)}
