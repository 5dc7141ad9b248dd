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

from pydantic import AwareDatetime, ValidationError

from shared.digests import slots
from shared.digests.records import Window
from shared.digests.schedules import Schedule, definitions
from shared.documents.store import Documents, now
from shared.platform.lease import Lease, is_held, take
from shared.platform.logs import get_logger
from shared.platform.records import Record
from shared.platform.retry import is_transient
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from google.cloud import firestore


EARLIER = 8
"""Windows before its own that a digest compares with."""
AHEAD = timedelta(days=1)
"""Clocks of machines differ by less; a schedule's that is further ahead was moved there by a wrong one."""
MAX_SKIPPED = 100
"""Slots that are recorded as skipped at once, the newest; of older ones nothing is kept."""


@dataclass(frozen=True)
class Planned:
    """What became of the slots that were due."""

    due: list[str]
    skipped: list[str]


def read_clocks(client: firestore.Client) -> dict[str, dict[str, Any]]:
    """All of them, by the schedule's name."""
    return {clock.id: clock.to_dict() or {} for clock in client.collection(CLOCKS).stream()}


def must_plan(schedule: Schedule, clock: Mapping[str, Any] | None, at: datetime) -> bool:
    """Whether a tick at that moment changes the clock; most do not, and then nothing is written."""
    if clock is None or any(clock.get(name) != value for name, value in _rule(schedule).items()):
        return True
    coming = slots.following(schedule, clock["upto"])
    return coming is not None and coming <= horizon(at)


def is_ahead(clock: Mapping[str, Any], at: datetime) -> bool:
    """Whether a schedule stands still until a time far off, to which a machine's wrong clock has moved it."""
    ahead: bool = clock["upto"] - at > AHEAD
    return ahead


def plan(client: firestore.Client, schedule: Schedule, at: datetime) -> Planned:
    """Put down the slots that are due by a tick, and move the schedule's clock past them.

    A schedule that is new begins at the tick. So does a timing that was edited, after all that was due by the
    one before, also if its grace is not over yet. No tick moves a clock back, but the first after an edit one
    that is ahead; what has a record is not planned again.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
    """
    reference = client.collection(CLOCKS).document(schedule.name)

    def step(transaction: firestore.Transaction) -> Planned:
        clock: dict[str, Any] | None = reference.get(transaction=transaction).to_dict()
        rule = _rule(schedule)
        if clock is None:
            begun: dict[str, Any] = {"upto": at, "last_end": None, "recent": [], "updated_at": now()}
            transaction.set(reference, rule | begun)
            return Planned([], [])
        edited = clock["timing"] != rule["timing"]
        by = _former(clock, schedule.name) if edited else schedule
        planned = Planned([], [])
        begun_at = at if is_ahead(clock, at) else max(at, clock["upto"])
        moved: dict[str, Any] = {"upto": begun_at} if edited else {}
        limit = settings().digest_catch_up + MAX_SKIPPED
        if by and (found := slots.slots(by, clock["upto"], at if edited else horizon(at), limit)):
            planned, written = _write(client, transaction, by, clock, found)
            moved = written | {"upto": found[-1]} | moved
        if moved or clock.get("definition") != rule["definition"]:  # else another tick was quicker
            transaction.update(reference, rule | moved | {"updated_at": now()})
        return planned

    return Documents(client).run(step)


def horizon(at: datetime) -> datetime:
    """Slots up to then are made: the transactions that belong to their windows have ended."""
    return at - timedelta(seconds=settings().digest_grace)


def forget(client: firestore.Client, clocks: Mapping[str, Mapping[str, Any]], defined: Iterable[str]) -> None:
    """Let clocks of schedules that are gone begin anew, should these come back: nobody missed a digest.

    Nor is anything planned that was due before: who removes a schedule wants to hear no more of it.
    """
    for name in clocks.keys() - {*defined}:
        if clocks[name].get("timing") is not None:
            client.collection(CLOCKS).document(name).update({"timing": None, "updated_at": now()})


def _write(
    client: firestore.Client,
    transaction: firestore.Transaction,
    schedule: Schedule,
    clock: dict[str, Any],
    found: list[datetime],
) -> tuple[Planned, dict[str, Any]]:
    """The records of slots that are due, oldest first, but of those that have one; what the clock notes."""
    keep = settings().digest_catch_up
    names = {tick_id(schedule.name, slot): slot for slot in found}
    records = client.collection(TICKS)
    references = [records.document(name) for name in names]
    known = {one.id for one in client.get_all(references, [], transaction=transaction) if one.exists}
    recent = _recent(clock)
    last_end = clock["last_end"]
    planned = Planned([], [])
    for at, (name, slot) in enumerate(names.items(), start=1 - len(names)):
        made = at > -keep
        window = slots.window(schedule, slot, last_end)
        # Not those that it covers again: `last_end` goes back where a digest has failed.
        recent = [one for one in recent if one.end <= window.start]
        fields: dict[str, Any] = {
            "schedule": schedule.name,
            "slot": slot,
            "window": window.model_dump(),
            "definition": schedule.model_dump(mode="json"),
            "state": "due" if made else "skipped",
            "earlier": [one.model_dump() for one in slots.earlier(schedule, window, EARLIER, recent)],
            "lease": None,
            "attempts": 0,
            "error": None,
            "digest": None,
            "planned_at": now(),
        }
        if name not in known:
            transaction.create(records.document(name), fields | {"updated_at": fields["planned_at"]})
            (planned.due if made else planned.skipped).append(name)
        if made:
            recent = [window, *recent][:EARLIER]
            last_end = slot
    return planned, {"last_end": last_end, "recent": [one.model_dump() for one in recent]}


def _rule(schedule: Schedule) -> dict[str, Any]:
    """What a clock runs by: kept with it, so that what was due when that is edited is known."""
    return {"timing": slots.fingerprint(schedule), "definition": schedule.model_dump(mode="json")}


def _former(clock: Mapping[str, Any], name: str) -> Schedule | None:
    """What the clock has run by; None: nothing, for its schedule was gone, or another release wrote it."""
    if clock["timing"] is None or "definition" not in clock:
        return None
    try:
        former = Schedule.model_validate(clock["definition"])
        slots.check(former)
    except ValueError:
        get_logger("digest").warning("what was due before an edit is not known", schedule=name)
        return None
    return former if slots.fingerprint(former) == clock["timing"] else None


def _recent(clock: Mapping[str, Any]) -> list[Window]:
    try:
        return [Window.model_validate(one) for one in clock["recent"]]
    except ValidationError:  # of a newer release; they only save to compare with slots in their place
        return []


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
    """Return the id of a slot's record and of its digest."""
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
        lease = Lease.read(stored["lease"])
        if lease and lease.holder == holder:  # the answer of the commit was lost
            return Claim(identifier, holder, stored)
        if is_held(lease, moment):
            return None
        if stored["attempts"] >= settings().digest_attempts:
            why = str(stored["error"] or "it was begun and never ended")
            return why if _fail(client, transaction, reference, stored, why) == "failed" else None
        fields = {
            "state": "claimed",
            "lease": take(lease, holder, settings().digest_timeout, moment).model_dump(),
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

    The next `since-last` digest covers this one's window too, unless a later one did; it may repeat what
    those later ones covered.
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
        covered = any(one["start"] <= lost["start"] and lost["end"] <= one["end"] for one in others)
        last_end = kept["last_end"] if covered else min(kept["last_end"], lost["start"])
        transaction.update(clock, {"last_end": last_end, "recent": others})
    return "failed"


def _held(stored: dict[str, Any] | None, claim: Claim) -> bool:
    lease = Lease.read(stored["lease"]) if stored else None
    return lease is not None and lease.holder == claim.holder


OUTAGE = timedelta(days=1)
"""For which errors that pass by themselves do not count as attempts."""
SHARE = 0.5
"""Share of the time limit after which no further digest is begun."""


def run_due(client: firestore.Client, at: datetime, make: Callable[[Tick], str]) -> list[str]:
    """One round.

    Args:
        client: Firestore.
        at: the moment that decides what is due.
        make: makes a digest and returns its id; it may be called again for the same one, also meanwhile.

    Returns:
        Ids of the digests that were made.

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
            if digest := _attempt(client, identifier, make):
                made.append(digest)
        except Exception as error:
            if is_transient(error):
                raise
            # Its record cannot even be claimed, so no attempt is counted; the others have no part in that.
            get_logger("digest").error("a digest's record cannot be used", digest=identifier, error=error)
    return made


def _plan(client: firestore.Client, at: datetime) -> None:
    log = get_logger("digest")
    found = definitions(client)
    for problem in found.problems:
        log.warning("a schedule cannot be used", schedule=problem.name, problem=problem.message)
    known = read_clocks(client)
    for schedule in found.schedules:
        clock = known.get(schedule.name)
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
        for name in planned.due:
            log.info("digest planned", digest=name)
        if planned.skipped:
            counts = {"skipped": len(planned.skipped), "newest": planned.skipped[-1]}
            log.warning("digests were missed for too long", schedule=schedule.name, **counts)
    if found.complete:
        named = {one.name for one in found.schedules} | {one.name for one in found.problems}
        forget(client, known, named)


def _attempt(client: firestore.Client, identifier: str, make: Callable[[Tick], str]) -> str | None:
    """The digest's id, if it was made here and now."""
    log = get_logger("digest").bind(digest=identifier)
    held = claim(client, identifier)
    if held is None:
        return None
    if isinstance(held, str):
        log.error("digest failed for good", reason=held)
        return None
    try:
        digest = make(held.tick())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted, logged and no other's affair
        counts = not is_transient(error) or now() - held.planned_at > OUTAGE
        left = give_back(client, held, error, counts=counts)
        if left == "done":
            log.warning("digest made, with an error after it", error=error)
        elif left == "failed":
            log.error("digest failed for good", error=error)  # noqa: TRY400 - `error` logs the stack without values
        else:
            log.warning("digest failed, the next tick tries again", error=error)
        return None
    finish(client, held, digest)
    log.info("digest made")
    return digest
