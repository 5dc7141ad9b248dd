"""What became of a digest's documents since it was made: why it says other than what is found now.

Documents that it names are known, erased ones by what `redact` keeps. Of all others it is known what they did
later, but an erasure of one of them shows in the numbers alone.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING, Literal

from shared.digests.compute.selection import between, fits
from shared.documents.outcomes import COLLECTION
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import RUNS
from shared.platform.records import Record
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from shared.digests.compute.rows import Condition, Row, Rows
    from shared.digests.stored import StoredDigest

DOCUMENT = (
    "id", "bucket", "name", "organisation", "language", "members", "duplicate_of", "published_run", "run",
    "generation", "state", "error", "received_at", "timings", "published",
)  # fmt: skip
"""What is asked of a document's record."""
ENDED = frozenset({"completed", "rejected", "failed"})
"""States of runs that placed their document in a window."""
_PLACED = ("run", "completed_at", "problem.at")
SEVERAL = 2
"""The first run that can have moved its document."""
MAX_DOCUMENTS = 20_000
"""Read more than once, whose earlier runs are looked at; a backfill leaves very many."""
MAX_RUNS = 20
"""Of a document, the newest."""
AT_ONCE = 100
"""Documents whose runs are asked for by one call."""


class Difference(Record):
    """What a digest says, and what was found instead."""

    kind: Literal["number", "quote", "gone", "again", "left", "rules"]
    """`gone` and `again` explain others: a document was erased, or read anew, since it was counted. `left`:
    there may be more of these. `rules`: what became of plans was told by other rules, and is not compared;
    nothing is wrong with that."""
    what: str
    document: str | None
    """Its id, where it is about one."""
    stored: str
    found: str


class Since:
    """Explanations, gathered while a digest is counted again."""

    def __init__(self, rows: Rows, stored: StoredDigest) -> None:
        """Of that digest."""
        self._rows, self._stored = rows, stored
        self._gone = {*stored.erased}
        self._again: dict[str, Difference] = {}
        self._placed: dict[str, list[datetime]] = {}
        self._all_asked = True
        windows = [one.window for one in stored.digest.trend]
        self._edges = sorted({edge for window in windows for edge in (window.start, window.end)})

    def named(self) -> dict[str, Row]:
        """The records of the documents that the digest names, by their ids; what became of each is noted."""
        ids = self._stored.digest.documents()
        found = {row[""]: row for row in self._rows.named(DOCUMENTS, ids, DOCUMENT)}
        self._gone |= {*ids} - found.keys()
        for document in found.values():
            self.note(document, self._stored.made_at)
        return found

    def note(self, document: Row, moment: datetime) -> None:
        """That a document was read after this moment, or is being read: if so."""
        if _is_after(document, moment):
            self._note(document, moment)

    def _note(self, document: Row, moment: datetime) -> None:
        ended = document["timings"].get("completed_at")
        self._again[document["id"]] = Difference(
            kind="again",
            what=f"{document['name']} was read since",
            document=document["id"],
            stored=moment.isoformat(),
            found=ended.isoformat() if ended else "no end yet",
        )

    def find_moved(self) -> None:
        """Note documents that were in one window, and are in another now.

        Those that moved after the digest was made are in a later window than its own. Those that did before
        explain its trend, since that has earlier windows as the digests of then counted them.
        """
        moved = self._moved()
        documents = list(islice(moved, MAX_DOCUMENTS))
        self._all_asked &= next(moved, None) is None
        for document, several in zip(documents, self._runs(documents), strict=True):
            self._all_asked &= document["run"] <= MAX_RUNS + 1
            now = {self._place(at) for at in self._placed[document["id"]]}
            for run in several:
                if self._explains(document, run) and self._place(run["ended_at"]) not in now:
                    self._note(document, run["ended_at"])

    def _moved(self) -> Iterator[Row]:
        """Documents that may have: they lie in the trend or after it, and not by their first run."""
        digest, limit = self._stored.digest, settings().digest_max_documents
        first, end = digest.trend[0].window.start, digest.window.end
        for field in ("completed_at", "problem.at"):
            spans: list[tuple[list[Condition], int]] = [
                (between(field, first, end), limit * len(digest.trend)),  # as many as are counted again
                ([(field, ">=", end)], limit),
            ]
            for conditions, most in spans:
                placed = self._rows.range(COLLECTION, field, conditions, _PLACED, limit=most)
                for read, row in enumerate(placed, start=1):
                    self._all_asked &= read < most
                    moments = [row.get("completed_at"), (row.get("problem") or {}).get("at")]
                    found = [moment for moment in moments if moment]
                    # One that was stored before there were outcomes says no run.
                    if row.get("run", SEVERAL) >= SEVERAL or len(found) > 1:
                        self._placed[row[""]] = found
        for document in self._rows.named(DOCUMENTS, list(self._placed), DOCUMENT):
            if document["run"] >= SEVERAL and fits(document, digest.filter):
                yield document

    def _runs(self, documents: Sequence[Row]) -> Iterator[list[Row]]:
        """The runs of each before its present one, oldest first; many documents' are asked for at once."""
        client = self._rows.client
        for at in range(0, len(documents), AT_ONCE):
            asked = {}
            for document in documents[at : at + AT_ONCE]:
                runs = client.collection(DOCUMENTS).document(document["id"]).collection(RUNS)
                numbers = range(max(1, document["run"] - MAX_RUNS), document["run"])
                asked[document["id"]] = [runs.document(str(number)) for number in numbers]
            references = [one for several in asked.values() for one in several]
            answers = client.get_all(references, ["state", "ended_at"])
            found = {one.reference.path: one.to_dict() or {} for one in answers if one.exists}
            self._rows.reads += len(references)
            for several in asked.values():
                yield [found[one.path] for one in several if one.path in found]

    def _explains(self, document: Row, run: Row) -> bool:
        """Whether the digest, or one that its trend is of, can have counted what that run came to.

        A trend counts what completed, and no failures.
        """
        digest, ended = self._stored.digest, run["ended_at"]
        if run["state"] not in ENDED or ended >= digest.window.end:
            return False
        in_trend = run["state"] == "completed" and ended >= digest.trend[0].window.start
        return in_trend or _is_after(document, self._stored.made_at)

    def _place(self, moment: datetime) -> int:
        """The same for moments of the same window of the trend."""
        return bisect_right(self._edges, moment)

    def uncertain(self) -> int:
        """Documents that may have counted as received and do not now, or the reverse.

        What a file holds, and whose it is, is known once it was read; new content moves a document to the
        window in which that came.
        """
        window, made_at = self._stored.digest.window, self._stored.made_at
        limit, fields = settings().digest_max_documents, ["run", "timings", "received_at"]
        after = [("received_at", ">=", window.start)]
        count = 0
        for row in self._rows.range(DOCUMENTS, "received_at", after, fields, limit=limit):
            ended = row["timings"].get("completed_at")
            late = ended is None or ended > made_at
            count += late if row["received_at"] < window.end else row["run"] > 1
        return count

    def gone(self) -> Iterator[Difference]:
        """Documents that it names and that were erased."""
        for document in sorted(self._gone):
            yield Difference(
                kind="gone", what="was erased since", document=document, stored="named", found="nothing"
            )

    def again(self) -> Iterator[Difference]:
        """Documents that were read after they were counted, and whether there may be more of them."""
        yield from (self._again[document] for document in sorted(self._again))
        if not self._all_asked:
            yield Difference(
                kind="left",
                what="not every document was asked whether it was read since: there are too many",
                document=None,
                stored="all",
                found="some",
            )


def _is_after(document: Row, moment: datetime) -> bool:
    """Whether its newest run ended after that moment, or has not."""
    ended = document["timings"].get("completed_at")
    return ended is None or ended > moment
