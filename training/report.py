"""What a training found, and whether its candidate is better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeInt

from shared.platform.records import Record
from training.compare import Comparison
from training.data import DataObject
from training.rows import Left

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_export.heads import HeadName

TrainingState = Literal["running", "published", "kept", "rejected", "failed"]
"""Published: the candidate is in the bucket. Kept: the model in use stays, since the candidate is not better
or failed a gate. Rejected: the data cannot be learnt from or compared on. Failed: ours."""
ENDED: frozenset[str] = frozenset({"published", "kept", "rejected"})
"""The same data and the same model would end the same way again."""


class HeadReport(Record):
    """One head."""

    metric: str
    retrained: bool
    why: str
    rows: NonNegativeInt
    """The user's, that it could learn from."""
    held_out: Comparison | None = None
    """On the user's rows that were held out."""
    own: Comparison | None = None
    """On the held-out sentences of this repository."""


class Learnt(Record):
    """How many texts that people corrected or confirmed two models label as people do."""

    rows: NonNegativeInt
    """Texts of which people say something that the head decides."""
    in_use: NonNegativeInt
    """How many of these the model in use labels so."""
    candidate: NonNegativeInt
    """And by the candidate."""
    held_out: NonNegativeInt
    """Rows that the candidate was not fitted on, and the same of these."""
    held_out_in_use: NonNegativeInt
    held_out_candidate: NonNegativeInt


class RowCounts(Record):
    """Rows of the files, and corrections."""

    read: NonNegativeInt
    used: NonNegativeInt
    learnt: NonNegativeInt
    """Rows among those used that heads were fitted on."""
    held_out: NonNegativeInt
    corrections: NonNegativeInt = 0
    """Rows among those used that people corrected or confirmed."""
    rejected: dict[str, int]
    """Rows left out, by reason."""
    listed: tuple[Left, ...] = ()
    """The first of them; in the bucket more than in Firestore."""


class Data(Record):
    """What was read."""

    uri: str
    digest: str
    bytes: NonNegativeInt
    objects: tuple[DataObject, ...]


class Report(Record):
    """`trainings/{id}/report.json`."""

    id: str
    state: TrainingState
    code: str
    """`better`, `not_better`, `worse`, `nothing_learnt`, `gate_failed`, or of a rejection its code."""
    reason: str
    next: str
    """What a person may do."""
    data: Data
    in_use: str
    """Digest of the model in use."""
    candidate: str | None = None
    """Digest of the model that was compared with it."""
    rows: RowCounts | None = None
    heads: dict[str, HeadReport] = Field(default_factory=dict)
    corrections: dict[str, Learnt] = Field(default_factory=dict)
    """What the candidate learnt of what people corrected or confirmed, by head."""


def decide(heads: Mapping[HeadName, HeadReport]) -> tuple[str, str]:
    """Code and reason: `better` publishes."""
    worse = [
        f"{name} on {title}"
        for name, head in heads.items()
        for title, item in (("the rows held out", head.held_out), ("our own held-out sentences", head.own))
        if item and item.verdict == "worse"
    ]
    if worse:
        return "worse", f"The candidate is worse in {' and '.join(worse)}."
    better = [
        name
        for name, head in heads.items()
        if head.retrained and head.held_out and head.held_out.verdict == "better"
    ]
    if not better:
        return "not_better", "The candidate is not better beyond chance on the rows held out."
    return "better", f"The candidate is better beyond chance in {' and '.join(better)}, and worse in nothing."
