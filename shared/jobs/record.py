"""A job that somebody asked the long job for: a backfill, an import or a training. Stored in `jobs/{id}`.

The record says what was asked and how far the job is. It holds no text of documents: what is erased stays
erased. The documents of an import and of a backfill are divided among many tasks, each of which leases the
runs that it works on. A training is done by one task, whose lease is in the record itself.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, NonNegativeInt, PositiveInt

from shared.documents.delegation import run_job
from shared.documents.store import now
from shared.platform.lease import Lease
from shared.platform.records import ErrorInfo, Record

if TYPE_CHECKING:
    from google.cloud import firestore

COLLECTION = "jobs"
MAX_EXECUTIONS = 50
"""Executions that a training's record names."""


State = Literal["listing", "running", "completed", "published", "kept", "rejected", "failed"]
"""Listing: not all documents of a backfill are listed. Published, kept and rejected are ends of a training:
the new model is in the bucket; the model in use stays; the data cannot be learnt from."""


class Job(Record):
    """What all kinds of jobs have."""

    id: str
    kind: Literal["backfill", "import", "train"]
    state: State = "running"
    tasks: PositiveInt = 1
    execution: str | None = None
    """Full name of the newest execution that was started for it; a training's are in `met_by`."""
    lease: Lease | None = None
    error: ErrorInfo | None = None
    report: dict[str, Any] | None = None
    """What came of it, once it has ended."""
    created_at: datetime
    updated_at: datetime


class Share(Record):
    """Objects of one task's share of an import."""

    done: NonNegativeInt
    total: NonNegativeInt
    """Members of archives are added when these have been unpacked."""


class Import(Job):
    """Analyze every object under a prefix."""

    kind: Literal["import"] = "import"
    bucket: str
    prefix: str
    progress: dict[str, Share] = Field(default_factory=dict)
    """Progress of each task."""


class Training(Job):
    """Train the heads on labelled rows."""

    kind: Literal["train"] = "train"
    data_digest: str
    model: str
    """Digest of the model in use."""
    met_by: list[str] = Field(default_factory=list)
    """Short names of executions that worked on it or found it done: whoever started one searches for it."""
    step: str | None = None
    """What is being done."""
    attempts: NonNegativeInt = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None


AnyJob = TypeVar("AnyJob", bound=Job)


def create(client: firestore.Client, kind: type[AnyJob], **asked: Any) -> AnyJob:  # noqa: ANN401 - fields of the kind
    """Store a new job, whose execution is still to be started."""
    moment = now()
    identifier = f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    job = kind(id=identifier, created_at=moment, updated_at=moment, **asked)
    reference(client, identifier).create(job.model_dump())
    return job


def start(client: firestore.Client, job: AnyJob, *, tasks: int | None = None) -> AnyJob:
    """Start an execution of the long job for a stored job, with as many tasks as it asks for at most.

    Raises:
        GoogleAPIError: Cloud Run has not accepted it.
    """
    execution = run_job([job.kind, job.id], tasks or job.tasks)
    update(client, job.id, {"execution": execution})
    return job.model_copy(update={"execution": execution})


def reference(client: firestore.Client, identifier: str) -> firestore.DocumentReference:
    """Return where a job is stored."""
    return client.collection(COLLECTION).document(identifier)


def read(client: firestore.Client, kind: type[AnyJob], identifier: str) -> AnyJob | None:
    """Return a job as it is now; None if there is none of this kind and id."""
    stored = reference(client, identifier).get().to_dict() if "/" not in identifier else None
    is_one = stored is not None and stored["kind"] == kind.model_fields["kind"].default
    return kind.model_validate(stored) if is_one else None


def update(client: firestore.Client, identifier: str, fields: dict[str, Any]) -> None:
    """Write some fields, by their paths."""
    reference(client, identifier).update(fields | {"updated_at": now()})
