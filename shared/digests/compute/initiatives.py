"""Planned beside implemented, by organisation and topic."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.digests.compute.pool import Best
from shared.digests.compute.quotes import quotes
from shared.digests.records import Group
from shared.platform.records import TOPICS

if TYPE_CHECKING:
    from shared.digests.compute.pool import Found
    from shared.digests.compute.selection import Doc
    from shared.digests.records import Quote
    from shared.documents.outcomes import Outcome

MAX_GROUPS = 40
"""Listed; the others are counted."""
MAX_QUOTES = 2
"""Of what a group implemented, and of what it plans."""
POOL = 256
"""The best of either, among which those that say the same are counted."""

ACTIONS = ("implemented", "planned")

Key = tuple[str, str | None]
"""Topic, and the key of the organisation."""


class Groups:
    """The initiatives of a window: counted first, and then quoted."""

    def __init__(self, topic: str | None) -> None:
        """Without any."""
        self._topic = topic
        self._counts: dict[Key, list[int]] = {}
        self._names: dict[str | None, Counter[str]] = {}
        self._best: dict[tuple[Key, str], Best[Found]] | None = None

    def count(self, outcome: Outcome) -> None:
        """Add the counts of a document."""
        if outcome.organisation:
            self._names.setdefault(outcome.organisation_key, Counter())[outcome.organisation] += 1
        for topic, cells in outcome.topics.items():
            if (cells.implemented or cells.planned) and self._topic in {None, topic}:
                group = self._counts.setdefault((topic, outcome.organisation_key), [0, 0])
                group[0] += cells.implemented
                group[1] += cells.planned

    def offer(self, doc: Doc, found: Found) -> None:
        """Take up a sentence of a document, if it is of a group that is listed."""
        if self._best is None:
            self._best = {(key, action): Best(POOL) for key in self._listed() for action in ACTIONS}
        for topic in found.kept["topics"]:
            key = (topic, doc.organisation_key)
            if (best := self._best.get((key, found.kept["action"]))) is not None:
                best.add((-found.kept["quality"], *found.at), found)

    def listed(self) -> Listed:
        """The largest groups, each with its best sentences, and how many others there are."""
        groups = [
            Group(
                topic=key[0],
                organisation=self._name(key[1]),
                implemented=self._counts[key][0],
                planned=self._counts[key][1],
                quotes=[quote for action in ACTIONS for quote in self._quotes(key, action)],
            )
            for key in self._listed()
        ]
        return Listed(groups, len(self._counts) - len(groups))

    def _quotes(self, key: Key, action: str) -> list[Quote]:
        best = (self._best or {}).get((key, action))
        return quotes(best, MAX_QUOTES, MAX_QUOTES) if best else []

    def _listed(self) -> list[Key]:
        def order(key: Key) -> tuple[Any, ...]:
            topic, organisation = key
            rank = TOPICS.index(topic) if topic in TOPICS else len(TOPICS)
            return (-sum(self._counts[key]), organisation is None, organisation or "", rank, topic)

        return sorted(self._counts, key=order)[:MAX_GROUPS]

    def _name(self, key: str | None) -> str | None:
        """As most documents spell it."""
        names = self._names.get(key)
        return min(names, key=lambda name: (-names[name], name)) if names else None


class Listed(NamedTuple):
    """Groups as a digest lists them."""

    groups: list[Group]
    left: int
