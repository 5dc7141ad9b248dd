"""`headrace import`: every object under a prefix, through the long job."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import click

from cli.deployment import need_job
from cli.objects import need_objects
from cli.say import say
from shared.documents.delegation import has_not_ended, run_job
from shared.documents.store import document_id, now
from shared.documents.uploads import notify_all
from shared.intake.reconciliation import LOOK_BACK, lost
from shared.jobs import imports
from shared.platform.clients import firestore_client
from shared.platform.errors import HeadraceError
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from shared.jobs.imports import Import, Report

POLL_SECONDS = 1.0
_ADDRESS = re.compile(r"gs://([^/]+)/?(.*)")


def start(address: str, tasks: int | None) -> Import:
    """Start the job on a prefix.

    Raises:
        HeadraceError: there is no such bucket, or nothing in it under that prefix.
    """
    need_job()
    bucket, prefix = _place(address)
    need_objects(bucket, prefix)
    client = firestore_client()
    made = imports.create(client, bucket, prefix, tasks or settings().job_tasks)
    execution = run_job(["archive", made.id], made.tasks)
    imports.update(client, made.id, {"execution": execution})
    return made.model_copy(update={"execution": execution})


def notify_missing(address: str, *, as_json: bool) -> None:
    """Notify the functions again of each lost file under a prefix, and print its id and name.

    Raises:
        HeadraceError: there is no such bucket, or nothing in it under that prefix.
    """
    from cli.output import print_json

    bucket, prefix = _place(address)
    need_objects(bucket, prefix)
    notified: list[str] = []
    for page in lost(firestore_client(), bucket, until=now(), prefix=prefix):
        notify_all(page.lost)
        for event in page.lost:
            notified.append(document_id(bucket, event.name))
            if not as_json:
                say(f"{notified[-1]}  {event.name}")
    if as_json:
        print_json(notified)
    elif not notified:
        say(f"Every file of the last {LOOK_BACK.days} days has a document, or was erased.")


def _place(address: str) -> tuple[str, str]:
    """Return the bucket and the prefix that an address names."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise HeadraceError(f"{address} is no address of objects: gs://BUCKET/PREFIX")
    bucket, prefix = found.groups()
    return bucket, prefix


def found(identifier: str) -> Import:
    """An import. Raises HeadraceError where there is none."""
    wanted = imports.read(firestore_client(), identifier)
    if wanted is None:
        raise HeadraceError(f"There is no import {identifier}.")
    return wanted


def report(wanted: Import, *, wait: bool, as_json: bool) -> None:
    """Print an import, at its end if that is to be waited for; exit status 1 where something failed."""
    from cli.output import print_json
    from cli.render import terminal

    if wait:
        progress = terminal(stderr=True)
        wanted = _follow(wanted.id, lambda line: progress.print(line, highlight=False))
    if as_json:
        print_json(wanted.model_dump(mode="json"))
    else:
        _print(terminal(), wanted)
    if wanted.state == "failed" or (wanted.report and (wanted.report.failed or wanted.report.rejected)):
        raise click.exceptions.Exit(1)


def _follow(identifier: str, say: Callable[[str], None]) -> Import:
    said = ""
    while True:
        ended = not has_not_ended(found(identifier).execution)
        wanted = found(identifier)
        if (line := _progress(wanted)) != said:
            say(line)
            said = line
        if wanted.state != "running":
            return wanted
        if ended:
            raise HeadraceError(
                "The job ended with work left. See its log; then import the same again: what is done is "
                "passed over."
            )
        time.sleep(POLL_SECONDS)


def _progress(wanted: Import) -> str:
    done = sum(share.done for share in wanted.progress.values())
    total = sum(share.total for share in wanted.progress.values())
    return f"{done:,} of {total:,} objects" if total else "started"


def _print(console: Console, wanted: Import) -> None:
    from rich.text import Text

    where = f"gs://{wanted.bucket}/{wanted.prefix}"
    console.print(f"import {wanted.id} of {where}: {wanted.state}", highlight=False)
    if wanted.error:
        console.print(Text(f"{wanted.error.message} {wanted.error.hint}", "red"))
    if wanted.report:
        for line in _lines(wanted.report):
            console.print(f"  {line}", highlight=False)
    elif wanted.state == "running":
        console.print(f"  {_progress(wanted)}", highlight=False)


def _lines(made: Report) -> list[str]:
    lines = [
        f"{made.objects:,} objects",
        f"{made.completed:,} completed, {made.passages:,} passages",
        f"{made.skipped:,} completed before",
    ]
    for state, codes in (("rejected", made.rejected), ("failed", made.failed)):
        lines += [f"{count:,} {state}: {code}" for code, count in codes.items()]
    return lines
