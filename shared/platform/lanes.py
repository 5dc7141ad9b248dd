"""Whose is a message: of the revisions that serve, or of the candidates that are tried before they may?

A candidate's sample is told by its object's name; what is published on its behalf has the attribute `lane`.
Subscriptions filter on both, so that neither lane ever sees a message of the other. A filter is for ever: the
subscriptions have had theirs from the start.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ATTRIBUTE, CANDIDATE = "lane", "candidate"
CANDIDATE_PREFIX = ".headrace-candidate/"
"""Beginning of the names of objects that are samples for candidates."""
SAMPLE_KEPT = timedelta(hours=1)
"""For as long at most, whatever became of the build that sent it: sweep erases what was made of it."""
CANDIDATE_FILTER = f'attributes:{ATTRIBUTE} OR hasPrefix(attributes.objectId, "{CANDIDATE_PREFIX}")'
PRODUCTION_FILTER = f"NOT ({CANDIDATE_FILTER})"
_lane: ContextVar[bool] = ContextVar("candidate", default=False)


def is_sample(name: str) -> bool:
    """Whether an object of this name is a sample for candidates."""
    return name.startswith(CANDIDATE_PREFIX)


def is_candidates(attributes: Mapping[str, str]) -> bool:
    """Whether a message with these attributes is in the candidates' lane, as `CANDIDATE_FILTER` has it."""
    return ATTRIBUTE in attributes or is_sample(attributes.get("objectId", ""))


@contextmanager
def lane_of(attributes: Mapping[str, str]) -> Iterator[None]:
    """Inside the block, what is published goes the way that a message with these attributes came."""
    token = _lane.set(is_candidates(attributes))
    try:
        yield
    finally:
        _lane.reset(token)


def marked(attributes: Mapping[str, str]) -> dict[str, str]:
    """The attributes of a message that is about to be published, with the lane it belongs to."""
    return dict(attributes) | ({ATTRIBUTE: CANDIDATE} if _lane.get() else {})
