"""What a training sentence says, and what it leaves open.

Every corpus judges something else, so any label may be missing, and a missing one is never taken for a "no".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from shared.platform.errors import SetupError
from shared.platform.records import TOPICS, ActionLabel, Record, SentimentLabel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

OWN = Path(__file__).parent / "data"
"""Sentences written for this project: `train.jsonl`, and `heldout.jsonl`, which no training sees."""

PILLARS = {"env": ("E1", "E2", "E3", "E4", "E5"), "soc": ("S1", "S2", "S3", "S4"), "gov": ("G1",)}
"""The ESRS topics of each pillar of ESG."""

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
    """Known to be no plan; done or nothing is open. Not set where `action` is."""
    sentiment: SentimentLabel | None = None
    polar: bool = False
    """The sentiment was chosen between positive and negative alone, so neutral is open."""
    aspects: frozenset[str] | None = None
    """Categories of the A3CG corpus, all judged."""
    pillars: dict[str, bool] = field(default_factory=dict)
    """`env`, `soc`, `gov` as the ESGBERT corpus judges them."""
    group: str = ""
    """Sentences of one document share a group, and so a split; by default each is its own."""
    split: Split | None = None
    """Set where the corpus comes split; see `split_of`."""


class _Line(Record):
    text: Annotated[str, Field(min_length=1)]
    topics: list[str] | None = None
    action: ActionLabel | None = None
    sentiment: SentimentLabel | None = None


def exhaustive(
    present: Iterable[str], unsure: Iterable[str] = (), topics: Sequence[str] = TOPICS
) -> dict[str, bool]:
    """All topics judged: those `present` apply, those `unsure` are left open, the rest do not apply."""
    present = set(present)
    left_open = set(unsure) - present
    return {topic: topic in present for topic in topics if topic not in left_open}


def read_labelled(path: Path, topics: Sequence[str] = TOPICS) -> list[Example]:
    """Read lines `{"text": …, "topics": […], "action": …, "sentiment": …}`; any label may be left out.

    Raises:
        SetupError: a line is not of this form, or names a topic that is none of `topics`.
    """
    with path.open(encoding="utf-8") as lines:
        return [
            read_line(line, path.stem, f"{path}, line {number}", topics)
            for number, line in enumerate(lines, 1)
        ]


def read_line(
    line: str | Mapping[str, object], source: str, place: str, topics: Sequence[str] = TOPICS
) -> Example:
    """One labelled line, as JSON or as what JSON stands for; `place` is named in errors.

    Raises:
        SetupError: see `read_labelled`.
    """
    try:
        row = _Line.model_validate_json(line) if isinstance(line, str) else _Line.model_validate(line)
    except ValidationError as error:
        detail = error.errors()[0]
        raise SetupError(f"{place}: {detail['loc']}: {detail['msg']}") from None
    unknown = sorted(set(row.topics or ()) - set(topics))
    if unknown:
        raise SetupError(f"{place}: no such topic: {', '.join(unknown)}. There are {', '.join(topics)}.")
    judged = {} if row.topics is None else exhaustive(row.topics, topics=topics)
    return Example(row.text, source, judged, action=row.action, sentiment=row.sentiment)


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
