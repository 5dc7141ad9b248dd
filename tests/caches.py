"""What a process makes once of its environment, to be made anew where a test has changed that."""

from __future__ import annotations

from shared.platform import clients
from shared.platform.settings import settings

CACHES = (
    settings,
    clients.storage_client,
    clients.firestore_client,
    clients.publisher,
    clients.secrets,
    clients.secret,
    clients.jobs,
    clients.executions,
)


def forget() -> None:
    """Of all of it."""
    for cached in CACHES:
        cached.cache_clear()
