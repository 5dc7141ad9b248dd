"""Whether schedules can be used, and whether digests were made and told."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from google.cloud.firestore_v1.base_query import FieldFilter

from cli.diagnosis.findings import LIMITS, Finding
from shared.clients import firestore_client
from shared.digests.definitions import definitions
from shared.digests.tell.outbox import COLLECTION as DELIVERIES
from shared.digests.ticks import TICKS
from shared.documents import now
from shared.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.diagnosis.findings import Target

SHOWN = 20
"""Of a kind."""
RECENT = timedelta(days=40)
"""For so long a digest that failed is named, a monthly one until its next; its record stays for ever."""


def check_digests(_: Target) -> Iterator[Finding]:
    """Schedules first: without them the rest cannot be."""
    yield from schedules()
    yield from made()
    yield from told()


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
        detail = f"could not be made: {named}; the log of the function digest tells why"
        fix = "When the cause is gone, for the same documents: headrace digest --schedule NAME --since SPAN"
        yield Finding("digests", "warning", detail, fix)
    else:
        yield Finding("digests", "ok", f"none failed in the last {RECENT.days} days")


def told() -> Iterator[Finding]:
    """Messages that could not be sent, and those that wait for longer than they should."""
    deliveries = firestore_client().collection_group(DELIVERIES)
    given_up = deliveries.where(filter=FieldFilter("state", "==", "undelivered"))
    query = given_up.order_by("next_at", direction="DESCENDING").limit(SHOWN)
    found = [snapshot.to_dict() or {} for snapshot in query.get(**LIMITS)]
    if found:
        newest = found[0]
        detail = f"{len(found)} messages about digests were given up; the newest: {newest['reason']}"
        days = (now() - newest["next_at"]).days
        yield Finding("told", "warning", f"{detail} ({days} days ago)", "headrace digest list")
    else:
        yield Finding("told", "ok", "no message about a digest was given up")
