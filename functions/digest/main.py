"""On a tick: make the digests that are due, each once, and notify people of them.

Cloud Scheduler's ticks say neither for whom nor for when; what is due follows from the time, and a tick that
comes late finds due what a fresh one would. Of a backlog, taken each at its time, none would ever see that
too much was missed. Its time of publishing counts where this machine's clock is behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import functions_framework

from shared.digests.ticks import run_due
from shared.documents.store import now
from shared.platform.clients import firestore_client
from shared.platform.logs import get_logger
from shared.platform.pubsub import Push, answer

if TYPE_CHECKING:
    from flask import Request

    from shared.digests.ticks import Tick


@functions_framework.http
def digest(request: Request) -> tuple[str, int]:
    """The entry point: a push from the `ticks` topic, `kind=digest`."""
    return answer("digest", request, on_tick)


def on_tick(push: Push) -> None:
    """One round."""
    from shared.digests.notify import notify_pending  # most ticks find nothing due; this is for those that do

    client = firestore_client()
    made = run_due(client, max(push.published, now()), make)
    notified = notify_pending(client, now())
    get_logger("digest").info("digests", made=len(made), notified=notified)


def make(tick: Tick) -> str:
    """The id of the slot's digest."""
    from shared.digests.compute import Request
    from shared.digests.issue import issue

    schedule = tick.schedule
    request = Request(
        id=tick.id,
        schedule=schedule.name,
        zone=schedule.zone,
        window=tick.window,
        filter=schedule.filter,
        earlier=tick.earlier,
    )
    return issue(firestore_client(), request, notify=schedule.notify).digest.id
