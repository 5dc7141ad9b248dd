"""What an organisation's reports before the window had said already of the plans of those before them.

A plan of which one of them said that it is implemented is done with: it does not vanish where a new report
says nothing of it any more. And that a plan has vanished is told once for each year that reports are about,
with the first document about it that says enough: to tell it again with each leaflet after the annual report
would make it no truer. Which that is follows from the reports stored, whether or not a digest was made of its
window; where none was, nobody is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.digests.compute.follow import MIN_INITIATIVES, NEAR
from shared.digests.compute.pool import ALIKE, cosines, matrix

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shared.digests.compute.pool import Found
    from shared.digests.compute.selection import Doc

MAX_OF_ORGANISATION = 1_000
"""Implemented initiatives, those of the newest reports."""
MAX_IN_ALL = 20_000
"""The same of all organisations: some 16 MB, because their words are not kept."""


def before(one: Doc, other: Doc) -> bool:
    """Whether a report comes before another of its organisation: by the year reported on, else by upload."""
    if one.year is not None and other.year is not None and one.year != other.year:
        return one.year < other.year
    return one.completed_at < other.completed_at


class Reported:
    """What the reports of one organisation that completed before the window had said."""

    def __init__(self) -> None:
        """No reports."""
        self._done: list[Found] = []
        self._compared: dict[tuple[str | None, int | None], datetime] = {}

    def add(self, found: Sequence[Found], limit: int) -> int:
        """Take up what was kept of a report, the newest first; how many of `limit` initiatives were taken."""
        initiatives = [one for one in found if "initiative" in one.kept["roles"]]
        if len(initiatives) >= MIN_INITIATIVES:
            of = initiatives[0].doc
            key = (of.space, of.year)
            self._compared[key] = max(of.completed_at, self._compared.get(key, of.completed_at))
        done = [
            one._replace(kept={"topics": one.kept["topics"]})
            for one in initiatives
            if one.kept["action"] == "implemented"
        ][: min(limit, MAX_OF_ORGANISATION - len(self._done))]
        self._done += done
        return len(done)

    def left_open(self, planned: Sequence[Found]) -> list[Found]:
        """The plans of which no later report said that they are implemented."""
        closed: set[int] = set()
        for space in {one.doc.space for one in self._done}:
            done = [one for one in self._done if one.doc.space == space]
            places = [at for at, plan in enumerate(planned) if plan.doc.space == space]
            if places:
                closed |= {places[row] for row in _closed([planned[at] for at in places], done)}
        return [plan for at, plan in enumerate(planned) if at not in closed]

    def told(self, report: Doc, new: Doc) -> bool:
        """Whether an earlier document about the year of this one could be compared with a report's plans."""
        last = self._compared.get((new.space, new.year))
        return last is not None and report.completed_at < last


def _closed(planned: Sequence[Found], done: Sequence[Found]) -> set[int]:
    """Places of the plans that are done: one that was done is near to each, or to one that says the same.

    Another report may have worded the plan a little further from what became of it.
    """
    vectors = matrix(planned)
    closing: dict[int, list[Found]] = {}
    for row, column in np.argwhere(cosines(vectors, matrix(done)) >= NEAR).tolist():
        if before(planned[row].doc, done[column].doc) and _share_topic(planned[row], done[column]):
            closing.setdefault(row, []).append(done[column])
    closed = set(closing)
    for row, other in np.argwhere(cosines(vectors, vectors) >= ALIKE).tolist():
        if _share_topic(planned[row], planned[other]):
            closed |= {row for one in closing.get(other, ()) if before(planned[row].doc, one.doc)}
    return closed


def _share_topic(one: Found, other: Found) -> bool:
    return not set(one.kept["topics"]).isdisjoint(other.kept["topics"])
