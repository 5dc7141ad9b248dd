"""The commands that start the long job on many documents at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.connect import connect
from cli.options import data_option, json_option, project_option, refuse_options, tasks_option, wait_option
from cli.spans import Moment

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from shared.platform.records import State

WHEN = "2026-11-01, 2026-11-01T08:00:00 (UTC), or so long ago: 12h, 7d, 4w."


@click.group(invoke_without_command=True)
@click.option("--model", metavar="DIGEST", help="In the bucket of models. [default: the job's own]")
@click.option("--prefix", help="Only documents whose names begin so.")
@click.option("--state", type=click.Choice(["completed", "failed", "rejected"]), help="Only in this state.")
@click.option(
    "--since", type=Moment(), metavar="WHEN", help=f"Only documents first seen from then on: {WHEN}"
)
@click.option("--until", type=Moment(), metavar="WHEN", help="Only documents first seen before; likewise.")
@click.option("--from-model", metavar="DIGEST", help="Only documents whose result is by this model.")
@tasks_option
@wait_option
@data_option
@project_option
@json_option
@click.pass_context
def backfill(  # noqa: PLR0913 - the options of a command
    context: click.Context,
    *,
    model: str | None,
    prefix: str | None,
    state: State | None,
    since: datetime | None,
    until: datetime | None,
    from_model: str | None,
    tasks: int | None,
    wait: bool,
    data: Path,
    project: str | None,
    as_json: bool,
) -> None:
    """Analyse documents again by another model; results stay readable until the new ones are whole."""
    if context.invoked_subcommand is not None:
        refuse_options(context)
        return
    connect(data, project)
    from cli import backfill as filling
    from shared.jobs.backfills import Wanted

    wanted = Wanted(prefix=prefix, state=state, since=since, until=until, from_model=from_model)
    filling.report(filling.start(wanted, model, tasks), wait=wait, as_json=as_json)


@backfill.command("show")
@click.argument("identifier", metavar="ID")
@wait_option
@data_option
@project_option
@json_option
def show_backfill(identifier: str, *, wait: bool, data: Path, project: str | None, as_json: bool) -> None:
    """Print how far a backfill is, and what it changed."""
    connect(data, project)
    from cli import backfill as filling

    filling.report(filling.found(identifier), wait=wait, as_json=as_json)


@backfill.command("resume")
@click.argument("identifier", metavar="ID")
@wait_option
@data_option
@project_option
@json_option
def resume_backfill(identifier: str, *, wait: bool, data: Path, project: str | None, as_json: bool) -> None:
    """Go on with a backfill that was broken off, and try again what failed."""
    connect(data, project)
    from cli import backfill as filling

    filling.report(filling.resume(identifier), wait=wait, as_json=as_json)


@click.command()
@click.argument("place", metavar="gs://BUCKET/PREFIX")
@click.option(
    "--id", "identifier", help="Of the training. [default: follows from the rows and the model in use]"
)
@click.option("--model", metavar="DIGEST", help="The model in use. [default: the one in the job's image]")
@click.option("--branches", is_flag=True, help="Fine-tune branches too; the job's image then needs torch.")
@wait_option
@data_option
@project_option
@json_option
def train(  # noqa: PLR0913 - the options of a command
    place: str,
    *,
    identifier: str | None,
    model: str | None,
    branches: bool,
    wait: bool,
    data: Path,
    project: str | None,
    as_json: bool,
) -> None:
    """Train the heads again on labelled rows, and publish the model if it is better than the one in use."""
    connect(data, project)
    from cli import train as training

    execution = training.start(place, identifier=identifier, model=model, branches=branches)
    training.report(execution, wait=wait, as_json=as_json)


@click.command("import")
@click.argument("target", metavar="gs://BUCKET/PREFIX|ID")
@click.option(
    "--missing",
    is_flag=True,
    help="Only files of the last 14 days that have no document: the functions are notified of them again.",
)
@tasks_option
@wait_option
@data_option
@project_option
@json_option
def import_(  # noqa: PLR0913 - the options of a command
    target: str,
    *,
    missing: bool,
    tasks: int | None,
    wait: bool,
    data: Path,
    project: str | None,
    as_json: bool,
) -> None:
    """Analyse every object under a prefix, archives with their members; or print an import by its ID."""
    if missing and (tasks or wait or not target.startswith("gs://")):
        raise click.UsageError("--missing goes with an address, and without --tasks and --wait.")
    connect(data, project)
    from cli import imports

    if missing:
        imports.notify_missing(target, as_json=as_json)
        return
    wanted = imports.start(target, tasks) if target.startswith("gs://") else imports.found(target)
    imports.report(wanted, wait=wait, as_json=as_json)
