"""Compute how long a message waits after a failure, from the subscription's retry policy."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.pubsub.protos import Subscription

DEFAULT_MIN_BACKOFF = 10.0
DEFAULT_MAX_BACKOFF = 600.0
"""Seconds; what a retry policy means where it names none. No policy may name more than the maximum."""
JITTER = 0.25
"""Up to this share longer than the doubled backoff, so that what failed together comes back apart."""


def backoff(config: Subscription, failures: int) -> float:
    """Seconds until the next delivery after this many failures; none without a retry policy.

    Between the policy's minimum and maximum, doubling with each failure.
    """
    if not config.HasField("retry_policy"):
        return 0.0
    low: float = config.retry_policy.minimum_backoff.ToTimedelta().total_seconds()
    high: float = config.retry_policy.maximum_backoff.ToTimedelta().total_seconds()
    # 2 ** 60 is beyond any maximum; a higher power of a small minimum would overflow.
    doubled = low * 2.0 ** min(failures - 1, 60)
    return min(high, doubled * random.uniform(1.0, 1.0 + JITTER))  # noqa: S311  # spreads load, hides nothing
