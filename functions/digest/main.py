"""On a tick: make the digests that are due, each once, and notify people of them.

Cloud Scheduler's ticks say neither for whom nor for when; what is due follows from the time. A tick that
comes late is taken at the present time: if each tick of a backlog were taken at its own, none would see that
too much was missed. A tick's time of publishing counts where this machine's clock is behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import functions_framework
from pydantic import ValidationError

from shared.digests.ticks import run_due
from shared.documents.store import now
from shared.platform.clients import firestore_client
from shared.platform.errors import Malformed
from shared.platform.logs import get_logger
from shared.platform.pubsub import Push, answer

if TYPE_CHECKING:
    from flask import Request
    from google.cloud import firestore

    from shared.digests.ticks import Tick


@functions_framework.http
def digest(request: Request) -> tuple[str, int]:
    """The entry point: a push from the `ticks` topic, `kind=digest`."""
    return answer("digest", request, on_tick)


def on_tick(push: Push) -> None:
    """Make and send what is due."""
    from shared.digests.notify import notify_pending  # most ticks find nothing due; this is for those that do

    client = firestore_client()
    if push.attributes.get("asked"):
        make_asked(client, push)
        return
    made = run_due(client, max(push.published, now()), make)
    notified = notify_pending(client, now())
    get_logger("digest").info("digests", made=len(made), notified=notified)


def make_asked(client: firestore.Client, push: Push) -> None:
    """Make a digest that somebody asked for; asked again, or delivered twice, it is one."""
    from shared.digests.issue import issue, request_of
    from shared.digests.on_demand import Wanted

    try:
        wanted = Wanted.model_validate_json(push.data)
    except ValidationError:
        raise Malformed("not_a_wish", "The message asks for no digest.", "See who publishes it.") from None
    issue(client, request_of(client, wanted))


def make(tick: Tick) -> None:
    """Make the digest of a slot, store it and enqueue its notifications."""
    from shared.digests.compute import Request
    from shared.digests.issue import issue

    schedule = tick.definition
    request = Request(
        id=tick.id,
        schedule=schedule.name,
        zone=schedule.zone,
        window=tick.window,
        filter=schedule.filter,
        earlier=tick.earlier,
    )
    issue(firestore_client(), request, notify=schedule.notify)
