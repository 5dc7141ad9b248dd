"""`headrace replay`: new runs of documents, each of which copies what the old run has."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cli.results import stored
from shared.documents.store import COLLECTION, now
from shared.documents.uploads import restart_all
from shared.platform.clients import firestore_client

if TYPE_CHECKING:
    from collections.abc import Sequence

HOUR = timedelta(hours=1)
NEEDED = ("id", "bucket", "name", "generation", "run", "size", "content_type", "metadata")
"""Of a record, which has a summary and more besides."""


def replay(identifiers: Sequence[str], *, since: timedelta | None) -> list[str]:
    """Start a new run of each document, or of every failed one where none is named; their names.

    Asked twice, a run is restarted once: what was broken off is simply said again.
    """
    from google.cloud.firestore_v1.base_query import FieldFilter

    chosen = [stored(identifier) for identifier in identifiers]
    if not identifiers:
        failed = firestore_client().collection(COLLECTION).where(filter=FieldFilter("state", "==", "failed"))
        if since is not None:
            failed = failed.where(filter=FieldFilter("updated_at", ">=", now() - since))
        chosen = [snapshot.to_dict() or {} for snapshot in failed.select(NEEDED).stream()]
    restart_all(chosen)
    return [f"{found['id']}  {found['name']}" for found in chosen]


def none_failed(since: timedelta | None) -> str:
    """What is said where no document was chosen."""
    if since is None:
        return "No document has failed."
    return "No document has failed in the last " + ("hour." if since == HOUR else f"{since / HOUR:g} hours.")
