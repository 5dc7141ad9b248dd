"""Read the documents of a window, and those that it is compared with."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shared.digests.compute.follow import MAX_REPORTED_IN_ALL as MAX_DONE
from shared.digests.compute.follow import Groups, Organisation, Plans, Reported, plans, select
from shared.digests.compute.measures import Tally
from shared.digests.compute.quotes import Found, Oddities, SentimentQuotes, SummaryQuotes
from shared.digests.compute.rows import Doc, between, counts, doc, everything, fits, of_organisation
from shared.digests.records import Problem, Unfinished
from shared.documents.outcomes import COLLECTION, CONTENT, COUNTS, Trouble, outcome, unpack_raw
from shared.documents.store import COLLECTION as DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from shared.digests.compute.follow import Followings
    from shared.digests.compute.make import Request
    from shared.digests.compute.rows import Row, Rows


MAX_PROBLEMS = 20
"""Listed; all are counted."""
FIRST_UNFINISHED = 10
"""Read where the filter means all: one may have ended since these were counted."""
MAX_UNFINISHED = 1_000
"""Unfinished documents among which those that a filter means are sought."""
UNFINISHED = ("extracting", "analyzing", "delegated")
_FIELDS = ("document", "name", "organisation", "language", "problem")
_RECORD = ("name", "organisation", "language")


class Problems(NamedTuple):
    """Documents whose newest run did not complete."""

    rejected: dict[str, int]
    failed: int
    listed: list[Problem]


def problems(rows: Rows, request: Request, limit: int) -> tuple[Problems, list[str]]:
    """Return the problems of the window, and notes for the reader."""
    window = request.window
    conditions = between("problem.at", window.start, window.end)
    found = list(
        islice(rows.range(COLLECTION, "problem.at", conditions, _FIELDS, limit=limit + 1), limit + 1)
    )
    notes = []
    if len(found) > limit:
        notes.append(f"Problems after the first {limit:,} are left out (HEADRACE_DIGEST_MAX_DOCUMENTS).")
    problems = _problems(row for row in found[:limit] if fits(row, request.filter))
    total = problems.failed + sum(problems.rejected.values())
    if total > len(problems.listed):
        notes.append(f"{total - len(problems.listed):,} of {total:,} problems are not listed.")
    return problems, notes


def _problems(found: Iterable[Row]) -> Problems:
    rejected: Counter[str] = Counter()
    listed: list[tuple[tuple[Any, ...], Problem]] = []
    for row in found:
        trouble = Trouble.model_validate(row["problem"])
        failed = trouble.state == "failed"
        if not failed:
            rejected[trouble.code] += 1
        problem = Problem(
            document=row["document"],
            name=row["name"],
            state=trouble.state,
            code=trouble.code,
            message=trouble.message,
            hint=trouble.hint,
            replay=f"headrace replay {row['document']}" if failed else None,
        )
        listed.append(((not failed, trouble.at, row["document"]), problem))
    listed.sort(key=lambda pair: pair[0])
    return Problems(
        {code: rejected[code] for code in sorted(rejected)},
        len(listed) - rejected.total(),
        [problem for _, problem in listed[:MAX_PROBLEMS]],
    )


def received(rows: Rows, request: Request, limit: int) -> tuple[int, list[str]]:
    """Documents whose newest content was uploaded in the window; archives do not count."""
    window = request.window
    conditions = [("members", "==", None), *between("received_at", window.start, window.end)]
    if everything(request.filter):
        return rows.count(DOCUMENTS, conditions), []
    found = rows.range(DOCUMENTS, "received_at", conditions, _RECORD, limit=limit + 1)
    count = 0
    for read, row in enumerate(found):
        if read == limit:
            return count, [f"Uploads after the first {limit:,} are left out (HEADRACE_DIGEST_MAX_DOCUMENTS)."]
        count += fits(row, request.filter)
    return count, []


def waiting(rows: Rows, request: Request) -> tuple[int, Unfinished | None, list[str]]:
    """Documents that wait for their results since before the window's end, and the first of them."""
    end, whole = request.window.end, everything(request.filter)
    conditions = [("state", "in", list(UNFINISHED)), ("waiting_since", "<", end)]
    limit = FIRST_UNFINISHED if whole else MAX_UNFINISHED
    fields = (*_RECORD, "state", "waiting_since")
    read = list(rows.range(DOCUMENTS, "waiting_since", conditions, fields, limit=limit))
    found = [row for row in read if fits(row, request.filter)]
    many = not whole and len(read) == limit
    notes = [f"Of unfinished documents the first {limit:,} were looked at."] if many else []
    if not found:
        return 0, None, notes
    oldest = Unfinished(
        document=found[0][""],
        name=found[0]["name"],
        state=found[0]["state"],
        seconds=round((end - found[0]["waiting_since"]).total_seconds(), 1),
    )
    # What ended in between is counted as waiting all the same: it is named.
    return max(rows.count(DOCUMENTS, conditions), 1) if whole else len(found), oldest, notes


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
        unjudged = f"{counted.unjudged:,}; no share counts them."
        notes.append(f"Passages in languages that the model does not judge: {unjudged}")
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
        return select(
            [one for key in sorted(self._organisations) for one in self._organisations[key].findings()]
        )

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
        self.summary, self.sentiments, self.oddities = SummaryQuotes(), SentimentQuotes(), Oddities()

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
            self.sentiments.offer(one)
        centre: str = row.get("centre") or ""
        self.summary.offer(row.get("space"), by_role.get("summary", []), centre)
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
