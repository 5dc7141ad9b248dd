"""The bad news that matters, and the good: few of each, nothing said twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.digests.compute.pool import POOL, Best, Found
from shared.digests.compute.quotes import quotes
from shared.text.summary.gravity import is_feared, tells_of_death

if TYPE_CHECKING:
    from shared.digests.records import Quote

MAX_INCIDENTS = 12
MAX_POSITIVES = 6
PER_DOCUMENT = 2
"""Of either, so that one bad report does not hide all others."""


class Moods:
    """The window's most negative and most positive sentences."""

    def __init__(self) -> None:
        """Without any."""
        self._bad: Best[Found] = Best(POOL)
        self._good: Best[Found] = Best(POOL)

    def offer(self, one: Found) -> None:
        """Take up a sentence, by the roles that it was kept for."""
        kept = one.kept
        if "negative" in kept["roles"]:
            death = tells_of_death(kept["text"], kept["negative"], kept["positive"])
            self._bad.add((not death, is_feared(kept["text"]), -kept["negative"], *one.at), one)
        if "positive" in kept["roles"]:
            self._good.add((-kept["positive"], *one.at), one)

    def incidents(self) -> list[Quote]:
        """People's deaths first; then what went wrong, then what might; the surest of each first."""
        return quotes(self._bad, MAX_INCIDENTS, PER_DOCUMENT)

    def positives(self) -> list[Quote]:
        """The surest first."""
        return quotes(self._good, MAX_POSITIVES, PER_DOCUMENT)
