"""The command that erases."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from cli.connect import connect
from cli.options import data_option, json_option, project_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID|NAME...")
@click.option("--with-file", is_flag=True, help="The uploaded file too, in all its versions.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
@project_option
@json_option
def erase(  # noqa: PLR0913 - the options of a command
    ids: tuple[str, ...],
    *,
    with_file: bool,
    yes: bool,
    data: Path,
    project: str | None,
    as_json: bool,
) -> None:
    """Erase all that was made of documents: results, artefacts, and what digests quote of them."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here; say --yes.")
    connect(data, project)
    from cli import erase as erasing
    from cli.output import print_json

    chosen = erasing.subjects(ids, with_file=with_file)
    if not yes:
        for subject in chosen:
            click.echo(f"{subject.id}  {subject.name}", err=True)
        what = "their results and their files" if with_file else "their results"
        click.confirm(f"Erase {what}? There is no way back", abort=True, err=True)
    done = erasing.erase(chosen, data, with_file=with_file)
    if as_json:
        print_json([one.model_dump() for one in done])
        return
    for one in done:
        click.echo(f"{one.id}  {one.name}: erased")
        for line in one.stays:
            click.echo(f"  stays: {line}")
