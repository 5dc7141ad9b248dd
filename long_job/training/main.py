"""Train the heads again on a bucket's labelled rows, and publish the model if it is better: `train --data …`.

Everything follows from the data, the model in use and fixed seeds, and so does the training's id: delivered
or started twice it is one training. A task that was killed begins anew, at the report if that was stored.
Publishing puts the model into the bucket under its digest and changes nothing else: functions run the digest
that they are deployed with, so a person decides when to switch.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from long_job.training.record import Training
from long_job.training.work import Examination, Stopped
from model_export.steps import digest_of
from shared.documents.store import Documents
from shared.inference.manifest import read_manifest
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import SetupError, Superseded
from shared.platform.logs import get_logger
from shared.platform.retry import is_transient, storage_limits
from shared.platform.settings import settings
from training.data import Place, data_digest, listing
from training.report import Data, Report, markdown

if TYPE_CHECKING:
    import argparse

    from long_job.task import Task

METHOD = 1
"""Part of a training's id: raise it when the same data would be trained on in another way."""
ID_DIGITS = 24


def train(options: argparse.Namespace, task: Task) -> bool:
    """Do one training; False where this task was asked to stop before its end. Of many tasks the first works.

    Raises:
        Superseded: another execution is at it.
        SetupError: something is missing here; the record says so too.
        Retryable: something that passes outlasted every attempt.
    """
    if task.index:
        return True
    place = Place.parse(options.data)
    in_use = options.model or settings().model_digest or read_manifest(settings().model_dir).digest
    objects = listing(place)
    data = Data(
        uri=str(place),
        digest=data_digest(place, objects),
        bytes=sum(item.size for item in objects),
        objects=objects,
    )
    identifier = options.id or training_id(data.digest, in_use, branches=options.branches)
    structlog.contextvars.bind_contextvars(training=identifier)
    training = Training(Documents(firestore_client()), identifier, task)
    if not training.begin({"data_digest": data.digest, "model": in_use, "branches": options.branches}):
        return True
    with training.held():
        return _work_on(training, task, place, data, in_use, options)


def training_id(data: str, in_use: str, *, branches: bool) -> str:
    """The same for the same data and model in use."""
    return digest_of(str(METHOD), data, in_use, str(branches))[:ID_DIGITS]


def report_name(identifier: str, suffix: str = "json") -> str:
    """Of the report's object in the bucket of models."""
    return f"trainings/{identifier}/report.{suffix}"


def _work_on(  # noqa: PLR0913, PLR0917 - one step of `train`
    training: Training, task: Task, place: Place, data: Data, in_use: str, options: argparse.Namespace
) -> bool:
    try:
        report = _stored(training.id, data, in_use)
        if report is None:
            with tempfile.TemporaryDirectory(prefix="headrace-train-") as scratch:
                work = Examination(training, task, place, Path(scratch))
                weights = options.weights or settings().weights_dir
                report = work.report(data, in_use, weights, branches=options.branches)
            training.check()
            _store(report)
        training.finish(report)
    except Stopped:
        return False
    except Superseded:
        raise
    except SetupError as missing:
        training.fail("not_set_up", missing.message)
        raise
    except Exception as error:
        if not is_transient(error):
            training.fail("internal", f"{type(error).__name__}. See the log of the long job.")
        raise
    get_logger("long_job").info("training ended", state=report.state, code=report.code)
    return True


def _stored(identifier: str, data: Data, in_use: str) -> Report | None:
    """The report of an attempt that was killed before it could say so in the record."""
    from google.api_core.exceptions import NotFound

    blob = storage_client().bucket(settings().models_bucket).blob(report_name(identifier))
    try:
        content = blob.download_as_bytes(raw_download=True, **storage_limits())
        report = Report.model_validate_json(content)
    except (NotFound, ValidationError):
        return None
    return report if (report.data.digest, report.in_use) == (data.digest, in_use) else None


def _store(report: Report) -> None:
    """The page first: where the JSON is, all is there."""
    bucket = storage_client().bucket(settings().models_bucket)
    contents: dict[str, tuple[str, str]] = {
        "md": (markdown(report), "text/markdown; charset=utf-8"),
        "json": (report.model_dump_json(indent=2), "application/json"),
    }
    for suffix, (content, kind) in contents.items():
        arguments: dict[str, Any] = {"content_type": kind, **storage_limits()}
        bucket.blob(report_name(report.id, suffix)).upload_from_string(content.encode(), **arguments)
