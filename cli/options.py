"""Options that several commands have, and the spans of time that they take."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from cli.connect import DEFAULT_DATA
from local.services import DEFAULT_PORT, EMULATORS, ROOT, TITLES
from local.stack import read_stack
from shared.platform.errors import HeadraceError, SetupError

if TYPE_CHECKING:
    from typing import Any


UNITS = {"h": "hours", "d": "days", "w": "weeks"}
MAX_SPAN = timedelta(days=3660)


def span(text: str) -> timedelta:
    """Return the length of a span of time such as `7d`, `12h` or `4w`.

    Raises:
        HeadraceError: the text is something else, or means no time or more than ten years.
    """
    number, unit = text[:-1], text[-1:]
    if number.isascii() and number.isdigit() and len(number) <= len("99999") and unit in UNITS:
        length = timedelta(**{UNITS[unit]: int(number)})
        if timedelta() < length <= MAX_SPAN:
            return length
    raise HeadraceError(f"{text!r} is not a span of time. Give hours, days or weeks: 12h, 7d, 4w")


class Moment(click.DateTime):
    """A date in UTC, or a span of time that ends now."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401 - as click has it
        """Return the moment, with its time zone."""
        if isinstance(value, str) and value[-1:] in UNITS:  # dates end in a digit
            try:
                return datetime.now(UTC) - span(value)
            except HeadraceError as error:
                self.fail(error.message, param, ctx)
        moment: datetime = super().convert(value, param, ctx)
        return moment.replace(tzinfo=UTC)


MODEL = ROOT / "build" / "model"
LAST_PORT = 65_536 - len(TITLES)
"""The last first port with which all of the stack's ports exist."""
MAX_HOURS = 24 * 3660


def _hours(text: str) -> timedelta:
    """Return a number of hours, or a span such as `7d`. A range of click's would let `nan` pass."""
    if text[-1:] in UNITS:
        try:
            return span(text)
        except HeadraceError as error:
            raise click.BadParameter(error.message) from None
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if 0 < hours <= MAX_HOURS:
        return timedelta(hours=hours)
    raise click.BadParameter(f"{text} is not a number of hours above 0 and up to {MAX_HOURS:,}, ten years.")


def _model(context: click.Context, _: click.Parameter, named: Path | None) -> Path:
    """Return the named model, or that of the local stack that the command asks, or the one built here."""
    if named is not None:
        return named
    asked = context.params
    if asked["project"] is None:
        with suppress(SetupError):
            stack = read_stack(asked["data"])
            own = {name: stack["environment"].get(name) for name in EMULATORS}
            if own == {name: os.environ.get(name, own[name]) for name in EMULATORS}:
                return Path(stack.get("model", MODEL))
    return MODEL


# These two are read before --model, which may depend on them.
data_option = click.option(
    "--data",
    is_eager=True,
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DATA,
    envvar="HEADRACE_DATA",
    show_default=True,
    help="The local stack's directory.",
)
project_option = click.option(
    "--project", is_eager=True, help="A Google Cloud project instead of the local stack."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
column_option = click.option("--text-column", help="The column or field that holds the text (CSV, JSONL).")
port_option = click.option(
    "--port",
    type=click.IntRange(1, LAST_PORT),
    help=f"The first of the stack's consecutive ports; by default {DEFAULT_PORT}, or free ones.",
)
since_option = click.option(
    "--since",
    type=_hours,
    metavar="SPAN",
    help="Every document that failed in the last 12h, 7d, 4w; 12 is hours.",
)
model_option = click.option(
    "--model",
    type=click.Path(path_type=Path, file_okay=False),
    default=MODEL,
    help="The model's directory; build/model by default.",
)
asked_model_option = click.option(
    "--model",
    type=click.Path(path_type=Path, file_okay=False),
    callback=_model,
    help="The model's directory; by default the local stack's, or build/model.",
)
tasks_option = click.option("--tasks", type=click.IntRange(1, 10_000), help="Tasks of the job, at most.")
wait_option = click.option("--wait", is_flag=True, help="Follow it to its end.")


def refuse_options(context: click.Context) -> None:
    """Refuse options between a group and the name of its command, which would not see them.

    Raises:
        click.UsageError: there is such an option.
    """
    for option in context.command.params:
        if context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{option.opts[0]} stands before {context.invoked_subcommand}, which does not see it there: "
                f"{context.command_path} {context.invoked_subcommand} {option.opts[0]} ..."
            )
