"""Train the heads on labelled rows and corrections, and publish the model if it is better: `train`.

Rows are those of a bucket's files, if `--data` names some, and what people corrected or confirmed.

Everything follows from the data, the model in use and fixed seeds, and so does the training's id: delivered
or started twice, it is one training. A task that was killed begins anew, or at the report if that was stored.
Publishing puts the model into the bucket under its digest and changes nothing else: functions run the digest
that they are deployed with, so a person decides when to switch.

The training's lease is in its record. Its task renews it in the background; if the task is killed, its next
attempt takes over at once, another execution when the lease has expired. Any execution that meets a training
adds itself to the record, so that whoever started the execution finds the record.
"""

from __future__ import annotations

import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from long_job.delegated import LEASE_SECONDS
from long_job.examination import Examination
from model_export.files import digest_of
from shared.documents.corrections import labelled_rows
from shared.documents.store import Documents, now
from shared.inference.manifest import read_manifest
from shared.jobs.record import MAX_EXECUTIONS, Training, reference
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import HeadraceError, LeaseHeld, SetupError, Superseded
from shared.platform.lease import Lease, take
from shared.platform.logs import get_logger
from shared.platform.records import ErrorInfo
from shared.platform.retry import is_transient, storage_limits
from shared.platform.settings import settings
from training.data import Place, data_digest, listing, name_of
from training.report import ENDED, Data, Report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from long_job.task import Task
    from shared.platform.transaction import ShortTransaction

METHOD = 1
"""Part of a training's id: raise it when the same data would be trained on in another way."""
ID_DIGITS = 24
MAX_LISTED = 50
"""Objects and rows left out that the record names; the report in the bucket names more."""
RENEWALS = 4
"""Times that a lease is renewed in its life."""


class Stopped(HeadraceError):
    """This task was asked to stop."""


class TrainingWork:
    """One training, as one task works on it."""

    def __init__(self, documents: Documents, identifier: str, task: Task) -> None:
        """Read and write nothing yet."""
        self._documents, self._task = documents, task
        self.id = identifier
        self._reference = reference(documents.client, identifier)
        self._lost = threading.Event()

    def begin(self, *, data_digest: str, model: str) -> bool:
        """Take the training; False if it has ended.

        Raises:
            Superseded: another execution is working on it.
            SetupError: the id is another training's.
        """
        asked: dict[str, Any] = {"data_digest": data_digest, "model": model}

        def step(transaction: ShortTransaction) -> str:
            [stored], moment = transaction.read(self._reference), now()
            if stored is None:
                training = Training(id=self.id, created_at=moment, updated_at=moment, **asked)
            elif any(stored.get(name) != value for name, value in asked.items()):
                raise SetupError(
                    f"The training {self.id} is of other data, or of another model in use. Leave out --id."
                )
            else:
                training = Training.model_validate(stored)
            others = [name for name in training.met_by if name != self._task.execution]
            met_by = [*others, self._task.execution][-MAX_EXECUTIONS:]
            changed: dict[str, Any] = {"met_by": met_by, "updated_at": moment}
            outcome = "ended"
            if training.state not in ENDED:
                try:
                    lease = take(training.lease, self._task.holder, LEASE_SECONDS, moment)
                except LeaseHeld:
                    outcome = "held"
                else:
                    outcome = "taken"
                    changed |= {"state": "running", "step": "begun", "lease": lease, "error": None}
                    changed |= {"attempts": training.attempts + 1, "started_at": moment, "ended_at": None}
            transaction.set(self._reference, training.model_copy(update=changed).model_dump())
            return outcome

        outcome = self._documents.run(step)
        if outcome == "held":
            raise Superseded(f"another execution is at the training {self.id}")
        return outcome == "taken"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Renew the lease in the background; give it back at the end of the block."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(LEASE_SECONDS / RENEWALS):
                try:
                    self._write({})
                except Superseded:
                    self._lost.set()
                    return
                except Exception:  # noqa: BLE001, S112 - an outage: the lease lives for three more attempts
                    continue

        thread = threading.Thread(target=renew, name="renew", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            try:
                self._write({"lease": None})
            except Superseded:
                self._lost.set()

    def check(self) -> None:
        """Raise Stopped if this task was asked to stop, Superseded if the training is no longer its own."""
        if self._task.stop.is_set():
            raise Stopped
        self.check_lease()

    def check_lease(self) -> None:
        """Raise Superseded if the training is no longer this task's."""
        if self._lost.is_set():
            raise Superseded(f"another execution took over the training {self.id}")

    def begin_step(self, name: str) -> None:
        """Write what is done next. Raises Stopped and Superseded as `check` does."""
        self.check()
        self._write({"step": name})

    def finish(self, report: Report) -> None:
        """End the training as the report says. Raises Superseded if it is no longer this task's."""
        fields = report.model_dump(exclude={"id", "in_use", "state"})
        fields["data"]["objects"] = fields["data"]["objects"][:MAX_LISTED]
        if fields["rows"]:
            fields["rows"]["listed"] = fields["rows"]["listed"][:MAX_LISTED]
        self._write({"state": report.state, "report": fields, "step": None, "ended_at": now()})

    def fail(self, code: str, message: str) -> None:
        """Fail the training: started again, it begins anew. Raises Superseded as `finish` does."""
        error = ErrorInfo(code=code, message=message, hint="Start it again once that is mended.").model_dump()
        self._write({"state": "failed", "error": error, "step": None, "ended_at": now()})

    def _write(self, fields: dict[str, Any]) -> None:
        """Write some fields and renew the lease, unless `fields` end it."""

        def step(transaction: ShortTransaction) -> None:
            [stored], moment = transaction.read(self._reference), now()
            lease = Lease.read(stored and stored.get("lease"))
            if lease is None or lease.holder != self._task.holder:
                raise Superseded(f"another execution took over the training {self.id}")
            renewed = {"lease": lease.renewed(LEASE_SECONDS, moment).model_dump(), "updated_at": moment}
            transaction.update(self._reference, renewed | fields)

        self._documents.run(step)


def train(options: argparse.Namespace, task: Task) -> bool:
    """Do a training; False if this task was asked to stop before its end. Of several tasks the first works.

    Raises:
        Superseded: another execution is working on it.
        SetupError: something is missing here; the record says so too.
        Retryable: a transient error outlasted every attempt.
    """
    if task.index:
        return True
    place = Place.parse(options.data) if options.data else None
    corrections = labelled_rows(firestore_client())
    in_use = options.model or settings().model_digest or read_manifest(settings().model_dir).digest
    objects = listing(place) if place else ()
    data = Data(
        uri=name_of(place),
        digest=data_digest(place, objects, corrections),
        bytes=sum(item.size for item in objects),
        objects=objects,
    )
    identifier = options.id or training_id(data.digest, in_use)
    structlog.contextvars.bind_contextvars(training=identifier)
    training = TrainingWork(Documents(firestore_client()), identifier, task)
    if not training.begin(data_digest=data.digest, model=in_use):
        return True
    with training.held():
        return _work_on(training, place, data, in_use, options, corrections)


def training_id(data: str, in_use: str) -> str:
    """Return an id that is the same for the same data and model in use."""
    return digest_of(str(METHOD), data, in_use)[:ID_DIGITS]


def report_name(identifier: str) -> str:
    """Return the name of a report in the bucket of models."""
    return f"trainings/{identifier}/report.json"


def _work_on(  # noqa: PLR0913, PLR0917 - the data and what is asked of them
    training: TrainingWork,
    place: Place | None,
    data: Data,
    in_use: str,
    options: argparse.Namespace,
    corrections: Sequence[Mapping[str, Any]],
) -> bool:
    try:
        report = _stored(training.id, data, in_use)
        if report is None:
            with tempfile.TemporaryDirectory(prefix="headrace-train-") as scratch:
                work = Examination(
                    training.id,
                    place,
                    Path(scratch),
                    corrections=corrections,
                    check=training.check,
                    begin_step=training.begin_step,
                )
                weights = options.weights or settings().weights_dir
                report = work.report(data, in_use, weights)
            training.check_lease()
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
    """Return the report of an attempt that was killed before it could write the record."""
    from google.api_core.exceptions import NotFound

    blob = storage_client().bucket(settings().models_bucket).blob(report_name(identifier))
    try:
        content = blob.download_as_bytes(raw_download=True, **storage_limits())
        report = Report.model_validate_json(content)
    except (NotFound, ValidationError):
        return None
    return report if (report.data.digest, report.in_use) == (data.digest, in_use) else None


def _store(report: Report) -> None:
    blob = storage_client().bucket(settings().models_bucket).blob(report_name(report.id))
    content = report.model_dump_json(indent=2).encode()
    blob.upload_from_string(content, content_type="application/json", **storage_limits())
