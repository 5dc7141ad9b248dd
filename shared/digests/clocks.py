"""Which digests are due? `clocks/{schedule}` says up to when the slots of a schedule are planned.

To plan is one transaction: it writes a record for each slot, with the window and the schedule as they are
then, and moves the clock past them. So a slot is planned once, whatever comes twice, late or at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from shared.digests import slots
from shared.digests.records import Window
from shared.digests.schedules import Schedule
from shared.digests.ticks import CLOCKS, TICKS, tick_id
from shared.documents.store import Documents, now
from shared.platform.logs import get_logger
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
            planned, told = _write(client, transaction, by, clock, found)
            moved = told | {"upto": found[-1]} | moved
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
        # Not those that it tells again: `last_end` goes back where a digest has failed.
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
