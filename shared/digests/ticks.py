"""Who makes the digest of a slot, and what became of it? `ticks/{schedule}-{slot}`, one record each.

A delivery takes the record for as long as it may run; if it dies, another takes it over after that. What is
made is what was planned, whatever became of the schedule meanwhile.

    due -> claimed -> done
     ^        |-----> due, after an error; failed, after too many; claimed again, after the lease's end
    skipped: too many were missed
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime

from shared.digests.records import Window
from shared.digests.schedules import Schedule
from shared.documents import Documents, now
from shared.records import Record
from shared.settings import settings

if TYPE_CHECKING:
    from google.cloud import firestore

CLOCKS = "clocks"
TICKS = "ticks"
OPEN = ("due", "claimed")
MAX_OPEN = 200
"""Records that one delivery looks at."""


class Tick(Record):
    """A slot, as it was planned."""

    id: str
    """Also the digest's."""
    slot: AwareDatetime
    schedule: Schedule
    window: Window
    earlier: list[Window]
    """Newest first."""


@dataclass(frozen=True)
class Claim:
    """The right to make a digest, for as long as its lease lives."""

    tick: Tick
    holder: str
    planned_at: datetime


def tick_id(schedule: str, slot: datetime) -> str:
    """Of a slot's record and of its digest."""
    return f"{schedule}-{slot:%Y%m%dT%H%M}Z"


def unfinished(client: firestore.Client) -> list[str]:
    """Ids of records that may have to be made; those that have failed least come first, then the oldest."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    query = client.collection(TICKS).where(filter=FieldFilter("state", "in", OPEN)).limit(MAX_OPEN)
    found = [(snapshot.id, snapshot.to_dict() or {}) for snapshot in query.stream()]
    return [name for name, _ in sorted(found, key=lambda one: (one[1]["attempts"], one[1]["slot"], one[0]))]


def claim(client: firestore.Client, identifier: str) -> Claim | str | None:
    """Take a slot to make its digest.

    Returns:
        None where there is nothing to do: it is done, or another delivery is at it. A string where it was
        begun too often without an end: then it has failed now, and the string says why.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
    """
    reference = client.collection(TICKS).document(identifier)
    holder = secrets.token_hex(8)

    def step(transaction: firestore.Transaction) -> Claim | str | None:
        stored = reference.get(transaction=transaction).to_dict()
        moment = now()
        if stored is None or stored["state"] not in OPEN:
            return None
        lease = stored["lease"]
        if lease and lease["holder"] == holder:  # the answer of the commit was lost
            return Claim(_tick(identifier, stored), holder, stored["planned_at"])
        if lease and lease["expires_at"] > moment:
            return None
        if stored["attempts"] >= settings().digest_attempts:
            why = str(stored["error"] or "it was begun and never ended")
            _fail(client, transaction, reference, stored, why)
            return why
        expires = moment + timedelta(seconds=settings().digest_timeout)
        fields = {
            "state": "claimed",
            "lease": {"holder": holder, "expires_at": expires},
            "attempts": stored["attempts"] + 1,
        }
        transaction.update(reference, fields | {"updated_at": moment})
        return Claim(_tick(identifier, stored), holder, stored["planned_at"])

    return Documents(client).run(step)


def finish(client: firestore.Client, claim: Claim, digest: str) -> None:
    """Note that the digest of this id is made; where another has taken over, that is for them to note.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
    """
    reference = client.collection(TICKS).document(claim.tick.id)

    def step(transaction: firestore.Transaction) -> None:
        if _held(reference.get(transaction=transaction).to_dict(), claim):
            ended = {"state": "done", "digest": digest, "lease": None, "error": None}
            transaction.update(reference, ended | {"updated_at": now()})

    Documents(client).run(step)


def give_back(client: firestore.Client, claim: Claim, error: BaseException, *, counts: bool) -> bool:
    """After an error: leave the slot to the next tick, or fail it after too many; whether it failed.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
    """
    reference = client.collection(TICKS).document(claim.tick.id)

    def step(transaction: firestore.Transaction) -> bool:
        stored = reference.get(transaction=transaction).to_dict()
        if stored is None or not _held(stored, claim):
            return False
        if counts and stored["attempts"] >= settings().digest_attempts:
            _fail(client, transaction, reference, stored, type(error).__name__)
            return True
        attempts = stored["attempts"] if counts else stored["attempts"] - 1
        fields = {"state": "due", "lease": None, "attempts": attempts, "error": type(error).__name__}
        transaction.update(reference, fields | {"updated_at": now()})
        return False

    return Documents(client).run(step)


def _fail(
    client: firestore.Client,
    transaction: firestore.Transaction,
    reference: firestore.DocumentReference,
    stored: dict[str, Any],
    why: str,
) -> None:
    """The caller has written nothing yet. What this digest should have told, the next `since-last` tells."""
    clock = client.collection(CLOCKS).document(stored["schedule"])
    kept = clock.get(transaction=transaction).to_dict()
    ended = {"state": "failed", "lease": None, "error": why, "updated_at": now()}
    transaction.update(reference, ended)
    if kept and kept["last_end"] == stored["window"]["end"]:
        transaction.update(clock, {"last_end": stored["window"]["start"], "recent": kept["recent"][1:]})


def _tick(identifier: str, stored: dict[str, Any]) -> Tick:
    return Tick(
        id=identifier,
        slot=stored["slot"],
        schedule=Schedule.model_validate(stored["definition"]),
        window=Window.model_validate(stored["window"]),
        earlier=[Window.model_validate(one) for one in stored["earlier"]],
    )


def _held(stored: dict[str, Any] | None, claim: Claim) -> bool:
    return bool(stored and stored["lease"] and stored["lease"]["holder"] == claim.holder)
