"""Start, follow and print jobs: backfills, imports and trainings.

What the job is going to read is looked for before anything is created or started. If this account has no
permission to look, that is left to the job, which has permissions of its own.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from cli.connect import is_local, need_job
from cli.options import MODEL
from cli.render import terminal
from cli.say import print_json, say
from shared.documents.delegation import has_not_ended, run_job
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import document_id, fields_of, now
from shared.documents.uploads import notify_all
from shared.inference.manifest import MANIFEST_FILE, read_manifest
from shared.intake.reconciliation import LOOK_BACK, lost
from shared.jobs.listing import Backfill, list_again, list_documents
from shared.jobs.record import COLLECTION as JOBS
from shared.jobs.record import Import, Training, create, read, start, update
from shared.platform.clients import firestore_client, storage_client, where
from shared.platform.errors import HeadraceError, SetupError
from shared.platform.lease import is_held
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rich.console import Console

    from shared.jobs.listing import Wanted
    from shared.jobs.record import AnyJob, Job

POLL_SECONDS = 1.0
SHOWN_EXAMPLES = 8
MAX_TEXT = 160
LABELS = ("positive", "neutral", "negative", "implemented", "planned", "none", "unlabeled")
"""Labels of sentiment, then of action, in the order in which they are printed."""
TRAINING_STYLES = {"published": "green", "kept": "yellow", "rejected": "red", "failed": "red"}
INTERNAL = {"met_by", "lease", "attempts"}
"""Fields of a job that say how the long job goes about it, not what came of it."""
_ADDRESS = re.compile(r"gs://([^/]+)/?(.*)")


def follow(execution: Callable[[], str | None], find: Callable[[], AnyJob | None], unfinished: str) -> AnyJob:
    """Print the progress of a job on standard error until it has ended; return its record.

    Args:
        execution: returns the full name of the execution that is working on it.
        find: reads the record; None if the job has not made it yet.
        unfinished: the error if the execution ended and the record says that work is left.

    Raises:
        HeadraceError: the execution ended, and work is left.
    """
    console, printed = terminal(stderr=True), ""
    while True:
        ended = not has_not_ended(execution())  # asked before the record is read, which is written last
        job = find()
        # What failed may be tried again by the same execution.
        if job and job.state not in {"listing", "running"} and (ended or job.state != "failed"):
            return job
        if ended and not (job and is_held(job.lease, now())):  # another execution may be working on it
            raise HeadraceError(unfinished)
        line = _progress(job) if job and job.state == "running" else "waiting"
        if line != printed:
            console.print(line, highlight=False)
            printed = line
        time.sleep(POLL_SECONDS)


def report(job: AnyJob, *, wait: bool, as_json: bool) -> None:
    """Print a job, with `wait` once it has ended; exit with status 1 if something failed."""
    if wait:
        kind, identifier = type(job), job.id
        further = "import the same again: what is done is passed over."
        if isinstance(job, Backfill):
            further = f"headrace backfill resume {identifier}"
        job = follow(
            lambda: find_job(kind, identifier).execution,
            lambda: find_job(kind, identifier),
            f"The job ended with work left. See its log; then: {further}",
        )
    report_now(job, as_json=as_json)


def report_training(execution: str, *, wait: bool, as_json: bool) -> None:
    """Print an execution, with `wait` its training once that has ended; exit with status 1 if it failed."""
    name = execution.rpartition("/")[2]
    if wait:
        unfinished = f"The job ended before the training did. See the log of its execution {name}."
        report_now(follow(lambda: execution, lambda: _training_of(name), unfinished), as_json=as_json)
    elif as_json:
        print_json({"execution": execution})
    else:
        say(f"started {name}")


def report_now(job: Job, *, as_json: bool) -> None:
    """Print a job as it is now; exit with status 1 if something failed."""
    if as_json:
        hidden = INTERNAL | {"execution"} if isinstance(job, Training) else INTERNAL
        fields = job.model_dump(mode="json", exclude=hidden)
        if isinstance(job, Backfill):
            fields["examples"] = [_with_text(example) for example in _examples(job)]
        print_json(fields)
    else:
        printers: dict[str, Callable[[Console, Any], None]] = {
            "backfill": print_backfill,
            "import": print_import,
            "train": print_training,
        }
        printers[job.kind](terminal(), job)
    counts = job.counts if isinstance(job, Backfill) else job.report or {}
    if job.state in {"rejected", "failed"} or counts.get("failed") or counts.get("rejected"):
        raise click.exceptions.Exit(1)


def _progress(job: Job) -> str:
    if isinstance(job, Training):
        return f"{job.id}: {job.step}"
    if isinstance(job, Backfill):
        return f"{sum(job.counts.values()):,} of {job.total:,} documents"
    shares = job.progress.values() if isinstance(job, Import) else ()
    done, total = sum(share.done for share in shares), sum(share.total for share in shares)
    return f"{done:,} of {total:,} objects" if total else "started"


def need_objects(address: str) -> tuple[str, str]:
    """Check that there is an object at an address; return its bucket and prefix.

    Raises:
        HeadraceError: it is not an address, there is no such bucket, or nothing in it under that prefix.
    """
    from google.api_core.exceptions import Forbidden, NotFound

    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise HeadraceError(f"{address} is not an address of objects: gs://BUCKET/PREFIX")
    bucket, prefix = match.groups()
    try:
        some = list(storage_client().list_blobs(bucket, prefix=prefix, max_results=1))
    except NotFound:
        raise HeadraceError(f"There is no bucket {bucket}.") from None
    except Forbidden:
        return bucket, prefix
    if not some:
        raise HeadraceError(f"There is nothing under gs://{bucket}/{prefix}.")
    return bucket, prefix


def need_model(digest: str) -> None:
    """Check that the job can have a model: a build in the cloud stores each in the bucket.

    Raises:
        HeadraceError: there is none of this digest.
    """
    from google.api_core.exceptions import Forbidden

    if is_local() and _is_ours(digest):
        return
    bucket = settings().models_bucket
    try:
        is_there = storage_client().bucket(bucket).blob(f"models/{digest}/{MANIFEST_FILE}").exists()
    except Forbidden:
        return
    if not is_there:
        raise HeadraceError(
            f"There is no model {digest} in gs://{bucket}. "
            f"Push it: python -m model_export push --bucket {bucket} --model DIRECTORY"
        )


def _is_ours(digest: str) -> bool:
    """Return whether this is the model of the local stack, which is in a directory and not in a bucket."""
    for directory in (settings().model_dir, MODEL):
        with suppress(SetupError):
            if read_manifest(directory).digest == digest:
                return True
    return False


def find_job(kind: type[AnyJob], identifier: str) -> AnyJob:
    """Return a job. Raises HeadraceError if there is none of this kind with this id."""
    job = read(firestore_client(), kind, identifier)
    if job is None:
        raise HeadraceError(f"There is no {kind.__name__.lower()} {identifier}.")
    return job


def start_backfill(wanted: Wanted, model: str | None, tasks: int | None) -> Backfill:
    """List the wanted documents, and start a backfill of them.

    Raises:
        HeadraceError: there is no such model.
    """
    need_job()
    if model is not None:
        need_model(model)
    tasks = tasks or settings().job_tasks
    return _list_and_start(create(firestore_client(), Backfill, wanted=wanted, model=model, tasks=tasks))


def resume_backfill(identifier: str) -> Backfill:
    """Continue a backfill that was interrupted, or retry the documents that failed.

    Raises:
        HeadraceError: there is no such backfill, or its job is still running.
    """
    need_job()
    client = firestore_client()
    backfill = find_job(Backfill, identifier)
    # The record ends some seconds before the execution does: whoever waited for it need not wait again.
    if backfill.state not in {"completed", "failed"} and has_not_ended(backfill.execution):
        raise HeadraceError(
            f"The job of backfill {backfill.id} is running: headrace backfill show {backfill.id}"
        )
    if backfill.state == "listing":
        return _list_and_start(backfill)
    again = list_again(client, backfill)
    if backfill.state == "completed" and not again:
        update(client, backfill.id, {"state": "completed", "report": backfill.report})
        return backfill
    return _start(identifier)


def _list_and_start(backfill: Backfill) -> Backfill:
    list_documents(firestore_client(), backfill)
    return _start(backfill.id)


def _start(identifier: str) -> Backfill:
    backfill = find_job(Backfill, identifier)
    return start(firestore_client(), backfill, tasks=max(1, min(backfill.tasks, backfill.total)))


def print_backfill(console: Console, backfill: Backfill) -> None:
    """Print a backfill's state, its counts, and what the other model changed."""
    console.print(f"backfill {backfill.id}: {backfill.state}, {backfill.total:,} documents", highlight=False)
    console.print(f"model {backfill.model or 'of the job'}", highlight=False)
    for outcome, count in backfill.counts.items():
        console.print(f"  {outcome.replace('_', ' '):<12}{count:>8,}", highlight=False)
    if backfill.error:
        # In a line of its own: the message may end in a command.
        console.print(Text(backfill.error.message, "red"))
        console.print(Text(backfill.error.hint, "red"))
    if backfill.report:
        _print_comparison(console, backfill, backfill.report)


def _print_comparison(console: Console, backfill: Backfill, report: Mapping[str, Any]) -> None:
    compared = report["comparison"]
    console.print()
    if compared["passages"]:
        _print_changes(console, compared)
    else:
        console.print("no passages were compared")
    examples = [_with_text(example) for example in _examples(backfill)[:SHOWN_EXAMPLES]]
    names = _names(row["document"] for row in [*report["errors"], *examples])
    for row in report["errors"]:
        console.print(Text(f"  {names[row['document']]}  {row['error']['message']}", "red"))
    for example in examples:
        where = f"{names[example['document']]}, passage {example['index']}"
        change = f"  {_labels(example['old'])} → {_labels(example['new'])}"
        console.print()
        console.print(Text.assemble((where, "cyan"), change))
        console.print(Text(f"  {example['text'] or '(no longer stored)'}", "bright_black"))


def _print_changes(console: Console, compared: Mapping[str, Any]) -> None:
    changed, passages = compared["changed"], compared["passages"]
    share = f"{changed / passages:.1%}"
    console.print(f"{changed:,} of {passages:,} passages have other labels ({share})", highlight=False)
    before, after = compared["initiatives_before"], compared["initiatives_after"]
    console.print(f"initiatives: {before:,} before, {after:,} after", highlight=False)
    for name in ("sentiment", "action"):
        _print_matrix(console, name, compared[name])
    gained, lost = compared["topics_gained"], compared["topics_lost"]
    if topics := sorted({*gained, *lost}):
        counts = "  ".join(f"{topic} +{gained.get(topic, 0):,} -{lost.get(topic, 0):,}" for topic in topics)
        console.print()
        console.print(f"topics gained and lost: {counts}", highlight=False)


def _print_matrix(console: Console, name: str, matrix: Mapping[str, Mapping[str, int]]) -> None:
    used = {*matrix, *(label for row in matrix.values() for label in row)}
    columns = [label for label in LABELS if label in used]
    grid = Table(title=f"{name}: old by new", box=None, header_style="bold", title_justify="left")
    for column in ("", *columns):
        grid.add_column(column, justify="right" if column else "left")
    for old in columns:
        row = matrix.get(old, {})
        grid.add_row(old, *(f"{row.get(new, 0):,}" for new in columns))
    console.print()
    console.print(grid)


def _examples(backfill: Backfill) -> list[dict[str, Any]]:
    return backfill.report["comparison"]["examples"] if backfill.report else []


def _with_text(example: Mapping[str, Any]) -> dict[str, Any]:
    """Return an example with its text, if that is still stored."""
    passages = firestore_client().collection(DOCUMENTS).document(example["document"]).collection(PASSAGES)
    stored = passages.document(f"{example['run']}-{example['index']}").get(["text"]).to_dict()
    text = " ".join(stored["text"].split()) if stored else None
    return {**example, "text": text if text is None or len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"}


def _names(documents: Iterable[str]) -> dict[str, str]:
    """Return the names of documents by id; erased documents have no name any more."""
    wanted = {*documents}
    names = fields_of(firestore_client(), wanted, ["name"]) if wanted else {}
    return {each: names[each]["name"] if each in names else "(erased)" for each in wanted}


def _labels(labels: Mapping[str, Any]) -> str:
    return " ".join([labels["sentiment"], labels["action"], *labels["topics"]])


def start_import(address: str, tasks: int | None) -> Import:
    """Start an import of the objects under a prefix.

    Raises:
        HeadraceError: there is no such bucket, or nothing in it under that prefix.
    """
    need_job()
    bucket, prefix = need_objects(address)
    client = firestore_client()
    tasks = tasks or settings().job_tasks
    return start(client, create(client, Import, bucket=bucket, prefix=prefix, tasks=tasks))


def notify_missing(address: str, *, as_json: bool) -> None:
    """Notify the functions again of each lost file under a prefix, and print its id and name.

    Raises:
        HeadraceError: there is no such bucket, or nothing in it under that prefix.
    """
    bucket, prefix = need_objects(address)
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


def print_import(console: Console, job: Import) -> None:
    """Print an import's state, and how many objects came to which end."""
    console.print(f"import {job.id} of gs://{job.bucket}/{job.prefix}: {job.state}", highlight=False)
    if job.error:
        console.print(Text(f"{job.error.message} {job.error.hint}", "red"))
    lines = [_progress(job)] if job.state == "running" else []
    if report := job.report:
        lines = [
            f"{report['objects']:,} objects",
            f"{report['completed']:,} completed, {report['passages']:,} passages",
            f"{report['skipped']:,} completed before",
        ]
        for state in ("rejected", "failed"):
            lines += [f"{count:,} {state}: {code}" for code, count in report[state].items()]
    for line in lines:
        console.print(f"  {line}", highlight=False)


def start_training(address: str | None, *, identifier: str | None, model: str | None) -> str:
    """Start a training on corrections, and on the rows under a prefix; return the execution's full name.

    Raises:
        HeadraceError: there is no such bucket, or nothing in it under that prefix.
    """
    need_job()
    if address:
        need_objects(address)
    arguments = ["train"]
    for option, value in (("--data", address), ("--id", identifier), ("--model", model)):
        arguments += [option, value] if value else []
    return run_job(arguments, 1)


def print_training(console: Console, training: Training) -> None:
    """Print a training's state and reason, the rows left out, and where the whole report is."""
    style = TRAINING_STYLES[training.state]
    console.print(f"training {training.id}: {training.state}", style=style, highlight=False)
    if training.error:
        console.print(training.error.message, highlight=False)
    report = training.report or {}
    if report:
        console.print(report["reason"], highlight=False)
    if rows := report.get("rows"):
        left = sum(rows["rejected"].values())
        of_people = f", {rows['corrections']:,} of them corrections" if rows.get("corrections") else ""
        console.print(f"{rows['used']:,} rows used{of_people}, {left:,} left out", highlight=False)
        for code, count in rows["rejected"].items():
            console.print(f"  {code:<24}{count:>8,}", highlight=False)
    for name, learnt in (report.get("corrections") or {}).items():
        line = (
            f"  {name:<12}{learnt['in_use']:,} of {learnt['rows']:,} corrected texts right before, "
            f"{learnt['candidate']:,} now; of those held out {learnt['held_out_in_use']:,} of "
            f"{learnt['held_out']:,} before, {learnt['held_out_candidate']:,} now"
        )
        console.print(line, highlight=False, soft_wrap=True)
    if report.get("heads"):
        address = f"gs://{settings().models_bucket}/trainings/{training.id}/report.json"
        console.print(f"both models, head by head: {address}", highlight=False, soft_wrap=True)
    if report:
        console.print()
        console.print(report["next"], highlight=False)


def _training_of(execution: str) -> Training | None:
    jobs = where(firestore_client().collection(JOBS), ("met_by", "array_contains", execution))
    return next((Training.model_validate(snapshot.to_dict()) for snapshot in jobs.stream()), None)
