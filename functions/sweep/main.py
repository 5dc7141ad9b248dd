"""On a tick, recover or fail what stands still or was lost, and remove what is not needed any more.

Every step is bounded and may be repeated; what one tick leaves, the next one takes.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import functions_framework

from shared.digests.store import complete, erase, unwritten
from shared.documents.completion import announce, purge, remove_stale
from shared.documents.delegation import is_being_read
from shared.documents.erasure import seen
from shared.documents.model import Document
from shared.documents.recovery import SETTLED, read_some, recover, standing_still
from shared.documents.store import Documents, now, select
from shared.intake.reconciliation import reconcile
from shared.platform.clients import firestore_client
from shared.platform.errors import Superseded
from shared.platform.logs import get_logger
from shared.platform.pubsub import Push, answer
from shared.platform.retry import is_transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta

    from flask import Request

MAX_OUTAGES = 3
"""Transient errors after which a round ends: each may have taken as long as a transaction is tried."""


@functions_framework.http
def sweep(request: Request) -> tuple[str, int]:
    """The entry point: a push from the `ticks` topic, `kind=sweep`."""
    return answer("sweep", request, on_tick)


def on_tick(push: Push) -> None:
    """Do one round; a tick with `reconcile=now` also looks at files that were uploaded only now.

    Raises:
        Exception: the first transient error of the round, so that the tick comes again.
    """
    documents = Documents(firestore_client())
    this = _Round()
    this.documents("recovered", standing_still(documents.client), partial(recover, documents))
    unheard = read_some(
        documents.client, ("results_pending", "==", True), ("updated_at", "<", now() - SETTLED)
    )
    this.documents("announced", unheard, partial(announce, documents))
    left = read_some(documents.client, ("purge_pending", "==", True), ("updated_at", "<", now() - SETTLED))
    this.documents("purged", left, lambda document: purge(documents, document.id))
    replaced = read_some(documents.client, ("stale_artefacts", "==", True))
    this.documents("artefacts", replaced, lambda document: remove_stale(documents, document.id))
    expired = read_some(documents.client, ("expires_at", "<", now()))
    this.documents("expired", expired, partial(expire, documents))
    at_once = push.attributes.get("reconcile") == "now"
    this.attempt("notified", partial(reconcile, documents.client, at_once=at_once))
    this.take("digests", unwritten(documents.client), partial(write_digest, documents))
    get_logger("sweep").info("swept", **this.done, oldest_seconds=oldest_unfinished(documents))
    if this.outages:
        raise this.outages[0]


def expire(documents: Documents, document: Document) -> None:
    """Erase a document; one that is being read is left for a later tick: its results may follow."""
    if is_being_read(document):
        raise Superseded("it is being read")
    erase(documents.client, document.id, seen(document))


def write_digest(documents: Documents, fields: dict[str, Any]) -> None:
    """Write the files of a digest whose own process did not."""
    complete(documents.client, fields["id"])


class _Round:
    """Counts what was done; a document for which a step fails does not hold up the others."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.outages: list[Exception] = []

    def documents(
        self, kind: str, records: Iterable[dict[str, Any]], step: Callable[[Document], None]
    ) -> None:
        """Do the same as `take` with documents; a record that is not a valid document is left."""
        self.take(kind, records, lambda fields: step(Document.model_validate(fields)))

    def take(
        self, kind: str, records: Iterable[dict[str, Any]], step: Callable[[dict[str, Any]], None]
    ) -> None:
        """Try a step once with each record, and count it under this kind.

        Raises:
            Exception: the last of `MAX_OUTAGES` transient errors, whose cause is not a document.
        """
        for fields in records:
            self.attempt(kind, partial(step, fields), document=fields.get("id"))

    def attempt(self, kind: str, step: Callable[[], int | None], **about: str | None) -> None:
        """Try a step once, and count what it returns, or 1, under this kind. Raises as `take` does."""
        try:
            count = step()
        except Superseded:  # it moved on between the query and now, or has a time of its own now
            return
        except Exception as error:  # whatever it was, the next step may be in order
            self.done["left"] += 1
            passes = is_transient(error)
            get_logger("sweep").warning(
                "left for the next tick",
                **about,
                kind=kind,
                outcome=type(error).__name__,
                error=None if passes else error,
            )
            self.outages += [error] if passes else []
            if len(self.outages) >= MAX_OUTAGES:
                raise
        else:
            self.done[kind] += 1 if count is None else count


def oldest_unfinished(documents: Documents) -> float:
    """Seconds since the oldest unfinished document was uploaded; 0 where all have ended."""
    unfinished = select(documents.client, ("state", "in", ["extracting", "analyzing", "delegated"]))
    for snapshot in unfinished.order_by("timings.uploaded_at").limit(1).stream():
        waited: timedelta = now() - snapshot.get("timings.uploaded_at")
        return round(waited.total_seconds(), 1)
    return 0.0
