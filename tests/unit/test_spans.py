"""Moments that commands take: a date, or so long ago."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest

from cli.options import Moment, span


def test_a_date_is_of_utc() -> None:
    assert Moment().convert("2026-11-01", None, None) == datetime(2026, 11, 1, tzinfo=UTC)
    assert Moment().convert("2026-11-01T08:30:00", None, None) == datetime(2026, 11, 1, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["12h", "7d", "4w"])
def test_a_span_ends_now(text: str) -> None:
    before = datetime.now(UTC)
    assert before <= Moment().convert(text, None, None) + span(text) <= before + timedelta(minutes=1)


@pytest.mark.parametrize("text", ["", "7", "0d", "99999w", "2026-11-01d", "yesterday"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Moment().convert(text, None, None)
