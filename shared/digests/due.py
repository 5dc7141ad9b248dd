"""On a tick: plan what has become due, and make what is planned, each digest for itself.

What one tick leaves, because it is at its limit or another is at it, the next one takes; so nothing here asks
Pub/Sub to deliver the tick again but an outage before anything was planned.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.digests import clocks, ticks
from shared.digests.definitions import definitions
from shared.documents.store import now
from shared.platform.logs import get_logger
from shared.platform.retry import is_transient
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud import firestore

OUTAGE = timedelta(days=1)
"""For which errors that pass by themselves do not count as attempts."""
SHARE = 0.5
"""Of the time limit, after which no further digest is begun."""


def run_due(client: firestore.Client, at: datetime, make: Callable[[ticks.Tick], str]) -> list[str]:
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
    for identifier in ticks.unfinished(client, clocks.horizon(at)):
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
    known = clocks.read_clocks(client)
    for schedule in found.schedules:
        clock = known.get(schedule.name)
        try:
            if clock and clocks.is_ahead(clock, at):
                stands = {"schedule": schedule.name, "until": clock["upto"]}
                log.warning("a schedule's clock is far ahead, edit its time to begin anew", **stands)
            if not clocks.must_plan(schedule, clock, at):
                continue
            planned = clocks.plan(client, schedule, at)
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
        clocks.forget(client, known, named)


def _attempt(client: firestore.Client, identifier: str, make: Callable[[ticks.Tick], str]) -> str | None:
    """The digest's id, if it was made here and now."""
    log = get_logger("digest").bind(digest=identifier)
    claim = ticks.claim(client, identifier)
    if claim is None:
        return None
    if isinstance(claim, str):
        log.error("digest failed for good", reason=claim)
        return None
    try:
        digest = make(claim.tick())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted, logged and no other's affair
        counts = not is_transient(error) or now() - claim.planned_at > OUTAGE
        left = ticks.give_back(client, claim, error, counts=counts)
        if left == "done":
            log.warning("digest made, with an error after it", error=error)
        elif left == "failed":
            log.error("digest failed for good", error=error)  # noqa: TRY400 - `error` logs the stack without values
        else:
            log.warning("digest failed, the next tick tries again", error=error)
        return None
    ticks.finish(client, claim, digest)
    log.info("digest made")
    return digest
