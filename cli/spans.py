"""Spans of time, as commands take them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from shared.platform.errors import HeadraceError

if TYPE_CHECKING:
    from typing import Any

UNITS = {"h": "hours", "d": "days", "w": "weeks"}
MAX_SPAN = timedelta(days=3660)


def span(text: str) -> timedelta:
    """Of `7d`, `12h` or `4w`.

    Raises:
        HeadraceError: it is something else, nothing, or more than ten years.
    """
    number, unit = text[:-1], text[-1:]
    if number.isascii() and number.isdigit() and len(number) <= len("99999") and unit in UNITS:
        length = timedelta(**{UNITS[unit]: int(number)})
        if timedelta() < length <= MAX_SPAN:
            return length
    raise HeadraceError(f"{text!r} is no span of time. Say hours, days or weeks: 12h, 7d, 4w")


class Moment(click.DateTime):
    """A date in UTC, or a span of time that ends now."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401 - as click has it
        """The moment, with its zone."""
        if isinstance(value, str) and value[-1:] in UNITS:  # dates end in a digit
            try:
                return datetime.now(UTC) - span(value)
            except HeadraceError as error:
                self.fail(error.message, param, ctx)
        moment: datetime = super().convert(value, param, ctx)
        return moment.replace(tzinfo=UTC)
