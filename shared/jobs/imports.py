"""An import: every object under a prefix, through the long job. `imports/{id}` says how far it is.

What becomes of each object stands in its document, as of any upload; here are only counts, and in
`imports/{id}/problems/{document}` how often an object has failed in a way that nobody foresaw.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from shared.documents.store import now
from shared.platform.records import ErrorInfo, Record

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.documents.store import Documents

COLLECTION = "imports"
PROBLEMS = "problems"


class Share(Record):
    """Objects of one task's share."""

    done: NonNegativeInt
    total: NonNegativeInt
    """Members of archives are added when these have been unpacked."""


class Report(Record):
    """What became of the objects, in the end."""

    objects: NonNegativeInt = 0
    completed: NonNegativeInt = 0
    skipped: NonNegativeInt = 0
    """That were completed before the import began."""
    rejected: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """By code."""
    failed: dict[str, NonNegativeInt] = Field(default_factory=dict)
    passages: NonNegativeInt = 0
    """Of those that were completed now."""


class Import(Record):
    """`imports/{id}`."""

    id: str
    bucket: str
    prefix: str
    tasks: PositiveInt
    state: Literal["running", "completed", "failed"] = "running"
    execution: str | None = None
    progress: dict[str, Share] = Field(default_factory=dict)
    """By task."""
    report: Report | None = None
    error: ErrorInfo | None = None
    created_at: datetime
    updated_at: datetime


def create(client: firestore.Client, bucket: str, prefix: str, tasks: int) -> Import:
    """A new import, whose job is still to be started."""
    moment = now()
    made = Import(
        id=f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        bucket=bucket,
        prefix=prefix,
        tasks=tasks,
        created_at=moment,
        updated_at=moment,
    )
    reference(client, made.id).create(made.model_dump())
    return made


def reference(client: firestore.Client, identifier: str) -> firestore.DocumentReference:
    """Where an import is stored."""
    return client.collection(COLLECTION).document(identifier)


def read(client: firestore.Client, identifier: str) -> Import | None:
    """An import as it stands; None where there is none."""
    stored = reference(client, identifier).get().to_dict() if "/" not in identifier else None
    return Import.model_validate(stored) if stored else None


def update(client: firestore.Client, identifier: str, fields: dict[str, Any]) -> None:
    """Write some fields, by their paths."""
    reference(client, identifier).update(fields | {"updated_at": now()})


def count_problem(documents: Documents, identifier: str, document: str, kind: str) -> int:
    """Note that an object failed; how often it has."""
    record = reference(documents.client, identifier).collection(PROBLEMS).document(document)

    def step(transaction: firestore.Transaction) -> int:
        known = record.get(transaction=transaction).to_dict() or {"failures": 0}
        failures: int = known["failures"] + 1
        transaction.set(record, {"document": document, "failures": failures, "kind": kind, "at": now()})
        return failures

    return documents.run(step)
