"""The window's documents: counted, and then read for what may be quoted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.digests.compute.follow import Organisation, Plans, plans, select
from shared.digests.compute.gist import Gist
from shared.digests.compute.initiatives import Groups
from shared.digests.compute.moods import Moods
from shared.digests.compute.novel import Oddities
from shared.digests.compute.pool import Found
from shared.digests.compute.reported import MAX_IN_ALL as MAX_DONE
from shared.digests.compute.reported import Reported
from shared.digests.compute.selection import Doc, between, counts, doc, fits, of_organisation
from shared.digests.compute.tally import Tally
from shared.documents.outcomes import COLLECTION, CONTENT, COUNTS, outcome, unpack_raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shared.digests.compute.follow import Followings
    from shared.digests.compute.request import Request
    from shared.digests.compute.rows import Row, Rows

MAX_ORGANISATIONS = 300
"""Whose earlier reports are looked for: those with most documents. Firestore takes 30 a query."""
IN = 30


class Counted:
    """What the counts of the window's documents come to."""

    def __init__(self, topic: str | None) -> None:
        """Without documents."""
        self.tally = Tally(topic)
        self.groups = Groups(topic)
        self.docs: list[Doc] = []
        """Whose passages count, by their ids."""
        self.completed = self.copies = self.unjudged = 0

    def add(self, row: Row) -> None:
        """Count a document that completed."""
        if row["members"] is not None:
            return
        self.completed += 1
        if not counts(row):
            self.copies += 1
            return
        one = outcome(row)
        self.tally.add(one)
        self.groups.count(one)
        self.unjudged += one.passages - sum(one.sentiment.values())
        self.docs.append(doc(row))

    @property
    def organisations(self) -> Counter[str]:
        """Documents by the key of their organisation."""
        return Counter(one.organisation_key for one in self.docs if one.organisation_key)


def count(rows: Rows, request: Request, limit: int) -> tuple[Counted, list[str]]:
    """The window's documents, and what is to be noted."""
    window, counted, notes = request.window, Counted(request.filter.topic), []
    conditions = between("completed_at", window.start, window.end) + of_organisation(request.filter)
    found = rows.range(COLLECTION, "completed_at", conditions, (*COUNTS, "space"), limit=limit + 1)
    for read, row in enumerate(found):
        if read == limit:
            notes.append(f"Documents after the first {limit:,} are left out (HEADRACE_DIGEST_MAX_DOCUMENTS).")
            break
        if fits(row, request.filter):
            counted.add(row)
    counted.docs.sort(key=lambda one: one.document)
    if counted.unjudged:
        told = f"{counted.unjudged:,}; no share counts them."
        notes.append(f"Passages in languages that the model does not judge: {told}")
    return counted, notes


def content(row: Row, of: Doc) -> tuple[list[Found], NDArray[np.int8]]:
    """The sentences that were kept of a document, and (n, d) their vectors."""
    kept = unpack_raw(row["items"]) if row.get("items") else []
    packed: bytes = row.get("vectors") or b""
    vectors = np.frombuffer(packed, dtype=np.int8).reshape(len(kept), -1 if kept else 0)
    size = vectors.shape[1]
    one = of._replace(space=row.get("space"))
    return [Found(one, each, packed[at * size : (at + 1) * size]) for at, each in enumerate(kept)], vectors


class Earlier:
    """The plans of earlier reports of the window's organisations, as far as they are open."""

    def __init__(self, rows: Rows, request: Request, counted: Counted, limit: int) -> None:
        """Read them, of the organisations with most documents."""
        self._request, self._start = request, request.window.start
        self.notes: list[str] = []
        organisations = counted.organisations
        keys = sorted(organisations, key=lambda key: (-organisations[key], key))
        if len(keys) > MAX_ORGANISATIONS:
            self.notes.append(
                f"Earlier reports were looked for of {MAX_ORGANISATIONS} of {len(keys):,} organisations."
            )
        planned = Plans()
        reported: dict[str, Reported] = {}
        left_done = MAX_DONE
        for of, row in self._reports(rows, counted, keys[:MAX_ORGANISATIONS], limit):
            key = of.organisation_key or ""
            before, kept = reported.setdefault(key, Reported()), content(row, of)[0]
            if of.completed_at < self._start:
                left_done -= before.add(kept, left_done)
            planned.add(key, plans(kept, request.filter.topic))
        self.notes += planned.notes()
        if left_done == 0:
            self.notes.append(
                f"Of earlier reports {MAX_DONE:,} implemented initiatives were read, and no more."
            )
        self._organisations = {
            key: Organisation(several, self._start, reported[key])
            for key, several in planned.by_organisation().items()
        }
        self.compared = len(self._organisations)

    def meet(self, of: Doc, found: list[Found], vectors: NDArray[np.int8]) -> None:
        """Compare with a report of the window."""
        organisation = self._organisations.get(of.organisation_key or "")
        if organisation is not None:
            organisation.meet(of._replace(space=found[0].doc.space if found else None), found, vectors)

    def followed(self) -> Followings:
        """What became of the plans."""
        return select([one for key in sorted(self._organisations) for one in self._organisations[key].told()])

    def _reports(
        self, rows: Rows, counted: Counted, keys: list[str], limit: int
    ) -> Iterator[tuple[Doc, Row]]:
        """The window's own that a later one follows, and those before it."""
        own = _followed_within(counted.docs, frozenset(keys))[:limit]
        by_id = {one.document: one for one in own}
        for row in rows.named(COLLECTION, list(by_id), CONTENT):
            yield by_id[row[""]], row
        left, batches = limit - len(own), [keys[at : at + IN] for at in range(0, len(keys), IN)]
        for nth, batch in enumerate(batches):
            share = left // (len(batches) - nth)
            read = 0
            for row in rows.range(
                COLLECTION,
                "completed_at",
                [("organisation_key", "in", batch), ("completed_at", "<", self._start)],
                (*COUNTS, *CONTENT),
                limit=share,
                descending=True,
            ):
                read += 1
                if fits(row, self._request.filter) and counts(row):
                    yield doc(row), row
            left -= read
            if read == share:
                note = "Only the newest earlier reports were compared (HEADRACE_DIGEST_EARLIER_DOCUMENTS)."
                self.notes += [] if note in self.notes else [note]


def _followed_within(docs: list[Doc], keys: frozenset[str]) -> list[Doc]:
    """Documents of an organisation that has one about a later year in the same window; the latest first."""
    newest: dict[str, int] = {}
    for one in docs:
        if one.organisation_key in keys and one.year is not None:
            newest[one.organisation_key] = max(one.year, newest.get(one.organisation_key, 0))
    found = [
        one
        for one in docs
        if one.organisation_key in keys and one.year is not None and one.year < newest[one.organisation_key]
    ]
    return sorted(found, key=lambda one: (-(one.year or 0), one.document))


class Quoted:
    """What may be quoted of the window, read a few documents at a time."""

    def __init__(self, counted: Counted, earlier: Earlier, topic: str | None) -> None:
        """Nothing read so far."""
        self._counted, self._earlier, self._topic = counted, earlier, topic
        self.gist, self.moods, self.oddities = Gist(), Moods(), Oddities()

    def read(self, rows: Rows) -> None:
        """All the window's documents, by their ids."""
        docs = {one.document: one for one in self._counted.docs}
        for row in rows.named(COLLECTION, list(docs), CONTENT):
            self._take(docs[row[""]], row)

    def _take(self, of: Doc, row: Row) -> None:
        found, vectors = content(row, of)
        self._earlier.meet(of, found, vectors)
        asked = [one for one in found if self._topic is None or self._topic in one.kept["topics"]]
        by_role: dict[str, list[Found]] = {}
        for one in asked:
            for role in one.kept["roles"]:
                by_role.setdefault(role, []).append(one)
        for one in by_role.get("initiative", ()):
            self._counted.groups.offer(of, one)
        for one in {
            id(each): each for role in ("negative", "positive") for each in by_role.get(role, ())
        }.values():
            self.moods.offer(one)
        centre: str = row.get("centre") or ""
        self.gist.offer(row.get("space"), by_role.get("summary", []), centre)
        self.oddities.offer(by_role.get("unusual", []), centre)


def compare_with_earlier(rows: Rows, request: Request, oddities: Oddities, limit: int) -> None:
    """What is odd in the window with what was kept of the newest documents before it."""
    if not oddities.close():
        return
    conditions: list[tuple[str, str, Any]] = [
        ("completed_at", "<", request.window.start),
        *of_organisation(request.filter),
    ]
    fields = ("name", "organisation", "language", "members", "duplicate_of", "completed_at", "passages")
    for row in rows.range(
        COLLECTION, "completed_at", conditions, (*fields, "vectors", "space"), limit=limit, descending=True
    ):
        vectors = np.frombuffer(row.get("vectors") or b"", dtype=np.int8)
        if len(vectors) and fits(row, request.filter) and counts(row):
            oddities.compare(row.get("space"), vectors.reshape(-1, oddities.dimensions(row.get("space"))))
