"""What Cloud Scheduler does in the cloud: publish heartbeats to `ticks`; functions see what is due."""

from __future__ import annotations

import time

KINDS = {"sweep": 300.0, "digest": 60.0}
"""Seconds between two heartbeats of a kind."""
PUBLISH_SECONDS = 2.0
AGAIN_SECONDS = 2.0
"""After a request for reconciliation that could not be published."""


class Heartbeat:
    """Beats when it is asked and due.

    A beat that cannot be published is left out, since the next one does its work. A request for
    reconciliation is repeated until it is published.
    """

    def __init__(self) -> None:
        """The first beats are due one interval from now."""
        self._due = {kind: time.monotonic() + seconds for kind, seconds in KINDS.items()}
        self._reconcile_at: float | None = None

    def reconcile(self) -> None:
        """Let sweep look, at the next beat, for uploaded files that nobody was notified of."""
        self._reconcile_at = time.monotonic()

    def beat(self) -> None:
        """Publish what is due."""
        for kind, due in self._due.items():
            if time.monotonic() >= due:
                self._due[kind] = time.monotonic() + KINDS[kind]
                self.tick(kind)
        if self._reconcile_at is not None and time.monotonic() >= self._reconcile_at:
            published = self.tick("sweep", reconcile="now")
            self._reconcile_at = None if published else time.monotonic() + AGAIN_SECONDS

    def tick(self, kind: str, **attributes: str) -> bool:
        """Publish a heartbeat now; return whether Pub/Sub has it."""
        from google.api_core.exceptions import GoogleAPICallError, RetryError

        from shared.platform.pubsub import publish
        from shared.platform.settings import TICKS

        try:
            publish(TICKS, [(b"{}", {"kind": kind, **attributes})], seconds=PUBLISH_SECONDS)
        except (GoogleAPICallError, RetryError):
            return False
        return True
