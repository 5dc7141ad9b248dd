"""Spans of time that commands take."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cli.options import span
from shared.platform.errors import HeadraceError


@pytest.mark.parametrize(
    ("text", "length"),
    [("12h", timedelta(hours=12)), ("7d", timedelta(days=7)), ("4w", timedelta(weeks=4))],
)
def test_a_span_is_a_number_of_hours_days_or_weeks(text: str, length: timedelta) -> None:
    assert span(text) == length


@pytest.mark.parametrize("text", ["", "7", "0d", "99999w", "2026-11-01d", "yesterday"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(HeadraceError):
        span(text)
