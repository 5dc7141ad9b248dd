"""What a digest is computed from, and what comes of it."""

from __future__ import annotations

from pydantic import NonNegativeInt

from shared.digests.records import Digest, Filter, Window
from shared.digests.stored import Statistics
from shared.platform.records import Record


class Request(Record):
    """A digest that is to be made."""

    id: str
    schedule: str
    zone: str
    window: Window
    filter: Filter
    earlier: list[Window]
    """Newest first; the first is the previous one."""


class Made(Record):
    """The digest, and what belongs to it."""

    digest: Digest
    statistics: Statistics
    reads: NonNegativeInt
    """Documents that were read from Firestore."""
