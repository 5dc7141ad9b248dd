"""What became of a digest's documents since it was made: why it says other than what is found now.

Documents that it names are known, erased ones by what `redact` keeps. Of all others it is known what they did
later, but an erasure of one of them shows in the numbers alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from shared.digests.compute.selection import fits
from shared.digests.outcomes import COLLECTION
from shared.documents import COLLECTION as DOCUMENTS
from shared.documents import RUNS
from shared.records import Record
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from shared.digests.compute.rows import Row, Rows
    from shared.digests.stored import StoredDigest

DOCUMENT = (
    "id", "bucket", "name", "organisation", "language", "members", "duplicate_of", "published_run", "run",
    "generation", "state", "error", "received_at", "timings",
)  # fmt: skip
"""What is asked of a document's record."""
ENDED = frozenset({"completed", "rejected", "failed"})
"""States of runs that placed their document in a window."""


class Difference(Record):
    """What a digest says, and what was found instead."""

    kind: Literal["number", "quote", "gone", "again"]
    """`gone` and `again` explain others: a document was erased, or read anew, since the digest was made."""
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
        ended = document["timings"].get("completed_at")
        if ended is None or ended > moment:
            self._again[document["id"]] = Difference(
                kind="again",
                what=f"{document['name']} was read since",
                document=document["id"],
                stored=moment.isoformat(),
                found=ended.isoformat() if ended else "no end yet",
            )

    def find_moved(self) -> None:
        """Note documents that were in a window of the digest, and are in a later one now."""
        digest, limit = self._stored.digest, settings().digest_max_documents
        first, end = digest.trend[0].window.start, digest.window.end
        ids: dict[str, None] = {}
        for field in ("completed_at", "problem.at"):
            later = self._rows.range(COLLECTION, field, [(field, ">=", end)], ["document"], limit=limit)
            ids |= dict.fromkeys(row[""] for row in later)
        several = (row for row in self._rows.named(DOCUMENTS, list(ids), DOCUMENT) if row["run"] > 1)
        for document in several:
            if not fits(document, digest.filter):
                continue
            numbers = [str(number) for number in range(1, document["run"])]
            path = f"{DOCUMENTS}/{document['id']}/{RUNS}"
            runs = self._rows.named(path, numbers, ["state", "ended_at"])
            if any(run["state"] in ENDED and first <= run["ended_at"] < end for run in runs):
                self.note(document, first)

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
        """Documents that were read after it was made."""
        yield from (self._again[document] for document in sorted(self._again))
