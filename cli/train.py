"""`headrace train`: the job's training on labelled rows, from its start to the report of its comparison."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from cli.deployment import need_job
from cli.objects import need_objects
from cli.say import say
from shared.documents.delegation import has_not_ended, run_job
from shared.platform.clients import firestore_client
from shared.platform.errors import HeadraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console

COLLECTION = "trainings"
POLL_SECONDS = 1.0
STYLES = {"published": "green", "kept": "yellow", "rejected": "red", "failed": "red"}
INTERNAL = ("executions", "lease", "attempts")
"""Fields that say how the job goes about it, not what it found."""


def start(uri: str, *, identifier: str | None, model: str | None, branches: bool) -> str:
    """Start the job on the rows of a place; the execution's full name.

    Raises:
        HeadraceError: `uri` names no place in a bucket, or one where there is nothing.
    """
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    if not uri.startswith("gs://") or not bucket:
        raise HeadraceError(f"{uri} names no place in a bucket. Name one: gs://BUCKET/PREFIX")
    need_job()
    need_objects(bucket, prefix.rstrip("/"))
    arguments = ["train", "--data", uri]
    for option, value in (("--id", identifier), ("--model", model)):
        arguments += [option, value] if value else []
    return run_job([*arguments, *(["--branches"] if branches else [])], 1)


def follow(execution: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Wait for the end of the training that an execution does, or finds done or under way.

    Raises:
        HeadraceError: the job ended and the training did not.
    """
    said = ""
    while True:
        running = has_not_ended(execution)
        training = _of(execution)
        state = training["state"] if training else "waiting"
        line = f"{training['id']}: {training['step']}" if training and state == "running" else state
        if line != said:
            say(line)
            said = line
        # What failed may be tried again by the same execution.
        if training and (state not in {"running", "failed"} or (state == "failed" and not running)):
            return training
        if not running and not (training and _is_held(training)):
            name = execution.rpartition("/")[2]
            raise HeadraceError(
                f"The job ended before the training did. See the log of its execution {name}."
            )
        time.sleep(POLL_SECONDS)


def report(execution: str, *, wait: bool, as_json: bool) -> None:
    """Print what was started, at its end if that is waited for; exit status 1 where it came to nothing."""
    from cli.output import print_json
    from cli.render import terminal

    if not wait:
        if as_json:
            print_json({"execution": execution})
        else:
            say(f"started {execution.rpartition('/')[2]}")
        return
    progress = terminal(stderr=True)
    training = follow(execution, lambda line: progress.print(line, highlight=False))
    if as_json:
        print_json(_plain(training))
    else:
        print_training(terminal(), training)
    if training["state"] in {"rejected", "failed"}:
        raise click.exceptions.Exit(1)


def print_training(console: Console, training: Mapping[str, Any]) -> None:
    """State and reason, both models head by head, and what was left out."""
    state = training["state"]
    console.print(f"training {training['id']}: {state}", style=STYLES[state], highlight=False)
    console.print(training["reason"], highlight=False)
    rows = training.get("rows")
    if rows:
        left = sum(rows["rejected"].values())
        console.print(f"{rows['used']:,} rows used, {left:,} left out", highlight=False)
        for code, count in rows["rejected"].items():
            console.print(f"  {code:<24}{count:>8,}", highlight=False)
    if training.get("heads"):
        _print_heads(console, training["heads"])
    if training.get("next"):
        console.print()
        console.print(training["next"], highlight=False)


def _print_heads(console: Console, heads: Mapping[str, Any]) -> None:
    from rich.table import Table

    grid = Table(box=None, header_style="bold")
    for column in ("head", "on", "rows", "in use", "candidate", "difference, bounds", ""):
        grid.add_column(column, justify="right" if column in {"rows", "in use", "candidate"} else "left")
    for name, head in sorted(heads.items()):
        for title, item in (("rows held out", head["held_out"]), ("our own sentences", head["own"])):
            if item:
                figures = (f"{item['rows']:,}", f"{item['in_use']:.3f}", f"{item['candidate']:.3f}")
                bounds = f"{item['low']:+.3f} to {item['high']:+.3f}"
                grid.add_row(f"{name}, {head['metric']}", title, *figures, bounds, item["verdict"])
    console.print()
    if grid.row_count:
        console.print(grid)
    for name, head in sorted(heads.items()):
        console.print(f"{name}: {head['why']}", style="bright_black", highlight=False)


def _of(execution: str) -> dict[str, Any] | None:
    from google.cloud.firestore_v1.base_query import FieldFilter

    mine = FieldFilter("executions", "array_contains", execution.rpartition("/")[2])
    found = [
        snapshot.to_dict()
        for snapshot in firestore_client().collection(COLLECTION).where(filter=mine).stream()
    ]
    return found[0] if found else None


def _is_held(training: Mapping[str, Any]) -> bool:
    """Whether another execution is at it."""
    lease = training["lease"]
    return bool(lease and lease["expires_at"] > datetime.now(lease["expires_at"].tzinfo))


def _plain(training: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in sorted(training.items())
        if name not in INTERNAL
    }
