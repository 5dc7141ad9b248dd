"""What documents came to in earlier windows: as the digests of then kept it, else counted anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.digests.compute.measures import Earlier
from shared.digests.compute.selection import between, counts, fingerprint, fits, of_organisation
from shared.digests.compute.tally import Tally
from shared.digests.records import Window
from shared.digests.stored import Statistics
from shared.documents.outcomes import COLLECTION, COUNTS, outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.digests.compute.request import Request
    from shared.digests.compute.rows import Rows

DIGESTS = "digests"
MAX_EARLIER = 8
"""Windows that a digest is compared with."""


def history(rows: Rows, request: Request, limit: int) -> tuple[list[Earlier], list[str]]:
    """The earlier windows that could be read, newest first, and what is to be noted."""
    wanted = sorted(request.earlier, key=lambda one: one.start, reverse=True)[:MAX_EARLIER]
    known = _stored(rows, request, wanted)
    notes: list[str] = []
    for run in _runs([one for one in wanted if _edges(one) not in known]):
        found, left = _counted(rows, request, run, limit)
        known |= found
        limit -= left
        if len(found) < len(run):
            notes.append(
                f"{len(run) - len(found)} of the earlier windows are left out: they have more documents "
                "than HEADRACE_DIGEST_HISTORY_DOCUMENTS allows."
            )
    return [Earlier(one, known[_edges(one)]) for one in wanted if _edges(one) in known], notes


def _edges(window: Window) -> tuple[float, float]:
    return window.start.timestamp(), window.end.timestamp()


def _stored(rows: Rows, request: Request, wanted: Sequence[Window]) -> dict[tuple[float, float], Statistics]:
    """Those with exactly the same window, schedule and filter."""
    if not wanted:
        return {}
    conditions = [
        ("schedule", "==", request.schedule),
        ("asked", "==", fingerprint(request.filter)),
        ("end", "in", [one.end for one in wanted]),
    ]
    found: dict[tuple[float, float], Statistics] = {}
    for row in rows.matching(DIGESTS, conditions, ["statistics", "digest.window"]):
        edges = _edges(Window.model_validate(row["digest"]["window"]))
        found.setdefault(edges, Statistics.model_validate(row["statistics"]))
    return found


def _runs(windows: Sequence[Window]) -> list[list[Window]]:
    """Windows that follow each other are read by one query; newest first."""
    runs: list[list[Window]] = []
    for one in windows:
        if runs and runs[-1][-1].start == one.end:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _counted(
    rows: Rows, request: Request, run: Sequence[Window], limit: int
) -> tuple[dict[tuple[float, float], Statistics], int]:
    """Windows by their edges, newest first while they are whole, and how many documents were read."""
    conditions = between("completed_at", run[-1].start, run[0].end) + of_organisation(request.filter)
    tallies = [Tally(request.filter.topic) for _ in run]
    at = read = 0
    whole = True
    for row in rows.range(
        COLLECTION, "completed_at", conditions, COUNTS, limit=max(0, limit) + 1, descending=True
    ):
        read += 1
        if read > limit:
            whole = False
            break
        while row["completed_at"] < run[at].start:
            at += 1
        if fits(row, request.filter) and counts(row):
            tallies[at].add(outcome(row))
    complete = (
        len(run) if whole else next(at for at in range(len(run)) if row["completed_at"] >= run[at].start)
    )
    return {_edges(run[each]): tallies[each].statistics() for each in range(complete)}, read
