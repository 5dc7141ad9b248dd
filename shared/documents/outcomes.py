"""The outcome of a document: counts, and sentences that may be quoted, in one record `outcomes/{document}`.

It is written in the transaction that ends the run, so it is written exactly once, and whoever counts over
many documents reads one small record each. Two fields place it in time: `completed_at`, when the published
content was first complete, and `problem.at`, when a later run failed or was rejected. Both are the server's
time of commit, so no document is added to a period that has passed. Analyzing the same content again, with
another model for instance, replaces the record and keeps `completed_at`.
"""

from __future__ import annotations

import json
import re
import zlib
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import NonNegativeInt, PositiveInt

from shared.platform.records import JudgedSentence, Record, SentimentLabel

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from google.cloud import firestore
    from numpy.typing import NDArray

    from shared.documents.model import Document
    from shared.platform.transaction import ShortTransaction
    from shared.text.summary import Aggregate

COLLECTION = "outcomes"
CONTENT = ("items", "vectors", "space")
"""Sentences in document order, their unit vectors times 127 as (n, 384) int8, and the vectors' space."""
_FACTS = ("bucket", "name", "organisation", "year", "title", "language", "members", "duplicate_of")


Role = Literal["summary", "initiative", "negative", "positive"]


class Kept(JudgedSentence):
    """A sentence that may be quoted; its vector lies beside it."""

    worth: float
    """How much it tells a reader, from 0 to 1."""
    roles: list[Role]


class Cells(Record):
    """Passages of a topic."""

    passages: NonNegativeInt = 0
    positive: NonNegativeInt = 0
    neutral: NonNegativeInt = 0
    negative: NonNegativeInt = 0
    implemented: NonNegativeInt = 0
    planned: NonNegativeInt = 0


class Trouble(Record):
    """How the newest run ended, where that is not completed."""

    state: Literal["rejected", "failed"]
    code: str
    message: str
    hint: str
    at: datetime


class Outcome(Record):
    """What counting needs of a document."""

    document: str
    bucket: str
    name: str
    organisation: str | None
    organisation_key: str | None
    """By which the same organisation is known in spite of case and punctuation."""
    year: PositiveInt | None
    title: str | None
    language: str | None
    members: NonNegativeInt | None
    """Number of members of an archive, which is not counted itself."""
    duplicate_of: str | None
    run: PositiveInt
    generation: str
    received_at: datetime
    completed_at: datetime | None
    """None where nothing is published."""
    passages: NonNegativeInt
    sentiment: dict[SentimentLabel, NonNegativeInt]
    topics: dict[str, Cells]
    actions: dict[str, NonNegativeInt]
    """Initiatives by action, each once however many topics it has."""
    problem: Trouble | None


COUNTS = tuple(Outcome.model_fields)
"""What counting needs; `CONTENT` is the larger part."""


def organisation_key(name: str | None) -> str | None:
    """Letters and digits alone, in lower case: "Tarnholm Fibre Group plc." is "tarnholm fibre group plc"."""
    return (" ".join(re.findall(r"\w+", name.casefold())) or None) if name else None


def completed_before(
    transaction: ShortTransaction, client: firestore.Client, document: Document
) -> datetime | None:
    """Return when a document's content was first complete, before any write; None: it was not."""
    if document.published_run is None:  # only a document with a result has a record
        return None
    reference = client.collection(COLLECTION).document(document.id)
    [record] = transaction.read(reference, fields=["generation", "completed_at"])
    if record is None or record.get("generation") != str(document.generation):
        return None
    return record.get("completed_at")


def counted(aggregate: Aggregate, quotable: tuple[list[Kept], NDArray[np.int8]]) -> dict[str, Any]:
    """Return the fields that say what a run's passages add up to; `quotable` are sentences and vectors."""
    kept, vectors = quotable
    return {
        "passages": aggregate.passages,
        "sentiment": dict(aggregate.sentiment),
        "topics": {
            name: {"passages": count} | aggregate.cells.get(name, {})
            for name, count in aggregate.topics.items()
            if count
        },
        "actions": dict(aggregate.actions),
        "items": pack(kept),
        "vectors": vectors.tobytes(),
        "space": aggregate.space,
    }


def write_completed(
    transaction: firestore.Transaction,
    client: firestore.Client,
    document: Document,
    found: Mapping[str, Any],
    *,
    first: datetime | None,
) -> None:
    """Record what the run of a completed document found: `counted`, and what `figures.coded` returns.

    `first` is what `completed_before` returned.
    """
    from google.cloud.firestore_v1 import SERVER_TIMESTAMP

    fields = _facts(document) | {"completed_at": first or SERVER_TIMESTAMP, "problem": None, **found}
    transaction.set(client.collection(COLLECTION).document(document.id), fields)


def restated(document: Document) -> dict[str, Any]:
    """Return the fields that change where people correct a document's facts."""
    facts = _facts(document)
    return {name: facts[name] for name in ("title", "organisation", "organisation_key", "year")}


def write_problem(transaction: firestore.Transaction, client: firestore.Client, document: Document) -> None:
    """Record that a document's run was rejected or failed; what stays published stays recorded."""
    from google.cloud.firestore_v1 import SERVER_TIMESTAMP

    assert document.error is not None
    problem = document.error.model_dump() | {"state": document.state, "at": SERVER_TIMESTAMP}
    reference = client.collection(COLLECTION).document(document.id)
    if document.published_run is not None:
        transaction.set(reference, {"problem": problem}, merge=True)
        return
    nothing: dict[str, Any] = {"completed_at": None, "passages": 0, "sentiment": {}, "topics": {}}
    nothing["actions"] = {}
    transaction.set(reference, _facts(document) | nothing | {"problem": problem})


def outcome(stored: Mapping[str, Any]) -> Outcome:
    """Return the counts of a record that was read whole, or with the fields `COUNTS`."""
    return Outcome.model_validate({name: stored.get(name) for name in COUNTS})


def pack(kept: list[Kept]) -> bytes:
    """Compress sentences: they are read whole or not at all, and decoded by the thousand."""
    fields = [sentence.model_dump() for sentence in kept]
    return zlib.compress(json.dumps(fields, separators=(",", ":")).encode())


def unpack(packed: bytes) -> list[dict[str, Any]]:
    """Reverse `pack` into plain fields, for callers that look at thousands to take a few."""
    sentences: list[dict[str, Any]] = json.loads(zlib.decompress(packed))
    return sentences


def _facts(document: Document) -> dict[str, Any]:
    return {name: getattr(document, name) for name in _FACTS} | {
        "document": document.id,
        "organisation_key": organisation_key(document.organisation),
        "run": document.run,
        "generation": str(document.generation),
        "received_at": document.received_at,
    }
