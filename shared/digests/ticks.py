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
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime

from shared.digests.records import Window
from shared.digests.schedules import Schedule
from shared.documents.store import Documents, now
from shared.platform.records import Record
from shared.platform.settings import settings

if TYPE_CHECKING:
    from google.cloud import firestore

CLOCKS = "clocks"
TICKS = "ticks"
OPEN = ("due", "claimed")
Left = Literal["due", "done", "failed"]
"""States in which an attempt that met with an error leaves a slot."""
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

    id: str
    holder: str
    stored: dict[str, Any]
    """As another release may have written it."""

    @property
    def planned_at(self) -> datetime:
        """When the slot was found due."""
        moment: datetime = self.stored["planned_at"]
        return moment

    def tick(self) -> Tick:
        """The slot. Raises ValidationError where this release cannot read what was planned."""
        return Tick(
            id=self.id,
            slot=self.stored["slot"],
            schedule=Schedule.model_validate(self.stored["definition"]),
            window=Window.model_validate(self.stored["window"]),
            earlier=[Window.model_validate(one) for one in self.stored["earlier"]],
        )


def tick_id(schedule: str, slot: datetime) -> str:
    """Of a slot's record and of its digest."""
    return f"{schedule}-{slot:%Y%m%dT%H%M}Z"


def unfinished(client: firestore.Client, until: datetime) -> list[str]:
    """Ids of slots up to then that may have to be made; those that failed least first, then the oldest."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    query = client.collection(TICKS).where(filter=FieldFilter("state", "in", OPEN)).limit(MAX_OPEN)
    found = [(snapshot.to_dict() or {}) | {"id": snapshot.id} for snapshot in query.stream()]
    found.sort(key=lambda one: (one["attempts"], one["slot"], one["id"]))
    return [one["id"] for one in found if one["slot"] <= until]


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
            return Claim(identifier, holder, stored)
        if lease and lease["expires_at"] > moment:
            return None
        if stored["attempts"] >= settings().digest_attempts:
            why = str(stored["error"] or "it was begun and never ended")
            return why if _fail(client, transaction, reference, stored, why) == "failed" else None
        expires = moment + timedelta(seconds=settings().digest_timeout)
        fields = {
            "state": "claimed",
            "lease": {"holder": holder, "expires_at": expires},
            "attempts": stored["attempts"] + 1,
        }
        transaction.update(reference, fields | {"updated_at": moment})
        return Claim(identifier, holder, stored)

    return Documents(client).run(step)


def finish(client: firestore.Client, claim: Claim, digest: str) -> None:
    """Note that the digest of this id is made; where another has taken over, that is for them to note.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
    """
    reference = client.collection(TICKS).document(claim.id)

    def step(transaction: firestore.Transaction) -> None:
        if _held(reference.get(transaction=transaction).to_dict(), claim):
            ended = {"state": "done", "digest": digest, "lease": None, "error": None}
            transaction.update(reference, ended | {"updated_at": now()})

    Documents(client).run(step)


def give_back(client: firestore.Client, claim: Claim, error: BaseException, *, counts: bool) -> Left | None:
    """After an error: leave the slot to the next tick, or end it after too many.

    Returns:
        How it was left; None where another has taken over.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
    """
    reference = client.collection(TICKS).document(claim.id)

    def step(transaction: firestore.Transaction) -> Left | None:
        stored = reference.get(transaction=transaction).to_dict()
        if stored is None or not _held(stored, claim):
            return None
        if counts and stored["attempts"] >= settings().digest_attempts:
            return _fail(client, transaction, reference, stored, type(error).__name__)
        attempts = stored["attempts"] if counts else stored["attempts"] - 1
        fields = {"state": "due", "lease": None, "attempts": attempts, "error": type(error).__name__}
        transaction.update(reference, fields | {"updated_at": now()})
        return "due"

    return Documents(client).run(step)


def _fail(
    client: firestore.Client,
    transaction: firestore.Transaction,
    reference: firestore.DocumentReference,
    stored: dict[str, Any],
    why: str,
) -> Left:
    """No more attempts; the caller has written nothing yet. Where only the end was not noted, it is done.

    What this digest should have told, the next `since-last` tells, although it tells again what those after
    this one told, unless one of them told it too.
    """
    from shared.digests.store import COLLECTION as DIGESTS

    digest = client.collection(DIGESTS).document(reference.id).get([], transaction=transaction)
    clock = client.collection(CLOCKS).document(stored["schedule"])
    kept = clock.get(transaction=transaction).to_dict()
    if digest.exists:
        ended = {"state": "done", "digest": reference.id, "lease": None, "error": None}
        transaction.update(reference, ended | {"updated_at": now()})
        return "done"
    ended = {"state": "failed", "lease": None, "error": why}
    transaction.update(reference, ended | {"updated_at": now()})
    if kept and kept["last_end"]:
        lost = stored["window"]
        others = [one for one in kept["recent"] if one["end"] != lost["end"]]
        told = any(one["start"] <= lost["start"] and lost["end"] <= one["end"] for one in others)
        last_end = kept["last_end"] if told else min(kept["last_end"], lost["start"])
        transaction.update(clock, {"last_end": last_end, "recent": others})
    return "failed"


def _held(stored: dict[str, Any] | None, claim: Claim) -> bool:
    return bool(stored and stored["lease"] and stored["lease"]["holder"] == claim.holder)
