"""What a training sentence says, and what it leaves open.

Every corpus judges something else, so any label may be missing, and a missing one is never taken for a "no".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from shared.errors import SetupError
from shared.records import TOPICS, ActionLabel, Record, SentimentLabel

if TYPE_CHECKING:
    from collections.abc import Iterable

OWN = Path(__file__).parent.parent / "data"
"""Sentences written for this project: `train.jsonl`, and `heldout.jsonl`, which no training sees."""

TopicCode = Literal["E1", "E2", "E3", "E4", "E5", "S1", "S2", "S3", "S4", "G1"]


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
    sentiment: SentimentLabel | None = None


class _Line(Record):
    text: Annotated[str, Field(min_length=1)]
    topics: list[TopicCode] | None = None
    action: ActionLabel | None = None
    sentiment: SentimentLabel | None = None


def exhaustive(present: Iterable[str], unsure: Iterable[str] = ()) -> dict[str, bool]:
    """All topics judged: those `present` apply, those `unsure` are left open, the rest do not apply."""
    present = set(present)
    left_open = set(unsure) - present
    return {topic: topic in present for topic in TOPICS if topic not in left_open}


def read_labelled(path: Path) -> list[Example]:
    """Read lines `{"text": …, "topics": […], "action": …, "sentiment": …}`; any label may be left out.

    Raises:
        SetupError: a line is not of this form.
    """
    examples = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = _Line.model_validate_json(line)
            except ValidationError as error:
                detail = error.errors()[0]
                raise SetupError(f"{path}, line {number}: {detail['loc']}: {detail['msg']}") from None
            topics = {} if row.topics is None else exhaustive(row.topics)
            examples.append(Example(row.text, path.stem, topics, action=row.action, sentiment=row.sentiment))
    return examples
