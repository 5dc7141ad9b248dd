"""Decide which digests are due, and claim each slot: `ticks/{schedule}-{slot}`.

`clocks/{schedule}` says up to when the slots of a schedule are planned. Planning is one transaction: it
writes a record for each slot, with the window and the schedule as they are then, and moves the clock past
them. So a slot is planned once, whatever comes twice, late or at once, and the digest is made as planned,
whatever became of the schedule meanwhile. A delivery claims a record for as long as it may run; if it dies,
another takes the record over after that.

    due -> claimed -> done
     ^        |-----> due, after an error; failed, after too many; claimed again, after the lease's end
    skipped: too many were missed

The next tick takes what one leaves, because it is at its limit or another is at work. So Pub/Sub is asked to
deliver a tick again only after an outage before anything was planned.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime

from shared.digests import schedules
from shared.digests.records import Window
from shared.digests.schedules import Schedule, definitions
from shared.documents.store import Documents, now
from shared.platform.clients import where
from shared.platform.lease import Lease, is_held, take
from shared.platform.logs import get_logger
from shared.platform.records import Record
from shared.platform.retry import is_transient
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.cloud import firestore

    from shared.platform.transaction import ShortTransaction

CLOCKS = "clocks"
TICKS = "ticks"
DIGESTS = "digests"
OPEN = ("due", "claimed")
MAX_OPEN = 200
"""Records that one delivery looks at."""
EARLIER = 8
"""Windows before its own that a digest compares with."""
AHEAD = timedelta(days=1)
"""Clocks of machines differ by less; a schedule's that is further ahead was moved there by a wrong one."""
MAX_SKIPPED = 100
"""Slots that are recorded as skipped at once, the newest; of older ones nothing is kept."""
OUTAGE = timedelta(days=1)
"""For which transient errors do not count as attempts."""
SHARE = 0.5
"""Share of the time limit after which no further digest is begun."""

End = Literal["due", "done", "failed"]
"""States in which an attempt leaves a slot."""


Planned = dict[Literal["due", "skipped"], list[str]]
"""Ids of slots that were planned."""


class Tick(Record):
    """A slot, as it was planned."""

    id: str
    """Also the digest's."""
    slot: AwareDatetime
    definition: Schedule
    window: Window
    earlier: list[Window]
    """Newest first."""


@dataclass(frozen=True)
class Claim:
    """The right to make a digest, for as long as its lease lives."""

    id: str
    holder: str
    stored: dict[str, Any]
    """The slot's record."""

    def tick(self) -> Tick:
        """Return the slot. Raises ValidationError if what was planned cannot be read."""
        fields = {name: self.stored[name] for name in Tick.model_fields if name != "id"}
        return Tick.model_validate(fields | {"id": self.id})


def tick_id(schedule: str, slot: datetime) -> str:
    """Return the id of a slot's record and of its digest."""
    return f"{schedule}-{slot:%Y%m%dT%H%M}Z"


def read_clocks(client: firestore.Client) -> dict[str, dict[str, Any]]:
    """Return the clocks by the names of their schedules."""
    return {clock.id: clock.to_dict() or {} for clock in client.collection(CLOCKS).stream()}


def is_ahead(clock: Mapping[str, Any], at: datetime) -> bool:
    """Return whether a machine's wrong clock has moved a schedule's clock far into the future."""
    ahead: bool = clock["upto"] - at > AHEAD
    return ahead


def horizon(at: datetime) -> datetime:
    """Return up to when slots are made: the transactions that belong to their windows have ended."""
    return at - timedelta(seconds=settings().digest_grace)


def must_plan(schedule: Schedule, clock: Mapping[str, Any] | None, at: datetime) -> bool:
    """Return whether a tick changes the clock; most do not, and then nothing is written."""
    if clock is None or any(clock.get(name) != value for name, value in _rule(schedule).items()):
        return True
    coming = schedules.following(schedule, clock["upto"])
    return coming is not None and coming <= horizon(at)


def plan(client: firestore.Client, schedule: Schedule, at: datetime) -> Planned:
    """Record the slots that are due by a tick, and move the schedule's clock past them.

    A schedule that is new begins at the tick. So does a timing that was edited, after all that was due by the
    one before, also if its grace is not over yet. No tick moves a clock back, but the first after an edit one
    that is ahead; what has a record is not planned again.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
    """
    reference = client.collection(CLOCKS).document(schedule.name)
    limit = settings().digest_catch_up + MAX_SKIPPED

    def step(transaction: ShortTransaction) -> Planned:
        [clock] = transaction.read(reference)
        rule = _rule(schedule)
        planned: Planned = {"due": [], "skipped": []}
        if clock is None:
            transaction.set(reference, rule | {"upto": at, "last_end": None, "recent": []})
            return planned
        edited = clock["timing"] != rule["timing"]
        begun = at if is_ahead(clock, at) else max(at, clock["upto"])
        moved: dict[str, Any] = {"upto": begun} if edited else {}
        by = _former(clock, schedule.name) if edited else schedule
        if by and (due := schedules.slots(by, clock["upto"], at if edited else horizon(at), limit)):
            planned, written = _write(client, transaction, by, clock, due)
            moved = written | {"upto": due[-1]} | moved
        if moved or clock["definition"] != rule["definition"]:  # else another tick was quicker
            transaction.update(reference, rule | moved)
        return planned

    return Documents(client).run(step)


def forget(client: firestore.Client, clocks: Mapping[str, Mapping[str, Any]], defined: set[str]) -> None:
    """Let clocks of schedules that are gone begin anew, should these come back: nobody missed a digest.

    Slots that were due before are not planned either: who removes a schedule wants to hear no more of it.
    """
    for name in clocks.keys() - defined:
        if clocks[name].get("timing") is not None:
            client.collection(CLOCKS).document(name).update({"timing": None})


def _write(
    client: firestore.Client,
    transaction: ShortTransaction,
    schedule: Schedule,
    clock: dict[str, Any],
    due: list[datetime],
) -> tuple[Planned, dict[str, Any]]:
    """Create the records of slots that are due, oldest first; return their ids and what the clock keeps."""
    references = {slot: client.collection(TICKS).document(tick_id(schedule.name, slot)) for slot in due}
    read = transaction.read(*references.values(), fields=[]) if references else []
    existing = {slot for slot, record in zip(references, read, strict=True) if record is not None}
    recent = [Window.model_validate(window) for window in clock["recent"]]
    last_end = clock["last_end"]
    planned: Planned = {"due": [], "skipped": []}
    for slot, reference in references.items():
        made = slot in due[-settings().digest_catch_up :]
        window = schedules.window(schedule, slot, last_end)
        # Not those that it covers again: `last_end` goes back where a digest has failed.
        recent = [before for before in recent if before.end <= window.start]
        earlier = schedules.earlier(schedule, window, EARLIER, recent)
        fields: dict[str, Any] = {
            "schedule": schedule.name,
            "slot": slot,
            "window": window.model_dump(),
            "definition": schedule.model_dump(mode="json"),
            "state": "due" if made else "skipped",
            "earlier": [before.model_dump() for before in earlier],
            "lease": None,
            "attempts": 0,
            "error": None,
            "planned_at": now(),
        }
        if slot not in existing:
            transaction.create(reference, fields)
            planned["due" if made else "skipped"].append(reference.id)
        if made:
            recent = [window, *recent][:EARLIER]
            last_end = slot
    return planned, {"last_end": last_end, "recent": [window.model_dump() for window in recent]}


def _rule(schedule: Schedule) -> dict[str, Any]:
    """Return what a clock runs by: kept with it, so that what was due when that is edited is known."""
    return {"timing": schedules.fingerprint(schedule), "definition": schedule.model_dump(mode="json")}


def _former(clock: Mapping[str, Any], name: str) -> Schedule | None:
    """Return what the clock has run by; None if its schedule was gone, or can no longer be read."""
    if clock["timing"] is None:
        return None
    try:
        former = Schedule.model_validate(clock["definition"])
        schedules.check(former)
    except ValueError:
        get_logger("digest").warning("what was due before an edit is not known", schedule=name)
        return None
    return former


def unfinished(client: firestore.Client, until: datetime) -> list[str]:
    """Return ids of slots to be made; those that failed least first, then the oldest."""
    query = where(client.collection(TICKS), ("state", "in", OPEN)).limit(MAX_OPEN)
    records = [(snapshot.id, snapshot.to_dict() or {}) for snapshot in query.stream()]
    records.sort(key=lambda pair: (pair[1]["attempts"], pair[1]["slot"], pair[0]))
    return [identifier for identifier, stored in records if stored["slot"] <= until]


def claim(client: firestore.Client, identifier: str) -> Claim | str | None:
    """Take a slot to make its digest; return None if it is done, or another delivery works on it.

    A slot that was begun too often without an end fails now, and a string says why.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
    """
    reference = client.collection(TICKS).document(identifier)
    holder = secrets.token_hex(8)

    def step(transaction: ShortTransaction) -> Claim | str | None:
        [stored] = transaction.read(reference)
        if stored is None or stored["state"] not in OPEN:
            return None
        lease, moment = Lease.read(stored["lease"]), now()
        if lease and lease.holder == holder:  # the answer of the commit was lost
            return Claim(identifier, holder, stored)
        if is_held(lease, moment):
            return None
        if stored["attempts"] >= settings().digest_attempts:
            why = str(stored["error"] or "it was begun and never ended")
            return why if _fail(client, transaction, reference, stored, why) == "failed" else None
        taken = take(lease, holder, settings().digest_timeout, moment).model_dump()
        attempts = stored["attempts"] + 1
        transaction.update(reference, {"state": "claimed", "lease": taken, "attempts": attempts})
        return Claim(identifier, holder, stored)

    return Documents(client).run(step)


def finish(
    client: firestore.Client, claim: Claim, error: BaseException | None = None, *, counts: bool = True
) -> End | None:
    """Record how an attempt ended: done, or after an error left to the next tick, or failed after too many.

    Return the state of the slot, None if another has taken it over. An error that does not count leaves the
    number of attempts as it was.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
    """
    reference = client.collection(TICKS).document(claim.id)

    def step(transaction: ShortTransaction) -> End | None:
        [stored] = transaction.read(reference)
        lease = Lease.read(stored["lease"]) if stored else None
        if stored is None or lease is None or lease.holder != claim.holder:
            return None
        if error is None:
            return _end(transaction, reference, "done")
        name, attempts = type(error).__name__, stored["attempts"]
        if counts and attempts >= settings().digest_attempts:
            return _fail(client, transaction, reference, stored, name)
        transaction.update(reference, {"attempts": attempts if counts else attempts - 1})
        return _end(transaction, reference, "due", name)

    return Documents(client).run(step)


def _end(
    transaction: ShortTransaction,
    reference: firestore.DocumentReference,
    state: End,
    error: str | None = None,
) -> End:
    transaction.update(reference, {"state": state, "lease": None, "error": error})
    return state


def _fail(
    client: firestore.Client,
    transaction: ShortTransaction,
    reference: firestore.DocumentReference,
    stored: dict[str, Any],
    why: str,
) -> End:
    """End a slot after its last attempt; the caller has written nothing yet.

    If the digest is stored and only the end was not recorded, the slot is done. The next `since-last` digest
    covers this one's window too, unless a later one did; it may repeat what those later ones covered.
    """
    [digest] = transaction.read(client.collection(DIGESTS).document(reference.id), fields=[])
    clock = client.collection(CLOCKS).document(stored["schedule"])
    [kept] = transaction.read(clock)
    if digest is not None:
        return _end(transaction, reference, "done")
    if kept and kept["last_end"]:
        lost = stored["window"]
        others = [window for window in kept["recent"] if window["end"] != lost["end"]]
        covered = any(window["start"] <= lost["start"] and lost["end"] <= window["end"] for window in others)
        last_end = kept["last_end"] if covered else min(kept["last_end"], lost["start"])
        transaction.update(clock, {"last_end": last_end, "recent": others})
    return _end(transaction, reference, "failed", why)


def run_due(client: firestore.Client, at: datetime, make: Callable[[Tick], object]) -> list[str]:
    """Plan what is due at a moment, make it, and return the ids of what was made.

    `make` may be called again for the same slot, also while it is at work.

    Raises:
        Retryable: Firestore cannot be reached.
    """
    started = time.monotonic()
    _plan(client, at)
    made: list[str] = []
    for identifier in unfinished(client, horizon(at)):
        if time.monotonic() - started > settings().digest_timeout * SHARE:
            break
        try:
            if _attempt(client, identifier, make):
                made.append(identifier)
        except Exception as error:
            if is_transient(error):
                raise
            # Its record cannot even be claimed, so no attempt is counted; the others have no part in that.
            get_logger("digest").error("a digest's record cannot be used", digest=identifier, error=error)
    return made


def _plan(client: firestore.Client, at: datetime) -> None:
    """Plan the slots of every schedule."""
    log, defined, clocks = get_logger("digest"), definitions(client), read_clocks(client)
    for problem in defined.problems:
        log.warning("a schedule cannot be used", schedule=problem.name, problem=problem.message)
    for schedule in defined.schedules:
        clock = clocks.get(schedule.name)
        try:
            if clock and is_ahead(clock, at):
                stands = {"schedule": schedule.name, "until": clock["upto"]}
                log.warning("a schedule's clock is far ahead, edit its time to begin anew", **stands)
            if not must_plan(schedule, clock, at):
                continue
            planned = plan(client, schedule, at)
        except Exception as error:
            if is_transient(error):
                raise
            # One that cannot be planned is no reason to leave out the others.
            log.error("a schedule was not planned", schedule=schedule.name, error=error)  # noqa: TRY400 - `error` logs the stack without values
            continue
        for name in planned["due"]:
            log.info("digest planned", digest=name)
        if skipped := planned["skipped"]:
            counts = {"skipped": len(skipped), "newest": skipped[-1]}
            log.warning("digests were missed for too long", schedule=schedule.name, **counts)
    if not defined.problems:  # else one that is missing may be among them
        forget(client, clocks, {schedule.name for schedule in defined.schedules})


def _attempt(client: firestore.Client, identifier: str, make: Callable[[Tick], object]) -> bool:
    """Return whether the digest was made here and now."""
    log = get_logger("digest").bind(digest=identifier)
    held = claim(client, identifier)
    if not isinstance(held, Claim):
        if held:
            log.error("digest failed for good", reason=held)
        return False
    try:
        make(held.tick())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted, logged and no other's affair
        counts = not is_transient(error) or now() - held.stored["planned_at"] > OUTAGE
        left = finish(client, held, error, counts=counts)
        if left == "done":
            log.warning("digest made, with an error after it", error=error)
        elif left == "failed":
            log.error("digest failed for good", error=error)  # noqa: TRY400 - `error` logs the stack without values
        else:
            log.warning("digest failed, the next tick tries again", error=error)
        return False
    finish(client, held)
    log.info("digest made")
    return True
