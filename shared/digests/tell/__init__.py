"""Who is told of a digest, and that they are: an outbox that is written with the digest and emptied later."""

from shared.digests.tell.outbox import enqueue, tell_pending

__all__ = ["enqueue", "tell_pending"]
