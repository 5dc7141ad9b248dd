"""Options that several commands have, and the spans of time that they take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from cli.connect import DEFAULT_DATA, connect, read_own_stack
from local.services import DEFAULT_PORT, ROOT, TITLES
from shared.platform.errors import HeadraceError

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = ROOT / "build" / "model"
LAST_PORT = 65_536 - len(TITLES)
"""The last first port with which all of the stack's ports exist."""
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


def _span(text: str) -> timedelta:
    try:
        return span(text)
    except HeadraceError as error:
        raise click.BadParameter(error.message) from None


def _stack_model(context: click.Context, _: click.Parameter, named: Path | None) -> Path:
    """Return the named model, or that of the local stack that the command talks to, or the one built here."""
    stack = None if context.params["project"] else read_own_stack(context.params["data"])
    return named or (Path(stack["model"]) if stack else MODEL)


# --data and --project are read before --model, which may depend on them.
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
order_option = click.option(
    "--by-page", is_flag=True, help="Sort what is listed by page, instead of the best first."
)
column_option = click.option("--text-column", help="The column or field that holds the text (CSV, JSONL).")
FACT_OPTIONS = (
    click.option("--organisation", help="Whose document it is; instead of what the document says."),
    click.option("--year", type=click.IntRange(1900, 2099), help="The year it reports on."),
    click.option("--title", help="Its title."),
    click.option("--tag", "tags", multiple=True, help="A word to find it by; may be repeated."),
)
port_option = click.option(
    "--port",
    type=click.IntRange(1, LAST_PORT),
    help=f"The first of the stack's consecutive ports; by default {DEFAULT_PORT}, or free ones.",
)
since_option = click.option(
    "--since", type=_span, metavar="SPAN", help="Every document that failed in the last 12h, 7d or 4w."
)
expires_option = click.option(
    "--expires",
    type=_span,
    metavar="SPAN",
    help="How long it is valid: 12h, 90d, 52w. [default: for ever]",
)
grace_option = click.option(
    "--grace",
    type=_span,
    metavar="SPAN",
    default="1d",
    show_default=True,
    help="How long the old secret stays valid.",
)
_model_path = click.Path(path_type=Path, file_okay=False)
model_option = click.option(
    "--model", type=_model_path, default=MODEL, help="The model's directory; build/model by default."
)
stack_model_option = click.option(
    "--model",
    type=_model_path,
    callback=_stack_model,
    help="The model's directory; by default the local stack's, or build/model.",
)
tasks_option = click.option("--tasks", type=click.IntRange(1, 10_000), help="Most tasks of the job.")
wait_option = click.option("--wait", is_flag=True, help="Print its progress until it has ended.")


@dataclass(frozen=True)
class Stack:
    """The local stack or the project that a command talks to."""

    data: Path
    project: str | None

    def connect(self) -> None:
        """Point the clients of this process at it. Raises SetupError if no stack runs on `data`."""
        connect(self.data, self.project)


def stack_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --data, --project and --json to a command, which gets them as `stack` and `as_json`."""

    @data_option
    @project_option
    @json_option
    @wraps(command)
    def with_stack(*args: object, data: Path, project: str | None, **options: object) -> None:
        command(*args, stack=Stack(data, project), **options)

    return with_stack


def metadata_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that describe files to be uploaded, which the command gets as object `metadata`."""

    @column_option
    @wraps(command)
    def with_metadata(
        *args: object,
        text_column: str | None,
        organisation: str | None,
        year: int | None,
        title: str | None,
        tags: tuple[str, ...],
        **options: object,
    ) -> None:
        stated = {
            "text-column": text_column,
            "organisation": organisation,
            "year": str(year) if year else None,
            "title": title,
            "tags": ",".join(tags) or None,
        }
        metadata = {name: value for name, value in stated.items() if value}
        command(*args, metadata=metadata, **options)

    for option in reversed(FACT_OPTIONS):
        with_metadata = option(with_metadata)
    return with_metadata


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
