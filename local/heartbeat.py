"""What Cloud Scheduler does in the cloud: publish heartbeats to `ticks`; functions see what is due."""

from __future__ import annotations

import time

KINDS = {"sweep": 300.0, "digest": 60.0}
"""Seconds between two heartbeats of a kind."""
PUBLISH_SECONDS = 2.0


class Heartbeat:
    """Beats when it is asked and due; a beat that is lost makes nothing wrong, only later."""

    def __init__(self) -> None:
        """The first beats are due one interval from now."""
        self._due = {kind: time.monotonic() + seconds for kind, seconds in KINDS.items()}

    def beat(self) -> None:
        """Publish what is due."""
        for kind, due in self._due.items():
            if time.monotonic() >= due:
                self._due[kind] = time.monotonic() + KINDS[kind]
                self.tick(kind)

    def tick(self, kind: str) -> None:
        """Publish a heartbeat now."""
        from google.api_core.exceptions import GoogleAPICallError, RetryError

        from shared.platform.pubsub import publish
        from shared.platform.settings import TICKS

        try:
            publish(TICKS, [(b"{}", {"kind": kind})], seconds=PUBLISH_SECONDS)
        except (GoogleAPICallError, RetryError):
            return
