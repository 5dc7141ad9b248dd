"""The commands for digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.connect import connect
from cli.options import data_option, json_option, project_option, refuse_options

if TYPE_CHECKING:
    from pathlib import Path

PAGES = "digests"
"""Folder of the data directory with the pages of digests that were asked for here."""


@click.group(invoke_without_command=True)
@click.option("--schedule", metavar="NAME", help="With this schedule's filter, zone and window.")
@click.option("--since", metavar="SPAN", help="How far back: 12h, 7d, 4w. [default: the window, or 7d]")
@click.option("--open", "opened", is_flag=True, help="Open its page in the browser.")
@data_option
@project_option
@json_option
@click.pass_context
def digest(  # noqa: PLR0913 - the options of a command
    context: click.Context,
    *,
    schedule: str | None,
    since: str | None,
    opened: bool,
    data: Path,
    project: str | None,
    as_json: bool,
) -> None:
    """Say what the documents of a time say, and what changed; without a command, of the time until now."""
    if context.invoked_subcommand is not None:
        refuse_options(context)
        return
    connect(data, project)
    from cli import digest as making
    from cli.output import print_json
    from cli.render import terminal

    stored = making.make(schedule, since)
    html = stored.html
    if opened or not project:
        page = making.page(stored, data.resolve() / PAGES)
        html = html if project else str(page)
        if opened:
            making.open_page(page)
    if as_json:
        print_json(making.shape(stored, html))
    else:
        making.show(terminal(), stored, html)


@digest.command("list")
@click.option("--schedule", metavar="NAME", help="Only of this schedule.")
@data_option
@project_option
@json_option
def list_digests(*, schedule: str | None, data: Path, project: str | None, as_json: bool) -> None:
    """List the schedules, and the newest digests."""
    connect(data, project)
    from cli import digest as making
    from cli.output import print_json
    from cli.render import terminal

    listed = making.listing(schedule)
    if as_json:
        print_json(listed)
    else:
        making.show_listing(terminal(), listed, schedule)


@digest.command("verify")
@click.argument("identifier", metavar="ID")
@data_option
@project_option
@json_option
def verify_digest(identifier: str, *, data: Path, project: str | None, as_json: bool) -> None:
    """Compute a digest again from what is stored now, and list what differs; status 1 where anything does."""
    connect(data, project)
    from cli import differences
    from cli import digest as making
    from cli.output import print_json
    from cli.render import terminal

    stored = making.found(identifier)
    found = making.verified(stored)
    if as_json:
        print_json(found)
    else:
        differences.show(terminal(), identifier, found)
    if found:
        raise click.exceptions.Exit(1)
