"""The outbox: `digests/{id}/deliveries/{n}`, one record for each target of the schedule, in its order.

It is written in the transaction that creates the digest, so whoever is to be told is told although the
process ends right afterwards. A sender takes a record by moving `next_at` beyond the time that sending may
take, and by counting the attempt; that count fences two senders of one record, and one that is killed has
had its attempt. What was sent and could not be noted is sent again, under the same id.

The query for what is due is over the collection group `deliveries`. Firestore needs an index for it, of scope
COLLECTION_GROUP, with the fields `state` ascending and `next_at` ascending.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, NonNegativeInt

from shared.digests.schedules import Target
from shared.documents.store import Documents, now
from shared.platform.records import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import firestore

COLLECTION = "deliveries"
MAX_ATTEMPTS = 10
FIRST_WAIT, LONGEST_WAIT = 60.0, 6 * 3600.0
"""Seconds between attempts, doubled from one to the next: ten attempts take eight and a half hours."""
LEASE_SECONDS = 300.0
"""For one attempt: more than the longest that `tell_target_seconds` and its lookups can be."""
PER_CALL = 25
"""Deliveries that one call takes at most."""


class Delivery(Record):
    """A message to one target."""

    state: Literal["pending", "delivered", "undelivered"]
    """Delivered: to every recipient."""
    target: Target
    left: list[str] | None = None
    """The recipients of an e-mail that are still to be told; None: all."""
    refused: dict[str, int] = Field(default_factory=dict)
    """Those that the mail server refused for good, with the code of its reply."""
    attempts: NonNegativeInt
    next_at: datetime
    """When it is tried, or tried again."""
    created_at: datetime
    ended_at: datetime | None
    """When it was delivered, or given up."""
    reason: str | None
    """What the last attempt met with; without addresses."""


class Taken(NamedTuple):
    """A delivery that is this process's to send."""

    reference: firestore.DocumentReference
    target: Target
    attempt: int
    left: list[str] | None
    """As in `Delivery`, and `refused`."""
    refused: dict[str, int]

    @property
    def digest(self) -> str:
        """Id of the digest that it tells of."""
        collection = self.reference.parent
        assert collection.parent is not None
        return str(collection.parent.id)

    @property
    def id(self) -> str:
        """The same at every attempt, so that receivers know what they have."""
        return f"{self.digest}-{self.reference.id}"


def enqueue(
    writer: firestore.Transaction | firestore.WriteBatch,
    digest: firestore.DocumentReference,
    targets: Sequence[Target],
) -> None:
    """Put down, in the same commit, that these are to be told of the digest which it creates."""
    at = now()
    for number, target in enumerate(targets):
        delivery = Delivery(
            state="pending",
            target=target,
            attempts=0,
            next_at=at,
            created_at=at,
            ended_at=None,
            reason=None,
        )
        writer.create(digest.collection(COLLECTION).document(str(number)), delivery.model_dump())


def due(client: firestore.Client, at: datetime) -> list[firestore.DocumentReference]:
    """Deliveries that are to be tried by now, the longest overdue first."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    query = (
        client.collection_group(COLLECTION)
        .where(filter=FieldFilter("state", "==", "pending"))
        .where(filter=FieldFilter("next_at", "<=", at))
        .order_by("next_at")
        .limit(PER_CALL)
    )
    return [snapshot.reference for snapshot in query.stream()]


def take(client: firestore.Client, reference: firestore.DocumentReference, at: datetime) -> Taken | None:
    """Take a delivery to send it; None where another has, or nothing is left to do.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
        ValidationError: another release wrote it; the attempt is counted, so it stands before no other.
    """

    def step(transaction: firestore.Transaction) -> dict[str, Any] | None:
        fields: dict[str, Any] | None = reference.get(transaction=transaction).to_dict()
        if fields is None or fields["state"] != "pending" or fields["next_at"] > at:  # None: erased
            return None
        if fields["attempts"] >= MAX_ATTEMPTS:  # the last one was killed
            reason = fields["reason"] or "Every attempt was interrupted"
            transaction.update(reference, {"state": "undelivered", "ended_at": at, "reason": reason})
            return None
        lease = {"attempts": fields["attempts"] + 1, "next_at": at + timedelta(seconds=LEASE_SECONDS)}
        transaction.update(reference, lease)
        return fields | lease

    fields = Documents(client).run(step)
    if fields is None:
        return None
    known = Delivery.model_validate(fields)
    return Taken(reference, known.target, known.attempts, known.left, known.refused)


def delivered(client: firestore.Client, taken: Taken, at: datetime) -> None:
    """Note that it was sent."""
    _note(client, taken, {"state": "delivered", "ended_at": at, "reason": None})


def undelivered(client: firestore.Client, taken: Taken, at: datetime, reason: str) -> None:
    """Note that it will not be, or not to everybody."""
    _note(client, taken, {"state": "undelivered", "ended_at": at, "reason": reason} | _recipients(taken))


def postponed(client: firestore.Client, taken: Taken, at: datetime, reason: str, wait: float = 0) -> bool:
    """Note that it is to be tried again, after `wait` seconds at least; False where it was the last time."""
    if taken.attempt >= MAX_ATTEMPTS:
        undelivered(client, taken, at, f"{reason}; given up after {taken.attempt} attempts")
        return False
    pause = min(max(wait, FIRST_WAIT * 2 ** (taken.attempt - 1)), LONGEST_WAIT)
    _note(client, taken, {"next_at": at + timedelta(seconds=pause), "reason": reason} | _recipients(taken))
    return True


def _recipients(taken: Taken) -> dict[str, object]:
    return {"left": taken.left, "refused": taken.refused}


def _note(client: firestore.Client, taken: Taken, fields: dict[str, object]) -> None:
    """Write, unless another has taken it since or it was erased."""

    def step(transaction: firestore.Transaction) -> None:
        stored = taken.reference.get(["state", "attempts"], transaction=transaction).to_dict()
        if stored == {"state": "pending", "attempts": taken.attempt}:
            transaction.update(taken.reference, fields)

    Documents(client).run(step)
