"""Whose is a message: of the revisions that serve, or of the candidates that are tried before they may?

A candidate's sample is told by its object's name; what is published on its behalf has the attribute `lane`.
Subscriptions filter on both, so that neither lane ever sees a message of the other. A filter is for ever: the
subscriptions have had theirs from the start.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ATTRIBUTE, CANDIDATE = "lane", "candidate"
CANDIDATE_PREFIX = ".headrace-candidate/"
"""Beginning of the names of objects that are samples for candidates."""
CANDIDATE_FILTER = f'attributes:{ATTRIBUTE} OR hasPrefix(attributes.objectId, "{CANDIDATE_PREFIX}")'
PRODUCTION_FILTER = f"NOT ({CANDIDATE_FILTER})"
_lane: ContextVar[bool] = ContextVar("candidate", default=False)


@contextmanager
def lane_of(attributes: Mapping[str, str]) -> Iterator[None]:
    """Inside the block, what is published goes the way that a message with these attributes came."""
    candidate = ATTRIBUTE in attributes or attributes.get("objectId", "").startswith(CANDIDATE_PREFIX)
    token = _lane.set(candidate)
    try:
        yield
    finally:
        _lane.reset(token)


def marked(attributes: Mapping[str, str]) -> dict[str, str]:
    """The attributes of a message that is about to be published, with the lane it belongs to."""
    return dict(attributes) | ({ATTRIBUTE: CANDIDATE} if _lane.get() else {})
