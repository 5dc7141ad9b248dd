"""Check that schedules can be used, that digests were made, and that people were notified of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from google.cloud.firestore_v1.base_query import FieldFilter

from cli.diagnosis import LIMITS, Finding
from shared.digests.notify.outbox import COLLECTION as DELIVERIES
from shared.digests.schedules import definitions
from shared.digests.ticks import TICKS
from shared.documents.store import now
from shared.platform.clients import firestore_client
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.diagnosis import Target

SHOWN = 20
"""Of a kind."""
RECENT = timedelta(days=40)
"""For how long a failed digest or a failed notification is reported: for a monthly one, until the next.
The records stay for ever."""


def check_digests(_: Target) -> Iterator[Finding]:
    """Schedules first: without them the rest cannot be."""
    yield from schedules()
    yield from made()
    yield from notified()


def schedules() -> Iterator[Finding]:
    """Every schedule that cannot be used, or how many can."""
    try:
        found = definitions(firestore_client())
    except SetupError as error:
        yield Finding("schedules", "wrong", error.message, "See docs/digests.md")
        return
    for problem in found.problems[:SHOWN]:
        detail = f"{problem.name} of {problem.source} makes no digests: {problem.message}"
        yield Finding("schedules", "wrong", detail, "Correct it; docs/digests.md says what its fields may be")
    if not found.problems:
        yield Finding("schedules", "ok", f"{len(found.schedules)} can be used")


def made() -> Iterator[Finding]:
    """Digests of late that could not be made, the newest first."""
    failed = firestore_client().collection(TICKS).where(filter=FieldFilter("state", "==", "failed"))
    recent = failed.where(filter=FieldFilter("slot", ">", now() - RECENT))
    query = recent.order_by("slot", direction="DESCENDING").limit(SHOWN + 1)
    names = [snapshot.id for snapshot in query.get(**LIMITS)]
    if names:
        named = ", ".join(names[:SHOWN]) + (" and others before these" if names[SHOWN:] else "")
        detail = f"could not be made: {named}; the log of the function digest says why"
        fix = "When the cause is gone, for the same documents: headrace digest --schedule NAME --since SPAN"
        yield Finding("digests", "warning", detail, fix)
    else:
        yield Finding("digests", "ok", f"none failed in the last {RECENT.days} days")


def notified() -> Iterator[Finding]:
    """Messages of late that were given up."""
    deliveries = firestore_client().collection_group(DELIVERIES)
    given_up = deliveries.where(filter=FieldFilter("state", "==", "undelivered"))
    recent = given_up.where(filter=FieldFilter("next_at", ">", now() - RECENT))
    found = recent.order_by("next_at", direction="DESCENDING").limit(SHOWN + 1).get(**LIMITS)
    if found:
        newest = found[0].to_dict() or {}
        identifier = found[0].reference.path.split("/")[1]
        many = f"{SHOWN} or more" if found[SHOWN:] else str(len(found))
        days = max((now() - newest["next_at"]).days, 0)  # it is when the attempt's lease would have ended
        detail = f"messages that were given up: {many}; the newest, {days} days ago, of {identifier}"
        yield Finding("notified", "warning", f"{detail}: {newest['reason']}", "headrace digest list")
    else:
        yield Finding(
            "notified", "ok", f"no message about a digest was given up in the last {RECENT.days} days"
        )
