"""Notify people of digests: an outbox that is written with the digest and emptied later."""

from shared.digests.notify.outbox import enqueue, notify_pending

__all__ = ["enqueue", "notify_pending"]
