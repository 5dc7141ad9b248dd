"""Which digests are due? `clocks/{schedule}` says up to when the slots of a schedule are planned.

To plan is one transaction: it writes a record for each slot, with the window and the schedule as they are
then, and moves the clock past them. So a slot is planned once, whatever comes twice, late or at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.digests import slots
from shared.digests.records import Window
from shared.digests.ticks import CLOCKS, TICKS, tick_id
from shared.documents import Documents, now
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.cloud import firestore

    from shared.digests.schedules import Schedule

EARLIER = 8
"""Windows before its own that a digest compares with."""
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


def must_plan(schedule: Schedule, clock: Mapping[str, Any] | None, published: datetime) -> bool:
    """Whether a tick that was published then changes the clock; most do not, and then nothing is written."""
    if clock is None or clock["timing"] != slots.fingerprint(schedule):
        return True
    coming = slots.following(schedule, clock["upto"])
    return coming is not None and coming <= _horizon(published)


def plan(client: firestore.Client, schedule: Schedule, published: datetime) -> Planned:
    """Put down the slots that are due by a tick, and move the schedule's clock past them.

    A schedule that is new, or whose timing was edited, begins at the tick. A late tick moves nothing back.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
    """
    reference = client.collection(CLOCKS).document(schedule.name)

    def step(transaction: firestore.Transaction) -> Planned:
        clock: dict[str, Any] | None = reference.get(transaction=transaction).to_dict()
        timing = slots.fingerprint(schedule)
        if clock is None or clock["timing"] != timing:
            upto = max(published, clock["upto"]) if clock else published
            fields = {"timing": timing, "upto": upto, "updated_at": now()}
            before = clock or {"last_end": None, "recent": []}
            transaction.set(reference, before | fields)
            return Planned([], [])
        found = slots.slots(
            schedule, clock["upto"], _horizon(published), settings().digest_catch_up + MAX_SKIPPED
        )
        if not found:  # a late tick, or one that was quicker
            return Planned([], [])
        return _write(client, transaction, schedule, clock, found)

    return Documents(client).run(step)


def forget(client: firestore.Client, clocks: Mapping[str, Mapping[str, Any]], defined: Iterable[str]) -> None:
    """Let clocks of schedules that are gone begin anew, should these come back: nobody missed a digest."""
    for name in clocks.keys() - {*defined}:
        if clocks[name]["timing"] is not None:
            client.collection(CLOCKS).document(name).update({"timing": None, "updated_at": now()})


def _write(
    client: firestore.Client,
    transaction: firestore.Transaction,
    schedule: Schedule,
    clock: dict[str, Any],
    found: list[datetime],
) -> Planned:
    """The records of slots that are due, oldest first, but of those that have one; and the clock."""
    keep = settings().digest_catch_up
    names = {tick_id(schedule.name, slot): slot for slot in found}
    records = client.collection(TICKS)
    references = [records.document(name) for name in names]
    known = {one.id for one in client.get_all(references, [], transaction=transaction) if one.exists}
    recent = [Window.model_validate(one) for one in clock["recent"]]
    last_end = clock["last_end"]
    planned = Planned([], [])
    for at, (name, slot) in enumerate(names.items(), start=1 - len(names)):
        made = at > -keep
        window = slots.window(schedule, slot, last_end)
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
    moved = {
        "upto": found[-1],
        "last_end": last_end,
        "recent": [one.model_dump() for one in recent],
        "updated_at": now(),
    }
    transaction.update(client.collection(CLOCKS).document(schedule.name), moved)
    return planned


def _horizon(published: datetime) -> datetime:
    """Slots up to then are due: the transactions that belong to their windows have ended."""
    return published - timedelta(seconds=settings().digest_grace)
