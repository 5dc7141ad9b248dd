"""Sentences with labels: what each says, what it leaves open, and how files of them are read.

Every corpus judges something else, so any label may be missing, and a missing one is never taken for a "no".
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError

from shared.platform.errors import SetupError
from shared.platform.records import TOPICS, ActionLabel, Record, SentimentLabel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

OWN = Path(__file__).parent / "data"
"""Holds sentences written for this project: `train.jsonl`, and `heldout.jsonl`, which no training sees."""

PILLARS = {"env": ("E1", "E2", "E3", "E4", "E5"), "soc": ("S1", "S2", "S3", "S4"), "gov": ("G1",)}
"""The ESRS topics of each pillar of ESG."""

LABELS = ("action", "sentiment", "salience", "initiative")
"""What a row may say beside its topics."""
Split = Literal["train", "dev", "test"]
_TEST_SHARE, _DEV_SHARE = 0.15, 0.12


@dataclass(frozen=True, slots=True)
class Example:
    """One sentence with what is known of it."""

    text: str
    source: str
    topics: dict[str, bool] = field(default_factory=dict)
    """Topics judged, present or not; those not named are open."""
    any_of: tuple[str, ...] = ()
    """Topics of which at least one applies."""
    action: ActionLabel | None = None
    not_planned: bool = False
    """Known not to be a plan; done or nothing is open. Not set where `action` is."""
    sentiment: SentimentLabel | None = None
    polar: bool = False
    """The sentiment was chosen between positive and negative alone, so neutral is open."""
    salience: int | None = None
    """From 0 to 3."""
    initiative: bool | None = None
    aspects: frozenset[str] | None = None
    """Categories of the A3CG corpus, all judged."""
    pillars: dict[str, bool] = field(default_factory=dict)
    """`env`, `soc`, `gov` as the ESGBERT corpus judges them."""
    group: str = ""
    """Sentences of one document share a group, and so a split; by default each is its own."""
    split: Split | None = None
    """Set where the corpus comes split; see `split_of`."""


class BadRow(Exception):
    """A row that cannot be learnt from."""

    def __init__(self, code: str, detail: str = "") -> None:
        """`code` names the reason to programs, `detail` to people; the code does not repeat the text."""
        super().__init__(code)
        self.code = code
        self.detail = detail or code.replace("_", " ")


class _Row(Record):
    text: str
    topics: list[str] | None = None
    action: ActionLabel | None = None
    sentiment: SentimentLabel | None = None
    salience: Annotated[int, Field(ge=0, le=3)] | None = None
    initiative: bool | None = None


def exhaustive(
    present: Iterable[str], unsure: Iterable[str] = (), topics: Sequence[str] = TOPICS
) -> dict[str, bool]:
    """All topics judged: those `present` apply, those `unsure` are left open, the rest do not apply."""
    present = set(present)
    left_open = set(unsure) - present
    return {topic: topic in present for topic in topics if topic not in left_open}


def read_labelled(path: Path, topics: Sequence[str] = TOPICS) -> list[Example]:
    """Read a file of labelled rows; see `read_rows` and `to_example` for their form.

    Raises:
        SetupError: a row is not of this form, or names a topic that is none of `topics`.
    """
    examples = []
    for line, row in read_rows(path.name, path.read_bytes()):
        try:
            examples.append(to_example(row, path.stem, topics))
        except BadRow as bad:
            raise SetupError(f"{path}, line {line}: {bad.detail}") from None
    return examples


def read_rows(name: str, content: bytes) -> Iterator[tuple[int, Mapping[str, Any] | BadRow]]:
    """The rows of a *.jsonl or *.csv file, each with its line from 1; the last where a row has several."""
    return _csv(content) if name.endswith(".csv") else _jsonl(content)


def to_example(row: Mapping[str, Any] | BadRow, source: str, topics: Sequence[str]) -> Example:
    """Check a row, `{"text": …, "topics": […], "action": …, …}`; any label may be left out.

    Raises:
        BadRow: a field is missing, unknown or of another type.
    """
    if isinstance(row, BadRow):
        raise row
    try:
        valid = _Row.model_validate(row)
    except ValidationError as error:
        detail = error.errors()[0]
        name = str(detail["loc"][0])
        code = "no_text" if name == "text" else f"unknown_{name.removesuffix('s')}"
        code = "unknown_field" if detail["type"] == "extra_forbidden" else code
        raise BadRow(code, f"{name}: {detail['msg']}") from None
    if not valid.text.strip():
        raise BadRow("no_text")
    if unknown := sorted(set(valid.topics or ()) - set(topics)):
        known = ", ".join(topics)
        raise BadRow("unknown_topic", f"no such topic: {', '.join(unknown)}. There are {known}.")
    judged = {} if valid.topics is None else exhaustive(valid.topics, topics=topics)
    labels = {name: getattr(valid, name) for name in LABELS}
    return Example(valid.text, source, judged, **labels)


def _jsonl(content: bytes) -> Iterator[tuple[int, Mapping[str, Any] | BadRow]]:
    for line, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            row = json.loads(raw.decode())
        except UnicodeDecodeError:
            yield line, BadRow("not_utf8")
        except (ValueError, RecursionError):
            yield line, BadRow("not_json")
        else:
            yield line, row if isinstance(row, dict) else BadRow("not_an_object")


def _csv(content: bytes) -> Iterator[tuple[int, Mapping[str, Any] | BadRow]]:
    """`text`, and of `labels` (or `topics`) and `LABELS` those that there are."""
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig", "replace"), newline=""), strict=True)
    line = 0
    try:
        names = set(reader.fieldnames or ())
        if "text" not in names or not names <= {"text", "labels", "topics", *LABELS}:
            yield 1, BadRow("unknown_columns", f"columns are text, labels, {', '.join(LABELS)}")
            return
        line = reader.line_num
        for row in reader:
            line = reader.line_num
            yield line, _from_csv(row)
    except csv.Error:
        # Where a quote is not closed, nobody knows where the next row begins.
        yield line + 1, BadRow("damaged_from_here_on")


def _from_csv(row: Mapping[str | None, Any]) -> Mapping[str, Any] | BadRow:
    """Topics are codes with commas or spaces between, empty where none applies."""
    if None in row:
        return BadRow("too_many_cells")
    if any("\N{REPLACEMENT CHARACTER}" in cell for cell in row.values() if cell):
        return BadRow("not_utf8")
    fields: dict[str, Any] = {"text": row["text"]}
    labels = row.get("labels") if row.get("labels") is not None else row.get("topics")
    if labels is not None:
        fields["topics"] = labels.replace(",", " ").split()
    return fields | {name: row[name] for name in LABELS if row.get(name)}


def split_of(example: Example) -> Split:
    """Where an example belongs, by a hash of its group: some 15% test, 12% dev, the rest train.

    A sentence that several corpora hold is in the same split in all of them.
    """
    if example.split is not None:
        return example.split
    digest = hashlib.sha256((example.group or example.text).encode()).digest()
    place = int.from_bytes(digest[:4]) / 2**32
    if place < _TEST_SHARE:
        return "test"
    return "dev" if place < _TEST_SHARE + _DEV_SHARE else "train"


def never_tested(example: Example) -> Split:
    """The split of an example whose corpus is tested on other sentences."""
    split = split_of(example)
    return "train" if split == "test" else split
