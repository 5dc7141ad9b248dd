"""Messages of candidates and of the revisions that serve never meet."""

from __future__ import annotations

import pytest

from local.pubsub.filters import MAX_FILTER_BYTES, compile_filter
from shared.platform.lanes import CANDIDATE_FILTER, CANDIDATE_PREFIX, PRODUCTION_FILTER, lane_of, marked

CANDIDATE = [
    {"objectId": f"{CANDIDATE_PREFIX}7/sample.txt"},  # an upload's notification
    {"lane": "candidate", "document": "d"},  # what was published on its behalf
    {"objectId": f"{CANDIDATE_PREFIX}7/sample.txt", "headraceFunction": "ingest"},  # its dead letter
]
PRODUCTION = [
    {"objectId": "report.pdf"},
    {"objectId": f"people/{CANDIDATE_PREFIX}report.pdf"},  # the prefix counts at the beginning alone
    {"document": "d"},
    {},
]


@pytest.mark.parametrize("attributes", CANDIDATE + PRODUCTION)
def test_each_message_is_in_one_lane(attributes: dict[str, str]) -> None:
    """Of the two filters exactly one takes it, and what it leads to has the same lane."""
    is_candidate = attributes in CANDIDATE
    with lane_of(attributes):
        follows = marked({"document": "d"})
    for message in (attributes, follows):
        assert compile_filter(CANDIDATE_FILTER)(message) is is_candidate
        assert compile_filter(PRODUCTION_FILTER)(message) is not is_candidate


def test_a_lane_ends_with_its_message() -> None:
    """Also where handling it failed: the thread serves the next message."""
    with pytest.raises(ValueError, match="broken"), lane_of(CANDIDATE[0]):
        raise ValueError("broken")
    assert marked({}) == {}


def test_filters_are_short_enough_for_pubsub() -> None:
    """At most 256 bytes."""
    assert max(len(CANDIDATE_FILTER), len(PRODUCTION_FILTER)) <= MAX_FILTER_BYTES
