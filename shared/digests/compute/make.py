"""From a window to its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.digests.compute.change import TEST
from shared.digests.compute.history import history
from shared.digests.compute.line import line
from shared.digests.compute.measures import measures, trend
from shared.digests.compute.overview import problems, received, waiting
from shared.digests.compute.request import Made
from shared.digests.compute.rows import Rows
from shared.digests.compute.window import Earlier, Quoted, compare_with_earlier, count
from shared.digests.records import Digest, Initiatives, Overview
from shared.platform.settings import settings

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.digests.compute.request import Request


def make(client: firestore.Client, request: Request) -> Made:
    """The digest of a window: the same, byte for byte, of the same documents and earlier digests.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: Firestore refuses or cannot be reached.
    """
    limits, rows, asked = settings(), Rows(client), request.filter.topic
    counted, notes = count(rows, request, limits.digest_max_documents)
    troubles, more = problems(rows, request, limits.digest_max_documents)
    notes += more
    uploaded, more = received(rows, request, limits.digest_max_documents)
    notes += more
    unfinished, oldest, more = waiting(rows, request)
    notes += more
    known, more = history(rows, request, limits.digest_history_documents)
    notes += more
    earlier = Earlier(rows, request, counted, limits.digest_earlier_documents)
    notes += earlier.notes
    quoted = Quoted(counted, earlier, asked)
    quoted.read(rows)
    compare_with_earlier(rows, request, quoted.oddities, limits.digest_earlier_documents)

    statistics, previous = counted.tally.statistics(), max((w.start for w in request.earlier), default=None)
    before = [one.statistics for one in known]
    newest = next((one.statistics for one in known if one.window.start == previous), None)
    found = measures(statistics, newest, before, counted.tally.cells, asked)
    overview = Overview(
        received=uploaded,
        completed=counted.completed,
        copies=counted.copies,
        passages=statistics.passages,
        rejected=troubles.rejected,
        failed=troubles.failed,
        problems=troubles.listed,
        waiting=unfinished,
        oldest=oldest,
    )
    if quoted.gist.left_out:
        notes.append(
            f"The summary is without {quoted.gist.left_out:,} documents: another model read them, "
            "and its vectors cannot be compared with the others'."
        )
    listed, followings = counted.groups.listed(), earlier.followed()
    return Made(
        digest=Digest(
            id=request.id,
            schedule=request.schedule,
            zone=request.zone,
            window=request.window,
            filter=request.filter,
            line=line(request.window, request.zone, overview, found),
            overview=overview,
            sentiments=found.sentiments,
            topics=found.topics,
            trend=trend(known, request.window, statistics),
            test=TEST,
            initiatives=Initiatives(
                implemented=counted.tally.actions["implemented"],
                planned=counted.tally.actions["planned"],
                groups=listed.groups,
                groups_left=listed.left,
                followed=followings.listed,
                followed_counts=followings.counts,
                compared=earlier.compared,
            ),
            incidents=quoted.moods.incidents(),
            positives=quoted.moods.positives(),
            novel=quoted.oddities.novel(),
            novel_among=quoted.oddities.among,
            summary=quoted.gist.summary(statistics),
            notes=notes,
        ),
        statistics=statistics,
        reads=rows.reads,
    )
