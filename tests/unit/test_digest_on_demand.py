"""Digests asked for on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cli.digest import _request

NOON = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)


def test_two_of_the_same_second_are_two() -> None:
    """Whose second span was another one was given the first one's digest."""
    later = NOON + timedelta(microseconds=1)
    asked = [_request("now", NOON, timedelta(days=7)), _request("now", later, timedelta(weeks=4))]
    assert [one.id for one in asked] == ["now-20261123T120000250000Z", "now-20261123T120000250001Z"]
